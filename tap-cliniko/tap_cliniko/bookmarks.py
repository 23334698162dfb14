"""Reads the state that a run begins with, and refuses one that would make it skip rows in silence."""

from __future__ import annotations

from typing import Any

from tap_cliniko import moments
from tap_cliniko.errors import SettingsError
from tap_cliniko.windows import Window


def checked(state: dict[str, Any]) -> dict[str, Any]:
    """Return the state with its moments as Cliniko writes them; anything else in their place is an error."""
    bookmarks = state.get("bookmarks", {})
    if not isinstance(bookmarks, dict):
        msg = "the state holds no bookmarks by stream: it is none that this tap wrote"
        raise SettingsError(msg)
    return {**state, "bookmarks": {name: _bookmark(name, each) for name, each in bookmarks.items()}}


def check_sample(state: dict[str, Any], *, sample: bool) -> None:
    """Refuse the state of a sample for the whole clinic, and the other way round: it stands past rows nobody read."""
    bookmarks = state.get("bookmarks", {})
    chosen = "sample" in bookmarks.get("patients", {})
    begun = any("replication_key_value" in each or "window" in each for each in bookmarks.values())
    if chosen and not sample:
        msg = "the state is that of a sample (sample_patients); give the whole clinic a state of its own"
        raise SettingsError(msg)
    if begun and sample and not chosen:
        msg = "the state is that of the whole clinic; give the sample (sample_patients) a state of its own"
        raise SettingsError(msg)


def _bookmark(name: str, bookmark: Any) -> dict[str, Any]:
    if not isinstance(bookmark, dict):
        raise _foreign(name)
    read = dict(bookmark)
    try:
        if read.get("replication_key_value") is not None:
            read["replication_key_value"] = moments.normal(read["replication_key_value"])
        if "window" in read:
            Window.load(read["window"])
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _foreign(name) from None
    return read


def _foreign(name: str) -> SettingsError:
    return SettingsError(
        f"the state of {name} is none that this tap wrote; give it another one, or none to read everything"
    )
