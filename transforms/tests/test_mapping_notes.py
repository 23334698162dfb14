"""Notes: rich text, answers in order, splitting."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mapping_runs import mapped, one

from cliniko_to_highlevel.formats import utf16_length
from cliniko_to_highlevel.markup import plain_text, readable
from cliniko_to_highlevel.note_text import LONGEST_BODY, split


@pytest.mark.parametrize(
    ("markup", "text"),
    [
        ("<p>One</p><p>Two</p>", "One\n\nTwo"),
        ("<div>One</div><div>Two</div>", "One\nTwo"),
        ("One<br>Two<br/>Three", "One\nTwo\nThree"),
        ("<ul><li>Squats</li><li>Walk &lt; 2 km</li></ul>", "- Squats\n- Walk < 2 km"),
        ("<ol><li>First<ul><li>Inner</li></ul></li><li>Second</li></ol>", "1. First\n  - Inner\n2. Second"),
        ("<blockquote>Better</blockquote>After", "> Better\n\nAfter"),
        ("<h1>Title</h1><p>Text</p>", "Title\n\nText"),
        ("a <b>bold</b> <i>word</i>", "a bold word"),
        ("x<script>alert(1)</script>y", "xy"),
        ('<p onclick="x()">safe</p>', "safe"),
        ('<a href="https://example.org/?a=1&amp;b=2">page</a>', "page (https://example.org/?a=1&b=2)"),
        ('<a href="javascript:alert(1)">page</a>', "page"),
        ('<a href="https://example.org">https://example.org</a>', "https://example.org"),
        ("Fish &amp; chips&nbsp;now", "Fish & chips now"),
        ("<div>Unclosed <i>tag<p>and more", "Unclosed tag\n\nand more"),
        ("kept <script>although it never ends", "kept although it never ends"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a | b\nc"),
        ("<p>One<!-- a remark\n of Word's --></p>", "One"),
        ('<!DOCTYPE html><html><head><style>p {}</style></head><body class="x">Hi</body></html>', "Hi"),
        ("<p class=MsoNormal>From <o:p></o:p>Word</p>", "From Word"),
        ("<ul><li><p>Ice</p></li><li><p>Rest</p><p>daily</p></li></ul>", "- Ice\n- Rest\n  daily"),
        ("<ul><li><p></p>Ice</li></ul><p>End</p>", "- Ice\n\nEnd"),
        ("<ol><li><div>First</div><ul><li><p>Inner</p></li></ul></li></ol>", "1. First\n  - Inner"),
        ("<table><tr><td></td><td>b</td><td></td><td>d</td></tr><tr><td>c</td></tr></table>", "| b | | d\nc"),
        ("Fish &amp;\nchips & peas", "Fish &\nchips & peas"),
        ("<p> </p>", None),
        ("", None),
    ],
)
def test_rich_text_becomes_plain_text(markup: str, text: str | None) -> None:
    """Paragraphs, lists, quotes and line breaks stay; scripts and attributes go."""
    assert plain_text(markup) == text


#: What people type between angle brackets in a clinic.
TYPED = [
    "pain <5 & stable",
    "a < b > c",
    "ALLERGY: penicillin <i.v. only>; anaphylaxis",
    "Do not mobilise if HR <a target of 100 or SpO2 > 90",
    "US <u/s 12/3> shows tear",
    "Ph mum\nonly <p.m.> calls\nDV risk: do not call home",
    "Reflexes <normal L>R weak",
    "Dear <title> <name>",
    "Knee flexion <full on left. RED FLAG: night pain, refer to GP",
    "BP low <!-- check. Give fluids",
    "Pain <b",
    "Review </p",
]


@pytest.mark.parametrize("typed", [*TYPED, "5 &amp; 6"])
def test_typed_text_stays_as_it_was_typed(typed: str) -> None:
    """Text without tags is not taken for rich text."""
    assert readable(typed) == typed


@pytest.mark.parametrize("typed", TYPED)
def test_an_answer_keeps_what_stands_in_angle_brackets(typed: str) -> None:
    """In rich text too a bracket that begins no known tag is text, to the end of the note."""
    assert plain_text(typed) == typed
    in_one_line = " ".join(typed.split())
    assert plain_text(f"<p>{in_one_line}</p><p>End</p>") == f"{in_one_line}\n\nEnd"


def test_an_alert_keeps_what_stands_in_angle_brackets() -> None:
    """A warning arrives whole."""
    alert = one("medical_alerts", "hl_patient_profiles", name="ALLERGY: penicillin <i.v. only>; anaphylaxis")
    assert alert["medical_alerts"]["text"] == "ALLERGY: penicillin <i.v. only>; anaphylaxis"


@pytest.mark.parametrize("unit", ["<!--", "<a x", "<a x=y ", "<p><a b='", "<b "])
def test_reading_markup_takes_time_by_its_length_only(unit: str) -> None:
    """A long text of broken markup is read in moments: nothing is looked for again from each bracket."""
    begun = time.process_time()
    plain_text(f"<p>{unit * 20_000}--></p>")
    assert time.process_time() - begun < 10


@given(st.text(alphabet="ab <>/&;pdivulori!-\"'=\n", max_size=80))
def test_any_markup_can_be_read(markup: str) -> None:
    """No markup, however broken, is an error."""
    text = plain_text(markup)
    assert text is None or text == text.strip()


@given(st.text(max_size=400), st.integers(min_value=2, max_value=60))
def test_pieces_fit_and_hold_every_word(text: str, room: int) -> None:
    """Every piece fits, and together they hold every character that is not a blank."""
    pieces = split(text, room)
    assert all(utf16_length(piece) <= room for piece in pieces)
    assert "".join("".join(piece.split()) for piece in pieces) == "".join(text.split())


@pytest.mark.parametrize(
    "sign",
    ["e\u0301", "\U0001f469\u200d\U0001f52c", "\U0001f44d\U0001f3fd", "\u2764\ufe0f"],
    ids=["accent", "joined", "skin", "variation"],
)
def test_what_is_one_sign_is_not_cut(sign: str) -> None:
    """A text without blanks is cut between signs, not inside one."""
    for lead in range(8):
        pieces = split("x" * lead + sign * 20, 16)
        assert all(utf16_length(piece) <= 16 for piece in pieces)
        assert [piece.lstrip("x").replace(sign, "") for piece in pieces] == [""] * len(pieces)


def test_a_sign_that_is_longer_than_the_room_is_cut_all_the_same() -> None:
    """Splitting always comes to an end."""
    assert "".join(split("e" + "\u0301" * 50, 8)) == "e" + "\u0301" * 50


def _content(answer: str) -> dict[str, Any]:
    return {
        "sections": [{"name": "Session", "questions": [{"name": "Q", "type": "paragraph", "answer": answer}]}]
    }


def test_a_treatment_note_tells_everything_in_order() -> None:
    """A note begins with date and author and ends with the marker; sections and questions keep the template's order."""
    note = one("treatment_notes", "hl_notes")
    assert note["title"] == "2024-03-11 Standard consultation"
    assert note["contact"] == "patients/7"
    assert note["owner"] == "user:practitioners/9"
    assert note["body"].split("\n") == [
        "Date: 2024-03-11 15:20 (Australia/Melbourne), 2024-03-11T04:20:00Z",
        "Author: Orla Featherstone",
        "Practitioner: Orla Featherstone",
        "State: Final",
        "Finalised: 2024-03-11 15:31 (Australia/Melbourne)",
        "Booking: bookings/88, attendees/77",
        "",
        "## Subjective",
        "What the client reports",
        "Complaint: Left knee",
        "Pain: 4/10 and < 5",
        "Onset: 2024-02-28",
        "Side: Left",
        "Worse by: Stairs, Hills",
        "Chart: body chart 700, 701 (picture in Cliniko only)",
        "",
        "## Plan",
        "Complaint: x",
        "",
        "cliniko:treatment_notes/150",
    ]


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({"draft": True, "finalized_at": None}, "Draft"),
        ({"archived_at": "2024-04-01T00:00:00Z"}, "Archived"),
        ({"deleted_at": "2024-04-01T00:00:00Z"}, "Archived"),
        ({"archived_at": "2024-04-01T00:00:00Z", "draft": True, "finalized_at": None}, "Archived draft"),
    ],
)
def test_a_note_tells_its_state(changes: dict[str, Any], state: str) -> None:
    """A draft or archived note says so in its title and text."""
    note = one("treatment_notes", "hl_notes", **changes)
    assert note["title"] == f"2024-03-11 Standard consultation [{state}]"
    assert f"\nState: {state}\n" in note["body"]


