"""Both emulated systems together: as an object, and as `python -m sandbox`."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import requests

from sandbox import Sandbox

ROOT = Path(__file__).parents[2]


def test_both_servers_answer_and_share_a_seed() -> None:
    """Each side has its own port, keys, data and control."""
    with Sandbox(seed=3, patients=5, record_contents=True) as sandbox:
        answer = requests.get(
            f"{sandbox.cliniko.url}/patients", auth=(sandbox.cliniko.api_key, ""), timeout=10
        )
        assert answer.status_code == 200
        (request,) = sandbox.cliniko.control.requests
        assert (request.route, request.status) == ("/patients", 200)
        assert "authorization" in (request.headers or {})
        assert "authorization" not in json.dumps(request.summary())
        assert requests.get(f"{sandbox.highlevel.url}/users/", timeout=10).status_code == 401
        assert len(sandbox.highlevel.control.requests) == 1
        assert sandbox.cliniko.account.tables["patients"]


def test_one_practitioner_has_no_highlevel_account() -> None:
    """The others are users of HighLevel with the e-mail address they have in Cliniko."""
    with Sandbox(patients=0) as sandbox:
        emails = {user["email"] for user in sandbox.addresses()["highlevel"]["users"]}
        tables = sandbox.cliniko.account.tables
        active = [row for row in tables["practitioners"].rows() if row["active"] and "user_id" in row]
        missing = {tables["users"][row["user_id"]]["email"] for row in active} - emails
        assert missing == {"umar.fairbrook@clinic.example.com", ""}


def test_an_unknown_option_is_refused() -> None:
    """A misspelt option would leave a test without what it wanted."""
    with pytest.raises(ValueError, match="requests_per_hour"):
        Sandbox(patients=0, cliniko={"requests_per_hour": 5})


def test_a_port_in_use_is_named() -> None:
    """Whoever has the port already, the command says which it is and what to do, and ends with 2."""
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = str(other.getsockname()[1])
        command = [sys.executable, "-m", "sandbox", "--patients", "2", "--cliniko-port", port]
        ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 2
    assert f"port {port} is in use" in ended.stderr
    assert "Traceback" not in ended.stderr


def test_a_demo_needs_two_patients() -> None:
    """One moves house, another leaves: a smaller clinic is refused before anything is begun."""
    command = [sys.executable, str(ROOT / "scripts" / "demo.py"), "--patients", "1"]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert (ended.returncode, "at least 2 patients" in ended.stderr) == (2, True)


def test_the_command_prints_one_line_and_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    """The line of JSON says where both are; the ready file holds the same; SIGTERM ends with 0."""
    ready = tmp_path / "run" / "ready.json"
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--patients",
        "3",
        "--cliniko-limit",
        "2",
        "--ready-file",
        str(ready),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout
        line = running.stdout.readline()
        addresses = json.loads(line)
        assert json.loads(ready.read_text(encoding="utf-8")) == addresses
        auth = (addresses["cliniko"]["api_key"], "")
        codes = [
            requests.get(f"{addresses['cliniko']['url']}/user", auth=auth, timeout=10).status_code
            for _ in range(3)
        ]
        assert codes == [200, 200, 429]
        assert set(addresses["highlevel"]) == {"url", "access_token", "agency_token", "location_id", "users"}
        running.send_signal(signal.SIGTERM)
        rest, _ = running.communicate(timeout=20)
        assert (running.returncode, rest) == (0, "")
