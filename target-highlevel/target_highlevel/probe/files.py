"""Measures uploads: a file too many, the names of files, and how a document is read."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from target_highlevel.api import endpoints
from target_highlevel.http.addresses import is_confidential
from target_highlevel.http.uploads import Upload

if TYPE_CHECKING:
    from target_highlevel.probe.asking import Said
    from target_highlevel.probe.documents import Documents
    from target_highlevel.probe.own import Own

_QUESTIONS = ("files_over_limit", "file_names", "document_access", "file_lists")
NAMES = ("Prüfung 1.txt", "Prüfung 2.txt")
CONTENT = b"A file of the migration's probe.\n"


def measure(own: Own, documents: Documents) -> None:
    """Upload two files into the field that takes one, and read what became of them."""
    if "files" not in own.fields:
        for name in _QUESTIONS:
            own.found.unknown(name, "no field for files could be made")
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "probe.txt"
        path.write_bytes(CONTENT)
        first = _upload(own, path, NAMES[0])
        entries = _entries(own)
        if not (first.ok and entries):
            for name in _QUESTIONS:
                own.found.unknown(name, f"{first.told()}; no file is on the contact")
            return
        _names(own, entries)
        _access(own, documents, str(entries[0].get("url") or ""))
        _over_limit(own, _upload(own, path, NAMES[1]), str(entries[0].get("url") or ""))
        _lists(own)


def _upload(own: Own, path: Path, name: str) -> Said:
    upload = Upload(f"{own.fields['files']}_{uuid4()}", path, name, "text/plain")
    params = {"contactId": own.contact, "locationId": own.asker.location}
    return own.ask(endpoints.UPLOAD_FILE, params=params, files=upload)


def _entries(own: Own) -> list[dict[str, Any]]:
    value = own.field_read("files")
    found = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return [entry for entry in found if isinstance(entry, dict)]


def _names(own: Own, entries: list[dict[str, Any]]) -> None:
    meta = entries[0].get("meta")
    shown = str(meta.get("originalname") or "") if isinstance(meta, dict) else ""
    if shown == NAMES[0]:
        own.found.answer("file_names", "as_written", "read back as it was written")
    elif shown:
        own.found.answer("file_names", "simplified", "read back with other characters")
    else:
        own.found.unknown("file_names", "the name is not read back")


def _over_limit(own: Own, second: Said, first_url: str) -> None:
    if second.refused:
        own.found.answer("files_over_limit", "refused", second.told())
        return
    if not second.ok:
        own.found.unknown("files_over_limit", second.told())
        return
    urls = [str(entry.get("url") or "") for entry in _entries(own)]
    if urls == [first_url]:
        own.found.answer("files_over_limit", "dropped", "accepted, and the first file is the only one")
    elif len(urls) == 1:
        own.found.answer("files_over_limit", "replaces", "accepted, and the second file is the only one")
    else:
        own.found.unknown("files_over_limit", f"accepted, and {len(urls)} files are there")


def _lists(own: Own) -> None:
    """Take off what is in the field, and put it back."""
    there = own.field_read("files")
    if not isinstance(there, dict):
        own.found.unknown("file_lists", "the files are read in a form of their own")
        return
    for wanted in ({}, there):
        said = own.write(customFields=[own.value("files", wanted)])
        if said.refused:
            own.found.answer("file_lists", "refused", said.told())
            return
        if not said.ok:
            own.found.unknown("file_lists", said.told())
            return
        left = own.field_read("files") or {}
        if not isinstance(left, dict) or left.keys() != wanted.keys():
            own.found.answer("file_lists", "ignored", f"accepted, and not {len(wanted)} files are there")
            return
    own.found.answer("file_lists", "writable", "taken off and put back")


def _access(own: Own, documents: Documents, url: str) -> None:
    """Read the document in each way, the least powerful first where another host has it."""
    if not documents.is_ours(url):
        host = "another host" if is_confidential(url) else "an address that is not safe"
        got = documents.read(url)
        if got.content == CONTENT:
            own.found.answer("document_access", "other_host", f"read from {host} without the token")
        else:
            own.found.answer("document_access", "login", f"{host} answered {got.told()} without the token")
        return
    bare, token = documents.read(url), documents.read(url, token=True)
    versioned = documents.read(url, token=True, version=True) if token.content != CONTENT else token
    evidence = f"without a token {bare.told()}, with it {token.told()}, with a version too {versioned.told()}"
    for answer, got in (("open", bare), ("token", token), ("version", versioned)):
        if got.content == CONTENT:
            own.found.answer("document_access", answer, evidence)
            return
    if {bare.status, token.status} & {200, 301, 302, 303, 307, 308, 401, 403}:
        own.found.answer("document_access", "login", evidence)
    else:
        own.found.unknown("document_access", evidence)
