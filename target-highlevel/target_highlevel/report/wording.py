"""The report's words: what a clinic manager would call each thing, and what each code means and asks for."""

# ruff: noqa: E501 - a sentence of a table stays on its line

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.engine.reasons import REASONS

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Outcomes in the order of the closing equation, each with its word.
OUTCOMES = {
    "created": "created",
    "updated": "updated",
    "unchanged": "unchanged",
    "filtered": "left out on purpose",
    "held": "waiting",
    "rejected": "refused",
}

_SOURCES = {
    "account": "Account",
    "appointment_types": "Appointment types",
    "attendees": "Attendances",
    "billable_items": "Services",
    "businesses": "Locations",
    "communications": "Communications",
    "contacts": "Doctors, payers and other contacts",
    "group_appointments": "Group bookings",
    "individual_appointments": "Appointments",
    "insurers": "Insurers named by patients",
    "invoice_items": "Invoice items",
    "invoices": "Invoices",
    "medical_alerts": "Medical alerts",
    "patient_attachments": "Attachments",
    "patient_cases": "Cases",
    "patients": "Patients",
    "practitioners": "Practitioners",
    "products": "Products",
    "referral_sources": "Referral sources",
    "relationships": "Family relationships",
    "services": "Who offers which service where",
    "treatment_notes": "Treatment notes",
}

#: In the order in which a clinic reads them.
_DESTINATIONS = {
    "contact": "contacts",
    "custom_objects.cliniko_patient_profile": "patient profiles",
    "appointment": "tasks or calendar events",
    "note": "notes on the contact",
    "file": "files on the contact",
    "custom_objects.cliniko_invoice": "invoice records",
    "custom_objects.cliniko_invoice_line_item": "invoice item records",
    "custom_objects.cliniko_service": "service records",
    "custom_objects.cliniko_insurance_provider": "insurance providers",
    "relation": "links between records",
    "user": "users",
}


@dataclass(frozen=True)
class Meaning:
    """What a code means and what a person can do about it."""

    says: str
    next_step: str


#: Why the mapping of Cliniko's records turns one away, beside the target's own reasons.
MAPPING_REASONS = {
    "file_unavailable": Meaning(
        "Cliniko did not hand the file out.", "Open the file in Cliniko; if it opens there, run again."
    ),
    "invalid_boolean": Meaning("A yes-or-no field holds something else.", "Fix the field named in Cliniko, then run again."),
    "invalid_date": Meaning("A date cannot be read.", "Fix the field named in Cliniko, then run again."),
    "invalid_date_time": Meaning("A moment cannot be read.", "Fix the field named in Cliniko, then run again."),
    "invalid_id": Meaning("A reference to another record cannot be read.", "Open the record in Cliniko, save it, then run again."),
    "invalid_list": Meaning("A field that holds a list holds something else.", "Open the record in Cliniko, save it, then run again."),
    "invalid_number": Meaning("A number cannot be read.", "Fix the field named in Cliniko, then run again."),
    "invalid_object": Meaning("A field with parts holds something else.", "Open the record in Cliniko, save it, then run again."),
    "invalid_text": Meaning("A text field holds something else.", "Fix the field named in Cliniko, then run again."),
    "mapping_failed": Meaning("The mapping failed on this record.", "Report it: the record's id and the field named are enough."),
    "missing_id": Meaning("The record has no id.", "Run again; if it stays, report it."),
}  # fmt: skip

#: Every code that ``rejects.csv`` can hold.
REJECTED = {code: Meaning(*told) for code, told in REASONS.items()} | MAPPING_REASONS

#: Why a record waits. It is kept in the ledger and sent without being read again.
HELD = {
    "day_budget_spent": Meaning("The day's requests were spent before its turn.", "Run again tomorrow: the run begins with these."),
    "interrupted": Meaning("The run was stopped before its turn.", "Run again."),
    "other_sub_account": Meaning(
        "The patient belongs to a location that has a sub-account of its own.",
        "Load that sub-account with its own token; a booking at this location brings the patient here as well.",
    ),
    "server_error": Meaning("HighLevel kept failing while it was written.", "Run again; what was begun is looked for first."),
    "to_be_written": Meaning("The run ended before its turn.", "Run again."),
    "waits_for": Meaning(
        "What it belongs to is not in HighLevel yet.",
        "Nothing, if that comes with the next run; else see why that record was refused or left out.",
    ),
}  # fmt: skip

#: Why a record was left out on purpose.
FILTERED = {
    "beside_another": Meaning(
        "It is in HighLevel already as another record: the attendance of an individual appointment as that appointment, a practitioner as a user.",
        "Nothing.",
    ),
    "confidential": Meaning("A confidential communication.", "Switch confidential communications on in the mapping to move them."),
    "deleted_in_cliniko": Meaning("It was deleted in Cliniko.", "Nothing: what is in HighLevel already stays there."),
    "inactive": Meaning("The practitioner has left; they are in HighLevel as a contact.", "Nothing."),
    "joined_by_none": Meaning("A group booking in which nobody has a place.", "Nothing: it comes with its first patient."),
    "merged": Meaning("The patient was merged into another one in Cliniko.", "Nothing: the other one was moved."),
    "no_booking": Meaning("The group attendance belongs to no booking.", "Nothing, or look at it in Cliniko."),
    "no_longer_wanted": Meaning("Cliniko no longer links or holds it.", "Nothing."),
    "no_patient": Meaning("It belongs to no patient.", "Nothing, or look at it in Cliniko."),
    "other_sub_account": Meaning(
        "The patient belongs to a location that has a sub-account of its own.",
        "Load that sub-account with its own token; a booking at this location brings the patient here as well.",
    ),
    "no_user": Meaning(
        "No HighLevel user has the practitioner's e-mail; a contact stands for them.",
        "Add the user in HighLevel, or leave the fallback owner in charge.",
    ),
    "not_ready": Meaning("Cliniko was still working on the file.", "Run again."),
    "not_requested": Meaning("Downloading files is switched off.", "Switch `download_attachments` on to move them."),
    "rolled_back": Meaning("A rollback took it out of HighLevel again.", "To load it again, run with `--full-refresh`."),
    "to_be_repaired": Meaning("A verification missed it in HighLevel, and `repair` has marked it.", "Run with `--full-refresh`: it is made again."),
    "type_not_migrated": Meaning("The mapping leaves this kind of record out.", "Switch it on in the mapping to move it."),
}  # fmt: skip

