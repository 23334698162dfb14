"""The main job in one HighLevel: a load, a delta, a verification after each, and both taken back again."""

from __future__ import annotations

import hashlib
import json
import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hl_loading import rejects
from hl_mapped import person, record, schemas
from hl_undoing import differing, dump

from sandbox.highlevel.realities import options_of
from target_highlevel.assumptions import REGISTER, Measurement
from target_highlevel.assumptions.known import keep
from target_highlevel.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from hl_loading import Loaded, Loader

STREAMS = (
    "contacts",
    "patients",
    "invoices",
    "individual_appointments",
    "treatment_notes",
    "patient_attachments",
)
VISIT, NOTE, FILE = "individual_appointments/7", "treatment_notes/8", "patient_attachments/9"
#: Questions that only a calendar answers.
CALENDAR = {"event_length", "event_texts", "past_appointments", "appointment_user", "missing_event"}
#: Up to where the first load has read, and from where the delta goes on.
READ = json.dumps({"type": "STATE", "value": {"bookmarks": {"patients": {"replication_key_value": "2026"}}}})
LONG = "What was said, at length. " * 250


def head() -> list[str]:
    """Return the SCHEMA lines, with the options that the records use."""
    options = '"options": ["Physio", "Pilates, group", "Review"]'
    return [line.replace('"options": []', options) for line in schemas(*STREAMS)]


def _profile(source_id: str, **fields: Any) -> str:
    own = {"source_system_id": source_id, "patient_name": f"Name of {source_id}"}
    related = [{"association": "cliniko_profile_contact", "to": f"contact:{source_id}"}]
    return record("hl_patient_profiles", source_id, **{**own, "relations": related, **fields})


def _visit(**fields: Any) -> str:
    body = {
        "contact": "patients/1",
        "title": "Visit",
        "body": f"1 < 2 & 3\n{LONG}\ncliniko:{VISIT}",
        "status": "arrived",
        "starts_at": "2024-05-01T10:00:00Z",
        "ends_at": "2024-05-01T11:00:00Z",
        "appointment_type": "Physio",
    }
    return record("hl_appointments", VISIT, **{**body, **fields})


def _note(text: str) -> str:
    own = {"title": "Tom & Co", "pinned": True, "body": f"{text}\ncliniko:{NOTE}"}
    return record("hl_notes", NOTE, contact="patients/1", **own)


def _invoice(**fields: Any) -> str:
    body = {
        "source_system_id": "invoices/1",
        "invoice_name": "Invoice 1",
        "issue_date": "2024-02-29",
        "invoice_status": "Open",
        "total_amount": "90.5",
        "notes": "Tom & Co",
        "relations": [{"association": "cliniko_invoice_contact", "to": "contact:patients/1"}],
    }
    return record("hl_invoices", "invoices/1", **{**body, **fields})


_DOCTOR = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
_ADA: dict[str, Any] = {
    "email": "Ada@Example.org",
    "phone": "+61255500101",
    "dateOfBirth": "1980-05-01",
    "country": "AU",
    "city": "Hobart",
    "dnd_email": True,
    "cliniko_email": "Ada@Example.org",
    "cliniko_occupation": "Baker",
    "cliniko_appointment_type": ["Physio", "Pilates, group"],
    "relations": _DOCTOR,
}


def first_lines(folder: Path) -> list[str]:
    """Return a small clinic with one of each thing, and values that HighLevel might show in another form."""
    (folder / "scan.pdf").write_bytes(b"%PDF-1.4 one")
    return [
        person("contacts/1", "Doc", "McTor", phone="+61255500199"),
        person("patients/1", "Ada", "van Loon", **_ADA),
        person("patients/2", "Bo", "van Loon", email="ada@example.org", dateOfBirth="2012-01-01"),
        person("patients/3", "Cy", "Nobody-of-a-very-long-name-" * 5),
        _profile("patients/1", medical_alerts=LONG, other_fields="a < b & c"),
        _invoice(),
        _visit(),
        _note("a < b & c\n  said"),
        record(
            "hl_files",
            FILE,
            contact="patients/1",
            file_name=f"cliniko:{FILE} 2024-06-17 scan.pdf",
            file_size=12,
            file_path=str(folder / "scan.pdf"),
            file_sha256=hashlib.sha256(b"%PDF-1.4 one").hexdigest(),
        ),
    ]


def later_lines() -> list[str]:
    """Return what changed: names, a cleared field, another option, status, texts, a link that went, somebody new."""
    changed = {
        **_ADA,
        "phone": "+61255500102",
        "city": None,
        "cliniko_occupation": None,
        "cliniko_appointment_type": ["Review"],
        "relations": [],
    }
    return [
        person("patients/1", "Ada", "Larkspur", **changed),
        person("patients/4", "Di", "Larkspur", email="di@example.net"),
        _invoice(invoice_status="Paid", total_amount="91", notes=None),
        _visit(title="Visit, moved", starts_at="2024-05-02T10:00:00Z", ends_at="2024-05-02T11:00:00Z"),
        _note("a < b\n\nand c"),
    ]


@dataclass(frozen=True)
class Expected:
    """How the main job ends in a HighLevel where not everything can arrive."""

    load: frozenset[int] = frozenset({0})
    verify: frozenset[int] = frozenset({0})


USUAL = Expected()
#: Somebody or something is refused, named and listed; the rest arrives.
SOME_REFUSED = Expected(load=frozenset({4}))
OTHERWISE: Mapping[tuple[str, str], Expected] = {
    ("contact_without_address", "refused"): SOME_REFUSED,
    ("past_appointments", "refused"): SOME_REFUSED,
    ("appointment_user", "required"): SOME_REFUSED,
    # title and pin, until it is measured that they are not kept
    ("note_extras", "dropped"): Expected(verify=frozenset({5})),
    ("document_access", "login"): Expected(verify=frozenset({6})),
    # without a mark every full read finds all again, and takes what Cliniko has cleared since for somebody's own
    ("custom_values", "read_only"): Expected(verify=frozenset({0, 5})),
    ("custom_values", "refused"): Expected(verify=frozenset({0, 5})),
}


