"""Files, forms with signatures, and messages."""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.clinic.builder import falls
from sandbox.clinic.files import FileContent
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic
    from sandbox.clinic.visits import Visit
    from sandbox.cliniko.table import Row

PATIENTS_PER_FILE = 2
PATIENTS_PER_FORM = 3
HUGE_FILE = 9
"""Which of the files is the huge one; there are more in every clinic of forty patients."""
HUGE_BYTES = 52_428_800 + 12_345
_KINDS = ("pdf", "png", "txt", "zip", "dcm", "exe", "empty", "pdf", "png")
_NAMES = (
    "referral letter.pdf",
    "röntgen 膝.png",
    "notes.txt",
    "export.zip",
    "scan.dcm",
    "viewer.exe",
    "empty.txt",
    "report; final?.pdf",
    "../odd/na\tme.png",
)
_MESSAGES: tuple[tuple[str, int, int, int, str], ...] = (
    # category, code, type, direction, text
    ("Appointment Reminder", 1, 1, 1, "Hello, you are booked for tomorrow. Reply YES 🙂"),
    ("Appointment Confirmation", 4, 2, 1, "<p>Your booking is <b>confirmed</b></p>"),
    ("Reply from Patient", 8, 1, 2, "Yes see you then"),
    ("Memo", 12, 4, 1, "Asked for a quiet room"),
    ("Letter", 5, 2, 1, "Please find the letter attached"),
    ("Invoice", 3, 2, 1, "Your invoice"),
    ("SMS Message", 7, 1, 1, "Parking is behind the house"),
    ("Memo", 12, 3, 2, "Rang about the account"),
)
_TYPES = {1: "SMS", 2: "Email", 3: "Phone call", 4: "Other"}
_DIRECTIONS = {1: "Sent", 2: "Received"}


def add_files(build: Builder, clinic: Clinic, patients: Sequence[Row]) -> None:
    """Add a file for every second patient: every type, an archived, an unprocessed and a huge one."""
    for number, patient in enumerate(patients[::PATIENTS_PER_FILE]):
        kind = _KINDS[number % len(_KINDS)]
        huge = number == HUGE_FILE
        content = FileContent(kind, build.seed * 100_003 + number, HUGE_BYTES if huge else 0)
        processed = not falls(number, 10, 15)  # one in fifteen is not processed yet
        row = _file(build, clinic, patient, number, content if processed else None)
        if processed:
            build.account.files[row["id"]] = content


def _file(build: Builder, clinic: Clinic, patient: Row, number: int, content: FileContent | None) -> Row:
    created = build.days_ago(900 - number % 800)
    at = timestamp(created + timedelta(seconds=4))
    known: dict[str, Any] = {}
    if content is not None:
        name = "huge.pdf" if content.padded_to else _NAMES[number % len(_NAMES)]
        known = {
            "filename": name,
            "content_type": content.content_type,
            "size": content.size,
            "processed_at": at,
        }
    return build.add(
        "patient_attachments",
        created,
        patient_id=patient["id"],
        user_id=build.pick(clinic.users[:4]),
        description=build.pick((None, "Referral letter", "Befund – 検査")),
        processing_completed=content is not None,
        pinned_at=at if falls(number, 1, 12) else None,
        archived_at=at if falls(number, 12, 14) else None,  # one in fourteen is archived
        **known,
    )


def add_forms(build: Builder, clinic: Clinic, visits: Sequence[Visit]) -> None:
    """Add form templates, and for every third patient a form; half of them are signed."""
    for number, name in enumerate(("New patient form", "Old form")):
        build.add(
            "patient_form_templates",
            build.days_ago(2500),
            name=name,
            content=_form_content(None),
            email_to_patient_on_completion=False,
            restricted_to_practitioner=False,
            archived_at=timestamp(build.days_ago(80)) if number else None,
        )
    first_visits = {visit.patient: visit for visit in reversed(visits) if not visit.group}
    for number, visit in enumerate(list(first_visits.values())[::PATIENTS_PER_FORM]):
        _form(build, clinic, visit, number)


def _form(build: Builder, clinic: Clinic, visit: Visit, number: int) -> None:
    created = build.days_ago(500 - number % 450)
    completed = not falls(number, 3, 4)  # a quarter is not filled in yet
    at = timestamp(created + timedelta(days=1))
    signature = None
    if completed and falls(number, 0, 2):
        image = "data:image/svg+xml;base64,PHN2ZyB4bWxucz0iaHR0cDovL3d3dy53My5vcmcvMjAwMC9zdmciLz4="
        signature = build.add("signatures", created, image=image, user_id=build.pick(clinic.users[:2]))["id"]
    build.add(
        "patient_forms",
        created,
        name="New patient form",
        patient_id=visit.patient,
        attendee_id=visit.attendee,
        booking_id=visit.booking,
        business_id=visit.business,
        completed_at=at if completed else None,
        edited_at=at if falls(number, 0, 5) else None,
        email_to_patient_on_completion=True,
        restricted_to_practitioner=falls(number, 6, 7),  # a seventh is restricted
        content=_form_content(signature, answered=completed),
        signatures_id=signature,
        url=f"https://clinic.example.com/forms/{build.token()}",
        archived_at=at if falls(number, 9, 11) else None,  # a few are archived
    )


def _form_content(signature: str | None, *, answered: bool = False) -> dict[str, Any]:
    questions: list[dict[str, Any]] = [
        {"name": "What brings you here?", "type": "paragraph", "required": True},
        {"name": "Since", "type": "date", "required": False},
        {
            "name": "Do you smoke?",
            "type": "radiobuttons",
            "required": True,
            "answers": [{"value": "Yes"}, {"value": "No"}],
        },
        {"name": "Signature", "type": "signature", "required": True},
    ]
    if answered:
        questions[0]["answer"] = "<p>My knee</p>"
        questions[1]["answer"] = "2022-02-02"
        questions[2]["answers"][1]["selected"] = True
    if signature:
        questions[3]["signature_id"] = signature
    return {"sections": [{"name": "About you", "description": None, "questions": questions}]}


def add_messages(build: Builder, visits: Sequence[Visit]) -> None:
    """Add a message for every sixth visit, of every kind and direction."""
    for number, visit in enumerate(visits[::6]):
        category, code, kind, direction, text = _MESSAGES[number % len(_MESSAGES)]
        sent = min(visit.starts, build.now) - timedelta(days=1)
        patient = build.account.tables["patients"][visit.patient]
        build.add(
            "communications",
            sent,
            patient_id=visit.patient,
            attendee_id=visit.attendee if code == 1 else None,
            booking_id=visit.booking if code in {1, 4} else None,
            letter_id=str(5000 + number) if category == "Letter" else None,
            category=category,
            category_code=code,
            type=_TYPES[kind],
            type_code=kind,
            direction_code=direction,
            direction_description=_DIRECTIONS[direction],
            content=text,
            content_subject="About your visit" if _TYPES[kind] == "Email" else None,
            confidential=falls(number, 3, 16) if category == "Memo" else None,  # some memos are
            to=patient.get("email") if _TYPES[kind] == "Email" else None,
            archived_at=timestamp(build.days_ago(5)) if falls(number, 6, 20) else None,  # a few
        )
