"""Moments are read alike by every Python version."""

from __future__ import annotations

import pytest

from tap_cliniko import timestamps


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", "2024-01-31T00:00:00Z"),
        ("2024-01-31T10:00", "2024-01-31T10:00:00Z"),
        ("2024-01-31 10:00:05", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05Z", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05.5+00:00", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05.123456789Z", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05+1000", "2024-01-31T00:00:05Z"),
        ("2024-01-31T10:00:05-09:30", "2024-01-31T19:30:05Z"),
        ("2024-01-31T10:00:05+10", "2024-01-31T00:00:05Z"),
        ("2024-01-31 10:00:05 UTC", "2024-01-31T10:00:05Z"),
        ("2024-01-31t10:00:05,25z", "2024-01-31T10:00:05Z"),
        ("20240131T100005Z", "2024-01-31T10:00:05Z"),
        ("20240131T1000+1000", "2024-01-31T00:00:00Z"),
        (" 2024-01-31T10:00Z", "2024-01-31T10:00:00Z"),
        ("2024-01-31 10:00:05 \u22120930", "2024-01-31T19:30:05Z"),
    ],
)
def test_a_moment_is_normalised(text: str, moment: str) -> None:
    """Fractions are dropped, and an offset may have a colon, none, or no minutes."""
    assert timestamps.normal(text) == moment


@pytest.mark.parametrize(
    "text", ["yesterday", "2024", "20240131", "2024-02-30", "2024-13-01T00:00:00Z", "2024-01-31T25:00", ""]
)
def test_what_names_no_moment_is_refused(text: str) -> None:
    """A date that does not exist is none either."""
    with pytest.raises(ValueError, match=r"month|hour|day|no ISO"):
        timestamps.normal(text)
