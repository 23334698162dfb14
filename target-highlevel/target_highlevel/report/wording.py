"""The report's words: what a clinic manager would call each thing, and what each code means and asks for."""

# ruff: noqa: E501 - a sentence of a table stays on its line

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.partials import LEFT_OUT_ALONG
from target_highlevel.reasons import REASONS

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
    "patient_forms": "Forms filled in by patients",
    "patients": "Patients",
    "practitioner_appointment_types": "Hours in which a type can be booked online",
    "practitioners": "Practitioners",
    "products": "Products",
    "referral_sources": "Referral sources",
    "relationships": "Family relationships",
    "services": "Who offers which service where",
    "treatment_notes": "Treatment notes",
    "unavailable_blocks": "Absences",
}

#: In the order in which a clinic reads them.
_DESTINATIONS = {
    "contact": "contacts",
    "custom_objects.cliniko_patient_profile": "patient profiles",
    "appointment": "tasks or calendar events",
    "opportunity": "opportunities",
    "calendar": "calendars",
    "schedule": "hours in calendars",
    "blocked_slot": "blocked slots",
    "note": "notes on the contact",
    "file": "files on the contact",
    "custom_objects.cliniko_invoice": "invoice records",
    "custom_objects.cliniko_invoice_line_item": "invoice item records",
    "custom_objects.cliniko_service": "service records",
    "custom_objects.cliniko_insurance_provider": "insurance providers",
    "relation": "links between records",
    "user": "users",
}

#: Kinds of records, as (object, resource), of which the two names would say something else.
_LABELS = {
    ("note", "patients"): "Patients with medical alerts → one pinned note on the contact",
    (
        "blocked_slot",
        "group_appointments",
    ): "Time of group bookings → absences of the practitioner (blocked slots)",
    ("blocked_slot", "unavailable_blocks"): "Absences of practitioners → blocked slots",
}


@dataclass(frozen=True)
class Meaning:
    """What a code means and what a person can do about it."""

    says: str
    next_step: str


