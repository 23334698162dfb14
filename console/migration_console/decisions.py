"""What a form may decide: in the mapping, and by a name under something."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from migration_console.formats import counted
from migration_console.mapping_file import ADDRESSES, ChangedSinceError
from migration_console.open_questions import plan_of
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
#: Who has looked at something, where a page asks for no name.
_UNNAMED = "not named"


_CHANGED = (
    "Somebody has changed this since the page was shown, here or in another window. Nothing of this form was kept: go back,"
    " reload the page, look at what is there now, and decide again."
)


def decide(clinic: Clinic, part: str, fields: Mapping[str, str]) -> str:
    """Write what a form decides into the clinic's own mapping, as the form's page has shown it; return what was saved.

    Raises:
        Refused: the clinic shares its mapping with others, it was changed since, or the form cannot be followed.
        WrongChoiceError: the mapping cannot hold it.
    """
    if not clinic.project.has_own_mapping:
        raise Refused(
            409, f"Give the clinic a mapping file of its own first: {clinic.project.mapping_to_name}."
        )
    was_made = clinic.mapping.is_made
    try:
        with clinic.mapping.of_version(fields.get("seen", "")):
            said = DECISIONS[part](clinic, fields)
    except ChangedSinceError:
        raise Refused(409, _CHANGED) from None
    people = fields.get("people", "")  # on the last page of them
    if part == "families" and people and people == clinic.families:
        clinic.signatures.sign(people, _UNNAMED)
    if clinic.mapping.is_made and not was_made:
        said = f"{said} The clinic has a mapping file of its own now: {clinic.project.mapping}."
    return said


def sign(clinic: Clinic, fields: Mapping[str, str]) -> str:
    """Keep who confirms what; return what was kept.

    Raises:
        Refused: nobody is named, there is no such thing to confirm, or somebody else has ticked since the page was shown.
    """
    who = signer(fields)
    kind, _, what = fields.get("what", "").partition("/")
    if kind == "go-live":
        return _tick(clinic, fields, who)
    if kind in {"plan", "sample"} and RUN_ID.fullmatch(what) and clinic.reports.find(what):
        clinic.signatures.sign(f"{kind}/{what}", who)
        return f"Signed by {who}."
    raise Refused(400, "There is no such thing to sign.")


def signer(fields: Mapping[str, str]) -> str:
    """Return who signs a form.

    Raises:
        Refused: nobody is named.
    """
    who = fields.get("who", "").strip()
    if not who or len(who) > _LONGEST_NAME:
        raise Refused(400, f"Write your name first, with at most {_LONGEST_NAME} characters.")
    return who


def _tick(clinic: Clinic, fields: Mapping[str, str], who: str) -> str:
    try:
        with clinic.signatures.of_version(fields.get("seen", "")):
            kept = clinic.signatures.all()
            for point in POINTS:
                ticked, signed = fields.get(point) == "yes", f"go-live/{point}" in kept
                if ticked is not signed:
                    clinic.signatures.sign(f"go-live/{point}", who if ticked else "")
            number = len({f"go-live/{point}" for point in POINTS} & clinic.signatures.all().keys())
            return f"Saved: {number} of {len(POINTS)} points are ticked."
    except ChangedSinceError:
        raise Refused(409, _CHANGED) from None


def _rows(fields: Mapping[str, str], *names: str) -> list[tuple[str, ...]]:
    """Return the rows of a form: what its fields `name:NUMBER` hold, row by row."""
    numbers = [key.partition(":")[2] for key in fields if key.startswith(f"{names[0]}:")]
    return [tuple(fields.get(f"{name}:{number}", "").strip() for name in names) for number in numbers]


def _map(clinic: Clinic, fields: Mapping[str, str]) -> str:
    """Decide everything that the page of the mapping asks, in one step."""
    return _saved(
        {
            "field": _fields(clinic, fields),
            "owner": _owners(clinic, fields),
            "insurer": _insurers(clinic, fields),
            "choice of what is moved": _move(clinic, fields) if fields.get("moves") == "yes" else 0,
        }
    )


def _saved(numbers: Mapping[str, int]) -> str:
    """Say how many choices of each kind were saved."""
    told = [counted(number, kind, _PLURAL.get(kind, "")) for kind, number in numbers.items() if number]
    if not told:
        return "Nothing was changed: all choices are as they were."
    return f"Saved: {', '.join(told)}. Make the plan once more to see what that changes."


_PLURAL = {
    "choice of what is moved": "choices of what is moved",
    "shared e-mail or phone": "shared e-mails or phones",
}


def _fields(clinic: Clinic, fields: Mapping[str, str]) -> int:
    take = fields.get("take") == "proposals"  # for whatever is not decided yet
    rows = _rows(fields, "field", "place", "proposed", "shown")
    decided = {label: (place or (take and proposed) or None, shown) for label, place, proposed, shown in rows}
    # what nobody has touched stays as it is written: one line may decide every field of a label
    new = {label: place for label, (place, shown) in decided.items() if (place or "") != shown}
    clinic.mapping.decide(new)
    return len(new)


def _families(clinic: Clinic, fields: Mapping[str, str]) -> str:
    known = {(address, source) for address in ADDRESSES for source in _sharers(clinic, address)}
    kept = clinic.mapping.keeps()
    choices, changed = [], 0
    for address, sharing, keeper in _rows(fields, "address", "sharers", "keeper"):
        sharers = sharing.split()
        if not sharers or not {(address, source) for source in sharers} <= known:
            raise Refused(400, "The newest plan knows no such shared e-mail or phone.")
        choices.append((address, keeper or None, sharers))
        changed += keeper != next((source for source in sharers if address in kept.get(source, ())), "")
    clinic.mapping.keep(choices)
    return (
        _saved({"shared e-mail or phone": changed})
        if changed
        else "Saved: you have looked at them; nothing was changed."
    )


def _sharers(clinic: Clinic, address: str) -> set[str]:
    rows = plan_of(clinic.reports.newest("plan", sample=False)).get("families") or []
    return {row[end] for row in rows if row["field"] == address for end in ("keeper", "source")}


def _owners(clinic: Clinic, fields: Mapping[str, str]) -> int:
    rows = _rows(fields, "practitioner", "email")
    if not all(practitioner.isdecimal() for practitioner, _ in rows):
        raise Refused(400, "A practitioner is named by the number in Cliniko.")
    known = {str(practitioner): email or "" for practitioner, email in clinic.mapping.part("owners").items()}
    new = {practitioner: email for practitioner, email in rows if email != known.get(practitioner, "")}
    clinic.mapping.put({("owners", practitioner): email or None for practitioner, email in new.items()})
    return len(new)


def _move(clinic: Clinic, fields: Mapping[str, str]) -> int:
    wanted: dict[tuple[str, ...], bool | str] = {}
    for name, known in clinic.mapping.part("move").items():
        given = fields.get(name, "").strip()
        value = given == "yes" if isinstance(known, bool) else _day(given)
        if value != (known if isinstance(known, bool) else str(known or "")):
            wanted["move", name] = value
    clinic.mapping.put(wanted)
    return len(wanted)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat() if text else ""
    except ValueError:
        raise Refused(400, "Write a day as year-month-day, for example 2019-07-01.") from None


def _insurers(clinic: Clinic, fields: Mapping[str, str]) -> int:
    rows = [row for row in _rows(fields, "insurer", "same_as", "none") if any(row[1:])]
    for name, same_as, none in rows:
        if not name or (same_as and none):
            raise Refused(
                400, f"Say one thing of {name or 'an insurer'}: no insurer, or another name of one."
            )
        if none:
            clinic.mapping.add(("insurers", "not_an_insurer"), name)
        else:
            spellings = clinic.mapping.part("insurers")["spellings"]
            clinic.mapping.respell(same_as, [*(spellings.get(same_as) or ()), name])
    return len(rows)


def _undo(clinic: Clinic, _fields: Mapping[str, str]) -> str:
    undone = clinic.mapping.undo()
    return (
        "Taken back: the mapping is as it was before the newest save."
        if undone
        else "There is nothing to take back."
    )


DECISIONS: dict[str, Callable[[Clinic, Mapping[str, str]], str]] = {
    "map": _map,
    "families": _families,
    "undo": _undo,
}
