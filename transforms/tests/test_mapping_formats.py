"""Tables of formats: how each kind of value is spelled."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.formats import (
    clean_text,
    date_text,
    decimal_text,
    instant_text,
    local_time,
    slug,
    utf16_length,
)
from cliniko_to_highlevel.phones import e164


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("81.818", "81.818"),
        ("90.00", "90"),
        (90.0, "90"),
        (Decimal("104.50"), "104.5"),
        ("-0.0", "0"),
        ("1E+2", "100"),
        (0, "0"),
        (" 7 ", "7"),
        ("0.1", "0.1"),
        (Decimal("0.30000000000000004"), "0.30000000000000004"),
    ],
)
def test_a_number_has_one_spelling(value: Any, expected: str) -> None:
    """A number is written exactly, without exponent and without trailing zeros, however it came."""
    assert decimal_text(value) == expected


@pytest.mark.parametrize("value", ["", "free", "NaN", "Infinity", "1,234.50", "1e999999", "$5"])
def test_what_is_no_number_is_refused(value: str) -> None:
    """Text that is no sensible number is an error, never zero."""
    with pytest.raises(ValueError, match="not a number"):
        decimal_text(value)


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**20), max_value=10**20, places=6))
def test_no_digit_of_a_number_is_lost(number: Decimal) -> None:
    """The canonical text reads back as the same number, and is its own canonical text."""
    text = decimal_text(number)
    assert Decimal(text) == number
    assert decimal_text(text) == text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2024-03-11T03:15:00Z", "2024-03-11T03:15:00Z"),
        ("2024-03-11T03:15:00.250Z", "2024-03-11T03:15:00Z"),
        ("2024-03-11T14:15:00+11:00", "2024-03-11T03:15:00Z"),
        ("2024-03-11T03:15:00", "2024-03-11T03:15:00Z"),
        ("2024-03-11T14:15:00+1100", "2024-03-11T03:15:00Z"),
        ("2024-03-11T03:15:00.12Z", "2024-03-11T03:15:00Z"),
        ("2024-03-11 14:15:00 +1100", "2024-03-11T03:15:00Z"),
        ("2024-03-11T03:15:00 UTC", "2024-03-11T03:15:00Z"),
        ("2024-03-10t17:15:00\u221210:00", "2024-03-11T03:15:00Z"),
        ("20240311T031500z", "2024-03-11T03:15:00Z"),
        ("20240311T031500,25+0000", "2024-03-11T03:15:00Z"),
        ("2024-03-11T03:15:00.Z", "2024-03-11T03:15:00Z"),
        ("2024-03-11T24:00:00Z", "2024-03-12T00:00:00Z"),
        ("2024-03-11T24:00+1100", "2024-03-11T13:00:00Z"),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00Z"),
        ("2024-03-11T14:15:00+11:00[Australia/Sydney]", "2024-03-11T03:15:00Z"),
    ],
)
def test_a_moment_is_written_in_utc(value: str, expected: str) -> None:
    """Offsets are converted, fractions dropped, and a moment without offset is UTC."""
    assert instant_text(value) == expected


@pytest.mark.parametrize(
    "value", ["", "yesterday", "2024-13-01T00:00:00Z", "0001-01-01T00:00:00+14:00", "Z", "2024-03-11T03:60Z"]
)
def test_what_is_no_moment_is_refused(value: str) -> None:
    """A text that is no moment is an error."""
    with pytest.raises(ValueError, match=r".*"):
        instant_text(value)


def test_a_date_is_written_with_its_year_first() -> None:
    """A date stays a date, and a date-time gives its date."""
    assert date_text("2024-02-29") == "2024-02-29"
    assert date_text("2024-02-29T23:00:00Z") == "2024-02-29"
    assert date_text("2024-02-29 23:00") == "2024-02-29"


@pytest.mark.parametrize("value", ["29/02/2024", "2024-02-30", "2024-02-29 to 2024-03-29", "2024-02-291"])
def test_what_is_more_or_less_than_a_date_is_refused(value: str) -> None:
    """A second date behind the first one is not dropped."""
    with pytest.raises(ValueError, match=r".*"):
        date_text(value)


def test_local_time_is_the_clinics() -> None:
    """A reader sees the hour of the clinic's zone, with daylight saving; without a known zone UTC."""
    assert local_time("2024-01-11T13:30:00Z", "Australia/Melbourne") == "2024-01-12 00:30"
    assert local_time("2024-07-11T13:30:00Z", "Australia/Melbourne") == "2024-07-11 23:30"
    assert local_time("2024-07-11T13:30:00Z", "Nowhere/Town") == "2024-07-11 13:30"


