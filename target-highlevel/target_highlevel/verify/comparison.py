"""Comparing a record's wanted fields with what HighLevel holds: equal, normalised (and how), or not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.fields import is_empty, is_off, kind_of
from target_highlevel.ledger.rows import ANOTHER
from target_highlevel.report.differences import Kind
from target_highlevel.withheld import explained, possible_tags
from target_highlevel.withheld import tags as tags_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.fields import FieldKind
    from target_highlevel.ledger.rows import Row

#: How a value may differ in its spelling and still be the same.
HOWS = {
    "withheld_shared": "an address that another contact has too: kept in a text field, the contact tagged",
    "withheld_refused": "HighLevel refused the value: left out, and listed in the report of the load",
    "further_tags": "tags that others gave stay beside ours",
    "set_in_highlevel": "do-not-disturb that was switched on in HighLevel is never switched off",
    "consent_unknown": "closed for an earlier no; what the patient wants now is not known, so it stays closed",
    "by_the_clock": "right when it was written; only time has passed since",
    "user_at_that_time": "the user it was given; who stands for the practitioner has changed since",
    "stays_in_its_stage": "an opportunity stays in its stage when no visit is left",
    "owner_not_kept": "HighLevel has kept no owner of this record",
    "named_when_uploaded": "a file keeps the name it was uploaded with; its description changed in Cliniko since",
    "change_waits": "as it was written last; the change since then waits or was refused, and is listed as such",
    "kept_on_purpose": "changed in HighLevel and kept, as the setting `overwrite` wants",
    "set_by_highlevel": "HighLevel fills it in by itself, and Cliniko has no value",
    "there_before": "in the contact before the migration, and Cliniko has no value",
    "set_at_creation_only": "HighLevel takes this field only with a new contact; this one was there before",
    "white_space": "white space or line ends",
    "letter_case": "upper and lower case of an e-mail address, a name or a country",
    "country_name": "the same country, by its name",
    "rich_text": "the same words, kept as HTML",
    "phone_format": "the same digits, written in another way",
    "without_country": "the same number, as it is dialled in its own country",
    "date_order": "figures that name the same day, in another order",
    "date_time_form": "the same moment, written in another way",
    "number_form": "the same number, written in another way",
    "rounded_to_cents": "the same sum, rounded to the cent",
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
    #: Whether HighLevel has filled a value in by itself.
    highlevels_own: Callable[[str, Any], bool]
    overwrite: str = "cliniko_wins"
    #: Every tag that the mapping gives to anybody: on the wrong contact it is a difference.
    our_tags: frozenset[str] = frozenset()
    #: Whether a change of the record waits or was refused: then HighLevel should hold what was written last.
    waits: bool = False


def compare(case: Case) -> Iterator[Compared]:
    """Yield every field that has a value on either side."""
    for name in sorted({*case.wanted, *case.there}):
        if not name.startswith("_"):
            found = _field(case, name, case.wanted.get(name), case.there.get(name))
            if found is not None:
                yield found


def _field(case: Case, name: str, wanted: Any, there: Any) -> Compared | None:
    kind = kind_of(case.spec.field(name))
    if kind.is_channel:
        return _do_not_disturb(case, name, wanted, there)
    if not kind.written or (is_empty(wanted) and is_empty(there)):
        return None  # files are compared one by one
    if kind.shared:
        return _tags(case, name, set(wanted or ()), {tag.casefold() for tag in there or ()})
    return Compared(name, *_verdict(case, kind, wanted, there), wanted, there)


def _verdict(case: Case, kind: FieldKind, wanted: Any, there: Any) -> tuple[Kind, str]:
    if wanted == there:
        return Kind.EQUAL, ""
    how = _tolerated(case, kind, wanted, there)
    if how:
        return Kind.NORMALISED, how
    if not _is_guarded(case.spec, kind) and _is_theirs(case, kind.declared.name, wanted, there):
        return Kind.KEPT, "kept_on_purpose"
    return _unequal(wanted, there), ""


def _is_guarded(spec: StreamSpec, kind: FieldKind) -> bool:
    """Return whether another value is never put down to a person: two patients may have been taken for each other."""
    return kind.guarded or (spec.kind == "note" and kind.declared.name == "body")


def _unequal(wanted: Any, there: Any) -> Kind:
    if is_empty(there):
        return Kind.MISSING
    return Kind.EXTRA if is_empty(wanted) else Kind.DIFFERENT


def _do_not_disturb(case: Case, name: str, wanted: Any, there: Any) -> Compared | None:
    """Only an explicit no of the patient is ours to insist on, and a channel that others closed is never opened.

    One that we have closed stays so when the patient's wish is not known any more: unknown changes nothing.
    """
    if wanted is None and not there:
        return None
    if bool(wanted) == bool(there):
        return Compared(name, Kind.EQUAL, "", wanted, there)
    closed_by_us = there is True and name in case.row.notes.dnd
    if wanted is True or (closed_by_us and wanted is False):
        as_left = case.waits and (there is True) == (name in case.row.notes.dnd)
        kind, how = (Kind.NORMALISED, "change_waits") if as_left else (Kind.DIFFERENT, "")
        return Compared(name, kind, how, wanted, there)
    how = "consent_unknown" if closed_by_us else "set_in_highlevel"
    return Compared(name, Kind.NORMALISED, how, wanted, there)


def _tags(case: Case, name: str, wanted: set[str], there: set[str]) -> Compared:
    """Tags of others stay; ours must all be there, and none of ours that says of a patient what is not so."""
    notes = case.row.notes
    shared = tags_of(notes.withheld)
    ours = set(notes.tags)
    if case.row.created_run is not None:  # else it may have had them before the migration
        ours |= case.our_tags | possible_tags(case.spec.fields)
    kind, how = Kind.NORMALISED, "further_tags"
    if not wanted | shared <= there or (ours - wanted - shared) & there:
        kind, how = Kind.DIFFERENT, ""
        if case.waits and ours & there == set(notes.tags) | shared:
            kind, how = Kind.NORMALISED, "change_waits"
    elif there == wanted | shared:
        told = [why for address, why in notes.withheld.items() if tags_of({address: why})]
        kind, how = (Kind.NORMALISED, explained(told)) if shared else (Kind.EQUAL, "")
    return Compared(name, kind, how, sorted(wanted), sorted(there))


def _tolerated(case: Case, kind: FieldKind, wanted: Any, there: Any) -> str:
    """Return why an unequal value is no difference; nothing when it is one."""
    name, row = kind.declared.name, case.row
    why = row.notes.withheld.get(name)
    # what another of our contacts had to give up is to be here by now
    if why and is_off(there) and not (why == ANOTHER and name in row.claims and row.claims[name].kept):
        return explained([why])
    as_left = case.was_written(name, there) or (is_off(there) and name not in row.written)
    if as_left and (case.waits or case.clocked(name, there)):
        return "change_waits" if case.waits else "by_the_clock"
    if name == "user" and as_left:
        return "user_at_that_time"
    if kind.of_record and row.object != "contact" and is_empty(there):
        return "owner_not_kept"
    if is_empty(wanted) and (kind.stays or case.highlevels_own(name, there)):
        return "stays_in_its_stage" if kind.stays else "set_by_highlevel"
    return kind.spelling(wanted, there) or _adopted(row, kind.declared, wanted)


def _is_theirs(case: Case, name: str, wanted: Any, there: Any) -> bool:
    """Return whether a person's value stays, as the setting says: where Cliniko changed too, and where it did not."""
    if case.overwrite == "cliniko_wins":
        return False
    if name in case.row.notes.conflicts:
        return True
    edited = name in case.row.written and case.was_written(name, wanted)
    return edited and not (case.overwrite == "fill_empty" and is_empty(there))


def _adopted(row: Row, declared: FieldSpec, wanted: Any) -> str:
    """Return what excuses a field of a contact that was there before the migration.

    Of one that a lost ledger may have made, nobody knows that a value was there before: it may be what Cliniko said then.
    """
    if row.created_run is not None:
        return ""
    if is_empty(wanted) and declared.name not in row.written and not row.notes.found_again:
        return "there_before"
    return "set_at_creation_only" if declared.create_only else ""
