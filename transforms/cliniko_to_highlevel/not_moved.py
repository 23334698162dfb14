"""The fields of Cliniko's records that do not arrive in HighLevel, each with its reason.

Every other field of the sources does; a test changes each field and looks whether the mapping notices.
"""

from __future__ import annotations

_ON_CONTACT = (
    "arrives on the contact of a practitioner who has no user in HighLevel; a user is never written to"
)
_LATER_CHANGE = "the moment of the last change in Cliniko: it tells when to read a record again"
_OWN_CREATION = "when a setting was made; HighLevel dates its own"
_COPY = "a copy of what another record or field says"
_CODE_TEXT = "the words for a code; the code is mapped"
_REMINDERS = "how often Cliniko reminded; reminders are set up anew in HighLevel"
_BEARER = "a link that opens without a password: a secret, and useless once Cliniko is closed"
_BOOKING_RULES = "a rule of Cliniko's calendar or online booking; set up in HighLevel's calendars"
_LOCATION = "belongs to the settings of the HighLevel sub-account"
_TECHNICAL = "a technical trace of online booking: personal data without a use"
_CHARTS = "templates are not records of patients; a note carries its own questions"
_SETTING = "a setting of Cliniko itself"
_OPTION_STATE = "a name stays valid for the past when its setting was archived"

#: Fields of every resource.
EVERYWHERE: dict[str, str] = {
    "links": "the address of the record in Cliniko's API; its identity is mapped",
    "updated_at": _LATER_CHANGE,
}

