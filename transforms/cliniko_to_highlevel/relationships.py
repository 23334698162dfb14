"""Family relationships between patients, as contact-contact relations."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.contacts import CONTACTS, from_no_parent, from_nobody, from_parent
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.streams import Association, Output, Stream, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

_PARENT, _CHILD = 10, 20

#: Relations that read the same both ways. HighLevel wants two different labels even for them.
_MUTUAL = {
    30: ("cliniko_sibling", "Sibling", "Sibling of"),
    40: ("cliniko_spouse", "Spouse", "Spouse of"),
    50: ("cliniko_partner", "Partner", "Partner of"),
    60: ("cliniko_relative", "Relative", "Relative of"),
    70: ("cliniko_other_relation", "Other relation", "Other relation of"),
}
_PARENT_CHILD = ("cliniko_parent_child", "Parent", "Child")

RELATIONSHIPS = Stream(
    name="hl_relationships",
    kind="relation",
    description="Family relationships between patients.",
    steering=("absent",),
    associations=tuple(
        Association(key, "contact", first, "contact", second)
        for key, first, second in (_PARENT_CHILD, *_MUTUAL.values())
    ),
    properties={
        "association": plain("Key of the association."),
        "first": plain("The contact under the first label."),
        "second": plain("The contact under the second label."),
    },
)


def from_relationship(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a relation between two patients, and who is whose parent; an archived one must not hold any longer.

    One of a patient who was merged away is one of whoever that is now.
    """
    record = RELATIONSHIPS.blank(row.source_id)
    ends = row.linked("patient_id", "patients"), row.linked("related_patient_id", "patients")
    gone = hidden_at(row) is not None
    left_out = None if gone else _left_out(ends, reference)
    patient, related = ends if gone else (_survivor(end, reference) for end in ends)
    if not patient or not related or patient == related or left_out:
        yield Output(RELATIONSHIPS.name, {**record, "filtered": (left_out or Filter.NO_PATIENT).value})
        yield from_nobody(row)
        return
    association, first, second = _directed(row, _number(patient), _number(related))
    record |= {
        "association": association,
        "first": CONTACTS.ref(f"patients/{first}"),
        "second": CONTACTS.ref(f"patients/{second}"),
        "absent": gone,
    }
    yield Output(RELATIONSHIPS.name, record)
    if association == _PARENT_CHILD[0] and not gone:
        yield from_parent(row, child=second, parent=first)
    else:
        yield from_no_parent(row, _number(patient))


def _survivor(patient: str | None, reference: Reference) -> str | None:
    """Return who a patient is now; None where Cliniko does not say into whom one was merged."""
    seen: set[str] = set()
    while patient in reference.survivors and patient not in seen:
        seen.add(patient)
        patient = reference.survivors[patient]
    return None if patient in seen else patient


def _left_out(ends: Iterable[str | None], reference: Reference) -> Filter | None:
    """Return why a relation has nobody to hang on: nobody knows who a patient is now, or both are the same one.

    That of a patient who is left behind waits: when they come back, Cliniko does not say it again.
    """
    survivors = [_survivor(end, reference) for end in ends if end]
    is_merged = any(end in reference.survivors for end in ends)
    return Filter.MERGED if is_merged and (None in survivors or len(set(survivors)) == 1) else None


def _number(patient: str) -> str:
    return patient.partition("/")[2]


def _directed(row: Row, patient: str, related: str) -> tuple[str, str, str]:
    """Return (association, first, second), the same for a relationship and its mirror image: one relation.

    The relation says what the related patient is to the patient: his parent, his child.
    """
    code = row.whole("relation")
    if code == _PARENT:
        return _PARENT_CHILD[0], related, patient
    if code == _CHILD:
        return _PARENT_CHILD[0], patient, related
    first, second = sorted((patient, related), key=int)
    return _MUTUAL.get(code or 0, _MUTUAL[70])[0], first, second
