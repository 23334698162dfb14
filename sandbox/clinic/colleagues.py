"""Who works at the clinic and where it is."""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.clinic.names import landline, phone
from sandbox.clinic.settings import OPENED_DAYS_AGO
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic

ROLES = ("scheduler", "receptionist", "power receptionist", "bookkeeper")
PRACTITIONERS = (
    # first name, last name, title, designation, what is odd about them
    ("Orla", "Featherstone", "Dr", "Physiotherapist", "administrator"),
    ("Kofi", "Saltmarsh", "Mr", "Osteopath", ""),
    ("Linnéa", "Åkerblom-Quist", "Ms", "Psychologist", ""),
    ("Umar", "Fairbrook", "", "Podiatrist", "no account in HighLevel"),
    ("Tove", "Wildsmith", "Ms", "Remedial massage", "no user"),
    ("Hugo", "Umberfield", "Mr", "Physiotherapist", "inactive"),
    ("Edda", "Larkspur", "Dr", "Dietitian", "inactive, no user"),
    ("Silas", "Netherfield", "Mr", "Exercise physiologist", "user without e-mail"),
)


def _user(build: Builder, name: tuple[str, str], email: str, role: str, *, active: bool = True) -> str:
    row = build.add(
        "users",
        build.days_ago(OPENED_DAYS_AGO),
        first_name=name[0],
        last_name=name[1],
        email=email,
        role=role,
        active=active,
        user_active=active,
        phone_numbers=[phone("0491 570 006")] if role == "administrator" else [],
        time_zone="Melbourne",
        time_zone_identifier="Australia/Melbourne",
    )
    key = f"MS0{row['id']}x{build.rng.getrandbits(96):024x}-au1"
    build.account.api_keys[key] = row["id"]
    return str(row["id"])


def _address(first: str, last: str) -> str:
    name = f"{first}.{last.split('-', maxsplit=1)[0]}".lower().replace("é", "e").replace("å", "a")
    return f"{name}@clinic.example.com"


def add_colleagues(build: Builder, clinic: Clinic) -> None:
    """Add practitioners with their users, and a user of every other role, each with a key."""
    for first, last, title, designation, oddity in PRACTITIONERS:
        active = "inactive" not in oddity
        user = None
        if "no user" not in oddity:
            email = "" if "without e-mail" in oddity else _address(first, last)
            role = "administrator" if oddity == "administrator" else "practitioner"
            user = _user(build, (first, last), email, role, active=active)
            clinic.users.append(user)
        row = build.add(
            "practitioners",
            build.days_ago(OPENED_DAYS_AGO - 1),
            first_name=first,
            last_name=last,
            title=title or None,
            designation=designation,
            display_name=f"{title} {first} {last}".strip(),
            label=f"{first} {last}",
            active=active,
            show_in_online_bookings=active,
            user_id=user,
        )
        clinic.practitioners.append(row["id"])
    for role in ROLES:
        last = role.title().replace(" ", "")
        clinic.users.append(_user(build, ("Robin", last), _address("robin", role.replace(" ", ".")), role))


def add_places(build: Builder, clinic: Clinic) -> None:
    """Add the businesses and the provider numbers people have there."""
    places = (
        ("Sample Street Clinic", "Melbourne", "Australia/Melbourne", "VIC", "3999", False),
        ("Harbour Rooms", "Perth", "Australia/Perth", "WA", "6999", False),
        ("Telehealth – everywhere", "UTC", "Etc/UTC", None, None, False),
        ("Old High Street (closed)", "Sydney", "Australia/Sydney", "NSW", "2999", True),
    )
    for name, zone, identifier, state, code, closed in places:
        row = build.add(
            "businesses",
            build.days_ago(OPENED_DAYS_AGO - 2),
            business_name=name,
            display_name=name,
            label=name,
            address_1="1 Sample Street",
            city="Sampleton",
            state=state,
            post_code=code,
            country="Australia",
            country_code="AU",
            time_zone=zone,
            time_zone_identifier=identifier,
            appointment_reminders_enabled=True,
            show_in_online_bookings=not closed,
            business_registration_name="ABN",
            business_registration_value="00 000 000 000",
            email_reply_to="hello@clinic.example.com",
            website_address="https://clinic.example.com",
            contact_information=landline(1),
            archived_at=timestamp(build.days_ago(400)) if closed else None,
        )
        if not closed:
            clinic.businesses.append(row["id"])
    for practitioner in clinic.practitioners[:4]:
        for number, business in enumerate(clinic.businesses):
            build.add(
                "practitioner_reference_numbers",
                build.days_ago(2000),
                practitioner_id=practitioner,
                business_id=business,
                name="Provider number",
                reference_number=f"00{number}{practitioner[-4:]}A",
            )
