"""What cannot move, why, and what comes closest: facts about the two APIs, listed in every report."""

# ruff: noqa: E501 - a sentence of a table stays on its line

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limit:
    """One thing a clinic might miss in HighLevel; of what the target never receives nothing can be counted.

    ``counted`` names the (resource, object) pairs it concerns, an empty resource any: those of their records that were not left out, or with
    ``because`` those that did not go in for one of these reasons.
    """

    code: str
    what: str
    why: str
    closest: str
    counted: tuple[tuple[str, str], ...] = ()
    #: What the counted records are called, in the plural.
    of: str = ""
    because: tuple[str, ...] = ()
    #: Not each of the counted records is concerned, and nobody can tell which.
    among: bool = False


_NOTES = (("treatment_notes", "note"),)
_INVOICES = (("invoices", "custom_objects.cliniko_invoice"),)
_FILES = (("patient_attachments", "file"),)

LIMITS = (
    Limit(
        "payments",
        "Payments, part payments, balances, account credit, and so whether an invoice is overdue",
        "Cliniko's API serves no payments.",
        "Each invoice record carries its total, its status and the day it was closed. For sums received, export the payments report from Cliniko.",
        _INVOICES,
        "invoices",
        among=True,
    ),
    Limit(
        "chargeable_invoices",
        "Invoices as HighLevel's own invoices",
        "They would be drafts to be sent and paid, and count as income a second time.",
        "Invoices and their items are records related to the patient: history, nothing is sent or charged.",
        _INVOICES,
        "invoices",
    ),
    Limit(
        "body_charts",
        "Pictures of body charts",
        "Cliniko's API gives their numbers only.",
        "The note says where one belongs. Print such notes to PDF in Cliniko and attach them to the contact.",
        _NOTES,
        "treatment notes",
        among=True,
    ),
    Limit(
        "letters",
        "Letters and their templates",
        "Cliniko's API serves no letters.",
        "Save them as PDF in Cliniko: as attachments of the patient they move with the next run.",
    ),
    Limit(
        "claims",
        "Health fund, Medicare and DVA claims",
        "Cliniko's API serves no claims.",
        "Keep Cliniko, or its exports, for as long as claims must be kept. Fund and membership numbers are on the profile.",
    ),
    Limit(
        "creation_dates",
        "Original dates of creation",
        "HighLevel sets *date added* to the moment of the request and lets nobody change it.",
        "The title of every note begins with the original date; contacts, profiles and invoices have it in fields.",
    ),
    Limit(
        "authors",
        "The author and the editing history of a note",
        "In HighLevel a note is written by the integration, and older versions are not served by Cliniko.",
        "The author, the state and the dates are in the note's first lines.",
        _NOTES,
        "treatment notes",
    ),
    Limit(
        "locked_notes",
        "Notes that can no longer be changed",
        "HighLevel cannot lock a note.",
        "A final note says so. Verify finds a note that was edited.",
        _NOTES,
        "treatment notes",
        among=True,
    ),
    Limit(
        "formatting",
        "Formatting of notes",
        "HighLevel keeps notes as plain text.",
        "Headings, questions and answers keep their order and their lines.",
        _NOTES,
        "treatment notes",
        among=True,
    ),
    Limit(
        "documents_tab",
        "Files in the Documents tab",
        "HighLevel's API has no way into it.",
        "Files are in a file field of the contact and show under *Custom Fields* there.",
        _FILES,
        "attachments",
    ),
    Limit(
        "large_files",
        "Files over 50 MB and of types HighLevel does not take",
        "HighLevel's API refuses them.",
        "Each is listed among the refused. The web app takes up to 250 MB by hand; DICOM images are moved inside a ZIP file.",
        _FILES,
        "attachments",
        because=("file_too_large", "file_type_refused"),
    ),
    Limit(
        "conversations",
        "Sent e-mails and messages as conversations",
        "Writing into conversations risks sending; nothing here ever calls a message endpoint.",
        "Switch communications on in the mapping: each becomes a note.",
        (("communications", "note"),),
        "communications",
        because=("type_not_migrated", "confidential"),
    ),
    Limit(
        "logins",
        "Practitioners as users",
        "A user is a login with rights and costs: a person decides.",
        "Practitioners are matched with users by e-mail; the others are contacts, and the fallback owner keeps their patients.",
        (("practitioners", "user"),),
        "practitioners",
        because=("no_user",),
    ),
    Limit(
        "group_appointments",
        "A group appointment as one event with many patients",
        "An appointment or task in HighLevel belongs to one contact.",
        "Every attendance is an appointment of its own, with the group's name.",
        (("attendees", "appointment"),),
        "group attendances",
    ),
    Limit(
        "many_relations",
        "More than 10,000 links of one kind to one record",
        "HighLevel takes 1,000 links a label and ten labels.",
        "The id and the name are kept as text in the record; each link left out is listed among the refused.",
        (("", "relation"),),
        "links",
        because=("relation_limit",),
    ),
    Limit(
        "set_up",
        "Wait list, extra hours of single days, planned classes to book into, reminders, automations, templates, stock, expenses, reports",
        "Cliniko's API serves them in part or not at all, and HighLevel builds such things by hand.",
        "`meltano invoke tap-cliniko:rebuild-reference` writes recipes for workflows, with the timing of what was sent, and lists what else can be read.",
    ),
)  # fmt: skip
