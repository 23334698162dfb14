"""Files on a contact's custom field: uploaded as multipart, appended to the field, served to a token."""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from starlette.datastructures import UploadFile

from sandbox.highlevel.answers import Answer, refuse, refuse_body, refuse_request
from sandbox.highlevel.contacts import shown
from sandbox.highlevel.naming import iso
from sandbox.highlevel.routes import NO_VERSION, Access, Call, route

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

TYPES = frozenset(
    {
        ".pdf",
        ".docx",
        ".doc",
        ".jpg",
        ".jpeg",
        ".png",
        ".gif",
        ".csv",
        ".xlsx",
        ".xls",
        ".mp4",
        ".mpeg",
        ".zip",
        ".rar",
        ".txt",
        ".svg",
    }
)
# The same server under another name: for a client it is another host.
OTHER_HOST = "localhost"
LOGIN_PAGE = b"<html><head><title>Log in</title></head><body><form>E-mail, password</form></body></html>"
PART_NAME = re.compile(r"(?P<field>[A-Za-z0-9]+)_(?P<uuid>[0-9a-fA-F-]{36})")


@route("POST", "/forms/upload-custom-files", "forms.write", form=True, query=("contactId", "locationId"))
def upload_files(call: Call) -> dict[str, Any]:
    """Put the files of a form on the contact's fields; every part is `<custom field id>_<uuid>`."""
    account = call.account
    contact = account.contacts.get(call.query["contactId"])
    if contact is None:
        refuse(call.state.options.missing_status, f"Contact with id {call.query['contactId']} not found")
    parts = list(call.form.multi_items()) if call.form else []
    if not parts:
        refuse_request("No files were sent")
    checked = [_checked(account, name, part) for name, part in parts]
    values = dict(contact["customFields"])
    for field, uuid, part in checked:
        values[field["id"]] = _appended(call, field, values.get(field["id"], {}), uuid, part)
    after = {**contact, "customFields": values, "dateUpdated": iso(call.at)}
    account.put_contact(after, call.at)
    account.created["files"] += len(checked)
    return {"contact": shown(after)}


def _checked(account: Account, name: str, part: Any) -> tuple[Document, str, UploadFile]:
    match = PART_NAME.fullmatch(name)
    if match is None or not isinstance(part, UploadFile) or not part.filename:
        refuse_body(f"{name} must be a file named <custom field id>_<file id>")
    field = account.contact_fields.get(match["field"])
    if field is None or field["dataType"] != "FILE_UPLOAD":
        refuse_request(f"No FILE_UPLOAD custom field with id {match['field']}")
    dot, extension = part.filename.rpartition(".")[1:]
    allowed = {one.lower() for one in field["acceptedFormat"]} - {"all"}
    kind = dot + extension.lower()
    if kind not in TYPES or (allowed and kind not in allowed):
        refuse_request("File type is not allowed")
    if (part.size or 0) > account.options.max_file_bytes:
        refuse_request("File size exceeds the limit")
    return field, str(UUID(match["uuid"])), part


def _appended(
    call: Call, field: Document, before: dict[str, Any], uuid: str, part: UploadFile
) -> dict[str, Any]:
    """Return the field's map with one more file, or refuse one more than it takes."""
    account, kept = call.account, dict(before)
    if len(kept) >= (field["maxFileLimit"] if field["isMultiFileAllowed"] else 1):
        if account.options.file_over_limit == "refuse":
            refuse_request(f"Maximum number of files reached for custom field {field['id']}")
        if account.options.file_over_limit == "drop":
            return kept
        del kept[next(iter(kept))]
    identity = account.next_id("file")
    digest, size = _store(account, identity, part)
    meta = {
        "fieldname": field["id"],
        "originalname": part.filename,
        "encoding": "7bit",
        "mimetype": part.content_type or "application/octet-stream",
        "size": size,
        "uuid": uuid,
    }
    account.files[identity] = {
        "id": identity,
        "contactId": call.query["contactId"],
        "fieldId": field["id"],
        "name": part.filename,
        "mimetype": meta["mimetype"],
        "size": size,
        "sha256": digest,
    }
    origin = call.origin
    if account.options.documents == "other_host":
        origin = origin.replace("127.0.0.1", OTHER_HOST)
    url = f"{origin}/documents/download/{identity}"
    return {**kept, uuid: {"meta": meta, "url": url, "documentId": identity}}


def _store(account: Account, identity: str, part: UploadFile) -> tuple[str, int]:
    def pieces() -> Iterable[bytes]:
        while piece := part.file.read(1 << 20):
            yield piece

    return store_bytes(account, identity, pieces())


def store_bytes(account: Account, identity: str, pieces: Iterable[bytes]) -> tuple[str, int]:
    """Write the bytes of a file and return their SHA-256 and their number."""
    digest, size = hashlib.sha256(), 0
    with (account.files_folder / identity).open("wb") as target:
        for piece in pieces:
            digest.update(piece)
            size += len(piece)
            target.write(piece)
    return digest.hexdigest(), size


def stored_bytes(account: Account, identity: str) -> bytes:
    """Return the bytes of a file."""
    return (account.files_folder / identity).read_bytes()


@route("GET", "/documents/download/{documentId}", "", access=Access.OPEN, version=NO_VERSION)
def download(call: Call) -> Answer:
    """Serve an uploaded file to whoever may have it: by default everybody with a token of its location."""
    served = call.state.options.documents
    if served == "login":
        return Answer(200, LOGIN_PAGE, "text/html")
    if served == "other_host" and call.token is not None:
        call.violation("token_elsewhere", "the token was sent to the host of the documents")
    account = call.location
    if served in {"open", "other_host"}:
        accounts = call.state.accounts.values()
        account = next((one for one in accounts if call.path["documentId"] in one.files), None)
    elif account is None:
        refuse(401, "Invalid JWT")
    if served == "version" and call.version is None:
        refuse(401, "version header was not found.")
    if account is None or call.path["documentId"] not in account.files:
        refuse(404, "Document not found")
    file = account.files[call.path["documentId"]]
    for part, status in call.state.options.document_failures.items():
        if part in file["name"]:
            refuse(status, "The document could not be read")
    return Answer(200, stored_bytes(account, file["id"]), file["mimetype"])
