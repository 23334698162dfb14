"""Files: patients' attachments. HighLevel keeps a file's name and bytes only, so the name tells the rest."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cliniko_to_highlevel.errors import Filter, Reason
from cliniko_to_highlevel.formats import joined, local_time
from cliniko_to_highlevel.left_out import left_out
from cliniko_to_highlevel.people import hidden_at
from cliniko_to_highlevel.streams import BOOLEAN, INTEGER, Output, Stream, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

FILES = Stream(
    name="hl_files",
    kind="file",
    description="Patients' attachments, byte for byte. Their first bytes decide about their type, before name and declared type.",
    steering=("contact",),
    file_field="cliniko_files",
    properties={
        "file_path": plain("Where the bytes are."),
        "file_content": plain("The bytes themselves in base64, of a file that lies nowhere: a signature."),
        "file_name": plain("Description and name, original date, the marker at the end."),
        "file_size": plain("Number of bytes.", INTEGER),
        "file_sha256": plain("Checksum of the bytes."),
        "mime_type": plain("Type of the content."),
        "zip": plain("Whether Cliniko calls it DICOM, which HighLevel takes in an archive only.", BOOLEAN),
        "zip_others": plain("Whether other types that HighLevel refuses go inside an archive too.", BOOLEAN),
        "description": plain("Description in Cliniko."),
    },
)

#: Why the tap has no bytes, and what becomes of the row: left out for now, or rejected.
_LEFT_OUT = {"not_ready": Filter.NOT_READY, "not_requested": Filter.NOT_REQUESTED}
_REJECTED = {"too_large": Reason.FILE_TOO_LARGE, "unavailable": Reason.FILE_UNAVAILABLE}

_DICOM_TYPES = frozenset({"application/dicom", "application/x-dicom", "image/dicom", "image/x-dicom"})
_DICOM_NAMES = (".dcm", ".dicom", ".dic")
#: Extensions for names without one: HighLevel goes by them.
_EXTENSIONS = {
    "application/dicom": ".dcm",
    "application/msword": ".doc",
    "application/pdf": ".pdf",
    "application/vnd.ms-excel": ".xls",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": ".xlsx",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": ".docx",
    "application/zip": ".zip",
    "image/gif": ".gif",
    "image/jpeg": ".jpg",
    "image/png": ".png",
    "image/svg+xml": ".svg",
    "text/csv": ".csv",
    "text/plain": ".txt",
    "video/mp4": ".mp4",
    "video/mpeg": ".mpeg",
}
#: Extensions that HighLevel takes as they are, or inside a ZIP.
_TAKEN = frozenset({*_EXTENSIONS.values(), *_DICOM_NAMES, ".jpeg", ".rar"})
_UNFIT = re.compile(r'[\\/:*?"<>|\n\t]+')
#: Signs without a width, some of which turn what follows them: ``U+202E gpj.exe`` reads as ``exe.jpg``.
_UNSEEN = re.compile("[\u200b-\u200f\u202a-\u202e\u2060-\u2069\ufeff]")
_EXTENSION = re.compile(r"\.[A-Za-z0-9]{1,5}$")
#: What file systems take for a name, without the end that its bytes may tell (``.jpeg.zip``).
_NAME_BYTES = 255 - len(".jpeg.zip")
#: What a name keeps of the file's own name beside a long description.
_LEAST_STEM = 60


def from_attachment(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a patient's attachment."""
    record: dict[str, object] = {**FILES.blank(row.source_id)}
    patient = row.linked("patient_id", "patients")
    status = row.text("file_status") or "not_requested"
    reason = _left_out(row, patient, status, reference)
    if reason:
        record |= {"filtered": reason.value}
    elif status in _REJECTED:
        record |= {"rejected": {"reason": _REJECTED[status].value, "field": "content"}}
    else:
        record |= {"contact": patient, **_described(row, reference)}
    yield Output(FILES.name, record)


def _left_out(row: Row, patient: str | None, status: str, reference: Reference) -> Filter | None:
    if not reference.mapping.moves["files"]:
        return Filter.SWITCHED_OFF
    return left_out(row, patient, reference, oldest=None, at=None) or _LEFT_OUT.get(status)


def _described(row: Row, reference: Reference) -> dict[str, object]:
    mime_type = (row.text("content_type") or "").partition(";")[0].strip().lower() or None
    created = row.instant("created_at")
    date = local_time(created, reference.clinic_zone)[:10] if created else None
    archived = "[archived]" if hidden_at(row) else None
    behind = joined(" ", date, archived, f"cliniko:{row.source_id}") or ""
    stem, extension = _file_name(row, mime_type, _NAME_BYTES - len(f" {behind}"))
    size = row.whole("file_size")
    return {
        "file_path": row.text("file_path"),
        "file_name": f"{stem} {behind}{extension}",
        "file_size": row.whole("size") if size is None else size,
        "file_sha256": row.text("file_sha256"),
        "mime_type": mime_type,
        "zip": mime_type in _DICOM_TYPES or extension.lower() in _DICOM_NAMES,
        "zip_others": reference.mapping.moves["other_file_types"],
        "description": row.text("description"),
    }


def attached_name(stem: str, behind: str, extension: str) -> str:
    """Return the name of a file that has no name of its own, with what stands behind it."""
    room = _NAME_BYTES - len(f" {behind}{extension}".encode())
    return f"{_cut(_fit(stem, ' '), room)} {behind}{extension}"


def _file_name(row: Row, mime_type: str | None, room: int) -> tuple[str, str]:
    """Return description and name, fit for every file system, and the extension; the room is in bytes.

    What looks like one (``Letter Dr.Smith``) is part of the name where the type of the content tells a better one.
    """
    name = _fit(row.text("filename") or "", "_").strip(" .") or "file"
    extension = _EXTENSION.search(name)
    suffix = extension.group() if extension else ""
    if suffix.lower() not in _TAKEN:
        suffix = _EXTENSIONS.get(mime_type or "", suffix)
    stem = name.removesuffix(suffix)
    description = _fit(row.text("description") or "", " ").strip(" .")
    return _told("" if description in {stem, name} else description, stem, room - len(suffix)), suffix


def _fit(text: str, sign: str) -> str:
    """Return a text without what a file system or a reader takes for something else; the sign stands for the former."""
    return _UNFIT.sub(sign, _UNSEEN.sub("", text))


def _told(description: str, stem: str, room: int) -> str:
    """Return description and name within the room: a long description leaves the name some of it."""
    if description:
        taken = len(f"{description} - ".encode())
        stem = _cut(stem, max(room - taken, _LEAST_STEM))
        description = _cut(description, room - len(f" - {stem}".encode()))
    return _cut(joined(" - ", description, stem) or "file", room)


def _cut(text: str, room: int) -> str:
    return text.encode()[:room].decode(errors="ignore").strip(" .")
