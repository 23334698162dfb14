"""At no log level does Meltano print what one plugin hands to the next, nor a secret."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
MELTANO = Path(sys.executable).with_name("meltano")
TAP = """\
#!/bin/sh
case "$*" in *--discover*) echo '{"streams": []}'; exit 0;; esac
echo '{"type":"SCHEMA","stream":"people","schema":{"properties":{"id":{"type":"string"}}},"key_properties":["id"]}'
echo '{"type":"RECORD","stream":"people","record":{"id":"Zarathustra"}}'
echo "the tap is done" >&2
"""
TARGET = """\
#!/bin/sh
while read -r line; do :; done
echo '{"bookmark":"Zarathustra"}'
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with our logging and two small plugins, of which one has a secret."""
    for name in ("logging.yaml", "logging-json.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    ours = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    token = {"name": "token", "sensitive": True, "value": "S3CRET"}
    tap = {"name": "tap-x", "namespace": "tap_x", "executable": "./tap.sh", "settings": [token]}
    target = {"name": "target-x", "namespace": "target_x", "executable": "./target.sh"}
    taken = {name: ours[name] for name in ("cli", "default_environment", "environments", "project_id")}
    content = {
        **taken,
        "send_anonymous_usage_stats": False,
        "plugins": {"extractors": [tap], "loaders": [target]},
    }
    (tmp_path / "meltano.yml").write_text(yaml.safe_dump(content), encoding="utf-8")
    for name, text in (("tap.sh", TAP), ("target.sh", TARGET)):
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o700)
    return tmp_path


@pytest.mark.parametrize("more", [{}, {"MELTANO_CLI_LOG_CONFIG": "../logging-json.yaml"}])
def test_meltano_prints_no_record_at_any_log_level(project: Path, more: dict[str, str]) -> None:
    """Asked for debug on the command line and by a variable, started below the project; as lines of JSON if that is wanted."""
    below = project / "data"
    below.mkdir()
    variables = {**os.environ, "MELTANO_CLI_LOG_LEVEL": "debug", "NO_COLOR": "1", **more}
    done = subprocess.run(
        [MELTANO, "--log-level=debug", "run", "tap-x", "target-x"],
        cwd=below,
        env=variables,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "the tap is done" in done.stderr
    if more:
        lines = done.stderr.splitlines()[2:]  # two come before Meltano has read how it is to log
        said = [each["name"] for each in map(json.loads, lines) if each["event"] == "the tap is done"]
        assert said == ["tap-x"]
    assert "Zarathustra" not in done.stdout + done.stderr
    assert "S3CRET" not in done.stdout + done.stderr
