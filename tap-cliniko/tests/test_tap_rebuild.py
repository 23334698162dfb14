"""Timing and specimens of the reference for rebuilding, without an account."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from tap_cliniko.rebuild.automations import booking_rules
from tap_cliniko.rebuild.specimens import Message, specimen
from tap_cliniko.rebuild.timing import Gap, typical

APPOINTMENT = datetime(2026, 3, 10, 9, 30, tzinfo=UTC)


def words(gaps: list[Gap]) -> list[str]:
    """Say the waits of some messages."""
    return [each.words("the appointment") for each in typical(gaps)]


def test_a_constant_distance_is_the_wait() -> None:
    """Bookings at any time of day, each reminded a day and a week before; a late one changes nothing."""
    gaps = []
    for hour in range(10):
        moment = APPOINTMENT + timedelta(hours=hour, minutes=7 * hour)
        gaps += [Gap(moment - timedelta(days=days), moment) for days in (1, 7)]
    gaps.append(Gap(APPOINTMENT - timedelta(minutes=20), APPOINTMENT))
    assert words(gaps) == ["7 days before the appointment", "1 day before the appointment"]


def test_a_constant_time_of_day_is_the_wait() -> None:
    """Messages that all go out at five in the afternoon of the day before."""
    evening = (APPOINTMENT - timedelta(days=1)).replace(hour=17, minute=3)
    gaps = [Gap(evening, APPOINTMENT + timedelta(hours=hour)) for hour in range(8)]
    assert words(gaps) == ["1 day before the appointment, at 17:00"]


def test_small_distances_and_none() -> None:
    """At once; minutes after; and no answer where nothing is common."""
    assert words([Gap(APPOINTMENT + timedelta(seconds=40), APPOINTMENT)] * 3) == [
        "at once after the appointment"
    ]
    assert words([Gap(APPOINTMENT + timedelta(minutes=31), APPOINTMENT)]) == [
        "30 minutes after the appointment"
    ]
    varied = [Gap(APPOINTMENT + timedelta(days=9 * n, minutes=61 * n), APPOINTMENT) for n in range(1, 12)]
    assert words(varied) == []
    assert words([]) == []


def test_a_word_that_few_patients_got_is_hidden() -> None:
    """What is written to one patient only is not the clinic's text, however it is spelled."""
    texts = [f"Hello {name}, please call us about your visit" for name in ("Ada", "Ben", "Cyd", "Dov")]
    texts[3] += " for the Wegener granulomatosis"
    found = specimen([Message(str(number), "", each) for number, each in enumerate(texts)])
    assert found is not None
    assert found.text == "Hello […] please call us about your visit"


def test_known_values_become_merge_fields() -> None:
    """A name that many share is still a name; numbers, links and dates never stay."""
    known = {"Ada": "{{contact.first_name}}", "Harbour Rooms": "{{location.name}}"}
    text = "Dear ADA, Harbour Rooms on Monday 9 March at 3:15 pm: https://example.org/x?id=7, +61 491 570 006"
    found = specimen([Message(str(number), "For Ada", text, known) for number in range(3)])
    assert found is not None
    assert found.subject == "For {{contact.first_name}}"
    assert found.text.startswith(
        "Dear {{contact.first_name}}, {{location.name}} on [date] [number] [date] at [time]: [link]"
    )
    assert not any(sign.isdigit() for sign in found.text)


def test_a_name_that_is_a_word_of_a_merge_field_breaks_none() -> None:
    """Somebody is called Contact."""
    known = {"Adelheid": "{{contact.first_name}}", "Contact": "{{contact.last_name}}"}
    found = specimen([Message(str(number), "", "Dear Adelheid Contact", known) for number in range(3)])
    assert found is not None
    assert found.text == "Dear {{contact.first_name}} {{contact.last_name}}"


def test_too_few_patients_give_no_specimen() -> None:
    """Ten messages to the same two patients prove nothing."""
    assert specimen([Message(str(number % 2), "", "Hello") for number in range(10)]) is None


def test_one_hour_of_notice_is_one_hour() -> None:
    """The rules of online booking are read by whoever sets them in HighLevel."""
    rules = {"min_hours_advance_required_to_book": 1, "min_hours_notice_for_patient_cancellation": 24}
    notice, cancelling = booking_rules(rules)
    assert notice.endswith(": 1 hour")
    assert cancelling.endswith("until 24 hours before")
