"""Reads the state that a run begins with, and refuses one that would make it skip rows in silence."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

from tap_cliniko import timestamps
from tap_cliniko.errors import SettingsError
from tap_cliniko.trouble import Pending
from tap_cliniko.windows import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

ACCOUNT = "account"
"""Key of a state: the id of the Cliniko account it belongs to."""
SAMPLE, NAMED, SIZE = "sample", "sample_named", "sample_size"
"""In the state of `patients`: the patients of a sample, whether `sample_ids` named them, and how many were wanted."""
REMEMBERED_IN = "remembered_in"
"""In the state of a list: the number of the file of known ids that holds all its rows."""
DELETIONS = "deletions"
"""In the state of a list: the number of the newest deletion that was told."""


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
    chosen = SAMPLE in bookmarks.get("patients", {})
    begun = any("replication_key_value" in each or "window" in each for each in bookmarks.values())
    if chosen and not sample:
        msg = "the state is that of a sample (sample_patients, sample_ids); give the whole clinic a state of its own"
        raise SettingsError(msg)
    if begun and sample and not chosen:
        msg = "the state is that of the whole clinic; give the sample (sample_patients, sample_ids) a state of its own"
        raise SettingsError(msg)


def of_sample(patients: list[str], ids: tuple[str, ...] | None, size: int | None) -> dict[str, Any]:
    """Return what the state of `patients` keeps of a sample: who is in it, and by which settings."""
    return {SAMPLE: patients, NAMED: ids is not None, SIZE: size}


def is_of_sample(state: dict[str, Any], ids: tuple[str, ...] | None, size: int | None) -> bool:
    """Whether a state can go on: one of other patients stands past rows of those who are wanted now."""
    patients = state.get("bookmarks", {}).get("patients", {})
    if SAMPLE not in patients:
        return True
    named = bool(patients.get(NAMED))
    if named != (ids is not None):
        return False
    if ids is not None:
        return set(ids) == set(patients[SAMPLE])
    # tap-cliniko 0.1.0 did not say how many were wanted; a clinic may have fewer
    return size is None or size == patients.get(SIZE, len(patients[SAMPLE]))


def check_account(state: dict[str, Any], account: str | None) -> None:
    """Refuse the state of another clinic: its bookmarks would leave out whatever is older here."""
    before = state.get(ACCOUNT)
    if before is not None and account is not None and before != account:
        msg = (
            f"the state was written for Cliniko account {before}, and the key (TAP_CLINIKO_API_KEY) is of account "
            f"{account}; use the key of that account, or give this one a state of its own (--state-id-suffix)"
        )
        raise SettingsError(msg)


def told_of(state: Mapping[str, Any], account: str, number: int) -> int | None:
    """Return the newest deletion that a state has told, None if it is not this account's or knows another file of ids."""
    found = state.get("bookmarks", {}).values()
    if state.get(ACCOUNT) != account or number not in {each.get(REMEMBERED_IN) for each in found}:
        return None
    return max((each.get(DELETIONS, 0) for each in found), default=0)


def _bookmark(name: str, bookmark: Any) -> dict[str, Any]:
    if not isinstance(bookmark, dict):
        raise _foreign(name)
    read = deepcopy(bookmark)
    try:
        if read.get("replication_key_value") is not None:
            read["replication_key_value"] = timestamps.normal(read["replication_key_value"])
        if "window" in read:
            Window.load(read["window"])
        Pending(read, timestamps.from_epoch(0)).due()
    except (AttributeError, KeyError, TypeError, ValueError):
        raise _foreign(name) from None
    return read


def _foreign(name: str) -> SettingsError:
    return SettingsError(
        f"the state of {name} is none that this tap wrote; give it another one, or none to read everything"
    )
