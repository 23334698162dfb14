"""What a run took out of a sub-account, because it belongs to another one now, is there again when the run is undone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hl_divided import HEAD, INVOICE, ITEM, clinic, divide
from hl_undoing import loads, spared, undo

from sandbox.highlevel.objects import add_field

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

    Start = Callable[..., Loader]


KILLED = -9


@pytest.fixture
def divided(highlevel: Start) -> Loader:
    """A clinic with two sub-accounts, in whose main one a booking and an invoice are, with a word of the staff on each."""
    loader = highlevel(extra_locations=1)
    divide(loader)
    state = loader.sandbox.highlevel.state
    (task,) = state.tasks
    state.damage.edit("tasks", task, title="Visit, bring the X-ray")
    add_field(state.main, INVOICE, {"fieldKey": f"{INVOICE}.colour", "name": "Colour", "dataType": "TEXT"}, 0)
    state.damage.edit_record(_one(loader, INVOICE), colour="red")
    return loader


def _one(loader: Loader, object_: str) -> str:
    """Return the id of the one record of an object in the main sub-account."""
    (found,) = (
        hl_id for hl_id, row in loader.sandbox.highlevel.state.records.items() if row["objectKey"] == object_
    )
    return str(found)


def _content(loader: Loader) -> dict[str, Any]:
    content: dict[str, Any] = loader.sandbox.highlevel.state.dump(schema=False)
    return content


@pytest.mark.parametrize("kill", ["", f"after_response/{INVOICE}:1", "after_response/appointment:1"])
def test_what_left_for_another_sub_account_comes_back(kill: str, divided: Loader) -> None:
    """Booking, invoice, item and links, with what people had entered; a rollback that was killed makes nothing twice."""
    before, state = _content(divided), divided.sandbox.highlevel.state
    loads(divided, clinic("2"))
    assert not state.tasks
    assert not state.records
    if kill:
        assert divided.tool("rollback", "--yes", CRASH_AT=kill).returncode == KILLED
    undo(divided)
    assert _content(divided) == before
    assert spared(divided) == {}
    loads(divided, clinic("2"))
    assert not state.tasks
    assert not state.records
    undo(divided)
    assert _content(divided) == before


@pytest.mark.parametrize("kind", ["appointment", ITEM, "relation"])
def test_a_departure_that_was_cut_off_is_undone_too(kind: str, divided: Loader) -> None:
    """Deleted, and the process killed before it could note that: it is made again all the same."""
    before = _content(divided)
    assert divided.load(clinic("2"), CRASH_AT=f"after_departure/{kind}:1").code == KILLED
    undo(divided)
    assert _content(divided) == before


def test_what_cannot_be_made_again_is_listed(divided: Loader) -> None:
    """The contact was deleted meanwhile, and a later run brought the invoice back: both stay as they are."""
    state = divided.sandbox.highlevel.state
    loads(divided, clinic("2"))
    reports = [json.loads(path.read_text()) for path in (divided.folder / "reports").glob("*/report.json")]
    left = max(each["run_id"] for each in reports if each["location_id"] == state.location_id)
    loads(divided, [*HEAD, *clinic("1")[-2:]])
    state.damage.delete("contacts", next(iter(state.contacts)))
    done = divided.tool("rollback", "--yes", "--run", left)
    assert done.returncode == 0, done.stdout + done.stderr
    reasons = {source: row["reason"] for (_, source), row in spared(divided).items()}
    assert reasons["individual_appointments/7"] == "cannot_be_made_again"
    assert reasons["invoices/3"] == "written_by_a_later_run"