def test_a_note_without_content_is_still_a_note() -> None:
    """A note that nobody filled in arrives with its date and author."""
    note = one("treatment_notes", "hl_notes", content=None, title="")
    assert note["title"] == "2024-03-11 Treatment note"
    assert note["body"].startswith("Date: ")
    assert note["body"].endswith("\n\ncliniko:treatment_notes/150")


def test_a_long_note_is_split_and_numbered() -> None:
    """A note over the limit becomes several, each with its own marker, date, author and number."""
    answer = "".join(f"<p>Line {number}: 🦵 bends {number}°</p>" for number in range(900))
    notes = mapped("treatment_notes", content=_content(answer))
    ids = [note["source_id"] for note in notes]
    assert ids == ["treatment_notes/150", *(f"treatment_notes/150#{n}" for n in range(2, len(notes) + 1))]
    assert len(notes) > 3
    for number, note in enumerate(notes, start=1):
        assert utf16_length(note["body"]) <= LONGEST_BODY
        assert note["title"].endswith(f"({number}/{len(notes)})")
        assert note["body"].startswith("Date: 2024-03-11")
        assert note["body"].endswith(f"\n\ncliniko:{note['source_id']}")
        assert f"\nPart: {number}/{len(notes)}\n" in note["body"]
    together = "\n".join(note["body"] for note in notes)
    assert all(f"Line {number}: 🦵 bends {number}°" in together for number in range(900))


def test_communications_are_left_out_unless_wanted(tmp_path: Any) -> None:
    """Communications are counted only, until the mapping switches them on; confidential ones need another."""
    assert one("communications", "hl_notes")["filtered"] == "type_not_migrated"
    path = tmp_path / "mapping.yml"
    path.write_text("move: {communications: true}")
    note = one("communications", "hl_notes", str(path))
    assert note["title"] == "2024-03-10 Email sent: Your appointment"
    text = "Subject: Your appointment\n\nHello,\nsee you on Monday.\n\ncliniko:"
    assert note["body"].rpartition(text)[2] == note["source_id"]
    assert "About: bookings/88, attendees/77, invoices/160, letters/181, payments/182" in note["body"]
    assert one("communications", "hl_notes", str(path), confidential=True)["filtered"] == "confidential"
