"""Two taps at the same time, as real processes: a load and a sample, or a load and a warehouse.

They have the account's key, its budget, the folder of attachments and the file of known ids in common.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import Said, config_for

from sandbox import Sandbox

if TYPE_CHECKING:
    from pathlib import Path

FILES = "patient_attachments"


def run_together(folder: Path, configs: list[dict[str, Any]], states: list[dict[str, Any]]) -> list[Said]:
    """Run several taps at the same time; each must end well; returns what each said."""
    taps = []
    with ExitStack() as files:
        for number, (config, state) in enumerate(zip(configs, states, strict=True)):
            command = [sys.executable, "-m", "tap_cliniko"]
            for name, content in (("config", config), ("state", state)):
                path = folder / f"{name}-{number}.json"
                path.write_text(json.dumps(content))
                command += [f"--{name}", str(path)]
            lines = files.enter_context((folder / f"lines-{number}").open("w"))
            log = files.enter_context((folder / f"log-{number}").open("w"))
            environment = {"PATH": os.environ["PATH"], "TMPDIR": str(folder)}
            taps.append(subprocess.Popen(command, env=environment, stdout=lines, stderr=log))
        codes = [each.wait() for each in taps]
    logs = [(folder / f"log-{number}").read_text() for number in range(len(taps))]
    assert codes == [0] * len(taps), [log.splitlines()[-1] for log in logs]
    return [Said.from_text((folder / f"lines-{number}").read_text()) for number in range(len(taps))]


@pytest.mark.soak
@pytest.mark.timeout(240)
def test_two_processes_never_get_a_429(tmp_path: Path) -> None:
    """Against a server with the real limit: never over it, and both complete."""
    with Sandbox(seed=5, patients=40) as sandbox:
        config = config_for(sandbox, tmp_path, requests_per_minute=200)
        said = run_together(tmp_path, [config, config], [{}, {}])
        stats = sandbox.cliniko.control.stats()
    assert [len(each.records("patients")) for each in said] == [40, 40]
    assert stats["requests"] > 200, "too few requests to show anything"
    assert stats["by_status"].get("429", 0) == 0
    assert stats["greatest_window"] <= 200


def test_a_load_and_a_sample_share_the_folder_of_attachments(tmp_path: Path) -> None:
    """No file is fetched twice or mixed up, whichever run comes to it first."""
    with Sandbox(seed=5, patients=60, cliniko={"requests_per_minute": 0}) as sandbox:
        sandbox.cliniko.files_control.latency = (
            0.03  # so that one run comes to a file while the other fetches it
        )
        config = config_for(sandbox, tmp_path)
        configs = [config, config, {**config, "sample_patients": 30}]
        said = run_together(tmp_path, configs, [{}, {}, {}])
        asked = [each.path for each in sandbox.cliniko.files_control.requests]
    assert len(asked) == len(set(asked)) > 10
    found = [{each["id"]: each["file_sha256"] for each in one.records(FILES)} for one in said]
    assert found[0] == found[1]
    assert found[2].items() <= found[0].items()
    assert not list((tmp_path / "attachments").glob("*.part"))


def test_two_destinations_share_the_file_of_known_ids(tmp_path: Path) -> None:
    """Both runs look for deletions at the same time, and both tell of them."""
    with Sandbox(seed=8, patients=60, cliniko={"requests_per_minute": 0}) as sandbox:
        config = config_for(sandbox, tmp_path, detect_deletions=True, download_attachments=False)
        first = run_together(tmp_path, [config, config], [{}, {}])
        gone = [next(iter(sandbox.cliniko.account.tables[name])) for name in ("taxes", "medical_alerts")]
        for name, ident in zip(("taxes", "medical_alerts"), gone, strict=True):
            sandbox.cliniko.account.delete(name, ident)
        second = run_together(tmp_path, [config, config], [each.state for each in first])
    for said in second:
        tombstones = [
            each["record"]["id"] for each in said.messages if each.get("record", {}).get("_sdc_deleted_at")
        ]
        assert tombstones == gone
