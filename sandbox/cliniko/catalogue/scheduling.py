"""Appointments, attendees, blocks and availabilities."""

from __future__ import annotations

from sandbox.cliniko.catalogue.resource import Area, Resource, filters

RESOURCES = (
    Resource(
        "appointment_types",
        area=Area.SETUP,
        columns=(
            "add_deposit_to_account_credit appointment_confirmation_template_ids "
            "appointment_follow_up_template_ids appointment_reminder_template_ids archived_at category "
            "color deposit_price description duration_in_minutes max_attendees name "
            "online_bookings_lead_time_hours online_payments_enabled online_payments_mode "
            "show_in_online_bookings telehealth_enabled"
        ),
        links={
            "billable_item": "billable_items",
            "product": "products",
            "treatment_note_template": "treatment_note_templates",
        },
        collections={
            "appointment_type_billable_items": (
                "/appointment_type_billable_items?q[]=appointment_type_id:={id}"
            ),
            "appointment_type_products": "/appointment_type_products?q[]=appointment_type_id:={id}",
            "practitioners": "/appointment_types/{id}/practitioners",
        },
        filters=filters(
            array=(
                "appointment_confirmation_template_ids appointment_follow_up_template_ids "
                "appointment_reminder_template_ids"
            ),
            date_time="archived_at created_at updated_at",
            string="category online_payments_mode",
            int64="id",
            boolean="show_in_online_bookings",
        ),
        hidden=("archived_at",),
    ),
    Resource(
        "appointment_type_billable_items",
        area=Area.SETUP,
        columns="discount_percentage discounted_amount is_monetary_discount quantity",
        links={"appointment_type": "appointment_types", "billable_item": "billable_items"},
        filters=filters(int64="appointment_type_id billable_item_id id", date_time="created_at updated_at"),
    ),
    Resource(
        "appointment_type_products",
        area=Area.SETUP,
        columns="discount_percentage discounted_amount is_monetary_discount quantity",
        links={"appointment_type": "appointment_types", "product": "products"},
        filters=filters(int64="appointment_type_id id product_id", date_time="created_at updated_at"),
    ),
    Resource(
        "individual_appointments",
        area=Area.CALENDAR,
        columns=(
            "archived_at booking_ip_address cancellation_note cancellation_reason "
            "cancellation_reason_description cancelled_at deleted_at did_not_arrive email_reminder_sent "
            "ends_at has_patient_appointment_notes invoice_status notes online_booking_policy_accepted "
            "patient_arrived patient_name repeat_rule sms_reminder_sent starts_at telehealth_url "
            "treatment_note_status"
        ),
        links={
            "appointment_type": "appointment_types",
            "business": "businesses",
            "patient": "patients",
            "patient_case": "patient_cases",
            "practitioner": "practitioners",
            "repeated_from": "individual_appointments",
        },
        collections={
            "attendees": "/individual_appointments/{id}/attendees",
            "conflicts": "/individual_appointments/{id}/conflicts",
            "repeats": "/individual_appointments?q[]=repeated_from_id:={id}",
        },
        filters=filters(
            int64="appointment_type_id business_id id patient_id practitioner_id repeated_from_id",
            date_time="archived_at cancelled_at created_at deleted_at ends_at starts_at updated_at",
            boolean="did_not_arrive",
        ),
        hidden=("archived_at", "cancelled_at", "deleted_at"),
    ),
    Resource(
        "group_appointments",
        area=Area.CALENDAR,
        columns=(
            "archived_at deleted_at ends_at max_attendees notes patient_ids repeat_rule starts_at "
            "telehealth_url"
        ),
        links={
            "appointment_type": "appointment_types",
            "business": "businesses",
            "practitioner": "practitioners",
            "repeated_from": "group_appointments",
        },
        collections={
            "attendees": "/group_appointments/{id}/attendees",
            "conflicts": "/group_appointments/{id}/conflicts",
            "repeats": "/group_appointments?q[]=repeated_from_id:={id}",
        },
        filters=filters(
            int64="appointment_type_id business_id id practitioner_id repeated_from_id",
            date_time="archived_at created_at deleted_at ends_at starts_at updated_at",
            array="patient_ids",
        ),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "unavailable_blocks",
        area=Area.CALENDAR,
        columns="archived_at deleted_at ends_at notes repeat_rule starts_at",
        links={
            "business": "businesses",
            "practitioner": "practitioners",
            "repeated_from": "unavailable_blocks",
            "unavailable_block_type": "unavailable_block_types",
        },
        collections={
            "conflicts": "/unavailable_blocks/{id}/conflicts",
            "repeats": "/unavailable_blocks?q[]=repeated_from_id:={id}",
        },
        filters=filters(
            date_time="archived_at created_at deleted_at ends_at starts_at updated_at",
            int64="business_id id practitioner_id repeated_from_id unavailable_block_type_id",
        ),
        hidden=("archived_at", "deleted_at"),
    ),
    Resource(
        "attendees",
        area=Area.CALENDAR,
        columns=(
            "archived_at arrived booking_ip_address cancellation_note cancellation_reason "
            "cancellation_reason_description cancellation_url cancelled_at deleted_at email_reminder_sent "
            "invoice_status notes online_booking_policy_accepted sent_email_follow_ups_count "
            "sent_email_reminders_count sent_sms_follow_ups_count sent_sms_reminders_count "
            "sms_reminder_sent telehealth_url treatment_note_status"
        ),
        links={"booking": "bookings", "patient": "patients", "patient_case": "patient_cases"},
        collections={
            "invoices": "/attendees/{id}/invoices",
            "patient_forms": "/attendees/{id}/patient_forms",
        },
        filters=filters(
            int64="appointment_id booking_id id patient_case_id patient_id",
            date_time="archived_at cancelled_at created_at deleted_at updated_at",
        ),
        hidden=("archived_at", "cancelled_at", "deleted_at"),
    ),
    Resource(
        "unavailable_block_types",
        area=Area.CALENDAR,
        columns="archived_at color duration_in_minutes name system_controlled",
        filters=filters(date_time="archived_at created_at updated_at", int64="id"),
        hidden=("archived_at",),
    ),
    Resource(
        "availability_blocks",
        area=Area.CALENDAR,
        columns="ends_at repeat_rule starts_at",
        links={"business": "businesses", "practitioner": "practitioners"},
        filters=filters(int64="business_id id practitioner_id", date_time="created_at starts_at updated_at"),
    ),
    Resource(
        "daily_availabilities",
        area=Area.CALENDAR,
        columns="availabilities day_of_week time_zone time_zone_identifier",
        links={"business": "businesses", "practitioner": "practitioners"},
        filters=filters(int64="business_id id practitioner_id", date_time="created_at updated_at"),
    ),
    Resource(
        "businesses",
        area=Area.SETUP,
        columns=(
            "additional_information additional_invoice_information address_1 address_2 "
            "appointment_reminders_enabled appointment_type_ids archived_at business_name "
            "business_registration_name business_registration_value city contact_information country "
            "country_code deleted_at display_name email_reply_to label post_code show_in_online_bookings "
            "state time_zone time_zone_identifier website_address"
        ),
        collections={
            "appointments": "/businesses/{id}/appointments",
            "practitioners": "/businesses/{id}/practitioners",
        },
        filters=filters(
            array="appointment_type_ids",
            date_time="archived_at created_at deleted_at updated_at",
            int64="id",
            boolean="show_in_online_bookings",
        ),
        hidden=("archived_at", "deleted_at"),
    ),
)
