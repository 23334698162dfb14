"""Comparing a record's wanted fields with what HighLevel holds: equal, normalised (and how), or not."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

from target_highlevel.normal import digits, is_email, is_phone, plain_text
from target_highlevel.objects.file import attachment_of
from target_highlevel.report.differences import Kind
from target_highlevel.values import date_time, decimal_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.ledger.rows import Row

#: How a value may differ in its spelling and still be the same.
HOWS = {
    "withheld_shared": "an address that another contact has too: kept in a text field, the contact tagged",
    "further_tags": "tags that others gave stay beside ours",
    "set_in_highlevel": "do-not-disturb that was switched on in HighLevel is never switched off",
    "by_the_clock": "right when it was written; only time has passed since",
    "user_at_that_time": "the user it was given; who stands for the practitioner has changed since",
    "named_when_uploaded": "a file keeps the name it was uploaded with; its description changed in Cliniko since",
    "kept_on_purpose": "changed in HighLevel and kept, as the setting `overwrite` wants",
    "there_before": "in the contact before the migration, and Cliniko has no value",
    "set_at_creation_only": "HighLevel takes this field only with a new contact; this one was there before",
    "white_space": "white space or line ends",
    "letter_case": "upper and lower case of an e-mail address, a name or a country",
    "rich_text": "the same words, kept as HTML",
    "phone_format": "the same digits, written in another way",
    "date_time_form": "the same moment, written in another way",
    "number_form": "the same number, written in another way",
    "signs_replaced": "HighLevel replaced signs in the file's name",
    "path_cut": "HighLevel kept only the last part of the file's name",
}


#: What makes a verification fail.
DIFFERING = frozenset({Kind.DIFFERENT, Kind.MISSING, Kind.EXTRA})


@dataclass(frozen=True)
class Compared:
    """One field, compared."""

    field: str
    kind: Kind
    how: str = ""
    wanted: Any = None
    there: Any = None


@dataclass(frozen=True)
class Case:
    """One record and what is needed to judge its fields."""

    row: Row
    spec: StreamSpec
    wanted: Mapping[str, Any]
    there: Mapping[str, Any]
    #: Whether a field's value is the one the load wrote last, in whatever form HighLevel keeps it.
    was_written: Callable[[str, Any], bool]
    #: Whether a field may hold this value because time has passed since it was written.
    clocked: Callable[[str, Any], bool]
    overwrite: str = "cliniko_wins"


def compare(case: Case) -> Iterator[Compared]:
    """Yield every field that has a value on either side."""
    for name in sorted({*case.wanted, *case.there}):
        if not name.startswith("_"):
            found = _field(case, name, case.wanted.get(name), case.there.get(name))
            if found is not None:
                yield found


def _field(case: Case, name: str, wanted: Any, there: Any) -> Compared | None:
    declared = case.spec.field(name)
    if declared.data_type == "FILE_UPLOAD":
        return None  # filled by the files themselves, which are compared one by one
    if declared.kind == "dnd":
        return _do_not_disturb(case, name, wanted, there=bool(there))
    if _empty(wanted) and _empty(there):
        return None
    if declared.kind == "tags":
        return _tags(case, name, set(wanted or ()), {tag.casefold() for tag in there or ()})
    if wanted == there:
        return Compared(name, Kind.EQUAL, "", wanted, there)
    how = _tolerated(case, declared, wanted, there)
    kind = Kind.NORMALISED if how else _unequal(wanted, there)
    return Compared(name, kind, how, wanted, there)


def _unequal(wanted: Any, there: Any) -> Kind:
    if _empty(there):
        return Kind.MISSING
    return Kind.EXTRA if _empty(wanted) else Kind.DIFFERENT


def _do_not_disturb(case: Case, name: str, wanted: Any, *, there: bool) -> Compared | None:
    """Only an explicit no of the patient is ours to insist on."""
    if wanted is None and not there:
        return None
    if bool(wanted) == there:
        return Compared(name, Kind.EQUAL, "", wanted, there)
    ours = wanted is True or name in case.row.notes.get("dnd", ())
    return Compared(
        name, Kind.DIFFERENT if ours else Kind.NORMALISED, "" if ours else "set_in_highlevel", wanted, there
    )


def _tags(case: Case, name: str, wanted: set[str], there: set[str]) -> Compared:
    """Tags of others stay; ours must all be there, and those we have given up must be gone."""
    notes = case.row.notes
    shared = {f"shared-{address}" for address in notes.get("withheld", {})}
    given_up = set(notes.get("tags", ())) - wanted - shared
    kind, how = Kind.NORMALISED, "further_tags"
    if not wanted | shared <= there or given_up & there:
        kind, how = Kind.DIFFERENT, ""
    elif there == wanted | shared:
        kind, how = (Kind.NORMALISED, "withheld_shared") if shared else (Kind.EQUAL, "")
    return Compared(name, kind, how, sorted(wanted), sorted(there))


def _tolerated(case: Case, declared: FieldSpec, wanted: Any, there: Any) -> str:
    """Return why an unequal value is no difference; nothing when it is one."""
    name, row = declared.name, case.row
    if name in row.notes.get("withheld", {}) and _empty(there):
        return "withheld_shared"
    if case.was_written(name, there) and case.clocked(name, there):
        return "by_the_clock"
    if name == "user" and (case.was_written(name, there) or (_empty(there) and name not in row.written)):
        return "user_at_that_time"
    spelling = _spelling(declared, wanted, there)
    if not spelling and _is_theirs(case, name, wanted, there):
        return "kept_on_purpose"
    return spelling or _adopted(row, declared, wanted)


def _is_theirs(case: Case, name: str, wanted: Any, there: Any) -> bool:
    """Return whether a person's value stays, as the setting says: where Cliniko changed too, and where it did not."""
    if case.overwrite == "cliniko_wins":
        return False
    if name in case.row.notes.get("conflicts", ()):
        return True
    edited = name in case.row.written and case.was_written(name, wanted)
    return edited and not (case.overwrite == "fill_empty" and _empty(there))


