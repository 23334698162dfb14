"""Open questions about notes, tasks, appointments and their texts."""

from __future__ import annotations

from target_highlevel.assumptions.model import CHARACTERS, Assumption

_CUT = "A longer text is cut and listed, once a probe or the first refusal has told the limit; the record goes in."
_MOST = 20_001
_TRIED = f"{_MOST:,} characters are tried, then fewer; the answer is the longest text that comes back whole."
_OWN_CALENDAR = "An appointment of years ago, in a calendar of the probe's own, with `toNotify: false`."

ACTIVITIES = (
    Assumption(
        name="note_length",
        question="How many characters may a note have?",
        source="HighLevel's description does not say",
        answers={
            "5000": "A longer note is written in numbered parts of 5,000 characters.",
            "20000": "The same: parts stay as they are, so that a note does not change when the limit does.",
            "unlimited": "The same.",
            "2000": "Where a probe or an earlier refusal has told it when a note is read, a longer one comes in parts that fit,"
            " each a note with a mark of its own. A note that was read before the first refusal is cut and listed, and comes in"
            " parts when it changes next. What was written under another limit stays as it is until the note changes.",
        },
        default="5000",
        unit=CHARACTERS,
        tried=_MOST,
        measured=f"Notes on the probe's contact: {_TRIED}",
    ),
    Assumption(
        name="note_order",
        question="In which order are the notes of a contact listed?",
        source="HighLevel's description does not say",
        answers={
            "oldest_first": "Notes are created in the order in which they were written; no list's order is relied upon.",
            "newest_first": "The same.",
        },
        default="oldest_first",
        measured="Two notes are made one after the other and listed.",
        alike=True,
    ),
    Assumption(
        name="note_extras",
        question="Are a note's title and pin kept, and shown where the note is read?",
        source="Writes take both; clients made from HighLevel's description read id, text, author and date only",
        answers={
            "kept": "Title and pin are written and compared.",
            "unseen": "They are written, and never compared where an answer shows neither. A rollback removes the note; of one"
            " that it puts back, only the text is as before.",
            "dropped": "Once measured, neither is written or compared; until then verification lists each as a difference.",
            "refused": "The note goes without them, and the report lists that; once measured, neither is written.",
        },
        default="kept",
        measured="A note with a title is made pinned and read back.",
    ),
    Assumption(
        name="text_markup",
        question="How is a text read back in which there are angle brackets?",
        source="HighLevel's description does not say",
        answers={
            "as_written": "The words are compared.",
            "paragraphs": "The words inside the paragraphs are compared.",
            "stripped": "The words are compared; what stood in angle brackets and is lost is listed by verification.",
        },
        default="as_written",
        measured="A note with markup and with a bare angle bracket is made and read back.",
        alike=True,
    ),
    Assumption(
        name="long_text_length",
        question="How many characters may a LARGE_TEXT field hold?",
        source="HighLevel's description does not say",
        answers={
            "unlimited": "The text is written whole.",
            "5000": _CUT,
        },
        default="unlimited",
        unit=CHARACTERS,
        tried=_MOST,
        measured=f"A field of the probe's own: {_TRIED}",
    ),
    Assumption(
        name="longer_texts",
        question="What becomes of a text of more characters than HighLevel takes?",
        source="HighLevel's description does not say",
        answers={
            "refused": _CUT,
            "cut": "A longer text is cut before it is sent, and listed, once a probe has told the limit. Until then a"
            " verification lists it, and an appointment, a task or a note may have lost the mark by which it is found again.",
        },
        default="refused",
        measured="The longest text that the probe tries in each place is read back.",
        alike=True,
    ),
    Assumption(
        name="line_length",
        question="How many characters may a name, a title or a one-line field have?",
        source="HighLevel's description does not say",
        answers={"unlimited": "The text is written whole.", "100": _CUT},
        default="unlimited",
        unit=CHARACTERS,
        unmeasured="Each may have a limit of its own; the first refusal tells it, and later writes go by that.",
    ),
    Assumption(
        name="task_length",
        question="How many characters may the text of a task have?",
        source="HighLevel's description does not say",
        answers={
            "unlimited": "The text is written whole.",
            "5000": _CUT,
        },
        default="unlimited",
        unit=CHARACTERS,
        tried=_MOST,
        measured=f"Tasks on the probe's contact: {_TRIED}",
    ),
    Assumption(
        name="event_length",
        question="How many characters may the description of an appointment have?",
        source="HighLevel's description does not say",
        answers={
            "unlimited": "The text is written whole.",
            "5000": _CUT,
        },
        default="unlimited",
        unit=CHARACTERS,
        tried=_MOST,
        measured=f"{_OWN_CALENDAR} {_TRIED}",
    ),
    Assumption(
        name="event_texts",
        question="Does the list of a contact's appointments show their descriptions?",
        source="HighLevel's description does not say",
        answers={
            "listed": "Our marker is read from the list.",
            "hidden": "Each appointment of the list is read by itself.",
        },
        default="listed",
        measured=_OWN_CALENDAR,
        alike=True,
    ),
    Assumption(
        name="past_appointments",
        question="May an appointment be made in the past?",
        source="With both flags nothing forbids it, nobody says so",
        answers={
            "accepted": "Past bookings become appointments where `appointments_as` says so.",
            "refused": "Past bookings become tasks, once that was measured or where `appointments_as` is `mixed`; else each is"
            " listed as refused.",
        },
        default="accepted",
        measured=_OWN_CALENDAR,
    ),
    Assumption(
        name="appointment_user",
        question="Does an appointment need a user in a calendar without a team?",
        source="HighLevel's description does not say",
        answers={
            "optional": "The practitioner's user is named where there is one.",
            "required": "Where there is none, the appointment is listed as refused.",
        },
        default="optional",
        measured=_OWN_CALENDAR,
        alike=True,
    ),
    Assumption(
        name="calendar_hours",
        question="Which hours does a calendar with a team offer?",
        source="The description has open hours of calendars and schedules of users, and does not say how they go together",
        answers={
            "schedules": "Each user's schedule for the calendar counts, within the open hours of the calendar.",
            "calendar": "Only the calendar's open hours count: they are those that all of the team have in common.",
        },
        default="schedules",
        measured="A calendar of the probe's own with one user in its team is open before dawn for a moment: are slots offered?",
    ),
    Assumption(
        name="blocked_slots",
        question="Can a user's time be blocked through the API?",
        source="The description demands a calendar and says beside it that a user takes its place",
        answers={
            "accepted": "Absences become blocked slots.",
            "calendars_only": "Absences are counted and listed: blocking a calendar would block all of its team.",
            "refused": "Absences are counted and listed.",
        },
        default="accepted",
        measured="An hour of years ago is blocked in the probe's own calendar; a user's is asked for in an impossible request.",
    ),
    Assumption(
        name="listed_span",
        question="May blocked slots, or the events of a calendar, be listed for any span of time?",
        source="The lists demand a beginning and an end; HighLevel's description does not say how far apart",
        answers={
            "any": "One request asks for what began two years ago at the most and begins within ten.",
            "short": "A span that is refused is halved, until one is taken; the next lists begin with that.",
        },
        default="any",
        measured="The blocked slots of the probe's own calendar are listed for twelve years.",
        alike=True,
    ),
    Assumption(
        name="deleted_owner",
        question="May something be assigned to a user who was deleted?",
        source="Lists of users carry `deleted`",
        answers={
            "refused": "A deleted user is never an owner.",
            "accepted": "The same.",
        },
        default="refused",
        unmeasured="It takes a deleted user, and an owner may be notified.",
        alike=True,
    ),
)
