"""A single thing that is read and answered with nothing in it: nobody knows how it is, and it is never taken for gone."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import fault, rejects
from hl_realities import first_lines, head, later_lines
from hl_undoing import spared

if TYPE_CHECKING:
    from pathlib import Path

    from hl_loading import Loader

    from conftest import StartHighLevel

ONE = r"^/contacts/[^/]+$|/records/[^/]+$|/(notes|tasks|appointments)/[^/]+$"
CHANGED = {
    ("contact", "patients/1"),
    ("custom_objects.cliniko_invoice", "invoices/1"),
    ("appointment", "individual_appointments/7"),
    ("note", "treatment_notes/8"),
}
ANSWERS = pytest.mark.parametrize("answer", [{}, []], ids=["object", "list"])


def answering(loader: Loader, answer: Any, path: str = ONE) -> None:
    """Let reads of single things be answered so."""
    fault(loader, "GET", path, "status", status=200, body=answer)


def found(loader: Loader) -> set[tuple[str, str, str]]:
    """Return (object, source, kind) of what the newest verification lists, but for what is only spelled otherwise."""
    newest = max((loader.folder / "reports").glob("*/differences.csv"))
    with newest.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    return {(row["object"], row["source"], row["kind"]) for row in rows if row["kind"] != "normalised"}


@ANSWERS
@pytest.mark.parametrize("setting", ["task", "calendar_event"])
def test_it_is_unclear_for_that_one_alone(
    setting: str, answer: Any, highlevel: StartHighLevel, tmp_path: Path
) -> None:
    """A load puts it off, a verification lists it as unreadable, a rollback leaves it; each is done when repeated."""
    loader = highlevel()
    loader.settings["APPOINTMENTS_AS"] = setting
    lines, control = [*head(), *first_lines(tmp_path)], loader.sandbox.highlevel.control
    assert loader.load(lines).code == 0
    answering(loader, answer)
    for path in (r"^/contacts/[^/]+/(notes|tasks|appointments)$", "^/contacts/search$", "/records/search$"):
        empty: dict[str, list[Any]] = {"notes": [], "tasks": [], "events": [], "contacts": [], "records": []}
        fault(loader, "GET" if "notes" in path else "POST", path, "status", status=200, body=empty)
    assert loader.load(lines, MODE="verify").code == 6
    assert {kind for _, _, kind in found(loader)} == {"unreadable"}
    assert {(object_, source) for object_, source, _ in found(loader)} > CHANGED
    control.clear_faults()
    answering(loader, answer)
    changed = [*head(), *later_lines()]
    put_off = loader.load(changed)
    assert (put_off.code, put_off.report["totals"]["held"], rejects(loader)) == (1, len(CHANGED), set())
    control.clear_faults()
    assert loader.load(changed).code == 0
    answering(loader, answer)
    assert loader.tool("rollback", "--yes").returncode == 0
    assert {key: row["reason"] for key, row in spared(loader).items()} == dict.fromkeys(
        CHANGED, "not_answered"
    )
    control.clear_faults()
    run = loader.newest_report()["rollback"]["undoes"]
    assert loader.tool("rollback", "--yes", "--run", run).returncode == 0
    assert spared(loader) == {}


@ANSWERS
def test_what_a_list_shows_less_of_is_no_difference(
    answer: Any, highlevel: StartHighLevel, tmp_path: Path
) -> None:
    """An appointment whose text the list leaves out, and that cannot be read, is unreadable; somebody else's hinders nobody."""
    loader = highlevel()
    loader.settings["APPOINTMENTS_AS"] = "calendar_event"
    lines = [*head(), *first_lines(tmp_path)]
    assert loader.load(lines).code == 0
    state, control = loader.sandbox.highlevel.state, loader.sandbox.highlevel.control
    state.options.shapes = frozenset({"events_without_text"})
    (ours,) = state.appointments
    for event in (ours, state.damage.double("appointments", ours)["id"]):
        answering(loader, answer, f"/appointments/{event}$")
    assert loader.load(lines, MODE="verify").code == 6
    assert found(loader) == {("appointment", "individual_appointments/7", "unreadable")}
    control.clear_faults()
    assert loader.load(lines, MODE="verify").code == 5
    assert found(loader) == {("appointment", "individual_appointments/7", "extra")}