#: Whose the e-mail or phone is that a contact could not be given.
WITHHELD = {
    "another_person": "belongs to a contact that was in HighLevel before",
    "another_record": "is shared with another record of the clinic",
    "unknown": "belongs to a contact that HighLevel does not name",
}

#: Why a verification finds a record in HighLevel that Cliniko does not have there.
SURPLUS = {
    "doubled": Meaning("It is in HighLevel more than once.", "Compare the two in HighLevel and delete the one that is not in crosswalk.csv."),
    "unknown": Meaning("It bears the mark of a Cliniko record that Cliniko does not hand out.", "Look whether it was deleted or archived in Cliniko; keep it or delete it in HighLevel."),
    "no_longer_wanted": Meaning("Cliniko no longer links these records.", "Load again: a link that Cliniko gave up is removed."),
}  # fmt: skip

#: Why a rollback left a record alone.
SPARED = {
    "cannot_be_linked_again": Meaning("The run removed this link or pointed it elsewhere, and what it linked before is gone or not known any more.", "Link the two records in HighLevel by hand, if both are there."),
    "changed": Meaning("Somebody changed it since.", "Keep it, or delete it in HighLevel by hand."),
    "carries_a_spared_record": Meaning("Something that stays is on this contact.", "Nothing, or deal with that first and run the same command again."),
    "carries_records_of_another_run": Meaning("Another run has put something on this contact.", "Roll that run back first, then this one again."),
    "deleted_by_somebody": Meaning("Somebody deleted it since, so that there is nothing to put back.", "Nothing."),
    "its_record_is_spared": Meaning("It links a record that stays.", "Nothing: it goes when that record goes."),
    "needed_by_a_spared_record": Meaning("A record that stays needs it.", "Nothing: deal with that record first."),
    "needed_by_another_run": Meaning("A record of another run needs it.", "Roll that run back first, then this one again."),
    "purged": Meaning("What it held before the run was removed from the ledger by `purge`.", "Look at it in HighLevel, and put right by hand what should be as before."),
    "refused": Meaning("HighLevel refused the value from before: another contact may have that address now.", "Look at the field named, and enter the value by hand."),
    "somebody_added_appointment": Meaning("Somebody added an appointment or a task to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_event": Meaning("Somebody added a calendar event to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_file": Meaning("Somebody added a file to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_note": Meaning("Somebody added a note to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_task": Meaning("Somebody added a task to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_relation": Meaning("Somebody linked this contact with a record.", "Keep the contact, or delete it in HighLevel by hand."),
    "used_by_another_run": Meaning("Another run says the same link.", "Nothing: it goes when that run is rolled back."),
    "written_by_a_later_run": Meaning("A later run has written it again.", "Roll the later run back first, then this one again."),
}  # fmt: skip

_UNKNOWN = {
    "spared": Meaning("It was left alone.", "Look at it in HighLevel."),
    "extra": Meaning("It is in HighLevel only.", "Look at it in HighLevel."),
    "rejected": Meaning(
        "The mapping turned the record away.", "Look the code up in the mapping that made it."
    ),
    "held": Meaning("It waits.", "Run again."),
    "filtered": Meaning("The mapping leaves the record out.", "Nothing."),
}
_KNOWN = {"rejected": REJECTED, "held": HELD, "filtered": FILTERED, "extra": SURPLUS, "spared": SPARED}


def meaning(outcome: str, code: str) -> Meaning:
    """Return what a reason means; a mapping of the clinic's own may use codes we do not know."""
    return _KNOWN[outcome].get(code, _UNKNOWN[outcome])


def record_name(source: str) -> str:
    """Return the records a source id names: of a link, *association|object:end|object:end*, its two ends."""
    ends = [part.rpartition(":")[2] for part in source.split("|")[1:]]
    return " - ".join(ends) if ends else source


def source_name(resource: str) -> str:
    """Return what a clinic calls a Cliniko resource."""
    return _SOURCES.get(resource) or resource.replace("_", " ").capitalize()


def object_name(object_: str) -> str:
    """Return what a clinic calls a kind of HighLevel record."""
    return _DESTINATIONS.get(object_) or object_.rpartition(".")[2].replace("_", " ")


def label(object_: str, resource: str) -> str:
    """Return the heading of a row of the report: ``Patients → contacts``."""
    return f"{source_name(resource)} → {object_name(object_)}"


def remark(row: Mapping[str, Any]) -> str:
    """Return what a row of the closing table needs beside its numbers, or nothing."""
    if row["resource"] == "attendees" and row["reasons"].get("filtered", {}).get("beside_another"):
        return "Attendances of individual appointments are left out here: they are counted there."
    if row["resource"] == "relationships" and row["unchanged"]:
        return "Unchanged counts ties too that the other of the two people has told already: each is written once."
    return ""


def reading_order(object_: str, resource: str) -> tuple[int, str, str]:
    """Return the place of a kind of record in lists: patients' contacts first, unknown objects last."""
    known = list(_DESTINATIONS)
    place = known.index(object_) if object_ in known else len(known)
    return place, "" if resource == "patients" else resource, object_
