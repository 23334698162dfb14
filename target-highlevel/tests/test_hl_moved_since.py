"""A ledger that was lost, and what Cliniko has moved to another patient since: the end is as with a ledger that was kept."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hl_divided import ITEM, clinic, divide
from hl_mapped import person, record, schemas

from sandbox.highlevel.oracle import doubles, sources

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loader

HEAD = schemas(
    "contacts", "patients", "individual_appointments", "treatment_notes", "patient_attachments", "invoices"
)
LEFT = {"source_system_id": "patients/2", "filtered": "merged", "tags": ["patient", "merged"]}
MERGED = record("hl_contacts", "patients/2", **LEFT)
INVOICE = "custom_objects.cliniko_invoice"
#: What hangs on a patient: each can move alone.
KINDS = ("booking", "note", "file", "invoice")


KILLED = -9


class History:
    """What Cliniko says of two patients, a doctor, and what hangs on them."""

    def __init__(self, folder: Path) -> None:
        """Keep the one file in this folder."""
        self.scan = folder / "scan.pdf"
        self.scan.write_bytes(b"abc")

    def lines(self, *, merged: bool = False, **owners: str) -> list[str]:
        """Return all of it; each kind is patient 2's, or whose it is said to be."""
        doctor = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
        people = [
            person("contacts/1", "Doc", "Tor"),
            person("patients/1", "Ada", "King", relations=doctor),
            MERGED if merged else person("patients/2", "Ada", "Lovelace", relations=doctor),
            person("patients/3", "Bo", "Diddley"),
        ]
        theirs = dict.fromkeys(KINDS, "patients/1" if merged else "patients/2") | owners
        hanging = [
            *self.of("1", dict.fromkeys(KINDS, "patients/1")),
            *self.of("2", theirs),
        ]
        return [*HEAD, *people, *hanging]

    def of(self, number: str, owners: dict[str, str]) -> list[str]:
        """Return one thing of each kind."""
        file = f"patient_attachments/{number}"
        return [
            record(
                "hl_appointments", f"individual_appointments/{number}", contact=owners["booking"],
                title=f"Massage {number}", starts_at="2024-03-01T10:00:00Z", ends_at="2024-03-01T11:00:00Z",
            ),
            record(
                "hl_notes", f"treatment_notes/{number}", contact=owners["note"], title="Note",
                body=f"text\ncliniko:treatment_notes/{number}",
            ),
            record(
                "hl_files", file, contact=owners["file"], file_path=str(self.scan), file_size=3, file_sha256="a",
                file_name=f"cliniko:{file} scan.pdf",
            ),
            record(
                "hl_invoices", f"invoices/{number}", invoice_name=f"Invoice {number}",
                source_system_id=f"invoices/{number}",
                relations=[{"association": "cliniko_invoice_contact", "to": f"contact:{owners['invoice']}"}],
            ),
        ]  # fmt: skip


MOVES: dict[str, dict[str, Any]] = {
    "merged": {"merged": True},
    "to one with history": dict.fromkeys(KINDS, "patients/1"),
    "to one without": dict.fromkeys(KINDS, "patients/3"),
}
#: One seam of each kind, in the order of writing.
SEAMS = ("after_response/relation", "after_intent/note", "after_send/file", "after_response/appointment")


def loaded(start: Callable[..., Loader], folder: Path, history: History) -> Loader:
    """Return a sub-account into which the history was loaded before anything moved, with its ledger in this folder."""
    folder.mkdir()
    loader = replace(start(), folder=folder)
    first = loader.load(history.lines())
    assert first.code == 0, first.log[-2000:]
    return loader


def end(loader: Loader) -> dict[str, Any]:
    """Return what is in the sub-account, where nothing is twice."""
    state = loader.sandbox.highlevel.state
    assert state.doubles().keys() <= {"files"}  # HighLevel keeps the document of a file that was taken off
    found: dict[str, Any] = state.dump(schema=False)
    return found


