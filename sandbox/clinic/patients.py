"""Patients: first the awkward ones, then as many ordinary ones as the clinic has."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.clinic.awkward import AWKWARD
from sandbox.clinic.builder import YEARS, day, falls
from sandbox.clinic.custom_fields import HEALTH_FUNDS, custom_fields
from sandbox.clinic.names import (
    FIRST_NAMES,
    LAST_NAMES,
    MOBILES,
    OTHER_SCRIPTS,
    STREETS,
    TOWNS,
    landline,
    phone,
)
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from datetime import datetime

    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic
    from sandbox.cliniko.table import Row

ARCHIVED_SHARE = 0.04
MERGED_SHARE = 0.02
_DOMAINS = ("example.org", "example.com", "example.net")
_PRONOUNS = {
    "nominative": "she",
    "accusative": "her",
    "pronominal_possessive": "her",
    "predicative_possessive": "hers",
    "reflexive": "herself",
}


def add_patients(build: Builder, clinic: Clinic, count: int) -> list[Row]:
    """Add that many patients, archived and merged ones included."""
    rows: list[Row] = []
    for number in range(count):
        odd = AWKWARD[number] if number < len(AWKWARD) else {}
        rows.append(_patient(build, clinic, number, odd))
    _merge_awkward(build, rows)
    _hide_some(build, rows[len(AWKWARD) :])
    return rows


def _patient(build: Builder, clinic: Clinic, number: int, odd: dict[str, Any]) -> Row:
    created = _created(build, number)
    values = _ordinary(build, clinic, number)
    given = {key: value for key, value in odd.items() if not key.startswith("_")}
    values.update(given)
    answers = odd.get("_answers", _answers(build, number))
    definition = build.account.settings["patient_custom_fields_definition"]
    values["custom_fields"] = custom_fields(definition, answers)
    values["label"] = f"{values['first_name']} {values['last_name']}".strip()
    if odd.get("_archived"):
        values["archived_at"] = timestamp(build.days_ago(30))
    return build.add("patients", created, **values)


def _created(build: Builder, number: int) -> datetime:
    """Spread the registrations over the years; every seventh came in one import, in the same second."""
    if falls(number, 0, 7):
        return build.days_ago(1200)
    return build.between(build.days_ago(YEARS * 365), build.days_ago(12))


def _ordinary(build: Builder, clinic: Clinic, number: int) -> dict[str, Any]:
    first, last = build.pick(FIRST_NAMES), build.pick(LAST_NAMES)
    if falls(number, 5, 12):  # a twelfth of the people write their name otherwise
        first, last = OTHER_SCRIPTS[number // 12 % len(OTHER_SCRIPTS)]
    town, state, code = build.pick(TOWNS)
    handle = f"patient.{number}@{_DOMAINS[number % 3]}"
    return {
        "first_name": first,
        "last_name": last,
        "title": build.pick((None, "Mr", "Ms", "Mx", "Dr")),
        "preferred_first_name": first[:2] if build.chance(0.1) else None,
        "email": handle if build.chance(0.9) else None,
        "patient_phone_numbers": _phones(build, number),
        "date_of_birth": day(build.days_ago(build.rng.randrange(3 * 365, 90 * 365)))
        if build.chance(0.95)
        else None,
        "address_1": f"{build.rng.randrange(1, 200)} {build.pick(STREETS)}",
        "address_2": "Unit 3" if build.chance(0.1) else None,
        "city": town,
        "state": state,
        "post_code": code,
        "country": "Australia",
        "country_code": "AU",
        "sex": build.pick((None, "Female", "Male", "Intersex")),
        "gender_identity": build.pick((None, None, "Woman", "Man", "Non-binary")),
        "pronouns": _PRONOUNS if build.chance(0.2) else None,
        "occupation": build.pick((None, "Baker", "Teacher", "Retired")),
        "emergency_contact": f"{build.pick(FIRST_NAMES)} {last} {landline(90000 + number)}"
        if build.chance(0.3)
        else None,
        "medicare": f"0000 0000{number % 10} 0" if build.chance(0.3) else None,
        "medicare_reference_number": "1" if build.chance(0.3) else None,
        "accepted_email_marketing": build.pick((True, True, False, None)),
        "accepted_sms_marketing": build.pick((True, False, None, None)),
        "accepted_privacy_policy": build.pick((True, True, None)),
        "receives_confirmation_emails": True,
        "receives_cancellation_emails": build.chance(0.8),
        "reminder_type": build.pick(("None", "SMS", "Email", "SMS & Email")),
        "concession_type_id": build.pick(clinic.concessions) if build.chance(0.1) else None,
        "referring_doctor_id": build.pick(clinic.contacts["doctor"]) if build.chance(0.2) else None,
        "time_zone": "Australia/Perth" if build.chance(0.05) else None,
        "old_reference_id": f"OLD-{number}" if build.chance(0.2) else None,
        "notes": "Prefers the <b>morning</b> & a quiet room" if build.chance(0.1) else None,
    }


def _phones(build: Builder, number: int) -> list[dict[str, str]]:
    phones = [phone(landline(number), build.pick(("Mobile", "Home", "Work")))] if build.chance(0.92) else []
    if phones and build.chance(0.1):
        phones.append(phone(MOBILES[number % len(MOBILES)], "Mobile"))
    return phones


def _answers(build: Builder, number: int) -> dict[str, Any]:
    """Answer the custom fields as half of the patients do."""
    if build.chance(0.5):
        return {}
    answers: dict[str, Any] = {"Health fund": build.pick((*HEALTH_FUNDS, "Some other fund"))}
    if build.chance(0.7):
        answers["Membership number"] = f"M-{number:06}"
    if build.chance(0.2):
        answers["NDIS number"] = f"4300{number:05}"
        answers["NDIS plan end"] = day(build.now + timedelta(days=90))
    if build.chance(0.4):
        answers["Interests"] = ["Running", "Tai chi"]
        answers["Preferred room"] = "The one with the window"
    return answers


def _merge_awkward(build: Builder, rows: list[Row]) -> None:
    """Mark the awkward patients that were merged; the survivor is named by its place in the list."""
    for number, odd in enumerate(AWKWARD[: len(rows)]):
        survivor = odd.get("_merged_into")
        if survivor is not None and survivor < len(rows):
            _mark_merged(build, rows[number], rows[survivor])


def _hide_some(build: Builder, rows: list[Row]) -> None:
    for row in rows:
        draw = build.rng.random()
        if draw < MERGED_SHARE and rows[0] is not row:
            survivor = build.pick(rows)
            if survivor is not row and "merged_at" not in survivor:
                _mark_merged(build, row, survivor)
        elif draw < MERGED_SHARE + ARCHIVED_SHARE:
            row["archived_at"] = timestamp(build.days_ago(build.rng.randrange(1, 10)))
            row["updated_at"] = row["archived_at"]


def _mark_merged(build: Builder, loser: Row, survivor: Row) -> None:
    moment = timestamp(build.days_ago(build.rng.randrange(1, 8)))
    loser.assign(
        {
            "archived_at": moment,
            "merged_at": moment,
            "updated_at": moment,
            "merged_with_patient_id": survivor["id"],
        }
    )