#: Fields by resource. Links to lists (an invoice's items, a patient's appointments) are no fields: the lists
#: are read themselves. Of a link to one record the tap gives the id, named ``<link>_id``.
NOT_MOVED: dict[str, dict[str, str]] = {
    "public_settings": dict.fromkeys(
        (
            "calendar",
            "documents_and_printing",
            "integrations",
            "online_bookings",
            "online_payments",
            "patient_privacy",
            "reminders",
            "sms",
            "terminology",
            "wait_list",
        ),
        _SETTING,
    ),
    "users": {
        "created_at": _OWN_CREATION,
        "first_name": "the practitioner's own name is mapped",
        "last_name": "the practitioner's own name is mapped",
        "title": "the practitioner's own title is mapped",
        "role": "rights in Cliniko; HighLevel users get theirs from the agency",
        "time_zone": "a display label of the zone",
        "time_zone_identifier": "users set their zone in HighLevel",
    },
    "practitioners": {
        "default_appointment_type_id": _BOOKING_RULES,
    },
    "businesses": {
        **dict.fromkeys(
            (
                "additional_information",
                "additional_invoice_information",
                "business_registration_name",
                "business_registration_value",
                "contact_information",
                "email_reply_to",
                "website_address",
            ),
            _LOCATION,
        ),
        "appointment_reminders_enabled": _BOOKING_RULES,
        "appointment_type_ids": _BOOKING_RULES,
        "created_at": _OWN_CREATION,
        "time_zone": "a display label of the zone; the zone itself is used",
    },
    "taxes": {"amount": "the old name of rate", "created_at": _OWN_CREATION},
    "billable_items": {},
    "products": {},
    "concession_types": {"archived_at": _OPTION_STATE, "created_at": _OWN_CREATION},
    "daily_availabilities": {"created_at": _OWN_CREATION, "time_zone": "a display label of the zone"},
    "services": {"practitioners": "links to those whose ids stand beside them"},
    "unavailable_block_types": {
        **dict.fromkeys(("color", "duration_in_minutes", "system_controlled"), _SETTING),
        "archived_at": _OPTION_STATE,
        "created_at": _OWN_CREATION,
    },
    "unavailable_blocks": {
        "created_at": _OWN_CREATION,
        "business_id": "nobody is in two places: an absence takes the practitioner's time everywhere",
        "notes": "why somebody is away is not everybody's business: whoever sees a diary sees its titles",
        **dict.fromkeys(("repeat_rule", "repeated_from_id"), "each repetition is an absence of its own"),
    },
    "appointment_types": {
        **dict.fromkeys(
            (
                "add_deposit_to_account_credit",
                "appointment_confirmation_template_ids",
                "appointment_follow_up_template_ids",
                "appointment_reminder_template_ids",
                "category",
                "deposit_price",
                "online_payments_enabled",
                "online_payments_mode",
                "telehealth_enabled",
            ),
            _BOOKING_RULES,
        ),
        "created_at": _OWN_CREATION,
        "billable_item_id": "replaced in Cliniko by appointment_type_billable_items, which is mapped",
        "product_id": "replaced in Cliniko by appointment_type_products, which is mapped",
        "treatment_note_template_id": _CHARTS,
    },
    "appointment_type_billable_items": {"created_at": _OWN_CREATION},
    "appointment_type_products": {"created_at": _OWN_CREATION},
    "contacts": {"type": _CODE_TEXT},
    "referral_source_types": {
        "archived_at": _OPTION_STATE,
        "created_at": _OWN_CREATION,
        "referrer_type": "each referral names its own",
        "subcategories": "the choices; each referral has the one that was chosen",
    },
    "group_appointments": {
        "created_at": "each attendance has the moment of its own booking",
        "patient_ids": _COPY,
        "telehealth_url": _BEARER,
    },
    "individual_appointments": {
        "booking_ip_address": _TECHNICAL,
        "email_reminder_sent": _REMINDERS,
        "sms_reminder_sent": _REMINDERS,
        "has_patient_appointment_notes": _COPY,
        "invoice_status": _COPY,
        "treatment_note_status": _COPY,
        "patient_name": _COPY,
        "telehealth_url": _BEARER,
    },
    "attendees": {
        "booking_ip_address": _TECHNICAL,
        "cancellation_url": _BEARER,
        "telehealth_url": _BEARER,
        "email_reminder_sent": _REMINDERS,
        "sms_reminder_sent": _REMINDERS,
        "sent_email_follow_ups_count": _REMINDERS,
        "sent_email_reminders_count": _REMINDERS,
        "sent_sms_follow_ups_count": _REMINDERS,
        "sent_sms_reminders_count": _REMINDERS,
        "invoice_status": _COPY,
        "treatment_note_status": _COPY,
    },
    "referral_sources": {"created_at": "one per patient, made with the patient"},
    "medical_alerts": {},
    "patient_cases": {"attendee_ids": "each appointment names its case"},
    "patients": {
        "label": _COPY,
        "latest_booking_id": _COPY,
    },
    "relationships": {
        "created_at": "a relation in HighLevel has no fields",
        "relation_description": _CODE_TEXT,
    },
    "treatment_notes": {"treatment_note_template_id": _CHARTS},
    "invoices": {
        "online_payment_url": _BEARER,
        "signature_id": "signatures are pictures that Cliniko's API gives for forms only",
    },
    "recall_types": {"created_at": _OWN_CREATION},
    "recalls": {},
    "invoice_items": {"tax_amount": "the tax rate under an old name; tax_rate is mapped"},
    "patient_forms": {
        "created_at": "when the form was sent; the note has the moment of its completion",
        "email_to_patient_on_completion": _REMINDERS,
        "signatures": _TECHNICAL,
        "signature_ids": "each answer names its signature",
        "url": _BEARER,
    },
    "signatures": {
        "patient_form_id": "the record itself says what the form is called, and whose it is",
        "user_id": "who took it: a file in HighLevel has a name only",
    },
    "communications": {},
    "patient_attachments": {
        "content": "the address of the bytes, which the tap has followed",
        "pinned_at": "a file in HighLevel has a name only",
        "processed_at": "when Cliniko had stored the upload",
        "processing_completed": "the tap waits for it",
        "user_id": "who uploaded it: a file in HighLevel has a name only",
    },
}

#: Fields of a practitioner that arrive on his contact. One who is matched with a HighLevel user has none, and a user
#: is never written to.
NOT_OF_USERS: dict[str, dict[str, str]] = {
    "practitioners": dict.fromkeys(("created_at", "description", "designation", "title"), _ON_CONTACT),
    "users": {"phone_numbers": _ON_CONTACT},
}


def reason(resource: str, field: str) -> str | None:
    """Return why a field does not arrive in HighLevel; None when it does."""
    return EVERYWHERE.get(field) or NOT_MOVED.get(resource, {}).get(field)
