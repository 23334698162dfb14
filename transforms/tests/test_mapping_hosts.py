"""The two hosts of the mapping: a process of its own, and the target's."""

from __future__ import annotations

import importlib
import importlib.util
import json
import subprocess
import sys
from decimal import Decimal
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

import pytest
from cliniko_records import SCHEMA, messages, record
from mapping_runs import one, run

from cliniko_to_highlevel.core import MessageMapper

if TYPE_CHECKING:
    from pathlib import Path

STATE = {"type": "STATE", "value": {"bookmarks": {"patients": {"at": "2024-01-01T00:00:00Z"}}}}


def stage(lines: list[dict[str, Any]], tmp_path: Path, **config: Any) -> subprocess.CompletedProcess[str]:
    """Run the mapper as Meltano does, as a process between two pipes."""
    path = tmp_path / "config.json"
    path.write_text(json.dumps(config))
    return subprocess.run(
        [sys.executable, "-c", "from cliniko_to_highlevel.mapper import main; main()", "--config", str(path)],
        input="".join(f"{json.dumps(line)}\n" for line in lines),
        capture_output=True,
        text=True,
        check=False,
    )


def emitted(done: subprocess.CompletedProcess[str]) -> list[dict[str, Any]]:
    """Return the messages a process wrote."""
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_both_hosts_emit_the_same(tmp_path: Path) -> None:
    """The stage of its own and the in-process mapping give equal messages, in the same order."""
    bad = ("invoices", record("invoices", issue_date="soon"))
    lines = messages(bad)
    assert emitted(stage(lines, tmp_path)) == run(lines)


@pytest.mark.parametrize(("hidden", "status"), [(None, "arrived"), ("2024-04-01T00:00:00Z", "removed")])
def test_the_target_lets_an_archived_group_override_its_places(hidden: str | None, status: str) -> None:
    """Also of an attendance that was read before its group was archived, and never again."""
    if not importlib.util.find_spec("target_highlevel"):
        pytest.skip("target-highlevel is not installed")
    descriptor = importlib.import_module("target_highlevel.descriptor")
    spec = descriptor.stream_spec(
        next(item for item in MessageMapper().declared() if item["stream"] == "hl_appointments")
    )
    place = descriptor.incoming(spec, without_stream(one("attendees", "hl_appointments")))
    group = descriptor.incoming(
        spec, without_stream(one("group_appointments", "hl_appointments", archived_at=hidden))
    )
    assert group.part in place.joins
    folded = importlib.import_module("target_highlevel.desired").fold(
        spec, place.fields, [(group.part, group.fields)], "2024-03-01T00:00:00Z"
    )
    assert (folded["status"], folded.get("completed")) == (status, True if hidden else None)


def without_stream(item: dict[str, Any]) -> dict[str, Any]:
    """Return a mapped record as the target gets it."""
    return {name: value for name, value in item.items() if name != "stream"}


def test_a_sample_stays_one_on_the_way(tmp_path: Path) -> None:
    """What the tap says of all its schemas, that there is a sample only, both hosts say of theirs."""
    for whole, said in ((True, None), (False, True)):
        lines = messages()
        for line in lines:
            if line["type"] == "SCHEMA" and not whole:
                line["schema"] = {**line["schema"], "x-sample": True}
        mapped = emitted(stage(lines, tmp_path))
        assert mapped == run(lines)
        described = [line["schema"]["x-highlevel"] for line in mapped if line["type"] == "SCHEMA"]
        assert {each.get("sample") for each in described} == {said}


def test_numbers_are_the_same_from_either_side_of_a_pipe() -> None:
    """A number that came as float, as decimal or as text gives the same amount."""
    for number in (90.1, Decimal("90.1"), "90.10"):
        lines = run(
            [{"type": "RECORD", "stream": "invoice_items", "record": {"id": "1", "unit_price": number}}]
        )
        assert lines[-1]["record"]["unit_price"] == "90.1"


def test_what_is_not_clinikos_passes_unchanged(tmp_path: Path) -> None:
    """State and streams of other taps pass in order, whatever they are called; versions of Cliniko's streams are dropped."""
    foreign = {"properties": {"id": {"type": "string"}}}
    other: list[dict[str, Any]] = [
        {"type": "SCHEMA", "stream": name, "schema": schema, "key_properties": ["id"]}
        for name, schema in (
            ("orders", foreign),
            ("contacts", foreign),
            ("users", {**foreign, "x-cliniko": None}),
        )
    ]
    other += [
        {"type": "RECORD", "stream": name, "record": {"id": "1"}} for name in ("orders", "contacts", "users")
    ]
    other += [{"type": "ACTIVATE_VERSION", "stream": "contacts", "version": 1}, STATE]
    patients = {"type": "SCHEMA", "stream": "patients", "schema": SCHEMA, "key_properties": ["id"]}
    version = {"type": "ACTIVATE_VERSION", "stream": "patients", "version": 1}
    passed = emitted(stage([patients, *other[:-1], version, other[-1]], tmp_path))
    assert [item for item in passed if not item.get("stream", "").startswith("hl_")] == other


def test_the_origin_is_told_on() -> None:
    """Every mapped stream says which tap and which Cliniko account its records come from."""
    schemas = [line["schema"] for line in run(messages()) if line["type"] == "SCHEMA"]
    assert {str(schema["x-cliniko"]) for schema in schemas} == {str(SCHEMA["x-cliniko"])}
    assert "x-cliniko" not in next(MessageMapper().declared())["schema"]


def test_a_wrong_mapping_ends_with_one_line(tmp_path: Path) -> None:
    """Wrong settings give exit code 2 and a line that says what to do, with no traceback."""
    path = tmp_path / "mine.yml"
    path.write_text("custom_fields: {named: {Shoe size: keep}}")
    done = stage(messages(), tmp_path, mapping=str(path))
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith(
        "cliniko-to-highlevel-mapper: custom_fields.named names Shoe size"
    )


def test_a_file_that_is_no_configuration_ends_with_one_line() -> None:
    """As with the tap and the target: exit code 2, and the line says which file."""
    command = [sys.executable, "-c", "from cliniko_to_highlevel.mapper import main; main()"]
    done = subprocess.run(
        [*command, "--config", "/nowhere/config.json"], input="", capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "--config" in done.stderr.splitlines()[-1]


def test_the_target_finds_the_mapping_by_its_entry_point() -> None:
    """The core is published under the name by which the target looks for it."""
    (found,) = entry_points(group="target_highlevel.mappers", name="cliniko")
    assert found.load() is MessageMapper


def test_the_mapper_tells_about_itself() -> None:
    """The plugin lists its one setting."""
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            "from cliniko_to_highlevel.mapper import main; main()",
            "--about",
            "--format=json",
        ],
        capture_output=True,
        text=True,
        check=True,
    )
    about = json.loads(done.stdout)
    assert about["name"] == "cliniko-to-highlevel-mapper"
    assert "mapping" in about["settings"]["properties"]


def test_no_value_of_a_record_reaches_the_log(tmp_path: Path) -> None:
    """What the mapper writes to its log names no patient, even when records are rejected."""
    lines = messages(("patients", record("patients", date_of_birth="Quillfeather", notes="Quiet room")))
    done = stage(lines, tmp_path)
    assert not any(word in done.stderr for word in ("Quillfeather", "Quiet room", "june@example.net"))
