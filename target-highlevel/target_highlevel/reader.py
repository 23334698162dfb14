"""Reading Singer messages: each line once, numbers exactly, and no line ever repeated in an error."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from singer_sdk.singerlib.encoding.simple import SimpleSingerReader
from typing_extensions import override

from target_highlevel.errors import HighLevelError

if TYPE_CHECKING:
    from collections.abc import Iterable

_decoder = json.JSONDecoder(parse_float=Decimal)


class BrokenInput(HighLevelError):  # noqa: N818 - named for what to mend
    """What came in is no Singer message: the tap was cut off, or something else wrote into the pipe."""


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
            message = _decoder.decode(line)
        except ValueError:
            message = None
        if not isinstance(message, dict):
            hint = f"line {self._number} of the input is no Singer message; see whether the tap ended early"
            raise BrokenInput(hint)
        return message

    @staticmethod
    @override
    def assert_line_requires(line_dict: dict[str, Any], requires: Iterable[str]) -> None:
        missing = set(requires) - set(line_dict)
        if missing:
            hint = f"a message of the input has no {', '.join(sorted(missing))}; see whether the tap is one"
            raise BrokenInput(hint)
