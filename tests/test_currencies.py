"""Mapping and target stand alone, so each has its table of currencies; sums agree only when the two say the same."""

from __future__ import annotations

from string import ascii_uppercase

from cliniko_to_highlevel.money import currency
from target_highlevel.fields.places import own_currency


def test_both_sides_know_the_same_currency_of_every_country() -> None:
    """Of all two-letter codes; most have none on either side."""
    countries = [first + second for first in ascii_uppercase for second in ascii_uppercase]
    known = {country: currency(country) for country in countries}
    assert known == {country: own_currency({"country": country}) for country in countries}
    assert known["AU"] == "AUD"
