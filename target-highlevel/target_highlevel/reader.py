"""Reading Singer messages: each line once, numbers exactly, and no line ever repeated in an error."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import msgspec
from singer_sdk.exceptions import RecordsWithoutSchemaException
from singer_sdk.singerlib.encoding.simple import SimpleSingerReader
from typing_extensions import override

from target_highlevel.errors import HighLevelError

if TYPE_CHECKING:
    from collections.abc import Iterable

_decoder = msgspec.json.Decoder(float_hook=Decimal)
#: For what the quick one refuses: half an emoji, and what is no number (``NaN``, written so by some taps), which is no value.
_lenient = json.JSONDecoder(parse_float=Decimal, parse_constant=lambda _: None)


#: Half an emoji, or a NUL: written so in JSON, and nothing that a database or HighLevel could keep.
_MAYBE_UNSTORABLE = re.compile(r"\\u(?:[dD][89a-fA-F]|0000)")


class BrokenInput(HighLevelError):  # noqa: N818 - named for what to mend
    """What came in is no Singer message: the tap was cut off, or something else wrote into the pipe."""


class MissingSchema(BrokenInput, RecordsWithoutSchemaException):
    """A record came before its stream's SCHEMA."""


class MessageReader(SimpleSingerReader):
    """Reads lines as the SDK does, but its errors name the line by number: a line is somebody's record."""

    def __init__(self) -> None:
        """Start before the first line."""
        super().__init__()
        self._number = 0

    @override
    def deserialize_json(self, line: str) -> dict[str, Any]:
        self._number += 1
        try:
            return decode_line(line)
        except (ValueError, RecursionError):
            pass
        raise BrokenInput(self.hint("is no Singer message"))

    @override
    def assert_line_requires(self, line_dict: dict[str, Any], requires: Iterable[str]) -> None:  # type: ignore[override]
        missing = set(requires).difference(line_dict)
        if missing:
            raise BrokenInput(self.hint(f"has no {', '.join(sorted(missing))}"))

    @override
    def _process_unknown_message(self, message_dict: dict[str, Any]) -> None:
        raise BrokenInput(self.hint("is no message that a target understands"))

    def hint(self, what: str) -> str:
        """Return what is wrong with the present line, and where to look."""
        where = "see what stands before this target in the pipe, and whether it ended early"
        return f"line {self._number} of the input {what}; {where}"


def decode_line(line: str) -> dict[str, Any]:
    """Return the object that a line of JSON holds, numbers exactly.

    Raises:
        ValueError: it holds none.
    """
    try:
        message = _decoder.decode(line)
    except (msgspec.DecodeError, UnicodeEncodeError):
        message = _lenient.decode(line)
    if not isinstance(message, dict):
        problem = "no object"
        raise ValueError(problem)  # noqa: TRY004 - what else no JSON is
    if _MAYBE_UNSTORABLE.search(line):  # of one record it must not end the run
        message = _storable(message)
    return cast("dict[str, Any]", message)


def _storable(value: Any) -> Any:
    """Return the value with half emoji as question marks, as they are sent, and without NUL."""
    if isinstance(value, str):
        return value.replace("\0", "").encode("utf-8", "replace").decode("utf-8")
    if isinstance(value, list):
        return [_storable(item) for item in value]
    if isinstance(value, dict):
        return {_storable(name): _storable(item) for name, item in value.items()}
    return value
