"""Bookings, and what decides when and where they can be made."""

from __future__ import annotations

from tap_cliniko.fields import (
    ARCHIVABLE,
    CANCELLED,
    REMOVABLE,
    ROW,
    access_link,
    decimal,
    flag,
    ident,
    idents,
    link,
    listing,
    moment,
    text,
    tree,
    trees,
    whole,
)
from tap_cliniko.resources.resource import DIARY, Resource, Shape

_PERIOD = (moment("starts_at", "Start."), moment("ends_at", "End."))
_REPEATS = (
    tree(
        "repeat_rule",
        "How it repeats: repeat_type, number_of_repeats, repeating_interval; empty when it does not.",
    ),
    listing("repeats", "the repetitions"),
    listing("conflicts", "whether it overlaps with something"),
)
_CANCELLATION = (
    CANCELLED,
    text("cancellation_note", "What was noted when it was cancelled."),
    whole(
        "cancellation_reason",
        "Why it was cancelled: 10 better, 20 worse, 30 sick, 31 COVID-19, 40 away, 50 other, 60 work.",
    ),
    text("cancellation_reason_description", "Why it was cancelled, in words."),
)
_BOOKED = (
    text("booking_ip_address", "Address an online booking came from."),
    flag("online_booking_policy_accepted", "Whether the policy was accepted when booking online."),
    whole("invoice_status", "State of its invoice: 10 open, 20 paid, 30 closed, 40 open credit."),
    whole("treatment_note_status", "State of its note: 10 draft, 90 final."),
)

INDIVIDUAL_APPOINTMENTS = Resource(
    "individual_appointments",
    "A booking of one patient, including cancelled and archived ones.",
    (
        *REMOVABLE,
        *_PERIOD,
        *_CANCELLATION,
        *_BOOKED,
        *_REPEATS,
        flag("did_not_arrive", "Whether the patient stayed away."),
        flag("patient_arrived", "Whether the patient came."),
        text("patient_name", "Copy of the patient's name."),
        text("notes", "Notes on the booking."),
        flag("has_patient_appointment_notes", "Whether the patient has standing appointment notes."),
        flag("email_reminder_sent", "Whether an e-mail reminder went out."),
        flag("sms_reminder_sent", "Whether an SMS reminder went out."),
        access_link("telehealth_url", "Where the practitioner joins the video call."),
        link("appointment_type", "appointment_types", "Type of the appointment."),
        link("business", "businesses", "Location."),
        link("patient", "patients", "The patient."),
        link("patient_case", "patient_cases", "Case it belongs to."),
        link("practitioner", "practitioners", "Who treats."),
        link("repeated_from", "individual_appointments", "The first booking of the series."),
        listing("attendees", "its attendee"),
    ),
    reveal=("archived_at", "cancelled_at", "deleted_at"),
    by_patient="patient_id:=",
    readers=DIARY,
)

GROUP_APPOINTMENTS = Resource(
    "group_appointments",
    "A booking with places for several patients; who comes is in attendees.",
    (
        *REMOVABLE,
        *_PERIOD,
        *_REPEATS,
        whole("max_attendees", "Number of places."),
        idents("patient_ids", "Patients with a place."),
        text("notes", "Notes on the booking."),
        access_link("telehealth_url", "Where the practitioner joins the video call."),
        link("appointment_type", "appointment_types", "Type of the appointment."),
        link("business", "businesses", "Location."),
        link("practitioner", "practitioners", "Who leads."),
        link("repeated_from", "group_appointments", "The first booking of the series."),
        listing("attendees", "who has a place"),
    ),
    reveal=("archived_at", "deleted_at"),
    by_patient="patient_ids:~",
    needed_by=("attendees", "booking"),
    shows=True,
    readers=DIARY,
)

ATTENDEES = Resource(
    "attendees",
    "One patient's place in one booking, for individual bookings too.",
    (
        *REMOVABLE,
        *_CANCELLATION,
        *_BOOKED,
        flag("arrived", "Whether the patient came; null when nobody marked it."),
        text("notes", "Notes on this place."),
        flag("email_reminder_sent", "Whether an e-mail reminder went out.", deprecated=True),
        flag("sms_reminder_sent", "Whether an SMS reminder went out.", deprecated=True),
        whole("sent_email_follow_ups_count", "E-mail follow-ups sent."),
        whole("sent_email_reminders_count", "E-mail reminders sent."),
        whole("sent_sms_follow_ups_count", "SMS follow-ups sent."),
        whole("sent_sms_reminders_count", "SMS reminders sent."),
        access_link("cancellation_url", "Where the patient can cancel."),
        access_link("telehealth_url", "Where the patient joins the video call."),
        link("booking", "individual_appointments or group_appointments", "The booking."),
        link("patient", "patients", "The patient."),
        link("patient_case", "patient_cases", "Case it belongs to."),
        listing("invoices", "its invoices"),
        listing("patient_forms", "its forms"),
    ),
    reveal=("archived_at", "cancelled_at", "deleted_at"),
    by_patient="patient_id:=",
    follows=("group_appointments", "booking_id:="),
    readers=DIARY,
)

