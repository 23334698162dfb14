"""What a practice works with, computed from Cliniko's tables and from HighLevel's, without any code of the product."""

from __future__ import annotations

import re
from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.oracle import source_of_contact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sandbox.cliniko.account import Account

    Row = Mapping[str, Any]

PIPELINE = "Clinic"
FALLBACK = "frontdesk@example.org"
_MARKER = re.compile(r"cliniko:([a-z_]+/\d+)$")
_TAG = re.compile(r"<[^>]+>")
#: Custom fields of the sandbox's clinic that the mapping recognises as something else than a field of the profile.
_RECOGNISED = {"Health fund", "Membership number", "NDIS number", "NDIS plan end"}
PROFILES = "custom_objects.cliniko_patient_profile"


def gone(row: Row) -> bool:
    """Whether a row is archived or deleted."""
    return bool(row.get("archived_at") or row.get("deleted_at"))


def bookings(account: Account) -> Iterator[tuple[str, Row, str]]:
    """Yield (patient, booking, what became of it) of everything that was not cancelled or removed.

    Of a class to come nobody has stayed away yet.
    """
    for row in account.tables["individual_appointments"].rows():
        if not row.get("cancelled_at") and not gone(row) and row.get("patient_id"):
            missed, came = row.get("did_not_arrive"), row.get("patient_arrived")
            yield row["patient_id"], row, "missed" if missed else "came" if came else ""
    groups = {row["id"]: row for row in account.tables["group_appointments"].rows()}
    for row in account.tables["attendees"].rows():
        group = groups.get(row["booking_id"])
        if (
            group
            and not row.get("cancelled_at")
            and not gone(row)
            and not gone(group)
            and row.get("patient_id")
        ):
            arrived = row.get("arrived")
            yield row["patient_id"], group, "" if arrived is None else "came" if arrived else "not_come"


