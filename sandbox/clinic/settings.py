"""The settings of the account, as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.clinic.custom_fields import custom_fields_definition

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.clinic.builder import Builder

OPENED_DAYS_AGO = 8 * 365
_FIRST_ACCOUNT = 552_900_000_000_000_000
_BETWEEN_ACCOUNTS = 1_000_003


def account_id(seed: int) -> str:
    """Return the id of the clinic of a seed: another one for each seed, the same on every day."""
    return str(_FIRST_ACCOUNT + seed * _BETWEEN_ACCOUNTS)


def settings(build: Builder, practitioners: Sequence[str]) -> dict[str, Any]:
    """Return the settings; the public part of them is all but the owner's name and address."""
    return {
        "account": {
            "id": account_id(build.seed),
            "name": "Sample Street Allied Health",
            "subdomain": "sample-street",
            "country": "Australia",
            "country_code": "AU",
            "currency_symbol": "$",
            "has_time_travelers": False,
            "time_zone_support": True,
            "email_from": "hello@clinic.example.com",
            "first_name": "Orla",
            "last_name": "Featherstone",
            "compliance": {"has_hipaa_compliance_conflicts": False, "hipaa_compliance_conflict_messages": []},
        },
        "calendar": {
            "start_hour": 7,
            "end_hour": 20,
            "timeslot_size_in_minutes": 15,
            "timeslot_height_in_pixels": 15,
            "multiple_appointments_gap": False,
            "show_current_time_indicator": True,
        },
        "documents_and_printing": {"logo_height": 80, "logo_url": None},
        "integrations": {
            "mail_chimp": {"enabled": False},
            "medipass": {"enabled": False},
            "xero": {"enabled": True},
        },
        "online_bookings": {
            "enabled": True,
            "calendar_info": None,
            "max_appointments_per_day_segment": 5,
            "min_hours_advance_required_to_book": 2,
            "min_hours_notice_for_patient_cancellation": 24,
            "policy": "Please tell us a day ahead",
            "practitioner_order": list(practitioners),
            "show_prices": False,
            "adroll": {"advertiser_id": None, "pixel_id": None},
            "google_analytics": {"tracking_id": None},
            "google_tag_manager": {"container_id": None},
        },
        "online_payments": {"activated": False},
        "patient_custom_fields_definition": custom_fields_definition(build),
        "patient_privacy": {
            "browser_title_name_format": "initials",
            "ical_patient_name_option": "initials",
            "prevent_sending_financial_data_by_email": False,
            "requires_hipaa_compliance": False,
            "anonymise_appointments_on_deletion": False,
            "anonymise_booking_notifications": False,
            "anonymise_invoices_and_payments_on_deletion": True,
            "baa_requested": False,
        },
        "reminders": {"default_reminder_type": "SMS & Email"},
        "sms": {
            "alphanumeric_source_number_required": False,
            "default_alphanumeric_source_number": "SampleSt",
            "max_message_length": 765,
            "number_of_usable_characters_per_message": 153,
            "replies_supported": True,
        },
        "terminology": {"patient": "client", "titles": ["Mr", "Ms", "Mx", "Dr"]},
        "wait_list": {"default_wait_list_expiry_period": 30},
    }
