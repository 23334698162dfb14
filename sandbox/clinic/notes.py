"""Treatment notes and their templates."""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sandbox.clinic.builder import falls
from sandbox.cliniko.account import timestamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.clinic.builder import Builder
    from sandbox.clinic.setup import Clinic
    from sandbox.clinic.visits import Visit

SHARE_OF_VISITS = 0.95
_STATES = ("final", "draft", "archived", "deleted")
FIRST_IN_TURN = 16
_WEIGHTS = (85, 8, 4, 3)
_LONG_PARAGRAPH = "".join(
    f"<p>Line {number}: the knee bends <b>{90 + number % 40}°</b>, pain {number % 10}/10 &amp; falling.</p>"
    for number in range(150)
)
_LIST = "<ul><li>Squats 3 × 10</li><li>Walk &lt; 2 km</li></ul><blockquote>“It’s better”</blockquote><br>🙂"
_ODD_HTML = '<div>Unclosed <i>tag<p onclick="x()">and <script>alert(1)</script> a <a href="https://example.org/?a=1&b=2">link</a>'


def add_note_templates(build: Builder, clinic: Clinic) -> None:
    """Add the templates: one in use, one archived, one deleted."""
    for number, name in enumerate(("Standard", "Initial assessment", "Old template")):
        hidden = {"archived_at": timestamp(build.days_ago(100))} if number else {}
        if name == "Old template":
            hidden["deleted_at"] = hidden["archived_at"]
        row = build.add(
            "treatment_note_templates",
            build.days_ago(2800),
            name=name,
            content=_without_answers(_every_question(build)),
            print_settings={"title": name, "hide_patient_birthdate": False},
            **hidden,
        )
        clinic.note_templates.append(row["id"])


def add_notes(build: Builder, clinic: Clinic, visits: Sequence[Visit]) -> None:
    """Add a note for nearly every past visit, and some that belong to no booking."""
    past = [
        visit for visit in visits if visit.starts < build.now and visit.state not in {"cancelled", "deleted"}
    ]
    kept = [visit for visit in past if build.chance(SHARE_OF_VISITS)]
    for number, visit in enumerate(kept):
        _note(build, clinic, visit, number)


def _note(build: Builder, clinic: Clinic, visit: Visit, number: int) -> None:
    in_turn = number < FIRST_IN_TURN
    state = _STATES[number % 4] if in_turn else build.rng.choices(_STATES, _WEIGHTS)[0]
    created = visit.starts + timedelta(minutes=40)
    at = timestamp(min(created + timedelta(hours=2), build.now))
    loose = falls(number, 19, 20)  # a twentieth belong to no booking
    build.add(
        "treatment_notes",
        created,
        patient_id=visit.patient,
        practitioner_id=visit.practitioner,
        booking_id=None if loose else visit.booking,
        attendee_id=None if loose else visit.attendee,
        treatment_note_template_id=build.pick(clinic.note_templates),
        title=""
        if falls(number, 7, 30)
        else build.pick(("Standard", "Initial assessment", "Review – 再診 🦵")),  # some have no title
        author_name=build.pick(("Orla Featherstone", "Kofi Saltmarsh", "A former colleague")),
        draft=state == "draft",
        finalized_at=None if state == "draft" else at,
        pinned_at=at if falls(number, 3, 25) else None,  # some are pinned
        archived_at=at if state in {"archived", "deleted"} else None,
        deleted_at=at if state == "deleted" else None,
        content=_content(build, number),
    )


def _content(build: Builder, number: int) -> dict[str, Any] | None:
    if falls(number, 0, 10):
        return _every_question(build)
    if falls(number, 1, 40):
        return _single("Progress", "paragraph", _LONG_PARAGRAPH)
    if falls(number, 2, 10):
        return _single("Plan", "paragraph", _LIST)
    if falls(number, 3, 40):
        return _single("Pasted", "paragraph", _ODD_HTML)
    if falls(number, 4, 40):
        return None
    return _single("Subjective", "text", f"Feels better than at visit {number}; naïve tests < 5 & stable")


def _single(name: str, kind: str, answer: str) -> dict[str, Any]:
    questions = [{"name": name, "type": kind, "answer": answer}, {"name": "Unanswered", "type": "text"}]
    return {"sections": [{"name": "Session", "description": None, "questions": questions}]}


def _every_question(build: Builder) -> dict[str, Any]:
    pain = build.rng.randrange(10)
    first = [
        {"name": "Complaint", "type": "text", "answer": f"Knee, {pain} of 10"},
        {"name": "History", "type": "paragraph", "answer": "<h1>Since spring</h1><p>Worse at night</p>"},
        {"name": "First seen", "type": "date", "answer": "2021-05-04"},
        {
            "name": "Treatment given",
            "type": "checkboxes",
            "answers": [{"value": "Massage", "selected": True}, {"value": "Taping"}, {"value": None}],
            "other": {"enabled": True, "selected": True, "value": "Cupping"},
        },
        {
            "name": "Consent",
            "type": "radiobuttons",
            "answers": [{"value": "Yes", "selected": True}, {"value": "No", "selected": False}],
        },
    ]
    second = [
        {"name": "Body chart", "type": "bodycharts", "body_chart_ids": [str(7000 + pain)]},
        {"name": "Complaint", "type": "text", "answer": "The same name a second time"},
        {"name": "Nothing said", "type": "text"},
    ]
    return {
        "sections": [
            {"name": "Examination", "description": "<p>Ask everything</p>", "questions": first},
            {"name": None, "description": None, "questions": second},
        ]
    }


def _without_answers(content: dict[str, Any]) -> dict[str, Any]:
    for section in content["sections"]:
        for question in section["questions"]:
            question.pop("answer", None)
            for answer in question.get("answers", ()):
                answer.pop("selected", None)
    return content
