"""A removal that was cut off, and whose record is wanted again before the next run: it is made again where it went."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hl_divided import HEAD, INVOICE, ITEM, clinic, divide
from hl_loading import settings_of
from hl_mapped import person, record

from target_highlevel.descriptor import incoming
from target_highlevel.engine.session import Session

if TYPE_CHECKING:
    from hl_loading import Loader

    from conftest import StartHighLevel

KILLED = -9
DOCTOR = person("contacts/1", "Doc", "McTor")


def patient(*, referred: bool) -> str:
    """Return a patient whom a doctor has referred, or nobody."""
    link = {"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}
    return person("patients/1", "Ada", "King", relations=[link] if referred else [])


@pytest.mark.parametrize("moment", ["after_intent", "after_response"])
def test_a_link_that_is_wanted_again_is_there(moment: str, highlevel: StartHighLevel) -> None:
    """A referring doctor is taken away and put back; the run between was killed before or after it removed the link."""
    loader = highlevel()
    relations = loader.sandbox.highlevel.state.relations
    assert loader.load([*HEAD, DOCTOR, patient(referred=True)]).code == 0
    assert len(relations) == 1
    ended = loader.load([*HEAD, DOCTOR, patient(referred=False)], CRASH_AT=f"{moment}/relation")
    assert ended.code == KILLED
    assert loader.load([*HEAD, DOCTOR, patient(referred=True)]).code == 0
    assert len(relations) == 1
    assert loader.load([*HEAD, DOCTOR, patient(referred=True)], MODE="verify").code == 0


@pytest.fixture
def divided(highlevel: StartHighLevel) -> Loader:
    """A clinic with two sub-accounts; everything of its patient is in the main one."""
    loader = highlevel(extra_locations=1)
    divide(loader)
    return loader


def content(loader: Loader) -> dict[str, Any]:
    """Return what the main sub-account holds, schema apart."""
    held: dict[str, Any] = loader.sandbox.highlevel.state.dump(schema=False)
    return held


def test_a_departure_that_is_taken_back_leaves_everything_there(divided: Loader) -> None:
    """Booking and invoice move to another business and back; the run between was killed after it had deleted the invoice."""
    before = content(divided)
    assert divided.load(clinic("2"), CRASH_AT=f"after_departure/{INVOICE}:1").code == KILLED
    back = divided.load(clinic("1"))
    assert back.code == 0, back.log[-2000:]
    assert content(divided) == before


def test_a_link_that_was_about_to_be_made_leaves_with_its_ends(divided: Loader) -> None:
    """An invoice has another item, and moves before the two are linked; when it comes back, so do both and the link."""
    state = divided.sandbox.highlevel.state
    own = next(iter(state.accounts.values()))
    item = record(
        "hl_invoice_items", "invoice_items/5", item_name="Taping", source_system_id="invoice_items/5",
        relations=[{"association": "cliniko_invoice_items", "to": f"{INVOICE}:invoices/3"}],
    )  # fmt: skip
    links = len(own.relations)
    link = f"relation:cliniko_invoice_items|{INVOICE}:invoices/3|{ITEM}:invoice_items/5"
    killed = divided.load([*clinic("1"), item], CRASH_AT="before_intent/relation")
    assert (killed.code, len(own.records)) == (KILLED, 3)
    values = {name.lower(): value for name, value in divided.settings.items()}
    session = Session(settings_of(divided, **values).sub_accounts()[0])
    session.begin()
    moved = json.loads(clinic("2")[-2])["record"]
    session.intake.take([incoming(session.specs["hl_invoices"], moved)])
    for ref in (f"{INVOICE}:invoices/3", link):
        row = session.work.row(ref)
        assert row is not None
        session.write(row)
    row = session.work.row(link)
    session.close(1, {})
    assert row is not None
    assert (row.status, row.hl_id, len(own.records)) == ("held", None, 0)
    back = divided.load([*clinic("1"), item])
    assert back.code == 0, back.log[-2000:]
    assert (len(own.records), len(own.relations)) == (3, links + 1)