@pytest.mark.parametrize(
    ("typed", "normalized", "countries", "expected"),
    [
        ("0491 570 156", None, ("AU",), "+61491570156"),
        ("0491570156", None, ("AU",), "+61491570156"),
        ("+61 491 570 156", None, ("NZ",), "+61491570156"),
        ("(02) 5550 0199", None, ("AU",), "+61255500199"),
        ("0011 44 20 7946 0999", None, ("AU",), "+442079460999"),
        ("020 7946 0123", None, ("AU", "GB"), "+442079460123"),
        ("(202) 555-0143 ext. 5", None, ("AU", "US"), "+12025550143"),
        ("030/23125-012", None, ("AU", "DE"), "+493023125012"),
        ("0491 570 157 / 0491 570 158", None, ("AU",), "+61491570157"),
        ("ask at the desk", "61491570156", ("AU",), "+61491570156"),
        ("027 412 3456", "64274123456", ("AU",), "+64274123456"),
        ("027 412 3456 or 0491 570 158", "64274123456", ("AU",), "+64274123456"),
        ("027 412 3456", None, ("NZ", "AU"), "+64274123456"),
        ("021 234 5678", None, ("NZ", "AU"), "+64212345678"),
        ("0207 946 0018", None, ("GB", "NZ"), "+442079460018"),
        ("071 123 4567", None, ("ZA", "AU"), "+27711234567"),
        ("+61 491 570 156", "64274123456", ("NZ",), "+61491570156"),
        ("0491 570 156", "64274123456", ("AU",), "+61491570156"),
        ("0491 570 156", "999491570156", ("AU",), "+61491570156"),
        ("0491 570 156", None, (), None),
        ("n/a", None, ("AU",), None),
        ("12", None, ("AU",), None),
        ("000 000 000", "000000000", ("AU",), None),
    ],
)
def test_a_phone_number_becomes_international(
    typed: str, normalized: str | None, countries: tuple[str, ...], expected: str | None
) -> None:
    """A number typed in a national form becomes E.164, Cliniko's reading of it before ours; else nothing."""
    assert e164(typed, normalized, None, countries) == expected


def test_the_country_that_the_clinic_decided_on_goes_first() -> None:
    """Before Cliniko's own reading of a number, and before the patient's country."""
    assert e164("027 412 3456", "61274123456", "NZ", ("AU",)) == "+64274123456"
    assert e164("0491 570 156", "61491570156", "NZ", ("AU",)) == "+61491570156"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("june@example.net", ["june@example.net"]),
        (" June.Q+x@Example.net ", ["June.Q+x@Example.net"]),
        ("one@example.net; two@example.net", ["one@example.net", "two@example.net"]),
        ("June <june@example.net>", ["june@example.net"]),
        ("not an address", []),
        ("june@example", []),
        ("june..q@example.net", []),
        (".june@example.net", []),
        ("june.@example.net", []),
        ("june@-example.net", []),
        ("june@ex_ample.net", []),
        ("june@example..net", []),
        ("june@exämple.net", ["june@xn--exmple-cua.net"]),
        (f"{'j' * 65}@example.net", []),
        (f"{'j' * 64}@example.net", [f"{'j' * 64}@example.net"]),
        ("o'júne/q@mail.example.net", ["o'júne/q@mail.example.net"]),
        ("june@example.xn--p1ai", ["june@example.xn--p1ai"]),
        (None, []),
    ],
)
def test_valid_addresses_are_found(typed: str | None, expected: list[str]) -> None:
    """Only what HighLevel takes as an e-mail address is found in a text."""
    assert emails(typed) == expected


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Example Health", "example-health"),
        ("EXAMPLE  HEALTH ", "example-health"),
        ("Fund of Förde & 例", "fund-of-förde-例"),
        ("例の保険", "例の保険"),
        ("\uff21\uff22\uff23 fund", "abc-fund"),
        ("हिंदी बीमा", "हिंदी-बीमा"),
        ("Straße", "strasse"),
        ("🙂", ""),
    ],
)
def test_a_name_as_an_identity_keeps_every_script(name: str, expected: str) -> None:
    """Case, width and punctuation do not tell insurers apart; letters and vowel marks of any script do."""
    assert slug(name) == expected


@given(st.text())
def test_an_identity_is_its_own_identity(name: str) -> None:
    """Making an identity of an identity changes nothing."""
    assert slug(slug(name)) == slug(name)


@given(st.text())
def test_clean_text_is_clean(text: str) -> None:
    """Cleaning twice changes nothing more, and no control character is left."""
    clean = clean_text(text)
    assert clean is None or (clean_text(clean) == clean and "\r" not in clean and "\x00" not in clean)


def test_text_without_control_characters_stays() -> None:
    """Line ends become one kind, tabs stay, and unstorable characters go."""
    assert clean_text(" a\r\nb\rc\td\x00\x07\ud800 ") == "a\nb\nc\td"
    assert clean_text(" \n ") is None


@given(st.text())
def test_length_is_counted_as_highlevel_counts(text: str) -> None:
    """The length is the number of UTF-16 units."""
    assert utf16_length(text) == len(text.encode("utf-16-le", "surrogatepass")) // 2