class Practice:
    """A clinic and the sub-account that it was moved into."""

    def __init__(self, account: Account, state: Any) -> None:
        """Compare these two."""
        self.tables = account.tables
        self.account = account
        self.state = state

    def add_pipeline(self) -> None:
        """Make the pipeline, with a stage for each type of appointment."""
        names = dict.fromkeys(row["name"] for row in self.tables["appointment_types"].rows())
        self.state.staff.add_pipeline(PIPELINE, list(names))

    def check(self, now: str) -> None:
        """Compare everything as it should be at this moment."""
        patients = self.patients()
        checks: tuple[Callable[[str], tuple[dict[str, Any], dict[str, Any]]], ...] = (
            self.owners,
            self.alerts,
            self.alert_notes,
            self.forms,
            self.own_fields,
            self.stages,
            self.invoiced,
        )
        for check in checks:
            there, wanted = check(now)
            for patient in patients:
                told = (check.__name__, patient, there.get(patient), wanted.get(patient))
                assert there.get(patient) == wanted.get(patient), told

    def patients(self) -> dict[str, Any]:
        """Return the contacts of patients by the patient's id; of one who was merged nothing is kept up to date."""
        merged = {row["id"] for row in self.tables["patients"].rows() if row.get("merged_at")}
        found = {}
        for contact in self.state.contacts.values():
            resource, _, number = str(source_of_contact(self.state.main, contact)).partition("/")
            if resource == "patients" and number not in merged:
                found[number] = contact
        return found

    # Each of these returns what is there and what should be, by the patient's id

    def owners(self, now: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Whose a patient is: the practitioner of the next booking who has a user, else of the latest before, else the desk."""
        users = {user["email"].casefold(): user["id"] for user in self.state.users.values()}
        by_practitioner = {}
        for row in self.tables["practitioners"].rows():
            person = self.tables["users"][row["user_id"]] if row.get("user_id") else {}
            if row.get("active") and person and person.get("active") is not False:
                by_practitioner[row["id"]] = users.get(str(person.get("email") or "").casefold())
        asked: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for patient, booking, _ in bookings(self.account):
            if user := by_practitioner.get(booking["practitioner_id"]):
                asked[patient].append((booking["starts_at"], user))
        there, wanted = {}, {}
        for patient, contact in self.patients().items():
            coming = [pair for pair in asked[patient] if pair[0] > now]
            moment, _ = min(coming) if coming else max(asked[patient], default=("", ""))
            equal = {user for at, user in asked[patient] if at == moment} or {users[FALLBACK]}
            wanted[patient] = True
            there[patient] = contact["assignedTo"] in equal
        return there, wanted

    def alerts(self, _: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The lines of the contact's field, in the order in which the alerts were made."""
        return {
            patient: (self._custom(contact, "cliniko_medical_alerts") or "").splitlines()
            for patient, contact in self.patients().items()
        }, self._in_force([])

    def alert_notes(self, _: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The lines of the pinned note; of a patient whose alerts have all ended the note says nothing any more."""
        there = {}
        for patient, contact in self.patients().items():
            for note in self._notes(contact, "patients"):
                assert note["pinned"], patient
                there[patient] = note["body"].splitlines()[:-1]
        wanted = self._in_force(None)
        return there, {patient: wanted[patient] or ([] if patient in there else None) for patient in wanted}

    def _in_force(self, nothing: Any) -> dict[str, Any]:
        found: dict[str, Any] = dict.fromkeys(self.tables["patients"], nothing)
        rows = [row for row in self.tables["medical_alerts"].rows() if not gone(row)]
        for row in sorted(rows, key=lambda row: (row["created_at"], row["name"])):
            found[row["patient_id"]] = [*(found[row["patient_id"]] or []), row["name"]]
        return found

    def forms(self, _: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The completed forms that are notes, each with every answer, and those of Cliniko."""
        there: dict[str, Any] = {}
        wanted: dict[str, Any] = defaultdict(set)
        answers = {}
        for row in self.tables["patient_forms"].rows():
            if row.get("completed_at") and row.get("patient_id"):
                wanted[row["patient_id"]].add(f"patient_forms/{row['id']}")
                answers[f"patient_forms/{row['id']}"] = list(_answers(row["content"]))
        for patient, contact in self.patients().items():
            there[patient] = {_source(note): note for note in self._notes(contact, "patient_forms")}
            for source, note in there[patient].items():
                for question, answer in answers.get(source, ()):
                    assert f"{question}: {answer}" in note["body"], (patient, source, question)
            there[patient] = set(there[patient])
        return there, {patient: wanted[patient] for patient in there}

    def own_fields(self, _: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the clinic's own fields hold on the profile, by their labels."""
        fields = [row for row in self.state.object_fields.values() if row["objectKey"] == PROFILES]
        shown: dict[str, Any] = {}
        for record in self.state.records.values():
            if record["objectKey"] == PROFILES:
                source = record["properties"]["source_system_id"].partition("/")[2]
                shown[source] = {row["name"]: _shown(row, record) for row in fields}
        there, wanted = {}, {}
        for patient in self.patients():
            typed = self.tables["patients"][patient].get("custom_fields") or {}
            wanted[patient] = {name: _sorted(value) for name, value in _own(typed)}
            labels = wanted[patient]
            there[patient] = {
                name: _sorted(value) for name, value in shown[patient].items() if name in labels
            }
        return there, wanted

    def stages(self, now: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """The stage of each patient's one opportunity; where no visit is left it stays where it is."""
        names = {
            stage["id"]: stage["name"] for item in self.state.pipelines.values() for stage in item["stages"]
        }
        there: dict[str, Any] = {}
        by_contact = {contact["id"]: patient for patient, contact in self.patients().items()}
        for row in self.state.opportunities.values():
            assert row["status"] == "open"
            if row["contactId"] in by_contact:
                patient = by_contact[row["contactId"]]
                assert patient not in there, patient
                there[patient] = names[row["pipelineStageId"]]
        types = {row["id"]: row["name"] for row in self.tables["appointment_types"].rows()}
        told: defaultdict[str, list[tuple[int, Any, str]]] = defaultdict(list)
        for patient, booking, state in bookings(self.account):
            kind = types.get(booking.get("appointment_type_id") or "")
            if kind:
                told[patient].append((*_turn(booking["starts_at"], state, now), kind))
        wanted = {}
        for patient in by_contact.values():
            best = max(told[patient], default=None)
            equal = {kind for *turn, kind in told[patient] if best and tuple(turn) == best[:2]}
            stays = there.get(patient) in equal or not best
            wanted[patient] = there.get(patient) if stays else equal
        return there, wanted

    def invoiced(self, _: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """What the texts of a patient's bookings say was invoiced, by booking; usual items only where nothing was."""
        invoices = {row["id"]: row for row in self.tables["invoices"].rows() if not gone(row)}
        lines: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for row in self.tables["invoice_items"].rows():
            invoice = invoices.get(row["invoice_id"])
            if invoice and not gone(row):
                booking, place = invoice.get("appointment_id"), invoice.get("attendee_id")
                amount = f"{Decimal(str(row['quantity'])).normalize():f}"
                times = "" if Decimal(amount) == 1 else f" x {amount}"
                text = f"Invoiced: {row['name']}{times} · {Decimal(str(row['total_including_tax'])):.2f}"
                of = f"individual_appointments/{booking}" if booking else f"attendees/{place}"
                lines[of].append((row["created_at"], text))
        there: dict[str, Any] = {}
        wanted: dict[str, Any] = {}
        for patient, contact in self.patients().items():
            tasks = [self.state.tasks[key] for key in self.state.main.children_of("tasks", contact["id"])]
            told = {source: task["body"].splitlines() for task in tasks if (source := _source(task))}
            there[patient] = {
                source: [line for line in body if line.startswith("Invoiced: ")]
                for source, body in told.items()
            }
            wanted[patient] = {source: [text for _, text in sorted(lines[source])] for source in told}
            for source, body in told.items():
                assert not lines[source] or not any(line.startswith("Usual items: ") for line in body), source
        return there, wanted

    def check_order(self) -> None:
        """Of each patient, notes stand in the order in which they were written; true of those that one load brought."""
        written = {
            f"treatment_notes/{row['id']}": row["created_at"] for row in self.tables["treatment_notes"].rows()
        }
        written |= {
            f"patient_forms/{row['id']}": row["completed_at"] for row in self.tables["patient_forms"].rows()
        }
        for patient, contact in self.patients().items():
            moments = [written[_source(note)] for note in self._notes(contact, "treatment_notes")]
            assert moments == sorted(moments), (patient, moments)
            moments = [written[_source(note)] for note in self._notes(contact, "patient_forms")]
            assert moments == sorted(moments), (patient, moments)

    def _notes(self, contact: Any, resource: str) -> list[Any]:
        """Return the notes of a contact that stand for records of a resource, in the order in which they were made."""
        notes = [self.state.notes[key] for key in self.state.main.children_of("notes", contact["id"])]
        return [note for note in notes if _source(note).partition("/")[0] == resource]

    def _custom(self, contact: Any, name: str) -> Any:
        field = self.state.main.contact_field_by_key(name)
        return contact["customFields"].get(field["id"])


def _turn(starts_at: str, state: str, now: str) -> tuple[int, Any]:
    """Return the rank of a booking among those of a patient: what is to come first, the next of it first; then the latest."""
    to_come = starts_at > now and state in {"", "not_come"}
    if to_come:
        return 2, tuple(-ord(sign) for sign in starts_at)
    came = state == "came" or (state == "" and starts_at <= now)
    return (1 if came else 0), tuple(map(ord, starts_at))


def _source(note: Any) -> str:
    """Return what a note stands for."""
    found = _MARKER.search(str(note["body"]))
    return found[1] if found else ""


def _answers(content: Row) -> Iterator[tuple[str, str]]:
    for section in content["sections"]:
        for question in section["questions"]:
            if question.get("answer"):
                yield question["name"], _TAG.sub("", question["answer"])
            for answer in question.get("answers", ()):
                if answer.get("selected"):
                    yield question["name"], answer["value"]


def _own(definition: Row) -> Iterator[tuple[str, Any]]:
    """Yield label and value of the clinic's own fields that a patient has answered."""
    for section in definition.get("sections", ()):
        for field in section["fields"]:
            if field["name"] in _RECOGNISED:
                continue
            chosen = [option["name"] for option in field.get("options", ()) if option.get("selected")]
            chosen += ["Other"] if (field.get("other") or {}).get("selected") else []
            value = chosen or field.get("value")
            if isinstance(value, str):
                value = _TAG.sub("", value)  # an answer of several lines is HTML
            if value:
                yield field["name"], value


def _shown(field: Row, record: Row) -> Any:
    """Return what a person sees in a field of a record; the options of a choice by their labels."""
    value = record["properties"].get(field["fieldKey"].rpartition(".")[2])
    labels = {option["key"]: option["label"] for option in field.get("options") or ()}
    return [labels[key] for key in _listed(value)] if labels and value else value


def _listed(value: Any) -> Iterable[str]:
    return value if isinstance(value, list) else [value]


def _sorted(value: Any) -> Any:
    return sorted(value) if isinstance(value, list) else value
