"""Patients, contacts and the people of the clinic."""

from __future__ import annotations

from sandbox.cliniko.catalogue.resource import Area, Resource, filters

RESOURCES = (
    Resource(
        "patients",
        area=Area.PATIENTS,
        columns=(
            "accepted_email_marketing accepted_privacy_policy accepted_sms_marketing address_1 address_2 "
            "address_3 appointment_notes archived_at city country country_code custom_fields "
            "date_of_birth deleted_at dva_card_number email emergency_contact first_name gender "
            "gender_identity invoice_default_to invoice_email invoice_extra_information label last_name "
            "medicare medicare_reference_number merged_at notes occupation old_reference_id "
            "patient_phone_numbers post_code preferred_first_name pronouns receives_cancellation_emails "
            "receives_confirmation_emails referral_source reminder_type sex state time_zone title"
        ),
        links={
            "concession_type": "concession_types",
            "latest_booking": "bookings",
            "merged_with_patient": "patients",
            "referring_doctor": "contacts",
        },
        collections={
            "appointments": "/patients/{id}/appointments",
            "attendees": "/attendees?q[]=patient_id:={id}",
            "invoices": "/patients/{id}/invoices",
            "medical_alerts": "/patients/{id}/medical_alerts",
            "patient_attachments": "/patients/{id}/patient_attachments",
            "relationships": "/relationships?q[]=patient_id:={id}",
        },
        filters=filters(
            boolean="accepted_privacy_policy",
            date_time="archived_at created_at updated_at",
            date="date_of_birth",
            string="email first_name last_name old_reference_id preferred_first_name",
            int64="id",
        ),
        hidden=("archived_at",),
    ),
    Resource(
        "contacts",
        area=Area.PATIENTS,
        columns=(
            "address_1 address_2 address_3 archived_at city company_name country country_code deleted_at "
            "doctor_type email first_name last_name notes occupation phone_numbers post_code "
            "preferred_name provider_number state title type type_code"
        ),
        filters=filters(
            date_time="archived_at created_at deleted_at updated_at",
            string="company_name email first_name last_name occupation",
            int64="id",
            integer="type_code",
        ),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "users",
        area=Area.USERS,
        columns=(
            "active email first_name last_name phone_numbers role time_zone time_zone_identifier title "
            "user_active"
        ),
        filters=filters(date_time="created_at updated_at", int64="id"),
    ),
    Resource(
        "practitioners",
        area=Area.SETUP,
        columns=(
            "active description designation display_name first_name label last_name "
            "show_in_online_bookings title"
        ),
        links={"default_appointment_type": "appointment_types", "user": "users"},
        collections={
            "appointment_types": "/practitioners/{id}/appointment_types",
            "appointments": "/practitioners/{id}/appointments",
            "invoices": "/practitioners/{id}/invoices",
            "practitioner_reference_numbers": "/practitioners/{id}/practitioner_reference_numbers",
        },
        filters=filters(
            boolean="active show_in_online_bookings", date_time="created_at updated_at", int64="id user_id"
        ),
    ),
    Resource(
        "practitioner_reference_numbers",
        area=Area.SETUP,
        columns="name reference_number",
        links={"business": "businesses", "practitioner": "practitioners"},
        filters=filters(
            int64="business_id id practitioner_id",
            date_time="created_at updated_at",
            string="reference_number",
        ),
    ),
    Resource(
        "relationships",
        area=Area.PATIENTS,
        columns="archived_at relation relation_description",
        links={"patient": "patients", "related_patient": "patients"},
        filters=filters(date_time="archived_at created_at updated_at", int64="id patient_id"),
        hidden=("archived_at",),
    ),
    Resource(
        "referral_sources",
        area=Area.PATIENTS,
        columns="archived_at notes referrer_type subcategory",
        links={
            "patient": "patients",
            "referral_source_type": "referral_source_types",
            "referrer": "referrers",
        },
        filters=filters(
            date_time="archived_at created_at updated_at", int64="id referral_source_type_id referrer_id"
        ),
        hidden=("archived_at",),
    ),
    Resource(
        "referral_source_types",
        area=Area.SETUP,
        columns="archived_at name referrer_type subcategories",
        collections={"referrers": "/patients"},
        filters=filters(date_time="archived_at created_at updated_at", int64="id"),
        hidden=("archived_at",),
    ),
    Resource(
        "concession_types",
        area=Area.PATIENTS,
        columns="archived_at name",
        filters=filters(date_time="archived_at created_at updated_at", int64="id"),
        hidden=("archived_at",),
    ),
    Resource(
        "medical_alerts",
        area=Area.MEDICAL,
        columns="archived_at deleted_at name",
        links={"patient": "patients"},
        filters=filters(date_time="archived_at created_at deleted_at updated_at", int64="id patient_id"),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "patient_cases",
        area=Area.CASES,
        columns=(
            "archived_at attendee_ids closed closed_at expiry_date include_cancelled_attendees "
            "include_dna_attendees issue_date max_invoiceable_amount max_sessions name notes referral "
            "referral_type"
        ),
        links={"contact": "contacts", "patient": "patients"},
        collections={
            "attendees": "/patient_cases/{id}/attendees",
            "bookings": "/patient_cases/{id}/bookings",
            "invoices": "/patient_cases/{id}/invoices",
            "patient_attachments": "/patient_cases/{id}/patient_attachments",
        },
        filters=filters(
            date_time="archived_at closed_at created_at updated_at",
            date="expiry_date issue_date",
            int64="id patient_id",
            string="name referral_type",
        ),
        hidden=("archived_at",),
    ),
)