def _adopted(row: Row, declared: FieldSpec, wanted: Any) -> str:
    """Return what excuses a field of a contact that was there before the migration."""
    if row.created_run is not None:
        return ""
    if _empty(wanted) and declared.name not in row.written:
        return "there_before"
    return "set_at_creation_only" if declared.create_only else ""


def _spelling(declared: FieldSpec, wanted: Any, there: Any) -> str:
    """Return in what two texts differ that mean the same."""
    if not (isinstance(wanted, str) and isinstance(there, str)):
        return ""
    return next((how for how, same in _SPELLINGS.items() if same(declared, wanted, there)), "")


def _same_letters(declared: FieldSpec, wanted: str, there: str) -> bool:
    cased = is_email(declared) or declared.api_name in _CASED
    return cased and wanted.strip().casefold() == there.strip().casefold()


def _same_digits(declared: FieldSpec, wanted: str, there: str) -> bool:
    return is_phone(declared) and digits(wanted) == digits(there) != ""


def _same_words(_declared: FieldSpec, wanted: str, there: str) -> bool:
    """Say nothing of white space where there is no markup: that is judged by its lines."""
    return _MARKUP.search(there) is not None and plain_text(wanted) == plain_text(there)


def _same_end(declared: FieldSpec, wanted: str, there: str) -> bool:
    return declared.name == "file_name" and wanted.rpartition("/")[2] == there


def _same_signs(declared: FieldSpec, wanted: str, there: str) -> bool:
    return declared.name == "file_name" and _letters(wanted) == _letters(there)


def _same_marker(declared: FieldSpec, wanted: str, there: str) -> bool:
    return declared.name == "file_name" and attachment_of(wanted) == attachment_of(there) is not None


def _same_moment(_declared: FieldSpec, wanted: str, there: str) -> bool:
    moment = _moment(wanted)
    return moment is not None and moment == _moment(there)


def _same_number(declared: FieldSpec, wanted: str, there: str) -> bool:
    return declared.data_type in _NUMBERS and _number(wanted) == _number(there) is not None


_SPELLINGS: dict[str, Callable[[FieldSpec, str, str], bool]] = {
    "white_space": lambda _declared, wanted, there: _trimmed(wanted) == _trimmed(there),
    "letter_case": _same_letters,
    "rich_text": _same_words,
    "phone_format": _same_digits,
    "path_cut": _same_end,
    "signs_replaced": _same_signs,
    "named_when_uploaded": _same_marker,
    "date_time_form": _same_moment,
    "number_form": _same_number,
}
#: Fields that HighLevel may write in letters of another case.
_CASED = frozenset({"country", "firstName", "lastName"})
_MARKUP = re.compile(r"<[A-Za-z/]|&#?\w+;")
_NUMBERS = {"NUMERICAL", "MONETORY"}


def _trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _letters(text: str) -> str:
    return re.sub(r"[\W_]", "", text)


def _number(text: str) -> str | None:
    try:
        return decimal_text(text)
    except ValueError:
        return None


def _moment(text: str) -> datetime | None:
    """Return the moment a date-time names, in UTC unless it says otherwise; none for anything else."""
    moment = date_time(text)
    return moment if moment is None or moment.tzinfo else moment.replace(tzinfo=timezone.utc)


def _empty(value: Any) -> bool:
    return value is None or value in ("", [])
