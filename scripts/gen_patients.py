"""Write into docs/mapping.md what reception and practitioners find of six typical patients of the sandbox's clinic.

`make docs` writes it; a test compares the page with what this returns. Everything follows from the clinic's seed and one day,
so it is the tap that reads the clinic, and then the mapping and the folds of the target that are called; nothing is sent.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from cliniko_to_highlevel.core import MessageMapper  # noqa: E402
from sandbox import Sandbox  # noqa: E402
from sandbox.clinic.build import build_clinic  # noqa: E402
from target_highlevel.descriptor import incoming, stream_spec  # noqa: E402
from target_highlevel.desired import fold  # noqa: E402
from target_highlevel.marker import with_marker  # noqa: E402
from target_highlevel.objects.on_contact import title_of  # noqa: E402
from target_highlevel.sharing import Sharer, keeper  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sandbox.cliniko.account import Account
    from target_highlevel.descriptor import Incoming, StreamSpec

PAGE = ROOT / "docs" / "mapping.md"
BEGIN, END = "<!-- patients: written by scripts/gen_patients.py -->", "<!-- /patients -->"
#: The day on which somebody looks, and what the clinic is made from.
TODAY = datetime(2026, 3, 2, tzinfo=UTC)
SEED, PATIENTS = 1, 40
#: What contacts show without being fields of ours, in the order of HighLevel's page.
STANDARD = {
    "firstName": "First name",
    "lastName": "Last name",
    "email": "Email",
    "phone": "Phone",
    "dateOfBirth": "Date of birth",
    "source": "Contact source",
    "address1": "Street address",
    "city": "City",
    "state": "State",
    "postalCode": "Postal code",
    "country": "Country",
}
_LONGEST = 160


class Typical(NamedTuple):
    """A kind of patient: what is typical, and which of the clinic's is one."""

    title: str
    fits: Callable[[Clinic, str], bool]


class Clinic:
    """The clinic as the tap reads it and the mapping maps it."""

    def __init__(self) -> None:
        """Read the whole clinic."""
        account = build_clinic(SEED, PATIENTS, TODAY)
        self.patients = {row["id"]: row for row in account.tables["patients"].rows()}
        self.specs: dict[str, StreamSpec] = {}
        self.mains: dict[str, Incoming] = {}
        self.parts: defaultdict[str, dict[str, Mapping[str, Any]]] = defaultdict(dict)
        mapper = MessageMapper()
        for message in _read(account):
            if message["type"] == "SCHEMA":
                mapper.handles(message["stream"], message["schema"])
                self._take(mapper.schema(message))
            elif message["type"] == "RECORD" and mapper.handles(message["stream"]):
                self._take(mapper.record(message))
        self.now = f"{TODAY:%Y-%m-%dT%H:%M:%SZ}"
        self.given_up = self._shared()

    def _take(self, messages: Iterable[Mapping[str, Any]]) -> None:
        for message in messages:
            if message["type"] == "SCHEMA":
                spec = stream_spec(message)
                if spec is not None:
                    self.specs[spec.stream] = spec
                continue
            item = incoming(self.specs[message["stream"]], message["record"])
            if item.part is not None:
                self.parts[item.ref][item.part] = {} if item.filtered else item.fields
            elif not item.filtered:
                self.mains[item.ref] = item

    def fields(self, item: Incoming) -> dict[str, Any]:
        """Return the fields of a record, folded as the target folds them."""
        joined = (f"{item.spec.object}:{key}" for key in item.joins)
        parts = [part for ref in (item.ref, *joined) for part in sorted(self.parts[ref].items())]
        return fold(item.spec, item.fields, parts, self.now, item.resource)

    def of(self, patient: str, stream: str) -> list[tuple[Incoming, dict[str, Any]]]:
        """Return what hangs on a patient, in the order in which it is written."""
        found = [
            item for item in self.mains.values() if item.spec.stream == stream and item.contact == patient
        ]
        individual = {ref.partition(":")[2] for ref in self.mains}
        found = [item for item in found if not {one.partition(":")[2] for one in item.unless} & individual]
        return [
            (item, self.fields(item)) for item in sorted(found, key=lambda one: (one.priority or "", one.ref))
        ]

    def bookings(self, patient: str) -> list[dict[str, Any]]:
        """Return the bookings of a patient by their time."""
        found = [fields for _, fields in self.of(patient, "hl_appointments")]
        return sorted(found, key=lambda fields: str(fields.get("starts_at")))

    def notes(self, patient: str) -> list[tuple[Incoming, dict[str, Any]]]:
        """Return the notes of a patient: the alerts, then all others as they were written."""
        return [*self.of(patient, "hl_medical_alert_notes"), *self.of(patient, "hl_notes")]

    def _shared(self) -> dict[tuple[str, str], str]:
        """Return who has an address that somebody does not get for it: (ref, field) → ref."""
        homes: defaultdict[tuple[str, str], list[Sharer]] = defaultdict(list)
        for ref, item in self.mains.items():
            if item.spec.kind != "contact":
                continue
            fields = self.fields(item)
            for name, channel in (("email", "dnd_email"), ("phone", "dnd_sms")):
                if fields.get(name):
                    sharer = Sharer(
                        ref,
                        born=fields.get("dateOfBirth"),
                        archived=bool(fields.get("archived")),
                        unreachable=bool(fields.get(channel)),
                        guardians=frozenset(fields.get("guardians") or ()),
                    )
                    homes[name, str(fields[name]).casefold()].append(sharer)
        found = {}
        for (name, _), sharers in homes.items():
            first, others = keeper(sharers, TODAY.date())
            found.update({(ref, name): first for ref in others})
        return found


