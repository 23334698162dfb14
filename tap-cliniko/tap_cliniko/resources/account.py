"""The account itself: its locations and its settings."""

from __future__ import annotations

from tap_cliniko.fields import (
    REMOVABLE,
    ROW,
    date,
    flag,
    ident,
    idents,
    link,
    listing,
    text,
    tree,
)
from tap_cliniko.resources.resource import OWNER, Resource, Shape

BUSINESSES = Resource(
    "businesses",
    "A location of the clinic.",
    (
        *REMOVABLE,
        text("business_name", "Name."),
        text("display_name", "Name shown to patients."),
        text("label", "Name as Cliniko lists it."),
        text("address_1", "First address line."),
        text("address_2", "Second address line."),
        text("city", "Town or suburb."),
        text("state", "State or region."),
        text("post_code", "Postal code."),
        text("country", "Country as free text."),
        text("country_code", "Country as a two-letter code."),
        text("contact_information", "Contact details printed on documents."),
        text("additional_information", "Further text for patients."),
        text("additional_invoice_information", "Further text on invoices."),
        text("business_registration_name", "Kind of registration number."),
        text("business_registration_value", "Registration number."),
        text("email_reply_to", "Where replies to e-mails go."),
        text("website_address", "Web site."),
        text("time_zone", "Time zone as shown."),
        text("time_zone_identifier", "IANA name of the time zone."),
        flag("appointment_reminders_enabled", "Whether reminders are sent."),
        flag("show_in_online_bookings", "Whether patients can book here online."),
        idents("appointment_type_ids", "Appointment types offered here."),
        listing("appointments", "its appointments"),
        listing("practitioners", "its practitioners"),
    ),
    in_full=True,
    reveal=("archived_at", "deleted_at"),
)

_SETTINGS = (
    ident("account_id", "Id of the account."),
    tree("account", "Name, subdomain, country and the like."),
    tree("calendar", "How the diary is shown."),
    tree("documents_and_printing", "Letterhead."),
    tree("integrations", "Which integrations are on."),
    tree("online_bookings", "Rules of online booking."),
    tree("online_payments", "Whether online payment is on."),
    tree("patient_custom_fields_definition", "The clinic's own patient fields: names, tokens and options."),
    tree("patient_privacy", "How patient names are shown."),
    tree("reminders", "How patients are reminded by default."),
    tree("sms", "SMS capabilities."),
    tree("terminology", "The clinic's word for patient, and its titles."),
    tree("wait_list", "How long an entry stays on the wait list."),
)

PUBLIC_SETTINGS = Resource(
    "public_settings",
    "The settings of the account that any user may read; one record.",
    _SETTINGS,
    keys=("account_id",),
    shape=Shape.OBJECT,
    in_full=True,
    path="/settings/public",
)

SETTINGS = Resource(
    "settings",
    "The settings of the account, with the owner's details; one record.",
    _SETTINGS,
    keys=("account_id",),
    shape=Shape.OBJECT,
    in_full=True,
    readers=OWNER,
)

RECALLS = Resource(
    "recalls",
    "A note to call a patient back; undocumented, seen on some accounts.",
    (
        *ROW,
        date("recall_at", "When the patient is due."),
        link("patient", "patients", "The patient."),
        link("recall_type", "recall_types", "Kind of recall."),
    ),
    # which filters work is unknown, so it is read page by page; one that was dealt with is listed no longer
    shape=Shape.PAGES,
    in_full=True,
    optional=True,
    ids_in_state=True,
)

RECALL_TYPES = Resource(
    "recall_types",
    "A kind of recall; undocumented, seen on some accounts.",
    (*ROW, text("name", "Name.")),
    shape=Shape.PAGES,
    in_full=True,
    optional=True,
    rarely_changes=True,
)
