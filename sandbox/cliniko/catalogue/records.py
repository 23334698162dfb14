"""Notes, forms, files and messages."""

from __future__ import annotations

from sandbox.cliniko.catalogue.resource import Area, Resource, filters

RESOURCES = (
    Resource(
        "treatment_notes",
        area=Area.NOTES,
        columns="archived_at author_name content deleted_at draft finalized_at pinned_at title",
        links={
            "attendee": "attendees",
            "booking": "bookings",
            "patient": "patients",
            "practitioner": "practitioners",
            "treatment_note_template": "treatment_note_templates",
        },
        filters=filters(
            date_time="archived_at created_at deleted_at updated_at",
            int64="attendee_id booking_id id patient_id practitioner_id treatment_note_template_id",
            boolean="draft",
        ),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "treatment_note_templates",
        area=Area.NOTES,
        columns="archived_at content deleted_at name print_settings",
        filters=filters(date_time="archived_at created_at deleted_at updated_at", int64="id"),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "patient_forms",
        area=Area.FORMS,
        columns=(
            "archived_at completed_at content edited_at email_to_patient_on_completion name "
            "restricted_to_practitioner url"
        ),
        links={
            "attendee": "attendees",
            "booking": "bookings",
            "business": "businesses",
            "patient": "patients",
            "signatures": "signatures",
        },
        filters=filters(
            date_time="archived_at completed_at created_at updated_at", int64="attendee_id id patient_id"
        ),
        hidden=("archived_at",),
    ),
    Resource(
        "patient_form_templates",
        area=Area.FORMS,
        columns="archived_at content email_to_patient_on_completion name restricted_to_practitioner",
        filters=filters(date_time="archived_at created_at updated_at", int64="id"),
        hidden=("archived_at",),
    ),
    Resource(
        "signatures",
        area=Area.FORMS,
        columns="image",
        links={"user": "users"},
    ),
    Resource(
        "patient_attachments",
        area=Area.FILES,
        columns=(
            "archived_at content_type description filename pinned_at processed_at processing_completed size"
        ),
        links={"patient": "patients", "user": "users"},
        filters=filters(
            date_time="archived_at created_at processed_at updated_at",
            string="content_type description filename",
            int64="id patient_id user_id",
            integer="size",
        ),
        hidden=("archived_at",),
    ),
    Resource(
        "communications",
        area=Area.MESSAGES,
        columns=(
            "archived_at category category_code confidential content content_subject direction_code "
            "direction_description from to type type_code"
        ),
        links={
            "attendee": "attendees",
            "booking": "bookings",
            "invoice": "invoices",
            "letter": "letters",
            "patient": "patients",
            "payment": "payments",
        },
        filters=filters(
            date_time="archived_at created_at updated_at",
            integer="category_code type_code",
            int64="id letter_id patient_id",
        ),
        hidden=("archived_at",),
    ),
    Resource(
        "recalls",
        area=Area.PATIENTS,
        columns="recall_at",
        links={"recall_type": "recall_types", "patient": "patients"},
        filters=filters(int64="id patient_id"),
    ),
    Resource(
        "recall_types",
        area=Area.SETUP,
        columns="name",
        filters=filters(int64="id"),
    ),
)
