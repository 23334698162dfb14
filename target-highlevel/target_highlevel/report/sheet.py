"""The sheet of a sample: each patient as the clinic would see them in HighLevel, beside Cliniko, to be signed off.

Only where values are shown: everything on it is personal.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.handover import is_missed
from target_highlevel.report.wording import meaning, object_name
from target_highlevel.withheld import explained

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.counts import Unsettled
    from target_highlevel.ledger.rows import Notes, Row

_INVOICE, _ITEM = "custom_objects.cliniko_invoice", "custom_objects.cliniko_invoice_line_item"
#: What is shown of a patient, in this order, and its heading; what is shared between patients has no place here.
_SHOWN = {
    "contact": "Contact",
    "custom_objects.cliniko_patient_profile": "Profile",
    "note": "Note",
    "appointment": "Appointment",
    _INVOICE: "Invoice",
    _ITEM: "Invoice item",
    "file": "File",
}
_ORDER = list(_SHOWN)
_PATIENTS = "patients/"
_CONTACT = "contact:"
#: Names under which a record says what it is.
_TITLES = ("patient_name", "title", "invoice_name", "item_name", "file_name")
#: Fields whose names say nothing to people.
_LABELS = {
    "address1": "Address",
    "dnd_email": "Do not disturb by e-mail",
    "dnd_sms": "Do not disturb by SMS",
    "file_sha256": "Content (checksum)",
}
#: Fields of tasks, events and notes that HighLevel calls otherwise than the mapping.
_MADE_OF = {
    "due": ("starts_at",),
    "completed": ("status", "ends_at"),
    "user": ("owner",),
    "calendar": ("appointment_type",),
    "file_sha256": ("file_path", "file_content"),
}


@dataclass
class Field:
    """One field, on both sides."""

    name: str
    #: How they compare; ``planned`` where nothing is there yet.
    kind: str
    how: str = ""
    wanted: Any = None
    there: Any = None


@dataclass
class Record:
    """One record of HighLevel's that belongs to a patient."""

    ref: str
    object: str
    source_id: str
    stream: str
    #: ref of what it belongs to, as far as it says so: its contact, or the invoice of an item.
    of: str
    fields: dict[str, Field] = field(default_factory=dict)
    outcome: str = ""


class Sheet:
    """Takes in what a plan or a verification of a sample sees; gives out one page per patient."""

    def __init__(self, tracer: Any, hows: Mapping[str, str], rows: Sequence[Mapping[str, Any]]) -> None:
        """Begin with nothing.

        Args:
            tracer: the mapper's, which knows of what each field is made; None when a mapper was a stage of its own.
            hows: how a value may differ in its spelling and still be the same.
            rows: those of the source as they come in.
        """
        self._tracer = tracer
        self._hows = hows
        self._rows = rows
        self._records: dict[str, Record] = {}

    @property
    def traced(self) -> bool:
        """Whether it is known of which of the source's values each field is made."""
        return self._tracer is not None

    # Taking in

    def planned(self, row: Row, wanted: Mapping[str, Any], notes: Notes) -> None:
        """Take what a load would leave in HighLevel of a record; notes name what it would withhold."""
        record = self._record(row)
        for name, value in wanted.items():
            why = notes.withheld.get(name)
            how, there = (explained([why]), None) if why else ("", value)
            record.fields[name] = Field(name, "planned", how, value, there)

    def compared(self, row: Row, results: Iterable[Any]) -> None:
        """Take the fields of a record that was read back."""
        record = self._record(row)
        for item in results:
            if item.field:
                record.fields[item.field] = Field(
                    item.field, item.kind.value, item.how, item.wanted, item.there
                )
            else:
                record.outcome = item.kind.value

    def _record(self, row: Row) -> Record:
        record = self._records.get(row.ref)
        if record is None:
            record = Record(row.ref, row.object, row.source_id, row.stream, _owner(row))
            self._records[row.ref] = record
        return record

    # Giving out

    def content(
        self, specs: Mapping[str, StreamSpec], users: Mapping[str, str], unsettled: Iterable[Unsettled]
    ) -> list[dict[str, Any]]:
        """Return each patient's page.

        Args:
            specs: the streams, by name.
            users: e-mail of each user, by id.
            unsettled: the records that are not in HighLevel.
        """
        trace = _Trace([] if self._tracer is None else filter(None, map(self._tracer.of, self._rows)))
        missing: defaultdict[str, list[dict[str, str]]] = defaultdict(list)
        for item in filter(is_missed, unsettled):
            missing[trace.patient(item.contact or item.source_id)].append(_missing(item))
        records: defaultdict[str, list[Record]] = defaultdict(list)
        for record in self._records.values():
            if record.object in _SHOWN:
                records[self._patient_of(record, trace)].append(record)
        people = sorted(name for name in {*records, *missing, *trace.unused} if name.startswith(_PATIENTS))
        return [
            {
                "patient": patient,
                "name": self._name(patient, specs),
                "blocks": [
                    self._block(record, specs, users, trace)
                    for record in sorted(records[patient], key=lambda item: self._place(item, trace))
                ],
                "missing": missing[patient],
                "unused": trace.unused_of(patient),
            }
            for patient in people
        ]

    def _patient_of(self, record: Record, trace: _Trace) -> str:
        of = record.of
        while of and not of.startswith(_CONTACT) and of in self._records:
            of = self._records[of].of
        return of.removeprefix(_CONTACT) if of.startswith(_CONTACT) else trace.patient(record.source_id)

    def _place(self, record: Record, trace: _Trace) -> tuple[Any, ...]:
        """Return where a record stands on its page: notes and bookings in the order of the day, items behind their invoice."""
        leader = self._records.get(record.of, record) if record.object == _ITEM else record
        at = trace.moments.get(_row_of(leader.source_id), "")
        place = _ORDER.index(leader.object)
        return place, at, leader.ref, record.object != leader.object, len(record.ref), record.ref

    def _name(self, patient: str, specs: Mapping[str, StreamSpec]) -> str:
        contact = self._records.get(f"{_CONTACT}{patient}")
        if contact is None or contact.stream not in specs:
            return ""
        names = specs[contact.stream].by_api_name
        parts = (contact.fields.get(names.get(name, "")) for name in ("firstName", "lastName"))
        return " ".join(str(part.wanted or part.there or "") for part in parts if part).strip()

    def _block(
        self,
        record: Record,
        specs: Mapping[str, StreamSpec],
        users: Mapping[str, str],
        trace: _Trace,
    ) -> dict[str, Any]:
        spec = specs[record.stream]
        told = trace.made.get((record.stream, _row_of(record.source_id)), {})
        title = next((record.fields[name] for name in _TITLES if name in record.fields), None)
        declared = {name: number for number, name in enumerate(spec.fields)}
        ordered = sorted(
            record.fields.values(), key=lambda item: (declared.get(item.name, len(declared)), item.name)
        )
        return {
            "ref": record.ref,
            "object": record.object,
            "kind": _SHOWN[record.object],
            "source": record.source_id,
            "title": _shown((title.there or title.wanted) if title else "", users),
            "outcome": record.outcome,
            "fields": [
                {
                    "name": item.name,
                    "label": _label(spec, item.name),
                    **self._source(record.stream, item.name, told),
                    "kind": item.kind,
                    "how": self._hows.get(item.how, ""),
                    "wanted": _shown(item.wanted, users),
                    "highlevel": _shown(item.there, users),
                }
                for item in ordered
                if _says(item)
            ],
        }

    def _source(self, stream: str, name: str, told: Mapping[str, list[Any]]) -> dict[str, Any]:
        """Return what a field is made of, and by which rule."""
        names = (name, *_MADE_OF.get(name, ()))
        pieces = dict.fromkeys((piece.field, piece.value) for each in names for piece in told.get(each, ()))
        rules = (self._tracer.rule(stream, each) for each in names) if self._tracer else ()
        return {
            "cliniko": [{"field": field_, "value": value} for field_, value in pieces],
            "rule": next(filter(None, rules), ""),
        }