#: Whoever has an address is refused for it, and who has none for that: nothing is there that could not be read.
NOBODY_ARRIVES = {("contact_without_address", "refused"), ("refused_address", "sometimes")}
#: Answers that have to be measured before everything can arrive: until then, a verification lists what did not, or a run has to
#: be repeated.
TO_BE_MEASURED = {("clearing", "null"), ("search_lag", "30")}


def combination(seed: int) -> dict[str, str]:
    """Return an answer to every question; a search that lags for long is waited for, so that is tried alone."""
    chance = random.Random(seed)  # noqa: S311 - nothing secret
    answers = {name: chance.choice(list(item.answers)) for name, item in REGISTER.items()}
    return {**answers, "search_lag": chance.choice(["0", "0.2"])}


def measured(loader: Loader, answers: Mapping[str, str]) -> None:
    """Keep in the ledger what a probe would have found of these answers."""
    settings = loader.environment()
    ledger = Ledger(settings["TARGET_HIGHLEVEL_LEDGER_URL"], settings["TARGET_HIGHLEVEL_LOCATION_ID"])
    at = "2026-11-29T00:00:00+00:00"
    keep(ledger, [Measurement(name, answer, "seen", at) for name, answer in answers.items()])
    ledger.close()


def to_be_measured(answers: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yield the answers without which not everything arrives: where longer texts are cut, how long each may be, too."""
    cuts = answers.get("longer_texts") == "cut"
    for name, answer in answers.items():
        if (name, answer) in TO_BE_MEASURED or (cuts and REGISTER[name].unit == "characters"):
            yield name, answer


def expected(answers: Mapping[str, str]) -> Expected:
    """Return how the main job may end under these answers together."""
    told = [OTHERWISE.get(pair, USUAL) for pair in answers.items()]
    verify = frozenset().union(*(one.verify for one in told if one.verify != USUAL.verify)) or USUAL.verify
    return Expected(
        load=frozenset({4}) if SOME_REFUSED in told else USUAL.load,
        verify=verify | USUAL.verify if set(answers.items()) >= NOBODY_ARRIVES else verify,
    )


def settings_for(answers: Mapping[str, str]) -> dict[str, str]:
    """Return the settings under which these questions matter."""
    return {"APPOINTMENTS_AS": "calendar_event"} if CALENDAR & set(answers) else {}


def main_job(
    start: Callable[..., Loader], folder: Path, answers: Mapping[str, str], **more: Any
) -> list[Loaded]:
    """Do the whole of it and see that each step ends as it should; return how the steps ended."""
    loader = start(**options_of({"search_lag": "0.2", **answers}), **more)
    loader.settings.update(settings_for(answers))
    measured(loader, dict(to_be_measured(answers)))
    ends, lines, empty = expected(answers), first_lines(folder), dump(loader)
    first = _load(loader, [*head(), *lines, READ], ends)
    seen = _verify(loader, [*head(), *lines], ends)
    before = dump(loader)
    changes = later_lines()
    delta = _load(loader, [READ, *head(), *changes], ends)
    replaced = {(line["stream"], line["record"]["source_id"]) for line in map(_message, changes)}
    now = [line for line in lines if _key(line) not in replaced] + changes
    again = _verify(loader, [*head(), *now], ends)
    _undo(loader)
    _same(loader, _plain(before), _plain(dump(loader)))
    _undo(loader)
    _same(loader, empty, dump(loader))
    assert loader.sandbox.highlevel.state.relations == {}
    assert loader.sandbox.highlevel.control.violations == []
    return [first, seen, delta, again]


def _same(loader: Loader, before: dict[str, Any], after: dict[str, Any]) -> None:
    found = differing(before, after)
    assert not found, (_table(loader, "spared"), _table(loader, "left"), found)


def _plain(content: dict[str, Any]) -> dict[str, Any]:
    """Return a dump whose texts are without paragraphs: what was read as such is put back as such."""
    text = json.dumps(content)
    for mark in ("<p>", "</p>", r"\n", "&lt;", "&amp;", " ", "<", "&"):
        text = text.replace(mark, "")
    plain: dict[str, Any] = json.loads(text)
    return plain


def _message(line: str) -> dict[str, Any]:
    message: dict[str, Any] = json.loads(line)
    return message


def _key(line: str) -> tuple[str, str]:
    message = _message(line)
    return message["stream"], message["record"]["source_id"]


def _load(loader: Loader, lines: list[str], ends: Expected) -> Loaded:
    loaded = loader.load(lines)
    assert loaded.code in ends.load | {0}, (loaded.log[-1500:], rejects(loader))
    assert loader.sandbox.highlevel.state.doubles() == {}
    return loaded


def _verify(loader: Loader, lines: list[str], ends: Expected) -> Loaded:
    seen = loader.load(lines, MODE="verify")
    assert seen.code in ends.verify, (seen.log[-600:], _table(loader, "differences"))
    return seen


def _table(loader: Loader, name: str) -> list[str]:
    """Return the newest list of this name, for a message."""
    newest = max((loader.folder / "reports").glob(f"*/{name}.csv"), default=None)
    return newest.read_text(encoding="utf-8-sig").splitlines()[:20] if newest else []


def _undo(loader: Loader) -> None:
    undone = loader.tool("rollback", "--yes")
    assert undone.returncode == 0, (undone.stderr[-800:], _table(loader, "left"), _table(loader, "spared"))
