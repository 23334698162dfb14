"""What the clinic can put right in Cliniko before a load: addresses, birth dates, consent, practitioners, double entries."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import date
from typing import TYPE_CHECKING, Any

from target_highlevel.descriptor import steering
from target_highlevel.plan.duplicates import Person, possible_duplicates
from target_highlevel.report.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.plan.duplicates import Pair

QUALITY, DUPLICATES = "quality.csv", "duplicates.csv"
#: What the table of possible duplicates says of each pair.
PAIR = ("first", "second", "reasons")
#: What is found, as the tables name it.
NO_ADDRESS = "no usable e-mail or phone"
SHARED = {"email": "e-mail shared with another patient", "phone": "phone shared with another patient"}
NO_BIRTH_DATE = "birth date missing"
IMPOSSIBLE_BIRTH_DATE = "birth date impossible"
NO_NAME = "name missing"
DUPLICATE = "possible duplicate"
NO_USER = "practitioner without a HighLevel user"
#: What the mapping's survey has found in records before they were mapped, by its names.
SURVEYED = {
    "email_unusable": "e-mail unusable",
    "phone_unusable": "phone unusable",
    "no_consent": "privacy policy not accepted",
}
#: No fault of a record: many clinics keep consent on paper. It is listed and does not lower the score.
_UNSCORED = frozenset({SURVEYED["no_consent"]})
_PATIENTS = "patients/"
_OLDEST = 120


class Quality:
    """Collects people while a plan reads them; values stay in memory, only ids and reasons are written."""

    def __init__(self, today: date) -> None:
        """Judge birth dates by this day."""
        self._today = today
        self._people: dict[str, Person] = {}
        self._wrong: dict[str, list[str]] = {}
        self._shared: dict[str, defaultdict[str, set[str]]] = {name: defaultdict(set) for name in SHARED}
        #: Names of practitioners by source id, to look for users who may be them.
        self.practitioners: dict[str, str] = {}
        self._noted: list[tuple[str, str]] = []
        self._found: tuple[list[Pair], list[tuple[str, str]]] | None = None

    def see(self, spec: StreamSpec, record: Mapping[str, Any]) -> None:
        """Take a patient's contact, or a practitioner."""
        source = str(record.get("source_id"))
        if spec.kind == "user":
            self.practitioners[source] = str(record.get("name") or "")
        if spec.kind != "contact" or steering(record, "contributor") or not source.startswith(_PATIENTS):
            return
        if record.get("filtered") or record.get("rejected"):
            return
        values = {api_name: record.get(name) for api_name, name in spec.by_api_name.items()}
        birth = str(values.get("dateOfBirth") or "")
        self._people[source] = Person.of(
            source,
            first_name=values.get("firstName"),
            last_name=values.get("lastName"),
            birth_date=birth,
            email=values.get("email"),
            phone=values.get("phone"),
            street=values.get("address1"),
        )
        for name, holders in self._shared.items():
            if value := values.get(name):
                holders[str(value).casefold()].add(source)
        self._wrong[source] = self._judge(values, birth)

    def note(self, reason: str, sources: Iterable[str]) -> None:
        """Take what was found elsewhere about practitioners, and about patients that are moved."""
        known = (item for item in sources if item in self._people or not item.startswith(_PATIENTS))
        self._noted += [(source, reason) for source in known]
        self._found = None

    def _judge(self, values: Mapping[str, Any], birth: str) -> list[str]:
        wrong = []
        if not values.get("firstName") and not values.get("lastName"):
            wrong.append(NO_NAME)
        if not values.get("email") and not values.get("phone"):
            wrong.append(NO_ADDRESS)
        if not birth:
            wrong.append(NO_BIRTH_DATE)
        elif not self._is_possible(birth):
            wrong.append(IMPOSSIBLE_BIRTH_DATE)
        return wrong

    def _is_possible(self, birth: str) -> bool:
        try:
            born = date.fromisoformat(birth[:10])
        except ValueError:
            return False
        return born <= self._today and self._today.year - born.year <= _OLDEST

    def _all(self) -> tuple[list[Pair], list[tuple[str, str]]]:
        """Return the possible duplicates, and every patient with each thing that is wrong."""
        if self._found is None:
            pairs = possible_duplicates(self._people.values())
            found = [(source, reason) for source, reasons in self._wrong.items() for reason in reasons]
            for name, holders in self._shared.items():
                shared = {source for sources in holders.values() if len(sources) > 1 for source in sources}
                found += [(source, SHARED[name]) for source in shared]
            found += [
                (source, DUPLICATE)
                for source in {item for pair in pairs for item in (pair.first, pair.second)}
            ]
            self._found = pairs, sorted(set(found + self._noted))
        return self._found

    def content(self) -> dict[str, Any]:
        """Return how many records each finding is of, how many patients have none, and the score: their share in per cent."""
        pairs, found = self._all()
        concerned = {source for source, reason in found if source in self._people and reason not in _UNSCORED}
        patients = len(self._people)
        return {
            "patients": patients,
            "without_findings": patients - len(concerned),
            "score": 100 if not patients else (patients - len(concerned)) * 100 // patients,
            "findings": dict(sorted(Counter(reason for _, reason in found).items())),
            "possible_duplicates": len(pairs),
        }

    def write(self, folder: Path) -> None:
        """Write both tables: ids and reasons, nothing else."""
        pairs, found = self._all()
        write_table(folder / QUALITY, ("source", "reason"), found)
        rows = ((pair.first, pair.second, "; ".join(pair.reasons)) for pair in pairs)
        write_table(folder / DUPLICATES, PAIR, rows)