@pytest.mark.parametrize("move", MOVES)
def test_moved_while_the_ledger_was_lost(move: str, highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """Whatever has moved is with its patient once, and the former one keeps what a move leaves there, no more."""
    history = History(tmp_path)
    moved = history.lines(**MOVES[move])
    kept, lost = (loaded(highlevel, tmp_path / name, history) for name in ("kept", "lost"))
    wanted = kept.load(moved)
    assert wanted.code == 0
    (lost.folder / "ledger.db").unlink()
    for mode in ("plan", "load"):
        found = lost.load(moved, MODE=mode)
        assert found.code == 0, found.log[-2000:]
        assert found.report["totals"]["created"] == wanted.report["totals"]["created"]
    assert end(lost) == end(kept)
    before = lost.sandbox.highlevel.control.stats()["requests"]
    assert lost.load(moved).code == 0
    assert lost.sandbox.highlevel.control.stats()["requests"] == before


def test_moved_after_the_backup_of_the_ledger(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """A ledger that is older than what was written since looks for everything, on every contact."""
    history = History(tmp_path)
    later = record("hl_notes", "treatment_notes/9", contact="patients/3", title="Note",
                   body="text\ncliniko:treatment_notes/9")  # fmt: skip
    moved = [*history.lines(merged=True), later]
    kept, old = (loaded(highlevel, tmp_path / name, history) for name in ("kept", "old"))
    backup = (old.folder / "ledger.db").read_bytes()
    assert old.load([*history.lines(), later]).code == 0
    (old.folder / "ledger.db").write_bytes(backup)
    assert old.load(moved).code == 0
    assert kept.load(moved).code == 0
    assert end(old) == end(kept)


def test_killed_while_what_has_moved_is_found_again(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """Killed at one seam after another, each time resumed: in the end it is as if nothing had been lost."""
    history = History(tmp_path)
    moved = history.lines(merged=True)
    kept, lost = (loaded(highlevel, tmp_path / name, history) for name in ("kept", "lost"))
    assert kept.load(moved).code == 0
    (lost.folder / "ledger.db").unlink()
    # what the other writers had done by then is behind the later seams
    codes = [lost.load(moved, CRASH_AT=seam).code for seam in SEAMS]
    assert codes[0] == KILLED
    assert lost.load(moved).code == 0
    assert end(lost) == end(kept)


def test_a_link_of_somebodys_stays_while_ours_is_there(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """A person has linked an invoice to a second contact: with a lost ledger, both links stay."""
    history = History(tmp_path)
    loader = loaded(highlevel, tmp_path / "lost", history)
    state = loader.sandbox.highlevel.state
    before = len(state.relations)
    ours = next(item for item in state.relations.values() if "invoice" in item["secondObjectKey"])
    other = next(key for key in state.contacts if key != ours["firstRecordId"])
    state.relations["theirs"] = {**ours, "id": "theirs", "firstRecordId": other}
    (loader.folder / "ledger.db").unlink()
    assert loader.load(history.lines()).code == 0
    assert len(state.relations) == before + 1


def test_emptied_while_the_ledger_was_lost(highlevel: Callable[..., Loader]) -> None:
    """A field that is there for Cliniko alone is emptied; what a person may have entered stays, and verify lists it."""
    loader = highlevel()
    profile = {"source_system_id": "patients/1", "patient_name": "Ada King"}
    head = schemas("patients", "patient_attachments")
    full = {"dateOfBirth": "1990-01-02", "cliniko_occupation": "Poet"}
    before = [person("patients/1", "Ada", "King", **full),
              record("hl_patient_profiles", "patients/1", **profile, occupation="Poet")]  # fmt: skip
    after = [person("patients/1", "Ada", "King"), record("hl_patient_profiles", "patients/1", **profile)]
    assert loader.load([*head, *before]).code == 0
    (loader.folder / "ledger.db").unlink()
    assert loader.load([*head, *after]).code == 0
    state = loader.sandbox.highlevel.state
    (contact,) = state.dump(schema=False)["contacts"]
    (record_,) = state.dump(schema=False)["records"]
    assert "Poet" not in str((contact, record_))
    assert contact["dateOfBirth"].startswith("1990-01-02")
    verified = loader.load([*head, *after], MODE="verify")
    assert verified.code == 5
    assert "dateOfBirth" in (max((loader.folder / "reports").glob("*/differences.csv"))).read_text()


@pytest.mark.parametrize("business", ["2", "1"])
def test_moved_to_another_sub_account_while_the_ledger_was_lost(
    business: str, highlevel: Callable[..., Loader]
) -> None:
    """What was in the former sub-account leaves it, and what has not moved stays where it is; nothing is in both."""
    loader = highlevel(extra_locations=1)
    divide(loader)
    (loader.folder / "ledger.db").unlink()
    loaded = loader.load(clinic(business))
    assert loaded.code == 0, loaded.log[-2000:]
    accounts = list(loader.sandbox.highlevel.state.accounts.values())
    held = {number: sources(account) for number, account in zip("12", accounts, strict=False)}
    for kind in ("tasks", INVOICE, ITEM):
        assert {number: len(found.get(kind, ())) for number, found in held.items()} == {
            "1": int(business == "1"),
            "2": int(business == "2"),
        }, kind
    assert [doubles(account) for account in accounts[:2]] == [{}, {}]
    again = loader.load(clinic(business))
    assert (again.code, again.report["totals"]["created"]) == (0, 0)
