"""The bytes of attachments, made when they are asked for."""

# ruff: noqa: RUF001 - the clinic writes with every character there is

from __future__ import annotations

import hashlib
import io
import random
import struct
import zipfile
import zlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_FILLER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class FileContent:
    """The bytes of one file: a small valid document of a kind, followed by filler up to `padded_to`."""

    kind: str
    seed: int
    padded_to: int = 0

    @cached_property
    def size(self) -> int:
        """The number of bytes."""
        return max(self.padded_to, len(self._document()))

    @property
    def content_type(self) -> str:
        """The media type."""
        return CONTENT_TYPES[self.kind]

    @property
    def tag(self) -> str:
        """A value that differs between files."""
        return f"{self.kind}-{self.seed}-{self.size}"

    def read(self, offset: int, length: int) -> bytes:
        """Return a part of the file without making the rest of it."""
        end = min(offset + length, self.size)
        document = self._document()
        part = document[offset:end]
        start = max(offset, len(document))
        if start >= end:
            return part
        filler = random.Random(self.seed).randbytes(_FILLER_BYTES)
        shift = (start - len(document)) % _FILLER_BYTES
        repeated = filler * ((shift + end - start) // _FILLER_BYTES + 1)
        return part + repeated[shift : shift + end - start]

    def chunks(self) -> Iterator[bytes]:
        """Iterate over the whole file."""
        for offset in range(0, self.size, _CHUNK_BYTES):
            yield self.read(offset, _CHUNK_BYTES)

    def sha256(self) -> str:
        """Return the checksum of the whole file."""
        digest = hashlib.sha256()
        for chunk in self.chunks():
            digest.update(chunk)
        return digest.hexdigest()

    def _document(self) -> bytes:
        return _MAKERS[self.kind](self.seed)


def _pdf(seed: int) -> bytes:
    text = f"BT /F1 18 Tf 40 100 Td (Invented letter {seed}) Tj ET".encode()
    objects = (
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        (
            b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 300 200] /Contents 4 0 R "
            b"/Resources << /Font << /F1 5 0 R >> >> >>"
        ),
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(text), text),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>",
    )
    document = b"%PDF-1.4\n"
    offsets: list[int] = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(document))
        document += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(document)
    size = len(objects) + 1
    document += b"xref\n0 %d\n0000000000 65535 f \n%s" % (size, table)
    return document + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, start)


def _png(seed: int) -> bytes:
    width = height = 16
    shade = random.Random(seed).randbytes(width * 3)
    rows = b"".join(b"\0" + shade for _ in range(height))

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + checksum

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


def _text(seed: int) -> bytes:
    return (
        f"Invented note {seed}\r\nDruckschmerz – Knie links, 膝の痛み, ألم 🦵\r\n" * (1 + seed % 50)
    ).encode()


def _zip(seed: int) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo("export/notes.txt", (2020, 1, 1, 0, 0, 0)), _text(seed))
    return buffer.getvalue()


def _dicom(seed: int) -> bytes:
    modality = b"\x08\x00\x60\x00CS\x02\x00CR"
    return b"\0" * 128 + b"DICM" + modality + random.Random(seed).randbytes(4096)


def _program(seed: int) -> bytes:
    return b"MZ" + random.Random(seed).randbytes(512)


def _empty(_seed: int) -> bytes:
    return b""


_MAKERS: dict[str, Callable[[int], bytes]] = {
    "pdf": _pdf,
    "png": _png,
    "txt": _text,
    "zip": _zip,
    "dcm": _dicom,
    "exe": _program,
    "empty": _empty,
}

CONTENT_TYPES = {
    "pdf": "application/pdf",
    "png": "image/png",
    "txt": "text/plain",
    "zip": "application/zip",
    "dcm": "application/dicom",
    "exe": "application/x-msdownload",
    "empty": "text/plain",
}