def _read(account: Account) -> Iterator[dict[str, Any]]:
    """Yield what the tap says of the clinic."""
    with (
        Sandbox(account=account, cliniko={"requests_per_minute": 0}) as sandbox,
        tempfile.TemporaryDirectory() as folder,
    ):
        settings = {
            "API_KEY": sandbox.cliniko.api_key,
            "API_URL": sandbox.cliniko.url,
            "CONTACT_EMAIL": "docs@example.org",
            "DOWNLOAD_ATTACHMENTS": "false",
            "ATTACHMENTS_DIR": folder,
            "REQUESTS_PER_MINUTE": "100000",
            "LAG_SECONDS": "0",
        }
        env = {**os.environ, **{f"TAP_CLINIKO_{name}": value for name, value in settings.items()}}
        command = [str(Path(sys.executable).with_name("tap-cliniko")), "--config", "ENV"]
        done = subprocess.run(
            command, env=env, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True
        )
    yield from map(json.loads, done.stdout.splitlines())


def _contact(clinic: Clinic, patient: str) -> dict[str, Any]:
    return clinic.fields(clinic.mains[f"contact:{patient}"])


def _is_child(clinic: Clinic, patient: str) -> bool:
    return (f"contact:{patient}", "email") in clinic.given_up and bool(
        _contact(clinic, patient).get("guardians")
    )


def _is_insured(clinic: Clinic, patient: str) -> bool:
    item = clinic.mains[f"custom_objects.cliniko_patient_profile:{patient}"]
    return bool(clinic.fields(item).get("ndis_number"))


def _has(clinic: Clinic, patient: str, resource: str) -> bool:
    return any(item.resource == resource for item, _ in clinic.notes(patient))


def _to_come(clinic: Clinic, patient: str) -> bool:
    fields = _contact(clinic, patient)
    return bool(fields.get("cliniko_next_visit") and fields.get("cliniko_last_visit"))


def _missed(clinic: Clinic, patient: str) -> bool:
    return _contact(clinic, patient).get("cliniko_no_shows") not in {None, "0"}


KINDS = (
    Typical("A child whose parent answers for them", _is_child),
    Typical(
        "A patient with medical alerts", lambda clinic, one: bool(clinic.of(one, "hl_medical_alert_notes"))
    ),
    Typical("A participant of the NDIS with a health fund", _is_insured),
    Typical("A new patient who has filled in a form", lambda clinic, one: _has(clinic, one, "patient_forms")),
    Typical("A patient in the archive", lambda clinic, one: bool(_contact(clinic, one).get("archived"))),
    Typical(
        "A patient in treatment who has missed a visit",
        lambda clinic, one: _to_come(clinic, one) and _missed(clinic, one),
    ),
)


def section() -> str:
    """Return the pages of six typical patients, each another one."""
    clinic = Clinic()
    patients = sorted(
        (item.source_id for item in clinic.mains.values() if item.spec.stream == "hl_patient_profiles"),
        key=lambda source: int(source.partition("/")[2]),
    )
    lines: list[str] = []
    for kind in KINDS:
        chosen = next(one for one in patients if kind.fits(clinic, one))
        patients.remove(chosen)
        lines += _page(clinic, kind.title, chosen)
    return "\n".join(lines)


