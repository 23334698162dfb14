"""Uploads a file without holding the whole of it in memory: 50 MB times 32 threads would not fit."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


@dataclass(frozen=True, slots=True)
class Upload:
    """A file to send: where its bytes are, and under which part, name and type."""

    part: str
    path: Path
    filename: str
    content_type: str = "application/octet-stream"


class MultipartFile:
    """The body of a request that uploads one file; open it anew for every attempt."""

    def __init__(self, upload: Upload) -> None:
        """Open the file.

        Raises:
            OSError: it cannot be read.
        """
        boundary = secrets.token_hex(16)
        self.content_type = f"multipart/form-data; boundary={boundary}"
        disposition = f'form-data; name="{_quoted(upload.part)}"; filename="{_quoted(upload.filename)}"'
        lines = (
            f"--{boundary}",
            f"Content-Disposition: {disposition}",
            f"Content-Type: {upload.content_type}",
            "",
            "",
        )
        head = "\r\n".join(lines)
        self._file = upload.path.open("rb")
        self._left = upload.path.stat().st_size
        self._head = head.encode("utf-8", "replace")
        self._tail = f"\r\n--{boundary}--\r\n".encode()
        self._length = len(self._head) + self._left + len(self._tail)

    def __len__(self) -> int:
        """The whole body's length, for Content-Length."""
        return self._length

    def __iter__(self) -> MultipartFile:
        """Tells requests that this is a stream; it is read, not iterated over."""
        return self

    def __enter__(self) -> Self:
        """Nothing to do: it is open."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    def read(self, size: int = -1) -> bytes:
        """The next bytes of the body; empty at its end."""
        if self._head:
            head, self._head = self._head, b""
            return head
        if self._left > 0 and (chunk := self._file.read(self._left if size < 0 else min(size, self._left))):
            self._left -= len(chunk)
            return chunk
        tail, self._tail = self._tail, b""
        return tail


def _quoted(name: str) -> str:
    """A name inside quotes, as browsers write it."""
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
