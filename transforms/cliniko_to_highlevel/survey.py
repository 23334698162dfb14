"""What a Cliniko account holds, counted while its records go by: the audit that comes before a migration."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel import insurers, proposal
from cliniko_to_highlevel.answer_evidence import Answers, beside
from cliniko_to_highlevel.contacts import is_merged
from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.errors import RecordError
from cliniko_to_highlevel.note_text import pictures_in
from cliniko_to_highlevel.people import country_code
from cliniko_to_highlevel.row import Row
from cliniko_to_highlevel.same_place import Judged, settled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cliniko_to_highlevel.custom_fields import FieldChoice
    from cliniko_to_highlevel.recognition import Decision
    from cliniko_to_highlevel.reference import Reference

#: A name that so many patients typed is hardly a slip.
_TYPED_ALIKE = 3
#: Of so many kinds of answers to one field the most frequent are shown.
_MOST_LOOKS, _LOOKS_SHOWN = 200, 3
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
        #: Patients who become contacts: neither merged away nor left out.
        self._moved = 0
        self._filled: Counter[tuple[str, str, str]] = Counter()
        self._answers: defaultdict[tuple[str, str, str], Answers] = defaultdict(Answers)
        self._looks: defaultdict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
        self._types: Counter[str] = Counter()
        self._insurers: Counter[str] = Counter()
        self._insurer_names: dict[str, str] = {}
        self._files: dict[str, _Files] = {}
        self._to_download = 0
        self._unusable: dict[str, list[str]] = {"email": [], "phone": []}
        self._without_consent: list[str] = []
        self._pictures = 0
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
            if not is_merged(row) and row.source_id not in self._reference.left_out_patients:
                self._look_at_patient(row)
        elif row.resource == "treatment_notes":
            self._pictures += pictures_in(row.part("content"))
        elif row.resource in _TYPED:
            self._types[row.reference("appointment_type_id") or ""] += 1
        elif row.resource == "patient_attachments":
            self._count_file(row)

    def _look_at_patient(self, patient: Row) -> None:
        """Count what a patient's record holds, of one who becomes a contact."""
        self._moved += 1
        for key, answers in self._reference.fields.filled(patient):
            self._filled[key] += 1
            for forms in answers:
                self._answers[key].see(forms)
        self._count_insurers(patient)
        self._look_at_answers(patient)
        self._look_at_addresses(patient)
        if not patient.flag("accepted_privacy_policy"):
            self._without_consent.append(patient.source_id)

    def _count_insurers(self, patient: Row) -> None:
        """Count a patient's insurers that no payer contact stands for: each would be made."""
        reference = self._reference
        for cover in insurers.covers(patient, reference.fields.read(patient), reference):
            if cover.named:
                self._insurers[cover.source_id] += 1
                if insurers.is_listed(cover.name, reference):
                    self._insurer_names[cover.source_id] = cover.name

    def _insurer(self, source: str, patients: int) -> dict[str, Any]:
        name = self._insurer_names.get(source)
        because = "listed in the mapping, or an option of a field" if name else "typed by patients"
        sure = name or patients >= _TYPED_ALIKE
        confidence = "high" if sure else "medium"
        return {
            "source": source,
            "name": name,
            "patients": patients,
            "because": because,
            "confidence": confidence,
        }

    def _look_at_answers(self, patient: Row) -> None:
        """Count what the answers to each custom field look like, masked; of very different ones the first."""
        for key, answer in self._reference.fields.masked_answers(patient):
            looks = self._looks[key]
            if answer in looks or len(looks) < _MOST_LOOKS:
                looks[answer] += 1

    def _look_at_addresses(self, patient: Row) -> None:
        """List a patient whose e-mail or phone was typed, but cannot be used."""
        email = patient.text("email")
        if email and not emails(email):
            self._unusable["email"].append(patient.source_id)
        country = country_code(patient, self._reference.account_country)
        if self._reference.phones(patient, "patient_phone_numbers", country).unusable:
            self._unusable["phone"].append(patient.source_id)

    def _count_file(self, row: Row) -> None:
        kind = (row.text("content_type") or "").partition(";")[0].strip().lower() or "unknown"
        size = row.whole("file_size") or row.whole("size") or 0
        files = self._files.setdefault(kind, _Files())
        files.count += 1
        files.size += size
        files.largest = max(files.largest, size)
        if row.text("file_status") in {None, "not_requested"}:
            self._to_download += size

    def findings(self) -> dict[str, list[str]]:
        """Return the patients of whom Cliniko holds what cannot be used, or no acceptance of the privacy policy, by finding."""
        return {
            "email_unusable": self._unusable["email"],
            "phone_unusable": self._unusable["phone"],
            "no_consent": self._without_consent,
        }

    def _judged(self) -> list[tuple[str, FieldChoice, Decision]]:
        """Return each field's name and the decision on it, beside what patients have in it and beside the other fields."""
        named = list(self._reference.fields.proposed_names())
        judged = [
            Judged(
                choice.full_label,
                choice.definition,
                beside(choice.decision, choice.definition, self._answers[choice[:3]]),
                self._filled[choice[:3]],
            )
            for _, choice in named
        ]
        return [
            (name, choice, decision) for (name, choice), decision in zip(named, settled(judged), strict=True)
        ]

    def _field(self, name: str, choice: FieldChoice, judged: Decision) -> dict[str, Any]:
        return {
            "name": name,
            "section": choice.section,
            "label": choice.label,
            "type": choice.kind,
            "target": judged.target,
            "until_confirmed": choice.target,
            "decided_by": judged.decided_by,
            "confidence": judged.confidence,
            "filled": self._filled[choice[:3]],
            "answers": [look for look, _ in self._looks[choice[:3]].most_common(_LOOKS_SHOWN)],
        }

    def content(self) -> dict[str, Any]:
        """Return what was counted, as the plan's report shows it."""
        reference = self._reference
        return {
            "rows": dict(sorted(self._rows.items())),
            "patients": self._moved,
            "custom_fields": [self._field(*item) for item in self._judged()],
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
                "made": [self._insurer(*item) for item in sorted(self._insurers.items())],
            },
            "attachments": [
                {"type": kind, "count": files.count, "bytes": files.size, "largest": files.largest}
                for kind, files in sorted(self._files.items())
            ],
            "attachment_bytes_to_download": self._to_download,
            "unusable_addresses": {kind: list(patients) for kind, patients in self._unusable.items()},
            "pictures_in_notes": self._pictures,
            "country": reference.country,
            "time_zone": reference.clinic_zone,
            "requires_hipaa": self._requires_hipaa,
        }

    def proposed_mapping(self) -> str:
        """Return a mapping file that names every custom field of the account with its place, to be confirmed.

        Raises:
            MappingError: the clinic's own mapping file cannot be read any more.
        """
        lines = [
            proposal.Line(name, judged, choice.target, f"{self._filled[choice[:3]]} of {self._moved}")
            for name, choice, judged in self._judged()
        ]
        return proposal.text(self._path, lines)
