"""What the clinic's mapping leaves behind, under ``move``: the reason, so that each kind is counted."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import local_time
from cliniko_to_highlevel.people import hidden_at

if TYPE_CHECKING:
    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row


def left_out(
    row: Row, patient: str | None, reference: Reference, *, oldest: str | None, at: str | None
) -> Filter | None:
    """Return why a record of a patient is left behind; None when it is moved, or waits for a patient who may be left behind.

    Of one that is ``HIDDEN`` all is said, ``marked``: it may have been archived or deleted after it was loaded.

    Args:
        row: the record.
        patient: identity of its patient.
        reference: knows the mapping.
        oldest: the setting that says from which day on records of this kind are moved.
        at: when the record is from, as a date or a date-time.
    """
    if not patient:
        return Filter.NO_PATIENT
    if not reference.mapping.moves["deleted_records"] and hidden_at(row):
        return Filter.HIDDEN
    first = reference.mapping.oldest[oldest] if oldest else None
    if first and at and _day(at, reference) < first:
        return Filter.TOO_OLD
    return None


def marked(record: dict[str, Any], reason: Filter | None) -> dict[str, Any]:
    """Return a record with why it is left out: the target writes it only where it was loaded before, and closes it so."""
    return {**record, "filtered": reason.value} if reason else record


def _day(at: str, reference: Reference) -> str:
    return local_time(at, reference.clinic_zone)[:10] if "T" in at else at
