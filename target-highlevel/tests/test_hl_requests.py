"""What the target sends: by the vendor's own description, never to a patient, the same from both hosts of the mapper."""

from __future__ import annotations

import json
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from hl_loading import BIN, Loader, content

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hl_loading import Clinic


SPECS = Path(__file__).parents[3] / "shared" / "openapi" / "highlevel"
#: With duplicates allowed nothing depends on who of a family comes first.
HIGHLEVEL = {"burst_limit": 100_000, "search_lag": 0.2, "allow_duplicates": True}
_IN_PATHS = re.compile(r"/[A-Za-z0-9]{20,}")
_IDS = "firstRecordId|secondRecordId|associationId|parentId|assignedTo|userId|id"
_IN_BODIES = re.compile(rf'"({_IDS})": "[^"]*"')


@pytest.fixture
def recorded(tmp_path: Path) -> Iterator[Loader]:
    """A HighLevel that keeps the bodies of all requests."""
    with Sandbox(seed=1, patients=5, highlevel=HIGHLEVEL, record_contents=True) as sandbox:
        yield Loader(sandbox, tmp_path)


def bodies(loader: Loader) -> list[tuple[str, str, Any]]:
    """Return (method, path, body) of every request that carries JSON."""
    return [
        (request.method, request.path, json.loads(request.body))
        for request in loader.sandbox.highlevel.control.requests
        if request.body and request.body.startswith(b"{")
    ]


def comparable(loader: Loader) -> Counter[str]:
    """Return the bodies without the ids that HighLevel made, each as one text; those of the mark name the ledger."""
    return Counter(
        " ".join(
            (
                method,
                _IN_PATHS.sub("/…", path),
                _IN_BODIES.sub(r'"\1": "…"', json.dumps(body, sort_keys=True)),
            )
        )
        for method, path, body in bodies(loader)
        if "/customValues" not in path
    )


def assert_silent(loader: Loader) -> None:
    """Nothing is sent to a patient and no two people can be merged by any request."""
    control = loader.sandbox.highlevel.control
    assert control.stats()["violations"] == []
    for request in control.requests:
        assert "upsert" not in request.path
        assert not re.search(r"conversations|messages|campaigns|/workflow/|emails|sms", request.path)
    for _, path, body in bodies(loader):
        if "/calendars/events/appointments" in path:
            assert body["toNotify"] is False
        if path == "/calendars/":
            assert body["notifications"] == []


def test_both_hosts_of_the_mapper_send_the_same(
    small_clinic: Clinic, recorded: Loader, tmp_path: Path
) -> None:
    """With the mapper as a stage of its own every request body is the same, byte for byte but for ids, in any order."""
    assert recorded.load(small_clinic.lines).code == 0
    assert_silent(recorded)
    inside, dump = comparable(recorded), content(recorded.sandbox.highlevel.state)
    assert_described(bodies(recorded))

    mapped = subprocess.run(
        [BIN / "cliniko-to-highlevel-mapper", "--config", "ENV"],
        input="\n".join(small_clinic.lines),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    folder = tmp_path / "stage"
    folder.mkdir()
    with Sandbox(seed=1, patients=5, highlevel=HIGHLEVEL, record_contents=True) as sandbox:
        staged = Loader(sandbox, folder)
        assert staged.load(mapped).code == 0
        assert content(sandbox.highlevel.state) == dump
        assert comparable(staged) == inside


def test_calendar_events_are_silent(small_clinic: Clinic, recorded: Loader) -> None:
    """Appointments as calendar events: each is created without a notification, past ones too, and twice costs nothing."""
    assert recorded.load(small_clinic.lines, APPOINTMENTS_AS="calendar_event").code == 0
    assert_silent(recorded)
    assert_described(bodies(recorded))
    state = recorded.sandbox.highlevel.state
    found = state.sources()
    assert set(found["appointments"]) == small_clinic.sources["tasks"]
    assert not state.tasks
    before = recorded.sandbox.highlevel.control.stats()["requests"]
    again = recorded.load(small_clinic.lines, APPOINTMENTS_AS="calendar_event")
    assert again.code == 0
    assert recorded.sandbox.highlevel.control.stats()["requests"] == before


# The vendor's own description, where it is present


def assert_described(sent: list[tuple[str, str, Any]]) -> None:
    """Every body is one that the vendor's description allows, where there is one."""
    if not SPECS.is_dir():
        return
    operations = list(described_operations())
    checked = 0
    for method, path, body in sent:
        for pattern, wanted, schema in operations:
            if wanted == method and pattern.fullmatch(path):
                errors = jsonschema.Draft202012Validator(schema).iter_errors(body)
                found = [error.json_path for error in errors if not misdescribed(error)]
                assert not found, (method, pattern.pattern)
                checked += 1
                break
    assert checked > len(sent) * 0.5


def misdescribed(error: jsonschema.ValidationError) -> bool:
    """The description calls some texts and numbers objects, and shows texts and numbers in its own examples of them.

    It wants a calendar of every blocked slot, and says that a user may take its place.
    """
    if (
        error.validator == "required"
        and isinstance(error.instance, dict)
        and "assignedUserId" in error.instance
    ):
        return "'calendarId'" in error.message
    if error.validator == "anyOf":
        return any(map(misdescribed, error.context))
    objects = error.validator == "type" and error.validator_value == "object"
    return objects and isinstance(error.instance, (str, int, float))


def described_operations() -> Iterator[tuple[re.Pattern[str], str, dict[str, Any]]]:
    """Yield (path, method, schema of the body) of each described operation, fixed paths before templates."""
    found = []
    for file in sorted(SPECS.rglob("*.json")):
        spec = json.loads(file.read_text(encoding="utf-8"))
        for path, methods in (spec.get("paths") or {}).items():
            for method, operation in methods.items():
                content = (
                    (operation.get("requestBody") or {}).get("content")
                    if isinstance(operation, dict)
                    else None
                )
                schema = ((content or {}).get("application/json") or {}).get("schema")
                if schema:
                    pattern = re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path)))
                    whole = {**schema, "components": spec.get("components", {})}
                    found.append((path.count("{"), pattern, method.upper(), whole))
    yield from (
        (pattern, method, schema) for _, pattern, method, schema in sorted(found, key=lambda item: item[0])
    )
