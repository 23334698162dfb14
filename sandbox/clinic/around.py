"""What else hangs on a patient: contacts, referrals, families, alerts, cases, recalls."""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.clinic.awkward import AWKWARD
from sandbox.clinic.builder import day, falls
from sandbox.clinic.names import landline, phone
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic
    from sandbox.clinic.visits import Visit
    from sandbox.cliniko.table import Row

RELATIONS = {
    10: "Parent",
    20: "Child",
    30: "Sibling",
    40: "Spouse",
    50: "Partner",
    60: "Relative",
    70: "Other",
}
_OPPOSITE = {10: 20, 20: 10}
_CONTACTS: tuple[dict[str, Any], ...] = (
    {
        "_kind": "doctor",
        "first_name": "Tariq",
        "last_name": "Doctorsson",
        "doctor_type": "general_practitioner",
    },
    {"_kind": "doctor", "first_name": "Esme", "last_name": "Knochenheil", "doctor_type": "specialist"},
    {"_kind": "doctor", "first_name": "Retired", "last_name": "Doctor", "_archived": True},
    {"_kind": "payer", "company_name": "Example Health", "email": "claims@fund.example.com"},
    {"_kind": "payer", "company_name": "Sample Mutual Pty Ltd", "notes": "Pays within 30 days"},
    {
        "_kind": "payer",
        "first_name": "Plan",
        "last_name": "Manager",
        "company_name": "Invented Plan Managers",
    },
    {"_kind": "standard", "first_name": "Saffron", "last_name": "Neighbour", "preferred_name": "Saf"},
    {"_kind": "standard", "company_name": "例会社 · Example GmbH", "occupation": "Employer"},
    {
        "_kind": "standard",
        "first_name": "Removed",
        "last_name": "Contact",
        "_archived": True,
        "_deleted": True,
    },
)
_TYPE_CODES = {"standard": (0, "Standard"), "doctor": (1, "Doctor"), "payer": (2, "3rd Party Payer")}
_REFERRAL_TYPES: tuple[dict[str, Any], ...] = (
    {"name": "Doctor", "referrer_type": "Contact"},
    {"name": "Another patient", "referrer_type": "Patient"},
    {"name": "Internet", "referrer_type": None, "subcategories": ["Search", "Social – 社交", "Our page"]},
    {"name": "Newspaper (old)", "referrer_type": None, "_archived": True},
)


def add_contacts(build: Builder, clinic: Clinic) -> None:
    """Add doctors, payers and others, and the ways patients find the clinic."""
    early = build.days_ago(2700)
    hidden_at = timestamp(build.days_ago(60))
    for number, given in enumerate(_CONTACTS):
        kind = given["_kind"]
        code, name = _TYPE_CODES[kind]
        row = build.add(
            "contacts",
            early,
            **{key: value for key, value in given.items() if not key.startswith("_")},
            type_code=code,
            type=name,
            title="Dr" if kind == "doctor" else None,
            provider_number=f"000000{number}A" if kind == "doctor" else None,
            phone_numbers=[phone(landline(70000 + number), "Work"), phone(landline(70100 + number), "Fax")],
            address_1="2 Sample Street",
            city="Sampleton",
            state="VIC",
            post_code="3999",
            country="Australia",
            country_code="AU",
            archived_at=hidden_at if given.get("_archived") else None,
            deleted_at=hidden_at if given.get("_deleted") else None,
        )
        clinic.contacts[kind].append(row["id"])
    for given in _REFERRAL_TYPES:
        values = {key: value for key, value in given.items() if not key.startswith("_")}
        row = build.add(
            "referral_source_types",
            early,
            **values,
            archived_at=hidden_at if given.get("_archived") else None,
        )
        clinic.referral_types.append({"id": row["id"], **values})


def add_surroundings(
    build: Builder, clinic: Clinic, patients: Sequence[Row], visits: Sequence[Visit]
) -> None:
    """Add what hangs on each patient besides visits, money, notes and files."""
    visits_of: dict[str, list[Visit]] = {}
    for visit in visits:
        visits_of.setdefault(visit.patient, []).append(visit)
    _families(build, patients)
    for number, patient in enumerate(patients):
        created = build.days_ago(700 - number % 600)
        if falls(number, 0, 2):
            _referral_source(build, clinic, patients, patient, number)
        if falls(number, 1, 6):
            _alerts(build, patient, number, created)
        if falls(number, 2, 6):  # a sixth has a case
            _case(build, clinic, patient, number, visits_of.get(patient["id"], []))
        if falls(number, 4, 9):  # a ninth is to come back
            _recall(build, clinic, patient)


