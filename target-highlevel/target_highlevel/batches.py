"""Reads what a tap wrote into files instead of into the pipe (the BATCH messages of the Singer SDK)."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from target_highlevel.errors import SettingsError
from target_highlevel.reader import BrokenInput, decode_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_COMPRESSIONS = (None, "none", "gzip")


def records(message: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the records of a BATCH, line by line.

    Raises:
        SettingsError: it is written in a way, or lies in a place, that this target cannot read.
        BrokenInput: a file is missing, cut off, or holds something else.
    """
    stream, encoding = message["stream"], message["encoding"]
    told = encoding if isinstance(encoding, dict) else {}
    if told.get("format") != "jsonl" or told.get("compression") not in _COMPRESSIONS:
        msg = f"batch_config of the tap: the stream {stream} comes in a form that is not read here; jsonl with gzip is"
        raise SettingsError(msg)
    for url in message["manifest"] or ():
        yield from _lines(_path(str(url), stream), stream, packed=told.get("compression") == "gzip")


def _path(url: str, stream: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"", "file"} or parts.netloc not in {"", "localhost"}:
        msg = f"batch_config of the tap: the files of the stream {stream} must lie on this machine (storage.root: file://…)"
        raise SettingsError(msg)
    return unquote(parts.path) if parts.scheme else url


def _lines(path: str, stream: str, *, packed: bool) -> Iterator[dict[str, Any]]:
    number = 0
    try:
        with gzip.open(path, "rb") if packed else open(path, "rb") as file:  # noqa: PTH123 - the same for both
            for number, line in enumerate(file, 1):  # noqa: B007 - named in the error
                if line.strip():
                    yield decode_line(line.decode("utf-8"))
    except (OSError, EOFError, ValueError, RecursionError, zlib.error) as error:
        msg = (
            f"a file of the stream {stream} cannot be read after its line {number} ({type(error).__name__}):"
            " the tap was cut off, or the file removed; run again"
        )
        raise BrokenInput(msg) from None
