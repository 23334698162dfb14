"""What a form may decide: in the mapping, and by a name under something."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from migration_console.mapping_file import ADDRESSES, ChangedSinceError
from migration_console.reports import RUN_ID
from migration_console.requests import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from migration_console.console import Clinic

#: What a person ticks before a clinic goes live.
POINTS = {
    "looked": "A person has looked at ten patients in HighLevel.",
    "workflows": "The workflows of the sub-account are as they should be from now on.",
    "calendars": "Calendars and forms that patients book with are switched over.",
    "told": "Everybody at the clinic knows from which day HighLevel counts.",
    "archive": "Cliniko stays readable for as long as records must be kept.",
}
_LONGEST_NAME = 80


_CHANGED = (
    "Somebody has changed this since the page was shown, here or in another window. Nothing of this form was kept: go back,"
    " reload the page, look at what is there now, and decide again."
)


def decide(clinic: Clinic, part: str, fields: Mapping[str, str]) -> None:
    """Write what a form decides into the clinic's own mapping, as the form's page has shown it.

    Raises:
        Refused: the clinic has no mapping of its own, it was changed since, or the form cannot be followed.
        WrongChoiceError: the mapping cannot hold it.
    """
    if not clinic.project.has_own_mapping:
        raise Refused(
            409, f"Give the clinic a mapping file of its own first: {clinic.project.mapping_to_name}."
        )
    try:
        with clinic.mapping.of_version(fields.get("seen", "")):
            DECISIONS[part](clinic, fields)
    except ChangedSinceError:
        raise Refused(409, _CHANGED) from None


def sign(clinic: Clinic, fields: Mapping[str, str]) -> None:
    """Keep who confirms what.

    Raises:
        Refused: nobody is named, there is no such thing to confirm, or somebody else has ticked since the page was shown.
    """
    who = signer(fields)
    kind, _, what = fields.get("what", "").partition("/")
    if kind == "go-live":
        _tick(clinic, fields, who)
    elif kind in {"plan", "sample"} and RUN_ID.fullmatch(what) and clinic.reports.find(what):
        clinic.signatures.sign(f"{kind}/{what}", who)
    else:
        raise Refused(400, "There is no such thing to sign.")


def signer(fields: Mapping[str, str]) -> str:
    """Return who signs a form.

    Raises:
        Refused: nobody is named.
    """
    who = fields.get("who", "").strip()
    if not who or len(who) > _LONGEST_NAME:
        raise Refused(400, f"Write your name first, with at most {_LONGEST_NAME} signs.")
    return who


def _tick(clinic: Clinic, fields: Mapping[str, str], who: str) -> None:
    try:
        with clinic.signatures.of_version(fields.get("seen", "")):
            kept = clinic.signatures.all()
            for point in POINTS:
                ticked, signed = fields.get(point) == "yes", f"go-live/{point}" in kept
                if ticked is not signed:
                    clinic.signatures.sign(f"go-live/{point}", who if ticked else "")
    except ChangedSinceError:
        raise Refused(409, _CHANGED) from None


def _rows(fields: Mapping[str, str], *names: str) -> list[tuple[str, ...]]:
    """Return the rows of a form: what its fields `name:NUMBER` hold, row by row."""
    numbers = [key.partition(":")[2] for key in fields if key.startswith(f"{names[0]}:")]
    return [tuple(fields.get(f"{name}:{number}", "").strip() for name in names) for number in numbers]


def _fields(clinic: Clinic, fields: Mapping[str, str]) -> None:
    take = fields.get("take") == "proposals"  # for whatever is not decided yet
    rows = _rows(fields, "field", "place", "proposed", "shown")
    decided = {label: (place or (take and proposed) or None, shown) for label, place, proposed, shown in rows}
    # what nobody has touched stays as it is written: one line may decide every field of a label
    clinic.mapping.decide(
        {label: place for label, (place, shown) in decided.items() if (place or "") != shown}
    )


def _keepers(clinic: Clinic, fields: Mapping[str, str]) -> None:
    known = {(address, source) for address in ADDRESSES for source in _sharers(clinic, address)}
    choices = []
    for address, sharing, keeper in _rows(fields, "address", "sharers", "keeper"):
        sharers = sharing.split()
        if not sharers or not {(address, source) for source in sharers} <= known:
            raise Refused(400, "The newest plan knows no such shared address.")
        choices.append((address, keeper or None, sharers))
    clinic.mapping.keep(choices)


def _sharers(clinic: Clinic, address: str) -> set[str]:
    plan = clinic.reports.newest("plan", sample=False)
    rows = ((plan.content["plan"] or {}) if plan else {}).get("families") or []
    return {row[end] for row in rows if row["field"] == address for end in ("keeper", "source")}


def _owners(clinic: Clinic, fields: Mapping[str, str]) -> None:
    rows = _rows(fields, "practitioner", "email")
    if not all(practitioner.isdecimal() for practitioner, _ in rows):
        raise Refused(400, "A practitioner is named by the number in Cliniko.")
    clinic.mapping.put({("owners", practitioner): email or None for practitioner, email in rows})


def _move(clinic: Clinic, fields: Mapping[str, str]) -> None:
    wanted: dict[tuple[str, ...], bool | str] = {}
    for name, known in clinic.mapping.part("move").items():
        given = fields.get(name, "").strip()
        value = given == "yes" if isinstance(known, bool) else _day(given)
        if value != (known if isinstance(known, bool) else str(known or "")):
            wanted["move", name] = value
    clinic.mapping.put(wanted)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise Refused(400, "Write a day as year-month-day, for example 2019-07-01.") from None


def _insurer(clinic: Clinic, fields: Mapping[str, str]) -> None:
    name, same_as = fields.get("insurer", "").strip(), fields.get("same_as", "").strip()
    if not name:
        raise Refused(400, "No insurer was named.")
    if fields.get("is") == "none":
        clinic.mapping.add(("insurers", "not_an_insurer"), name)
    elif same_as:
        spellings = clinic.mapping.part("insurers")["spellings"]
        clinic.mapping.respell(same_as, [*(spellings.get(same_as) or ()), name])
    else:
        raise Refused(400, "Say what it is: no insurer, or another name of one.")


def _undo(clinic: Clinic, _fields: Mapping[str, str]) -> None:
    clinic.mapping.undo()


DECISIONS: dict[str, Callable[[Clinic, Mapping[str, str]], None]] = {
    "fields": _fields,
    "keepers": _keepers,
    "owners": _owners,
    "move": _move,
    "insurer": _insurer,
    "undo": _undo,
}
