"""Chooses a representative slice of patients, and finds everything that hangs on them.

The choice is the same whenever the account is the same: patients are grouped by what makes them different
(the type of an appointment, the state of an invoice, which custom fields are filled, archived, merged,
without e-mail…), each group is put into an order that only depends on the ids, and the groups take turns.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING

from tap_cliniko.client import Query
from tap_cliniko.errors import SettingsError
from tap_cliniko.filters import filters_by, with_archived
from tap_cliniko.preflight import Preflight
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.records import linked_id
from tap_cliniko.resources import BY_NAME, Resource
from tap_cliniko.settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_cliniko.client import ClinikoClient, Row

_PAGES_OF_PATIENTS = 5
_INVOICE_STATES = (10, 20, 30, 40)
_EDGE_CASES = ("archived_at:?", "email:!?", "email:?", "date_of_birth:!?", "old_reference_id:?")
_WITH = (
    "attendees",
    "medical_alerts",
    "patient_cases",
    "relationships",
    "treatment_notes",
    "patient_attachments",
)


@dataclass(frozen=True, slots=True)
class Sample:
    """The chosen patients, and the ids through which their group bookings and invoice lines are found."""

    patients: list[str]
    group_appointments: list[str] = field(default_factory=list)
    invoices: list[str] = field(default_factory=list)

    def filters(self, listed: Resource) -> list[tuple[str, ...]] | None:
        """Return the filters that find what belongs to the sample, None when a list is read as a whole."""
        if listed.name == "group_appointments":
            return filters_by("id:=", self.group_appointments)
        if listed.name == "invoice_items":
            return filters_by("invoice_id:=", self.invoices)
        return filters_by(listed.by_patient, self.patients) if listed.by_patient else None

    def merged(self, patients: list[str]) -> list[str]:
        """Return those of some merged patients who are in the sample."""
        return [each for each in patients if each in set(self.patients)]

    def keep(self, resource: Resource, rows: list[Row]) -> list[Row]:
        """Leave out rows that no filter can leave out: ties to relatives outside, others' referrals."""
        chosen = set(self.patients)
        if resource.name == "relationships":
            return [row for row in rows if linked_id(row.get("related_patient")) in chosen]
        if resource.name == "referral_sources":
            return [row for row in rows if linked_id(row.get("patient")) in chosen]
        return rows