def _families(build: Builder, patients: Sequence[Row]) -> None:
    places = {number: patient for number, patient in enumerate(patients) if number < len(AWKWARD)}
    for number, odd in enumerate(AWKWARD):
        for key in ("_related", "_formerly_related"):
            for other, relation in odd.get(key, ()):
                if number in places and other in places:
                    one, two = places[number]["id"], places[other]["id"]
                    _relationship(build, one, two, relation, archived=key != "_related")
    ordinary = list(patients[len(AWKWARD) :])
    for number in range(0, len(ordinary) - 1, 10):
        relation = build.pick(tuple(RELATIONS))
        one, other = ordinary[number]["id"], ordinary[number + 1]["id"]
        _relationship(build, one, other, relation, archived=falls(number, 30, 40))  # a few are archived
        _relationship(build, other, one, _OPPOSITE.get(relation, relation), archived=False)


def _relationship(build: Builder, one: str, other: str, relation: int, *, archived: bool) -> None:
    build.add(
        "relationships",
        build.days_ago(600),
        patient_id=one,
        related_patient_id=other,
        relation=relation,
        relation_description=RELATIONS[relation],
        archived_at=timestamp(build.days_ago(20)) if archived else None,
    )


def _referral_source(
    build: Builder, clinic: Clinic, patients: Sequence[Row], patient: Row, number: int
) -> None:
    kind = clinic.referral_types[number // 2 % len(clinic.referral_types)]
    referrer = None
    if kind["referrer_type"] == "Contact":
        referrer = build.pick(clinic.contacts["doctor"])
    elif kind["referrer_type"] == "Patient":
        referrer = patients[(number + 1) % len(patients)]["id"]
    build.add(
        "referral_sources",
        build.days_ago(800),
        patient_id=patient["id"],
        referral_source_type_id=kind["id"],
        referrer_id=referrer,
        referrer_type=kind["referrer_type"],
        subcategory=build.pick(kind["subcategories"]) if kind.get("subcategories") else None,
        notes="Saw the poster" if falls(number, 0, 8) else None,
        archived_at=timestamp(build.days_ago(15)) if falls(number, 8, 30) else None,  # a few are archived
    )
    build.account.tables["patients"].update(patient["id"], {"referral_source": kind["name"]})


def _alerts(build: Builder, patient: Row, number: int, created: Any) -> None:
    for nth, name in enumerate(("Latex allergy", "Pacemaker ⚡ – kein Ultraschall")[: 1 + number % 2]):
        at = timestamp(build.days_ago(10))
        archived = falls(number + nth, 8, 18)  # a few are archived
        build.add(
            "medical_alerts",
            created,
            patient_id=patient["id"],
            name=name,
            archived_at=at if archived else None,
            deleted_at=at if archived and falls(number, 7, 36) else None,  # some of these deleted
        )


def _case(build: Builder, clinic: Clinic, patient: Row, number: int, visits: Sequence[Visit]) -> None:
    created = build.days_ago(300)
    state = ("open", "closed", "expired", "archived")[number // 6 % 4]
    at = timestamp(build.days_ago(40))
    attending = [visit.attendee for visit in visits[:3]]
    row = build.add(
        "patient_cases",
        created,
        patient_id=patient["id"],
        contact_id=build.pick(clinic.contacts["doctor"]),
        name=build.pick(("NDIS plan 430000333", "Knee after surgery", "Medicare – chronic disease")),
        notes="NDIS 430000333\nPlan managed",
        issue_date=day(created),
        expiry_date=day(build.now + timedelta(days=-30 if state == "expired" else 200)),
        closed=state == "closed",
        closed_at=at if state == "closed" else None,
        archived_at=at if state == "archived" else None,
        include_cancelled_attendees=False,
        include_dna_attendees=True,
        max_invoiceable_amount="1500.505",
        max_sessions=5 if number % 4 else None,
        referral=True,
        referral_type=build.pick((None, "dva", "medicare")),
        attendee_ids=attending,
    )
    for visit in visits[:3]:
        build.account.tables["attendees"].update(visit.attendee, {"patient_case_id": row["id"]})
        if not visit.group:
            table = build.account.tables["individual_appointments"]
            table.update(visit.booking, {"patient_case_id": row["id"]})


def _recall(build: Builder, clinic: Clinic, patient: Row) -> None:
    build.add(
        "recalls",
        build.days_ago(50),
        patient_id=patient["id"],
        recall_type_id=build.pick(clinic.recall_types),
        recall_at=day(build.now + timedelta(days=120)),
    )
