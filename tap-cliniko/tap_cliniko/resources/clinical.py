"""Notes, alerts, forms, files and messages."""

from __future__ import annotations

from tap_cliniko.fields import (
    ARCHIVABLE,
    REMOVABLE,
    ROW,
    Field,
    Kind,
    access_link,
    flag,
    ident,
    idents,
    link,
    moment,
    text,
    tree,
    whole,
)
from tap_cliniko.resources.resource import CLINICAL, MESSAGES, OWNER, Resource, Shape

TREATMENT_NOTES = Resource(
    "treatment_notes",
    "A clinical note on a patient.",
    (
        *REMOVABLE,
        text("title", "Title."),
        text("author_name", "Who wrote it, as text."),
        tree(
            "content", "Sections with questions and answers; paragraphs are HTML; body charts are ids only."
        ),
        flag("draft", "Whether it is still a draft."),
        moment("finalized_at", "When it was made final."),
        moment("pinned_at", "When it was pinned to the top."),
        link("attendee", "attendees", "Place in a booking it is about."),
        link("booking", "individual_appointments or group_appointments", "Booking it is about."),
        link("patient", "patients", "The patient."),
        link("practitioner", "practitioners", "Who is responsible."),
        link("treatment_note_template", "treatment_note_templates", "Template it was written on."),
    ),
    reveal=("archived_at", "deleted_at"),
    by_patient="patient_id:=",
    # other people's drafts may be withheld from everyone else without a word
    readers=OWNER,
)

TREATMENT_NOTE_TEMPLATES = Resource(
    "treatment_note_templates",
    "A form on which clinical notes are written.",
    (
        *REMOVABLE,
        text("name", "Name."),
        tree("content", "Sections with questions."),
        tree("print_settings", "How it is printed."),
    ),
    reveal=("archived_at", "deleted_at"),
)

MEDICAL_ALERTS = Resource(
    "medical_alerts",
    "A warning shown with a patient.",
    (*REMOVABLE, text("name", "The warning."), link("patient", "patients", "The patient.")),
    reveal=("archived_at", "deleted_at"),
    by_patient="patient_id:=",
    readers=CLINICAL,
)

PATIENT_FORMS = Resource(
    "patient_forms",
    "A form a patient was asked to fill in.",
    (
        *ARCHIVABLE,
        text("name", "Name of the form."),
        tree("content", "Sections with questions and answers."),
        moment("completed_at", "When the patient finished it."),
        moment("edited_at", "When staff last edited it."),
        flag("email_to_patient_on_completion", "Whether the patient gets a copy."),
        flag("restricted_to_practitioner", "Whether only the practitioner may read it."),
        access_link("url", "Where the patient fills it in."),
        link("attendee", "attendees", "Place in a booking it belongs to."),
        link("booking", "individual_appointments or group_appointments", "Booking it belongs to."),
        link("business", "businesses", "Location."),
        link("patient", "patients", "The patient."),
        Field("signatures", Kind.LINKS, "Address of the signature, or several in older answers."),
        idents("signature_ids", "Ids of the signatures on it."),
    ),
    reveal=("archived_at",),
    by_patient="patient_id:=",
    readers=OWNER,
)

PATIENT_FORM_TEMPLATES = Resource(
    "patient_form_templates",
    "A form that can be sent to patients.",
    (
        *ARCHIVABLE,
        text("name", "Name."),
        tree("content", "Sections with questions."),
        flag("email_to_patient_on_completion", "Whether the patient gets a copy."),
        flag("restricted_to_practitioner", "Whether only the practitioner may read the answers."),
    ),
    reveal=("archived_at",),
)

SIGNATURES = Resource(
    "signatures",
    "A signature on a patient form.",
    (
        *ROW,
        text("image", "The drawing, as a data URI."),
        ident("patient_form_id", "The form it is on."),
        tree("patient_form", "Of that form id, name, patient_id, completed_at and archived_at."),
        link("user", "users", "Who took it."),
    ),
    shape=Shape.UNDER_PARENT,
    # in windows of the forms: a signature never changes, and signing changes the form, whose answer it is
    below=("patient_forms", "/patient_forms/{id}/signatures/{child}"),
    readers=OWNER,
)

PATIENT_ATTACHMENTS = Resource(
    "patient_attachments",
    "A file kept with a patient, with its bytes when download_attachments is on.",
    (
        *ARCHIVABLE,
        text("filename", "Name of the file."),
        text("description", "What it is."),
        text("content_type", "Media type."),
        whole("size", "Size in bytes as Cliniko states it."),
        flag("processing_completed", "Whether Cliniko has finished taking the file in."),
        moment("processed_at", "When Cliniko finished."),
        moment("pinned_at", "When it was pinned to the top."),
        Field("content", Kind.LINKS, "Address of the bytes."),
        link("patient", "patients", "The patient."),
        link("user", "users", "Who added it."),
        text("file_path", "Where the tap put the bytes: a path or a URL."),
        whole("file_size", "Number of bytes fetched."),
        text("file_sha256", "SHA-256 of the bytes."),
        text("file_status", "downloaded, not_ready, too_large, unavailable or not_requested."),
    ),
    reveal=("archived_at",),
    by_patient="patient_id:=",
    readers=MESSAGES,
)

COMMUNICATIONS = Resource(
    "communications",
    "A message to or from a patient, or a memo.",
    (
        *ARCHIVABLE,
        text("type", "Email, SMS, Phone call or Other."),
        whole("type_code", "Type as a code: 1 SMS, 2 e-mail, 3 phone call, 4 other."),
        text("category", "What it was about."),
        whole("category_code", "What it was about, as a code."),
        text("direction_description", "Sent or Received."),
        whole("direction_code", "1 sent, 2 received."),
        text("from", "Sender."),
        text("to", "Recipient."),
        text("content_subject", "Subject of an e-mail."),
        text("content", "The message."),
        flag("confidential", "Whether a memo is confidential."),
        link("attendee", "attendees", "Place in a booking it is about."),
        link("booking", "individual_appointments or group_appointments", "Booking it is about."),
        link("invoice", "invoices", "Invoice it is about."),
        link("letter", None, "Letter it carried."),
        link("patient", "patients", "The patient."),
        link("payment", None, "Payment it is about."),
    ),
    reveal=("archived_at",),
    by_patient="patient_id:=",
    # confidential memos may be withheld from everyone else without a word
    readers=OWNER,
)
