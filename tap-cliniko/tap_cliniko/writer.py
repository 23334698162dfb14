"""Writes Singer messages to stdout."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from singer_sdk.contrib.msgspec import MsgSpecWriter
from singer_sdk.singerlib import RecordMessage
from singer_sdk.singerlib.json import serialize_json
from typing_extensions import override

if TYPE_CHECKING:
    from singer_sdk.singerlib import Message

_BLOCK = 1 << 15


class MessageWriter(MsgSpecWriter):
    """The SDK's fast writer, which writes records in blocks.

    Every other message is written at once, with all records before it: a target can do nothing for good with a record
    that no state follows, and a state follows every hundred records.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Start with nothing to write."""
        super().__init__(*args, **kwargs)
        self._pending = bytearray()

    @override
    def serialize_message(self, message: Message) -> bytearray:
        try:
            return super().serialize_message(message)
        except (UnicodeEncodeError, OverflowError):  # half a surrogate pair, a number of more than 64 bits
            return bytearray(f"{serialize_json(message.to_dict())}\n".encode())

    @override
    def write_message(self, message: Message) -> None:
        self._pending += self.format_message(message)
        if len(self._pending) >= _BLOCK or not isinstance(message, RecordMessage):
            if hasattr(sys.stdout, "buffer"):
                sys.stdout.buffer.write(self._pending)
            else:  # a text that somebody collects, as the SDK's tests do
                sys.stdout.write(self._pending.decode())
            self._pending.clear()
            sys.stdout.flush()
