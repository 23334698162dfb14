"""What a Cliniko account holds, counted while its records go by: the audit that comes before a migration."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel import proposal
from cliniko_to_highlevel.errors import RecordError
from cliniko_to_highlevel.row import Row

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cliniko_to_highlevel.reference import Reference

_TYPED = ("individual_appointments", "group_appointments")


@dataclass
class _Files:
    """Attachments of one type."""

    count: int = 0
    size: int = 0
    largest: int = 0


class Survey:
    """Counts records; it keeps names of the account's settings, and nothing of any patient."""

    def __init__(self, reference: Reference, mapping_path: str | None) -> None:
        """Count beside the mapping that fills this reference."""
        self._reference = reference
        self._path = mapping_path
        self._rows: Counter[str] = Counter()
        self._filled: Counter[tuple[str, str, str]] = Counter()
        self._types: Counter[str] = Counter()
        self._files: dict[str, _Files] = {}
        self._requires_hipaa: bool | None = None

    def see(self, message: Mapping[str, Any]) -> None:
        """Count a record that the mapping has seen."""
        row = Row(message["stream"], message["record"])
        self._rows[row.resource] += 1
        try:
            self._look_into(row)
        except RecordError:
            return  # the mapping rejects the record and says why; here it is a row all the same

    def _look_into(self, row: Row) -> None:
        if row.resource == "public_settings":
            self._requires_hipaa = row.part("patient_privacy").flag("requires_hipaa_compliance")
        elif row.resource == "patients":
            self._filled.update(set(self._reference.fields.filled(row)))
        elif row.resource in _TYPED:
            self._types[row.reference("appointment_type_id") or ""] += 1
        elif row.resource == "patient_attachments":
            self._count_file(row)

    def _count_file(self, row: Row) -> None:
        kind = (row.text("content_type") or "").partition(";")[0].strip().lower() or "unknown"
        size = row.whole("file_size") or row.whole("size") or 0
        files = self._files.setdefault(kind, _Files())
        files.count += 1
        files.size += size
        files.largest = max(files.largest, size)

    def content(self) -> dict[str, Any]:
        """Return what was counted, as the plan's report shows it."""
        reference = self._reference
        return {
            "rows": dict(sorted(self._rows.items())),
            "custom_fields": [
                {
                    "section": choice.section,
                    "label": choice.label,
                    "target": choice.target,
                    "decided_by": choice.decided_by,
                    "confidence": choice.confidence,
                    "filled": self._filled[choice.section, choice.label, choice.token],
                }
                for choice in reference.fields.choices
            ],
            "appointment_types": [
                {"source": f"appointment_types/{key}", "name": name, "appointments": self._types[key]}
                for key, name in sorted(reference.appointment_types.items(), key=lambda item: int(item[0]))
            ],
            "locations": [
                {
                    "source": f"businesses/{key}",
                    "name": reference.location(key),
                    "time_zone": business.time_zone,
                }
                for key, business in sorted(reference.businesses.items(), key=lambda item: int(item[0]))
            ],
            "insurers": {
                "payers": sorted(payer.source_id for payer in reference.payers.values()),
                "named_by_fields": sorted(reference.fields.insurer_options),
            },
            "attachments": [
                {"type": kind, "count": files.count, "bytes": files.size, "largest": files.largest}
                for kind, files in sorted(self._files.items())
            ],
            "country": reference.country,
            "time_zone": reference.clinic_zone,
            "requires_hipaa": self._requires_hipaa,
        }

    def proposed_mapping(self) -> str:
        """Return a mapping file that names every custom field of the account with its place, to be confirmed.

        Raises:
            MappingError: the clinic's own mapping file cannot be read any more.
        """
        patients = self._rows["patients"]
        lines = [
            proposal.Line(
                name,
                choice.target,
                choice.decided_by,
                choice.confidence,
                f"{self._filled[choice[:3]]} of {patients}",
            )
            for name, choice in self._reference.fields.proposed_names()
        ]
        return proposal.text(self._path, lines)