class _Trace:
    """What is known of the source's rows, taken together."""

    def __init__(self, traces: Iterable[Any]) -> None:
        self._owners: dict[str, str] = {}
        self.moments: dict[str, str] = {}
        #: (stream, source id) → property → the pieces of the source it is made of.
        self.made: dict[tuple[str, str], dict[str, list[Any]]] = {}
        #: Patient → (list, field, why).
        self.unused: defaultdict[str, set[tuple[str, str, str]]] = defaultdict(set)
        known = list(traces)
        for traced in known:
            self._owners[traced.source_id], self.moments[traced.source_id] = traced.owner, traced.at
            for key, properties in traced.made.items():
                for name, pieces in properties.items():
                    said = self.made.setdefault(key, {}).setdefault(name, [])
                    said += [piece for piece in pieces if piece not in said]
        used: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        for traced in known:
            resource, patient = traced.source_id.partition("/")[0], self.patient(traced.source_id)
            self.unused[patient].update((resource, name, why) for name, why in traced.unused)
            pieces = (piece for made in traced.made.values() for said in made.values() for piece in said)
            used[patient].update((resource, piece.field) for piece in pieces)
        for (
            patient,
            found,
        ) in self.unused.items():  # what speaks in one row is not left out because it is silent in another
            found -= {item for item in found if item[:2] in used[patient]}

    def patient(self, source: str) -> str:
        """Return the patient whom a record is about, as far as that is known; else the record itself."""
        source = _row_of(source)
        while not source.startswith(_PATIENTS) and source in self._owners:
            source = self._owners[source]
        return source

    def unused_of(self, patient: str) -> list[dict[str, Any]]:
        """Return the fields of a patient's rows that arrive nowhere, by list and reason; those of the patient first."""
        groups: defaultdict[tuple[bool, str, str], list[str]] = defaultdict(list)
        for resource, name, why in sorted(self.unused[patient]):
            groups[resource != "patients", resource, why].append(name)
        return [
            {"list": resource, "why": why, "fields": names}
            for (_, resource, why), names in sorted(groups.items())
        ]


def _row_of(source: str) -> str:
    """Return the row that a record comes from, of a part of a long text too."""
    return source.partition("#")[0]


def _missing(item: Unsettled) -> dict[str, str]:
    said = meaning(item.outcome, item.reason)
    named = {"source": item.source_id, "kind": object_name(item.object)}
    return {**named, "meaning": said.says, "next_step": said.next_step}


def _owner(row: Row) -> str:
    """Return the ref of what a record belongs to: its contact, the patient it is one with, or the first it is related to."""
    if row.source_id.startswith(_PATIENTS):
        return f"{_CONTACT}{row.source_id}"
    if row.contact:
        return f"{_CONTACT}{row.contact}"
    return next((to for _, to in row.content.relations), "")


def _label(spec: StreamSpec, name: str) -> str:
    declared = spec.field(name)
    if declared.is_custom:
        return declared.label
    if told := _LABELS.get(declared.api_name or name):
        return told
    words = (declared.api_name or name).replace("_", " ")
    return "".join(f" {sign.lower()}" if sign.isupper() else sign for sign in words).strip().capitalize()


def _says(item: Field) -> bool:
    return any(value not in (None, "", [], {}) for value in (item.wanted, item.there))


def _shown(value: Any, users: Mapping[str, str]) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, (list, tuple, set)):
        return "; ".join(_shown(item, users) for item in value)
    return users.get(str(value), str(value))
