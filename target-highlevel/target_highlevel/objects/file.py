"""Files of a patient: uploaded into a file field of the contact, the only place the API can put them."""

from __future__ import annotations

import re
import shutil
import tempfile
import uuid
import zipfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.client.uploads import Upload
from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, marked
from target_highlevel.objects.contact_values import custom_values

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row

#: What POST /forms/upload-custom-files takes (highlevel-api.md section 15).
MOST_BYTES = 50 * 1024 * 1024
TYPES = frozenset(
    {
        "pdf",
        "docx",
        "doc",
        "jpg",
        "jpeg",
        "png",
        "gif",
        "csv",
        "xlsx",
        "xls",
        "mp4",
        "mpeg",
        "zip",
        "rar",
        "txt",
        "svg",
    }
)
_REPLACED_SIGNS = re.compile(r"cliniko[^0-9A-Za-z]+patient_attachments[^0-9A-Za-z]+(\d+)")
_LEADING_ID = re.compile(r"^(\d+) \d{4}-\d\d-\d\d ")


class File(ObjectKind):
    """A file on a contact. It cannot be changed, only added: Cliniko's attachments do not change either."""

    on_contact = True
    create_route = "/forms/upload-custom-files"
    update_route = "/contacts/{id}"
    remove_route = "/contacts/{id}"

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return name and content of the file; refuse what HighLevel would refuse, before a byte is sent."""
        name = str(fields.get("file_name") or "")
        if fields.get("zip"):
            name = f"{name}.zip"
        elif name.rpartition(".")[2].lower() not in TYPES:
            raise Rejected("file_type_refused", "file_name")
        if int(fields.get("file_size") or 0) > MOST_BYTES:
            raise Rejected("file_too_large", "file_size")
        if not fields.get("file_path"):
            raise Rejected("file_missing", "file_path")
        return {"file_name": name, "file_sha256": fields.get("file_sha256")}

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Upload the file into the contact's field: one request, attached at once."""
        parent = self.parent_id(row)
        field = self.around.catalogue.contact_field(spec.file_field)
        with _bytes(row.fields) as path:
            if path.stat().st_size > MOST_BYTES:
                raise Rejected("file_too_large", "file_size")
            upload = Upload(
                part=f"{field.id}_{uuid.uuid5(uuid.NAMESPACE_URL, row.source_id)}",
                path=path,
                filename=str(wanted["file_name"]),
                content_type="application/zip"
                if row.fields.get("zip")
                else str(row.fields.get("mime_type") or "application/octet-stream"),
            )
            answer = self.around.client.request(
                "POST",
                "/forms/upload-custom-files",
                route=self.create_route,
                params={"contactId": parent, "locationId": self.around.location},
                files=upload,
            )
        contact = answer.get("contact") or answer
        found = self._find(contact, spec, row.source_id) or self.find(row, spec)
        return Created(found or unseen(parent, row.source_id), parent)

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the name under which the file hangs on the contact; its bytes are compared by verify."""
        for key, item in self.listed(self.parent_id(row), spec):
            if key == row.hl_id or source_id(item) == row.source_id:
                # HighLevel may keep only the end of a name, and no checksum: what carries our id is this file.
                return self.prepare(row, spec, row.fields)
        return {}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """The file is gone from the contact, and the row has changed since: add it anew. One that is there is left as it is."""
        return {"hl_id": self.create(row, spec, self.prepare(row, spec, row.fields)).hl_id}

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Look for our marker among the names of the contact's files."""
        return next(
            (key for key, item in self.listed(self.parent_id(row), spec) if source_id(item) == row.source_id),
            None,
        )

    def listed(self, contact_id: str, spec: StreamSpec) -> list[tuple[str, dict[str, Any]]]:
        """Return (key, item) of every file in our field of a contact."""
        answer = self.around.client.request("GET", f"/contacts/{contact_id}", route="/contacts/{id}")
        return list(items(answer["contact"], self.around.catalogue.contact_field(spec.file_field).id))

    def _find(self, contact: Mapping[str, Any], spec: StreamSpec, wanted: str) -> str | None:
        field = self.around.catalogue.contact_field(spec.file_field)
        return next((key for key, item in items(contact, field.id) if source_id(item) == wanted), None)

    def remove(self, row: Row) -> None:
        """Take the file out of the contact's field, leaving the others in it."""
        answer = self.around.client.request("GET", f"/contacts/{row.parent_id}", route="/contacts/{id}")
        for field, files in custom_values(answer["contact"]).items():
            if isinstance(files, dict) and row.hl_id in files:
                kept = {key: item for key, item in files.items() if key != row.hl_id}
                body = {"customFields": [{"id": field, "field_value": kept}]}
                self.around.client.request(
                    "PUT", f"/contacts/{row.parent_id}", route=self.update_route, json=body
                )


def unseen(contact_id: str, source_id: str) -> str:
    """Return what stands for the key of a file that HighLevel took and did not show."""
    return f"{contact_id}/{source_id}"


def source_id(item: Mapping[str, Any]) -> str | None:
    """Return the attachment a file is."""
    return attachment_of(str((item.get("meta") or {}).get("originalname") or ""))


def attachment_of(name: str) -> str | None:
    """Return the attachment that a file's name says it is: by the marker, or by what a server has left of it.

    One that replaces odd signs leaves the marker's words; one that takes only the last part of a path cuts it at its slash, and
    the id and the date then still begin the name. A number alone does not do: ``12 month review.pdf`` is somebody's own.
    """
    found = _REPLACED_SIGNS.search(name) or _LEADING_ID.match(name)
    return marked(name) or (f"patient_attachments/{found.group(1)}" if found else None)


def items(contact: Mapping[str, Any], field_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, item) of every file in one field of a contact."""
    files = custom_values(contact).get(field_id)
    if isinstance(files, dict):
        yield from files.items()


@contextmanager
def _bytes(fields: Mapping[str, Any]) -> Iterator[Path]:
    """Yield a path with the bytes to send; DICOM, which HighLevel does not take, goes inside a ZIP.

    Raises:
        Rejected: the file is not where the tap said it would be.
    """
    path = Path(str(fields["file_path"]))
    if not path.is_file():
        raise Rejected("file_missing", "file_path")
    if not fields.get("zip"):
        yield path
        return
    with tempfile.TemporaryDirectory() as folder:
        packed = Path(folder) / "file.zip"
        # Without the date of the download, so that the same file always makes the same archive.
        member = zipfile.ZipInfo(str(fields["file_name"]).replace("/", "_"))
        member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
        with (
            zipfile.ZipFile(packed, "w") as archive,
            path.open("rb") as content,
            archive.open(member, "w") as inside,
        ):
            shutil.copyfileobj(content, inside)
        yield packed
