"""Files of a patient: uploaded into a file field of the contact, the only place the API can put them."""

from __future__ import annotations

import base64
import contextlib
import shutil
import tempfile
import threading
import uuid
import zipfile
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from target_highlevel.api.contacts import custom_values
from target_highlevel.errors import NotFound, Refused
from target_highlevel.http.uploads import Upload
from target_highlevel.marker import attachment_of
from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, Updated
from target_highlevel.objects.file_bytes import FileBytes
from target_highlevel.objects.file_types import content_type, shape
from target_highlevel.setup.file_field import MOST_FILES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.api.definitions import Field
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectContext

#: What POST /forms/upload-custom-files takes (docs/api-facts.md, Files).
MOST_BYTES = 50 * 1024 * 1024
_STRIPES = 64
#: What a status says of a file, whatever the words beside it.
_REFUSALS: Mapping[int | None, str] = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "file_too_large",
    HTTPStatus.UNSUPPORTED_MEDIA_TYPE: "file_type_refused",
}
#: Why a file is not taken off a contact, or not put back.
STAYS = "file_stays"


class File(ObjectKind):
    """A file on a contact. It cannot be changed, only added: Cliniko's attachments do not change either."""

    on_contact = True
    api = "files"

    def __init__(self, ctx: ObjectContext) -> None:
        """Work in this context; any number of threads may share it."""
        super().__init__(ctx)
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return name and content of the file; refuse what HighLevel would refuse, before a byte is sent."""
        sent = shape(fields)
        if sent is None:
            raise Rejected("file_type_refused", "file_name")
        if (
            not sent.zipped and int(fields.get("file_size") or 0) > MOST_BYTES
        ):  # an archive is judged when it is made
            raise Rejected("file_too_large", "file_size")
        if not fields.get("file_path") and not fields.get("file_content"):
            raise Rejected("file_missing", "file_path")
        return {"file_name": sent.name, "file_sha256": fields.get("file_sha256")}

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Upload the file into the contact's field: one request, attached at once."""
        parent = self.parent_id(row)
        field = self.ctx.catalogue.contact_field(spec.file_field)
        self._refuse_one_too_many(row, spec, field)
        name = str(wanted["file_name"])
        zipped = is_packed(row.fields)
        with _bytes(row.fields, name if zipped else None) as path:
            if path.stat().st_size > MOST_BYTES:
                raise Rejected("file_too_large", "file_size")
            upload = Upload(
                part=f"{field.id}_{uuid.uuid5(uuid.NAMESPACE_URL, row.source_id)}",
                path=path,
                filename=name,
                content_type=content_type(name),
            )
            contact = self._upload(parent, upload)
        found = self._find(contact, spec, row.source_id) or self.find(row, spec)
        return Created(found or unseen(parent, row.source_id), parent)

    def _upload(self, contact_id: str, upload: Upload) -> dict[str, Any]:
        try:
            return self.ctx.highlevel.files.upload(contact_id, upload)
        except Refused as refused:
            reason = _REFUSALS.get(refused.status)
            if reason is None:
                raise
            raise Rejected(reason, "file_name") from None

    def _refuse_one_too_many(self, row: Row, spec: StreamSpec, field: Field) -> None:
        """Send no file that the field has no room for: it could push another one out, or be dropped without a word.

        Asked of a field that takes fewer than ours do, at one request a file.

        Raises:
            Rejected: the contact has as many as the field takes.
        """
        most = field.most_files
        if most is not None and most < MOST_FILES and len(self.listed(self.parent_id(row), spec)) >= most:
            raise Rejected("no_room_for_file", "file_name")

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the name under which the file hangs on the contact; its bytes are compared by verify."""
        for key, item in self.listed(self.parent_id(row), spec):
            if key == row.hl_id or source_id(item) == row.source_id:
                # HighLevel may keep only the end of a name, and no checksum: what carries our id is this file.
                wanted = self.prepare(row, spec, row.fields) if row.payload else {}
                return {**wanted, "item": item}
        return {}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """The file is gone from the contact, and the row has changed since: add it anew. One that is there is left as it is.

        One that has become another patient's is taken off.
        """
        if "item" in changes:
            self.remove(row)
            return Updated()
        return Updated(self.create(row, spec, self.prepare(row, spec, row.fields)).hl_id)

    def detached_text(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        """A file has a name only, which stays: what is another patient's must not stand on this contact."""
        return {"item": None}

    def before_removal(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return what the field says of the document, which HighLevel keeps."""
        found = super().before_removal(row, spec)
        return {"item": found["item"]} if "item" in found else {}

    def make_again(self, row: Row, spec: StreamSpec, before: Mapping[str, Any]) -> Created | Existing:
        """Put a file that was taken off its contact back into the field."""
        self.restore(row, spec, before, {})
        return Created(str(row.hl_id), row.parent_id)

    def restore(
        self, row: Row, spec: StreamSpec, before: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        """Put a file that was taken off a contact back into its field: HighLevel still has the document.

        Raises:
            Rejected: HighLevel does not let lists of files be written.
        """
        parent, field = self.parent_id(row), self.ctx.catalogue.contact_field(spec.file_field).id
        with self._changing(parent):
            there = entries(custom_values(self.ctx.highlevel.contacts.get(parent)).get(field))
            self._write(parent, field, {**there, str(row.hl_id): before["item"]})

    def _write(self, contact_id: str, field_id: str, files: Mapping[str, Any]) -> None:
        """Write the files of one field; whether HighLevel lets them be written is an open question."""
        if self.ctx.catalogue.known.answer("file_lists") != "writable":
            raise Rejected(STAYS, "file_name")
        body = {"customFields": [{"id": field_id, "field_value": files}]}
        try:
            shown = self.ctx.highlevel.contacts.update(contact_id, body)
        except NotFound:
            raise
        except Refused:
            raise Rejected(STAYS, "file_name") from None
        if "customFields" in shown and entries(custom_values(shown).get(field_id)).keys() != files.keys():
            raise Rejected(STAYS, "file_name")

    def _changing(self, contact_id: str) -> threading.Lock:
        """Return what is held while the files of a contact are read and written back: two at once would lose one."""
        return self._stripes[hash(contact_id) % _STRIPES]

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Look for our marker among the names of the contact's files."""
        return next(
            (key for key, item in self.listed(self.parent_id(row), spec) if source_id(item) == row.source_id),
            None,
        )

    def listed(self, contact_id: str, spec: StreamSpec) -> list[tuple[str, dict[str, Any]]]:
        """Return (key, item) of every file in our field of a contact."""
        contact = self.ctx.highlevel.contacts.get(contact_id)
        return list(items(contact, self.ctx.catalogue.contact_field(spec.file_field).id))

    def _find(self, contact: Mapping[str, Any], spec: StreamSpec, wanted: str) -> str | None:
        field = self.ctx.catalogue.contact_field(spec.file_field)
        return next((key for key, item in items(contact, field.id) if source_id(item) == wanted), None)

    def remove(self, row: Row) -> None:
        """Take the file out of the contact's field, leaving the others in it.

        Raises:
            Rejected: HighLevel does not let lists of files be written.
        """
        contacts, contact_id = self.ctx.highlevel.contacts, str(row.parent_id)
        with self._changing(contact_id):
            for field, files in custom_values(contacts.get(contact_id)).items():
                if row.hl_id in listed_files(files):
                    kept = {key: item for key, item in entries(files).items() if key != row.hl_id}
                    self._write(contact_id, field, kept)


def is_packed(fields: Mapping[str, Any]) -> bool:
    """Return whether a file is sent inside an archive of its own."""
    sent = shape(fields)
    return sent is not None and sent.zipped


def unseen(contact_id: str, source_id: str) -> str:
    """Return what stands for the key of a file that HighLevel took and did not show."""
    return f"{contact_id}/{source_id}"


def source_id(item: Mapping[str, Any]) -> str | None:
    """Return the attachment a file is."""
    return attachment_of(name_of(item))


def name_of(item: Mapping[str, Any]) -> str:
    """Return the name of a file; what is said of it may stand in a part of its own, and signs in it may be escaped."""
    said = _said(item)
    return unquote(str(said.get("originalname") or said.get("name") or ""))


def items(contact: Mapping[str, Any], field_id: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (key, item) of every file in one field of a contact."""
    yield from listed_files(custom_values(contact).get(field_id)).items()


def _said(item: Mapping[str, Any]) -> dict[str, Any]:
    meta = item.get("meta")
    return {**item, **(meta if isinstance(meta, dict) else {})}


def listed_files(value: Any) -> dict[str, dict[str, Any]]:
    """Return the files of a field by their keys; they come by them, or as a list."""
    return {
        key or name_of(item): item
        for key, item in _keyed(value)
        if isinstance(item, dict) and not {"meta", "documentId"}.isdisjoint(item)
    }


def entries(value: Any) -> dict[str, Any]:
    """Return all that a field holds by its keys, for it to be written back: what is no file that we know stays as it is.

    Raises:
        Rejected: something in it has no key, so that it would be lost.
    """
    found = list(_keyed(value))
    if any(key is None for key, _ in found):
        raise Rejected(STAYS, "file_name")
    return {str(key): item for key, item in found}


def _keyed(value: Any) -> Iterator[tuple[str | None, Any]]:
    """Yield (key, item) of all that a field holds; the key of an item of a list stands in the item."""
    if isinstance(value, dict):
        yield from ((str(key), item) for key, item in value.items())
    for item in value if isinstance(value, list) else ():
        own = (_said(item).get("uuid") or item.get("documentId")) if isinstance(item, dict) else None
        yield (str(own) if own else None), item


@contextlib.contextmanager
def _bytes(fields: Mapping[str, Any], archive_name: str | None) -> Iterator[Path]:
    """Yield a path with the bytes to send: the file, or an archive with nothing else in it, for types HighLevel does not take.

    Raises:
        Rejected: the file is not where the tap said it would be.
    """
    with contextlib.ExitStack() as stack:
        if fields.get("file_content"):
            path = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "file"
            path.write_bytes(base64.b64decode(str(fields["file_content"])))
        else:
            found = stack.enter_context(FileBytes(str(fields.get("file_path") or "")).on_disk())
            if found is None:
                raise Rejected("file_missing", "file_path")
            path = found
        yield path if archive_name is None else _archive(stack, path, archive_name)


def _archive(stack: contextlib.ExitStack, path: Path, name: str) -> Path:
    """Return an archive with this file and nothing else in it, which is gone when the stack is closed."""
    packed = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "file.zip"
    # Without the date of the download, so that the same file always makes the same archive.
    member = zipfile.ZipInfo(name.removesuffix(".zip").replace("/", "_"))
    member.compress_type, member.file_size = zipfile.ZIP_DEFLATED, path.stat().st_size
    with (
        zipfile.ZipFile(packed, "w") as archive,
        path.open("rb") as content,
        archive.open(member, "w") as inside,
    ):
        shutil.copyfileobj(content, inside)
    return packed
