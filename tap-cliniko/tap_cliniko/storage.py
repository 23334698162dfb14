"""Says in plain words when a place of one's own cannot be written to any more."""

from __future__ import annotations

import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from tap_cliniko.errors import StorageFailed
from tap_cliniko.settings import variable

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def keeping(setting: str, place: object) -> Iterator[None]:
    """Name the setting, the place and the reason when the block cannot write, and what to do.

    Raises:
        StorageFailed: the disk is full, was taken away or cannot be written to.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        raise _failed(setting, place, str(error)) from None  # its text names no value
    except OSError as error:
        raise _failed(setting, place, error.strerror or type(error).__name__) from None


def _failed(setting: str, place: object, reason: str) -> StorageFailed:
    return StorageFailed(
        f"{setting} ({variable(setting)}): {place} cannot be written to: {reason}. "
        "Free space there, or mend it, and run again; it goes on from there"
    )