UNAVAILABLE_BLOCKS = Resource(
    "unavailable_blocks",
    "A stretch of a practitioner's diary that is blocked.",
    (
        *REMOVABLE,
        *_PERIOD,
        *_REPEATS,
        text("notes", "Why it is blocked."),
        link("business", "businesses", "Location."),
        link("practitioner", "practitioners", "Whose diary."),
        link("repeated_from", "unavailable_blocks", "The first block of the series."),
        link("unavailable_block_type", "unavailable_block_types", "Kind of block."),
    ),
    reveal=("archived_at", "deleted_at"),
    readers=DIARY,
)

UNAVAILABLE_BLOCK_TYPES = Resource(
    "unavailable_block_types",
    "A kind of blocked time.",
    (
        *ARCHIVABLE,
        text("name", "Name."),
        text("color", "Colour in the diary."),
        whole("duration_in_minutes", "Usual length."),
        flag("system_controlled", "Whether Cliniko itself made it."),
    ),
    in_full=True,
    reveal=("archived_at",),
    readers=DIARY,
)

AVAILABILITY_BLOCKS = Resource(
    "availability_blocks",
    "Extra time a practitioner works beyond the weekly pattern.",
    (
        *ROW,
        *_PERIOD,
        tree("repeat_rule", "How it repeats; empty when it does not."),
        link("business", "businesses", "Location."),
        link("practitioner", "practitioners", "Who works."),
    ),
    readers=DIARY,
)

DAILY_AVAILABILITIES = Resource(
    "daily_availabilities",
    "When a practitioner works at a location on one day of the week.",
    (
        *ROW,
        trees("availabilities", "Local clock times, each with starts_at and ends_at."),
        whole("day_of_week", "Day of the week; Monday is 1, Sunday 0 or 7 by Cliniko's documents."),
        text("time_zone", "Time zone as shown."),
        text("time_zone_identifier", "IANA name of the time zone."),
        link("business", "businesses", "Location."),
        link("practitioner", "practitioners", "Who works."),
    ),
    in_full=True,
    readers=DIARY,
)

APPOINTMENT_TYPES = Resource(
    "appointment_types",
    "A kind of appointment the clinic offers.",
    (
        *ARCHIVABLE,
        text("name", "Name."),
        text("description", "Text shown when booking."),
        text("category", "Group it is listed under."),
        text("color", "Colour in the diary."),
        whole("duration_in_minutes", "Length."),
        whole("max_attendees", "Places; more than one makes it a group appointment."),
        idents("appointment_confirmation_template_ids", "Confirmation templates used."),
        idents("appointment_follow_up_template_ids", "Follow-up templates used."),
        idents("appointment_reminder_template_ids", "Reminder templates used."),
        flag("show_in_online_bookings", "Whether patients can book it online."),
        whole("online_bookings_lead_time_hours", "Notice needed for an online booking."),
        flag("online_payments_enabled", "Whether it can be paid when booking."),
        text("online_payments_mode", "optional, required or deposit_required."),
        decimal("deposit_price", "Deposit asked when booking."),
        flag("add_deposit_to_account_credit", "Whether the deposit becomes account credit."),
        flag("telehealth_enabled", "Whether it is held by video."),
        link("billable_item", "billable_items", "Service billed for it.", deprecated=True),
        link("product", "products", "Product billed with it.", deprecated=True),
        link("treatment_note_template", "treatment_note_templates", "Note template proposed for it."),
        listing("appointment_type_billable_items", "the services billed for it"),
        listing("appointment_type_products", "the products billed with it"),
        listing("practitioners", "who offers it"),
    ),
    in_full=True,
    reveal=("archived_at",),
)

_BILLED = (
    decimal("quantity", "How many are billed."),
    decimal("discount_percentage", "Discount in percent."),
    decimal("discounted_amount", "Discount as an amount."),
    flag("is_monetary_discount", "Whether the discount is an amount rather than a percentage."),
    link("appointment_type", "appointment_types", "The appointment type."),
)

APPOINTMENT_TYPE_BILLABLE_ITEMS = Resource(
    "appointment_type_billable_items",
    "A service that is billed by default for an appointment type.",
    (*ROW, *_BILLED, link("billable_item", "billable_items", "The service.")),
    in_full=True,
)

APPOINTMENT_TYPE_PRODUCTS = Resource(
    "appointment_type_products",
    "A product that is billed by default with an appointment type.",
    (*ROW, *_BILLED, link("product", "products", "The product.")),
    in_full=True,
)

PRACTITIONER_APPOINTMENT_TYPES = Resource(
    "practitioner_appointment_types",
    "Which practitioner offers which appointment type.",
    (
        ident("practitioner_id", "The practitioner."),
        ident("appointment_type_id", "The appointment type."),
    ),
    keys=("practitioner_id", "appointment_type_id"),
    shape=Shape.UNDER_PARENT,
    in_full=True,
    reveal=("archived_at",),
    below=("practitioners", "/practitioners/{id}/appointment_types"),
    rarely_changes=True,
)

SERVICES = Resource(
    "services",
    "Which practitioners offer an appointment type at a location.",
    (
        link("appointment_type", "appointment_types", "The appointment type."),
        link("business", "businesses", "The location."),
        trees("practitioners", "Links to those who offer it."),
        idents("practitioner_ids", "Ids of those who offer it."),
    ),
    keys=("business_id", "appointment_type_id"),
    shape=Shape.PAGES,
    in_full=True,
)
