"""How each automation of Cliniko is built in HighLevel: declarations."""

from __future__ import annotations

from dataclasses import dataclass

_STATUS = "Appointment Status: confirmed (a booking that was loaded as a task starts nothing)"
_NOT_CANCELLED = "the appointment is not cancelled when the wait ends"


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one automation of Cliniko is built in HighLevel.

    Attributes:
        key: its stable name in the JSON.
        name: what people call it.
        codes: categories of messages that it sends, as Cliniko numbers them.
        trigger: what starts the workflow.
        moment: the field of the booking its timing is measured from, and that in words.
        filters: what has to hold before the message goes out.
        action: what is done, where it is no message to the patient.
        templates: the field of an appointment type that says it is in use for it.
        look: where in Cliniko to find what the API does not give.
    """

    key: str
    name: str
    codes: frozenset[int]
    trigger: str
    moment: tuple[str, str] = ("", "")
    filters: tuple[str, ...] = ()
    action: str = ""
    templates: str = ""
    look: str = "Settings, Communication templates"


RECIPES = (
    Recipe(
        "appointment_reminder",
        "Appointment reminder",
        frozenset({1, 18}),
        _STATUS,
        ("starts_at", "the appointment"),
        (_NOT_CANCELLED, "the location sends reminders (see Locations)"),
        templates="appointment_reminder_template_ids",
    ),
    Recipe(
        "appointment_confirmation",
        "Appointment confirmation",
        frozenset({4}),
        "Customer Booked Appointment, or Appointment Status: confirmed for bookings made by staff",
        ("created_at", "the booking"),
        templates="appointment_confirmation_template_ids",
    ),
    Recipe(
        "appointment_cancellation",
        "Cancellation message",
        frozenset({16}),
        "Appointment Status: cancelled",
        ("cancelled_at", "the cancellation"),
    ),
    Recipe(
        "follow_up",
        "Follow-up after a visit",
        frozenset({48}),
        "Appointment Status: showed",
        ("ends_at", "the end of the appointment"),
        ("no later appointment is booked, where the text invites the patient to book one",),
        templates="appointment_follow_up_template_ids",
    ),
    Recipe(
        "patient_form",
        "Form before a visit",
        frozenset({17, 50}),
        _STATUS,
        ("starts_at", "the appointment"),
        (_NOT_CANCELLED, "the form has not been filled in yet (a tag set by the trigger Form Submitted)"),
        look="Settings, Patient form templates",
    ),
    Recipe(
        "invoice",
        "Invoice",
        frozenset({3, 9}),
        "none: HighLevel sends an invoice when it is issued (Payments, Invoices)",
    ),
    Recipe("payment_receipt", "Receipt", frozenset({14}), "Payment Received"),
    Recipe("payment_request", "Request to pay online", frozenset({20}), "Invoice: sent, not paid"),
    Recipe(
        "practitioner_notice",
        "Notice to a practitioner",
        frozenset({6, 10, 41}),
        "Appointment Status: new, or cancelled",
        ("created_at", "the booking"),
        action="Send Internal Notification to the assigned user",
    ),
)
RECALL = Recipe(
    "recall",
    "Recall",
    frozenset({7, 15}),  # Cliniko has no category for it: messages by hand to patients who were due then
    "Custom Date Reminder on the contact's field Next recall",
    ("recall_at", "the due date of the recall"),
    ("the contact's field Next visit is empty or past",),
    look="Recalls of a patient, and Settings, Recall types",
)
ONLINE_BOOKING = Recipe(
    "online_booking",
    "Booking made online",
    frozenset({4}),
    "Customer Booked Appointment",
    ("created_at", "the booking"),
    look="Settings, Online bookings",
)
