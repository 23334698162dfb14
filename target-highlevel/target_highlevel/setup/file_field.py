"""For how many files a field is made: for as many as HighLevel takes, whose limit nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.errors import Refused, SettingsError
from target_highlevel.setup.lists import fewer

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.api.definitions import Definitions, Field

MOST_FILES = 1000
#: A field for a single file is not made: what a second does to the first is not known, and no run would go on with it.
_FEWEST = 2


def first_taken(name: str, make: Callable[[int], object]) -> tuple[int, int | None]:
    """Make a field for the first number of files that HighLevel takes; return it, and the last that was refused.

    Raises:
        SettingsError: HighLevel makes none that takes several.
        Refused: it is about something else.
    """
    number, refused = MOST_FILES, None
    while True:
        try:
            make(number)
        except Refused as error:
            less = fewer(error, _FEWEST - 1, number)
            if less < _FEWEST:
                msg = (
                    f"HighLevel makes no contact field for several files ({error.code}): make contact.{name} by hand so that"
                    " it takes several, or leave files out of what is moved"
                )
                raise SettingsError(msg) from None
            number, refused = less, number
        else:
            return number, refused


def widen(definitions: Definitions, field: Field, name: str, refused: int) -> None:
    """Let a field that was just made take as many files as HighLevel lets it.

    What a change is not said to have done counts as refused: a file too many could push another one out.

    Args:
        definitions: of the sub-account.
        field: it takes the first number that was not refused, and in the end the highest.
        name: its name in HighLevel.
        refused: the lowest number that was refused.
    """
    taken = field.most_files or refused
    while (number := (taken + refused) // 2) > taken:
        try:
            told = definitions.resize_file_field(field.id, name, number)
        except Refused:
            told = None
        if told == number:
            field.most_files = taken = number
        else:
            refused = number