class SampleFinder:
    """Finds the patients of a sample."""

    def __init__(self, client: ClinikoClient) -> None:
        """Find out which of the lists that help to choose the account has and shows."""
        self._client = client
        looked_at = (*_WITH, "patients", "appointment_types", "individual_appointments", "invoices")
        found = Preflight(client).check(BY_NAME[name] for name in (*looked_at, "group_appointments"))
        self._without = {name for name, each in found.items() if each.below or not each.outcome.readable}

    def find(self, size: int, chosen: list[str] | None = None) -> Sample:
        """Choose patients, or go on with those chosen before, and find what is needed around them."""
        return self._around(chosen or sorted(self._choose(size), key=int))

    def named(self, ids: list[str]) -> Sample:
        """Find what is needed around patients whom the settings name.

        Raises:
            SettingsError: the account has no such patient, or does not show them to this key.
        """
        found = {
            str(row["id"]) for filters in filters_by("id:=", ids) for row in self._all("patients", filters)
        }
        if unknown := [each for each in ids if each not in found]:
            msg = (
                f"sample_ids ({variable('sample_ids')}): Cliniko shows this key no patient {', '.join(unknown)}; "
                "the id is the number in the address of the patient's page"
            )
            raise SettingsError(msg)
        return self._around(ids)

    def _around(self, patients: list[str]) -> Sample:
        bookings = {linked_id(row.get("booking")) for row in self._rows_of("attendees", patients)}
        groups = self._group_ids([each for each in bookings if each])
        invoices = [str(row["id"]) for row in self._rows_of("invoices", patients)]
        return Sample(patients, sorted(groups, key=int), sorted(invoices, key=int))

    # ------------------------------------------------------------------ choosing

    def _choose(self, size: int) -> list[str]:
        groups = [sorted(set(group), key=_shuffled) for group in self._groups() if group]
        chosen: dict[str, None] = {}
        while len(chosen) < size and any(groups):
            for group in groups:
                while group and group[0] in chosen:
                    group.pop(0)
                if group and len(chosen) < size:
                    chosen[group.pop(0)] = None
        return list(chosen)

    def _groups(self) -> Iterator[list[str]]:
        """Yield lists of patients who have something in common."""
        for row in self._first("appointment_types", ("archived_at:*",)):
            yield self._with("individual_appointments", f"appointment_type_id:={row['id']}")
        for state in _INVOICE_STATES:
            yield self._with("invoices", f"status:={state}")
        yield _patients_of(self._first("individual_appointments", ("cancelled_at:?",)))
        for name in _WITH:
            yield self._with(name)
        for edge in _EDGE_CASES:
            others = () if edge.startswith("archived_at") else ("archived_at:*",)
            yield [str(row["id"]) for row in self._first("patients", (edge, *others))]
        yield from self._by_custom_fields()

    def _with(self, name: str, *filters: str) -> list[str]:
        """Name the patients of the first rows of a list."""
        return _patients_of(self._first(name, (*filters, *with_archived(BY_NAME[name]))))

    def _by_custom_fields(self) -> Iterator[list[str]]:
        """Group the oldest and the newest patients by which custom fields they have filled in."""
        groups: dict[str, list[str]] = {}
        oldest = chain.from_iterable(self._pages("patients"))
        for row in chain(oldest, self._first("patients", ("archived_at:*",), sort="id:desc")):
            groups.setdefault(_custom_field_pattern(row), []).append(str(row["id"]))
            if row.get("merged_at"):
                groups.setdefault("merged", []).append(str(row["id"]))
        yield from groups.values()

    def _pages(self, name: str) -> Iterator[list[Row]]:
        reader = ListReader(self._client, BY_NAME[name].url_path, name)
        for number, chunk in enumerate(reader.chunks(with_archived(BY_NAME[name]), [IdRange()]), start=1):
            yield chunk.rows
            if number == _PAGES_OF_PATIENTS:
                return

    def _first(self, name: str, filters: tuple[str, ...], sort: str | None = None) -> list[Row]:
        if name in self._without:
            return []
        return self._client.page(BY_NAME[name].url_path, name, Query(filters, sort=sort)).rows

    # ------------------------------------------------------------------ around them

    def _rows_of(self, name: str, patients: list[str]) -> Iterator[Row]:
        for filters in filters_by(BY_NAME[name].by_patient or "", patients):
            yield from self._all(name, filters)

    def _group_ids(self, bookings: list[str]) -> list[str]:
        """Tell which of the bookings are group appointments; the ids alone do not."""
        found = chain.from_iterable(
            self._all("group_appointments", each) for each in filters_by("id:=", bookings)
        )
        return [str(row["id"]) for row in found]

    def _all(self, name: str, filters: tuple[str, ...]) -> Iterator[Row]:
        if name in self._without:
            return
        reader = ListReader(self._client, BY_NAME[name].url_path, name)
        for chunk in reader.chunks((*with_archived(BY_NAME[name]), *filters), [IdRange()]):
            yield from chunk.rows


def _patients_of(rows: Iterable[Row]) -> list[str]:
    found = (linked_id(row.get("patient")) for row in rows)
    return [each for each in found if each]


def _shuffled(ident: str) -> str:
    """Order ids in a way that has nothing to do with their age."""
    return hashlib.sha256(ident.encode()).hexdigest()


def _custom_field_pattern(row: Row) -> str:
    """Name the custom fields that are filled in."""
    content = row.get("custom_fields")
    sections = content.get("sections") or [] if isinstance(content, dict) else []
    fields = chain.from_iterable(section.get("fields") or [] for section in sections)
    filled = (
        str(each.get("token"))
        for each in fields
        if each.get("value") or any(option.get("selected") for option in each.get("options") or [])
    )
    return " ".join(sorted(filled))