#: Why the mapping of Cliniko's records turns one away, beside the target's own reasons.
MAPPING_REASONS = {
    "file_unavailable": Meaning(
        "Cliniko did not provide the file.", "Open the file in Cliniko; if it opens there, run again."
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
    "addresses_undecided": Meaning("The run ended before all the people who may share its e-mail or phone had been read.", "Run again."),
    "day_budget_spent": Meaning("The day's requests were spent before its turn.", "Run again tomorrow: the run begins with these."),
    "interrupted": Meaning("The run was stopped before its turn.", "Run again."),
    "other_sub_account": Meaning(
        "It, or its patient, belongs to a location that has a sub-account of its own.",
        "Nothing: the same run brings it there.",
    ),
    "server_error": Meaning("HighLevel kept returning errors while this was being written.", "Run again; the run first checks whether it was written."),
    "to_be_written": Meaning("The run ended before its turn.", "Run again."),
    "waits_for": Meaning(
        "What it belongs to is not in HighLevel yet.",
        "Nothing, if that comes with the next run; else see why that record was refused or left out.",
    ),
}  # fmt: skip

#: Why a record was left out on purpose.
FILTERED = {
    "appointments_are_tasks": Meaning("Appointments become tasks, so nothing is in calendars.", "Set TARGET_HIGHLEVEL_APPOINTMENTS_AS to `mixed` or `calendar_event`, and run once with `--full-refresh`."),
    "archived_type": Meaning("The appointment type is archived, so it gets no calendar of its own.", "Nothing."),
    "cannot_be_blocked": Meaning("A probe has found that HighLevel blocks no time through its API here.", "Block the practitioner's time in HighLevel by hand."),
    "in_one_calendar": Meaning("TARGET_HIGHLEVEL_CALENDAR_ID names the calendar of all events, which the clinic looks after.", "Nothing."),
    "is_over": Meaning("The absence was over before it could be written.", "Nothing."),
    "archived_left_out": Meaning("An archived patient, whom the mapping leaves behind.", "Switch `move.archived_patients` on in the mapping to move them."),
    "beside_another": Meaning(
        "It is moved as something else: an attendance as its appointment, a practitioner as a user.",
        "Nothing.",
    ),
    "confidential": Meaning("A confidential communication.", "Switch confidential communications on in the mapping to move them."),
    "deleted_in_cliniko": Meaning("It was deleted in Cliniko.", "Nothing: what is in HighLevel already stays there."),
    "deleted_in_source": Meaning("The tap says that it was deleted.", "Nothing: what is in HighLevel already stays there."),
    "deleted_left_out": Meaning("It is archived or deleted in Cliniko, and the mapping leaves such records behind.", "Switch `move.deleted_records` on in the mapping to move them."),
    "inactive": Meaning("The practitioner has left, and becomes a contact.", "Nothing."),
    "invoice_left_out": Meaning("It belongs to an invoice that was left out.", "Nothing: it comes with its invoice."),
    "joined_by_none": Meaning("A group booking in which nobody has a place.", "Nothing: it comes with its first patient."),
    "merged": Meaning("The patient was merged into another one in Cliniko.", "Nothing: the other one was moved."),
    "no_booking": Meaning("The group attendance belongs to no booking.", "Nothing, or look at it in Cliniko."),
    "no_longer_wanted": Meaning("Cliniko does not hold or link it, or no longer does.", "Nothing."),
    "no_parent": Meaning("The relationship no longer says who is whose parent.", "Nothing."),
    "no_patient": Meaning("It belongs to no patient.", "Nothing, or look at it in Cliniko."),
    "other_sub_account": Meaning(
        "It, or its patient, belongs to a location that has a sub-account of its own.",
        "Nothing: the same run brings it there.",
    ),
    "no_user": Meaning(
        "No HighLevel user has the practitioner's e-mail: they become a contact, and there is nobody whose time could be blocked or"
        " booked.",
        "Add the user in HighLevel, or leave the fallback owner in charge.",
    ),
    "no_visit": Meaning("The patient has no visit that says in which stage they are.", "Nothing: a visit brings the opportunity."),
    "not_completed": Meaning("The patient has not filled in the form yet.", "Nothing: it comes when it is completed."),
    "not_in_force": Meaning("The medical alert is archived in Cliniko and no longer applies.", "Nothing."),
    "not_ready": Meaning("Cliniko was still working on the file.", "Run again."),
    "not_requested": Meaning("Downloading files is switched off.", "Set TAP_CLINIKO_DOWNLOAD_ATTACHMENTS to true, and run once with `--full-refresh`."),
    "patient_left_out": Meaning("It belongs to a patient who was left out.", "Nothing: it comes with the patient."),
    "rolled_back": Meaning("The run that had brought it was undone.", "To load it again, run with `--full-refresh`."),
    "to_be_compared": Meaning("The ledger was put back from a backup, and does not know what became of the record since.", "Run with `--full-refresh`: it is looked for and compared."),
    "to_be_repaired": Meaning("A verification missed it in HighLevel, and `repair` has marked it.", "Run with `--full-refresh`: it is made again."),
    "too_old": Meaning("It is older than the day from which the mapping moves such records.", "Set an earlier day under `move` in the mapping to move it."),
    "type_not_migrated": Meaning("The mapping leaves this kind of record out.", "Switch it on in the mapping to move it."),
}  # fmt: skip

#: Whose the e-mail or phone is that a contact could not be given.
WITHHELD = {
    "another_person": "belongs to a contact that was in HighLevel before",
    "another_record": "is shared with another record of the clinic",
    "refused": "is not one that HighLevel takes; it is kept as text",
    "unknown": "belongs to a contact that HighLevel does not name",
}

#: What became of a value that HighLevel did not take as it is.
NOT_TAKEN = {
    "cut": "is more than HighLevel takes; of a text its beginning is there, of options the others",
    "left_out": "was refused by HighLevel; the record is there without it",
}

#: Why one of several who share an e-mail or phone keeps it before another.
KEEPS_BECAUSE = {
    "chosen": "chosen in the mapping",
    "in_use": "in use, the other record was merged or deleted",
    "guardian": "a parent of the other one",
    "adult": "of age, the other one is not",
    "active": "active, the other one is archived",
    "reachable": "reachable that way, the other one is not",
    "elder": "older",
    "older_record": "the one entered first",
}

#: Why a verification finds a record in HighLevel that Cliniko does not have there.
SURPLUS = {
    "doubled": Meaning("It is in HighLevel more than once.", "Compare the two in HighLevel and delete the one that is not in crosswalk.csv."),
    "unknown": Meaning("It carries the marker of a record that Cliniko does not return.", "Check whether it was deleted or archived in Cliniko; keep it or delete it in HighLevel."),
    "misplaced": Meaning("It belongs to another patient.", "Take it off this contact in HighLevel."),
    "no_longer_wanted": Meaning("Cliniko has it no longer.", "Load again: a link, an absence or hours that Cliniko gave up are removed."),
}  # fmt: skip

#: Why a verification could not read something back.
UNREADABLE = {
    "login_wanted": Meaning("HighLevel shows the document to people who are logged in only.", "Open some of these files in HighLevel and check that they are right."),
    "no_answer": Meaning("No answer came.", "Verify again; open it in HighLevel if it stays so."),
    "not_confidential": Meaning("The document's address is not encrypted, so it was not asked for.", "Open some of these files in HighLevel and check that they are right."),
    "refused": Meaning("HighLevel refused to show it.", "Open it in HighLevel and check that it is right."),
    "server_error": Meaning("HighLevel answered with an error of its own, each time.", "Verify again; open it in HighLevel if it stays so."),
    "unexpected_answer": Meaning("HighLevel's answer had another form than expected.", "Verify again; open it in HighLevel if it stays so."),
}  # fmt: skip

#: Why a rollback left a record alone.
SPARED = {
    "activity_since": Meaning("Something happened on this contact since, and the token may not see what.", "Give the token the read-only scopes that the undo names, or look at the contact in HighLevel."),
    "cannot_be_linked_again": Meaning("The run removed this link or pointed it elsewhere, and what it linked before is gone or not known any more.", "Link the two records in HighLevel by hand, if both are there."),
    "cannot_be_made_again": Meaning("The run removed it, and it cannot be recreated: the record it belonged to is gone, or HighLevel refuses it.", "Enter it in HighLevel by hand, if it is still wanted."),
    "changed": Meaning("Somebody changed it since.", "Keep it, or delete it in HighLevel by hand."),
    "carries_a_spared_record": Meaning("Something that stays is on this contact.", "Nothing, or deal with that first and run the same command again."),
    "carries_records_of_another_run": Meaning("Another run has put something on this contact.", "Undo that run first, then this one again."),
    "contact_gone": Meaning("Somebody deleted its contact, or merged it with another one: whether it is on that one now cannot be read.", "If the contact was merged, look for it on the other one, and delete it there by hand."),
    "deleted_by_somebody": Meaning("Somebody deleted it since, so that there is nothing to put back.", "Nothing."),
    "engaged_opportunity": Meaning("The contact has an opportunity.", "Keep it: somebody works with it."),
    "engaged_conversation": Meaning("The contact has a conversation.", "Keep it: somebody works with it."),
    "engaged_form": Meaning("The contact has a form that was filled in.", "Keep it: somebody works with it."),
    "engaged_payment": Meaning("The contact has a payment.", "Keep it: somebody works with it."),
    "engaged_order": Meaning("The contact has an order.", "Keep it: somebody works with it."),
    "engaged_invoice": Meaning("The contact has an invoice of HighLevel's own.", "Keep it: somebody works with it."),
    "file_stays": Meaning("HighLevel does not let files be taken off a contact, or put back.", "Open the contact in HighLevel, and delete or upload the file by hand."),
    "its_record_is_spared": Meaning("It links a record that stays.", "Nothing: it goes when that record goes."),
    "needed_by_a_spared_record": Meaning("A record that stays needs it.", "Nothing: deal with that record first."),
    "has_bookings": Meaning("There are bookings in the calendar.", "Delete it in HighLevel when they are no longer needed."),
    "needed_by_another_run": Meaning("A record of another run needs it.", "Undo that run first, then this one again."),
    "not_allowed": Meaning("HighLevel refuses to show it, to change it or to delete it.", "Look at it in HighLevel, then run the same command again, or put it right by hand."),
    "not_answered": Meaning("HighLevel kept failing when it was asked for this record.", "Run the same command again."),
    "not_read_back": Meaning("Whether something of the run is still on it, or links it, could not be read back.", "Look at it in HighLevel, or run the same command again."),
    "purged": Meaning("What it held before the run was removed from the ledger by `purge`.", "Look at it in HighLevel, and put right by hand what should be as before."),
    "refused": Meaning("HighLevel refused the value from before: another contact may have that e-mail or phone now.", "Look at the field named, and enter the value by hand."),
    "somebody_added_appointment": Meaning("Somebody added an appointment or a task to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_event": Meaning("Somebody added a calendar event to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_file": Meaning("Somebody added a file to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_note": Meaning("Somebody added a note to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_task": Meaning("Somebody added a task to this contact.", "Keep the contact, or delete it in HighLevel by hand."),
    "somebody_added_relation": Meaning("Somebody linked it with a contact or a record.", "Keep it, or delete it in HighLevel by hand."),
    "still_there": Meaning("HighLevel said that it is not there when it was to be deleted, and still shows it.", "Run the same command again; if it stays, delete it in HighLevel by hand."),
    "used_by_another_run": Meaning("Another run wants the same link.", "Nothing: it goes when that run is undone."),
    "written_by_a_later_run": Meaning("A later run has written it again.", "Undo the later run first, then this one again."),
}  # fmt: skip

_UNKNOWN = {
    "spared": Meaning("It was left alone.", "Look at it in HighLevel."),
    "unreadable": Meaning("It could not be read.", "Look at it in HighLevel."),
    "extra": Meaning("It is in HighLevel only.", "Look at it in HighLevel."),
    "rejected": Meaning(
        "The mapping turned the record away.", "Look the code up in the mapping that made it."
    ),
    "held": Meaning("It waits.", "Run again."),
    "filtered": Meaning("The mapping leaves the record out.", "Nothing."),
}
_KNOWN = {
    "rejected": REJECTED,
    "held": HELD,
    "filtered": FILTERED,
    "extra": SURPLUS,
    "spared": SPARED,
    "unreadable": UNREADABLE,
}


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


def missing_from_highlevel(status: str, reason: str) -> tuple[str, str, Meaning]:
    """Return the outcome, the code and the meaning of a record that is not in HighLevel, as the closing table counts it."""
    if status == "done":
        return (
            "missing",
            "missing",
            Meaning("It is not in HighLevel, or could not be read back.", "Look through `differences.csv`."),
        )
    code = reason.partition(":")[0] or ("refused" if status == "rejected" else "to_be_written")
    left_out = code in LEFT_OUT_ALONG  # what waits for somebody who is left out waits for nobody
    outcome = "filtered" if left_out else {"filtered": "filtered", "rejected": "rejected"}.get(status, "held")
    return outcome, code, meaning(outcome, code)


def label(object_: str, resource: str) -> str:
    """Return the heading of a row of the report: ``Patients → contacts``."""
    named = _LABELS.get((object_, resource))
    return named or f"{source_name(resource)} → {object_name(object_)}"


def remark(row: Mapping[str, Any]) -> str:
    """Return what a row of the closing table needs beside its numbers, or nothing."""
    if row["resource"] == "attendees" and row["reasons"].get("filtered", {}).get("beside_another"):
        return "Attendances of individual appointments are left out here: they are counted there."
    if row["resource"] == "relationships" and row["unchanged"]:
        return "Unchanged also counts relationships that the other person's side has brought already: each is written once."
    return ""


def reading_order(object_: str, resource: str) -> tuple[int, str, str]:
    """Return the place of a kind of record in lists: patients' contacts first, unknown objects last."""
    known = list(_DESTINATIONS)
    place = known.index(object_) if object_ in known else len(known)
    return place, "" if resource == "patients" else resource, object_