def _page(clinic: Clinic, title: str, patient: str) -> Iterator[str]:
    yield from (f"### {title}", "")
    yield from _table("Contact", _contact_rows(clinic, patient))
    profile = clinic.mains[f"custom_objects.cliniko_patient_profile:{patient}"]
    yield from _table("Patient profile", _own_rows(profile.spec, clinic.fields(profile)))
    notes = clinic.notes(patient)
    yield from (f"**Notes** ({len(notes)}), the oldest first:", "")
    for item, fields in notes:
        pin = " (pinned)" if fields.get("pinned") else ""
        text = with_marker(item.source_id, fields.get("body"))
        yield from (f"- {_cell(fields['title'])}{pin}", f"  > {_cell(text)}")
    bookings = clinic.bookings(patient)
    past = [one for one in bookings if str(one["starts_at"]) <= clinic.now]
    yield from ("", f"**Tasks** ({len(past)}), with `appointments_as: mixed`:", "")
    yield from (f"- {_booking(one)}, {'done' if _is_over(clinic, one) else 'open'}" for one in past)
    coming = [one for one in bookings if one not in past]
    yield from ("", f"**Diary** ({len(coming)}):", "")
    yield from (f"- {_booking(one)}, {one['location']}: {one['status']}" for one in coming)
    yield ""


def _contact_rows(clinic: Clinic, patient: str) -> Iterator[tuple[str, Any]]:
    item = clinic.mains[f"contact:{patient}"]
    fields = clinic.fields(item)
    given_up = {name for name in ("email", "phone") if (item.ref, name) in clinic.given_up}
    for name, label in STANDARD.items():
        if fields.get(name) and name not in given_up:
            yield label, fields[name]
    tags = sorted({*(fields.get("tags") or ()), *(f"shared-{name}" for name in given_up)})
    yield "Tags", ", ".join(tags)
    owners = [ref for ref in fields.get("owner") or () if f"user:{ref.partition(':')[2]}" in clinic.mains]
    yield "Owner", clinic.mains[owners[0]].fields.get("name") if owners else "the fallback owner"
    silent = [label for key, label in (("dnd_email", "Email"), ("dnd_sms", "SMS")) if fields.get(key)]
    yield "Do not disturb", ", ".join(silent)
    yield from _own_rows(item.spec, fields)


def _own_rows(spec: StreamSpec, fields: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, declared in spec.fields.items():
        if declared.kind == "custom":
            value = fields.get(name)
            yield declared.label, ", ".join(value) if isinstance(value, list) else value


def _booking(fields: Mapping[str, Any]) -> str:
    when = next(line for line in _text(fields).splitlines() if line.startswith("When: "))
    return f"{_cell(title_of(fields))}, {_cell(when.removeprefix('When: '))}"


def _text(fields: Mapping[str, Any]) -> str:
    return "\n".join(str(fields[name]) for name in ("body", "shared_body") if fields.get(name))


def _is_over(clinic: Clinic, fields: Mapping[str, Any]) -> bool:
    return bool(fields.get("completed")) or str(fields.get("ends_at") or fields["starts_at"]) <= clinic.now


def _table(title: str, rows: Iterable[tuple[str, Any]]) -> Iterator[str]:
    yield from (f"| {title} | |", "| --- | --- |")
    yield from (f"| {label} | {_cell(value)} |" for label, value in rows if value not in (None, "", []))
    yield ""


def _cell(value: Any) -> str:
    """Return a value in one line that Markdown shows as it is; a long one is cut."""
    text = " / ".join(line for line in str(value).splitlines() if line.strip())
    shown = text if len(text) <= _LONGEST else f"{text[:_LONGEST].rstrip()} …"
    return (
        shown.replace("\\", "\\\\")
        .replace("|", "\\|")
        .replace("<", "\\<")
        .replace("*", "\\*")
        .replace("_", "\\_")
    )


def updated(page: str) -> str:
    """Return a page with its generated part written anew."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        message = f"docs/mapping.md has no place for the patients: put '{BEGIN}' and '{END}' into it"
        raise SystemExit(message)
    return f"{before}{begin}\n\n{section()}\n{end}{after}"


def main() -> None:
    """Write the page."""
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
