"""Fetches the bytes of patient attachments and keeps them where the settings say.

The metadata names no usable address: `/patient_attachments/{id}/content` redirects to a short-lived one on
another host, which is fetched without the key. A file is first written beside its place, resumed after an
interruption, and moved when it is complete. A small file with its checksum beside it tells the next run that
it is there.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backoff
import fsspec  # type: ignore[import-untyped]
import requests

from tap_cliniko.errors import NotFound, TryAgain, Unavailable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_cliniko.client import ClinikoClient

_BLOCK = 1 << 18
_TRIES = 5
_PASSING = (requests.RequestException, TryAgain)
_FILENAME_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


class Status(str, Enum):
    """What became of a file."""

    DOWNLOADED = "downloaded"
    NOT_READY = "not_ready"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    NOT_REQUESTED = "not_requested"

    @property
    def worth_another_try(self) -> bool:
        """Whether the next run should ask again."""
        return self in {Status.NOT_READY, Status.UNAVAILABLE}


@dataclass(frozen=True, slots=True)
class StoredFile:
    """The columns a record gets from its file."""

    status: Status
    path: str | None = None
    size: int | None = None
    sha256: str | None = None

    def columns(self) -> dict[str, Any]:
        """Name the columns as the schema does."""
        return {
            "file_status": self.status.value,
            "file_path": self.path,
            "file_size": self.size,
            "file_sha256": self.sha256,
        }


class AttachmentStore:
    """A folder of files, local or behind any fsspec URL, named by the attachments' ids.

    Args:
        client: the account.
        folder: a local path or an fsspec URL.
        largest: files with more bytes stay where they are.
    """

    def __init__(self, client: ClinikoClient, folder: str, largest: int | None = None) -> None:
        """Prepare the folder; nothing is fetched yet."""
        self._client = client
        self._largest = largest
        self._files, self._root = fsspec.core.url_to_fs(folder)
        self._local = "file" in _protocols(self._files)
        # an object store cannot append, so half a file waits here
        self._parts = Path(self._root if self._local else Path(tempfile.gettempdir(), _private_name(folder)))
        self._parts.mkdir(parents=True, exist_ok=True, mode=0o700)

    def fetch(self, record: Mapping[str, Any]) -> StoredFile:
        """Answer where the bytes of an attachment are, fetching them unless they are already there."""
        if not record.get("processing_completed"):
            return StoredFile(Status.NOT_READY)
        stated = record.get("size")
        if self._largest is not None and isinstance(stated, int) and stated > self._largest:
            return StoredFile(Status.TOO_LARGE)
        name = _name_of(record)
        return self._present(name, record) or self._download(name, record)

    def _present(self, name: str, record: Mapping[str, Any]) -> StoredFile | None:
        """Trust a file whose note agrees with its size and with Cliniko's processing time."""
        target, note = f"{self._root}/{name}", f"{self._root}/{name}.json"
        if not self._files.exists(note) or not self._files.exists(target):
            return None
        try:
            saved = json.loads(self._files.cat_file(note))
        except ValueError:  # half a note: the run died while writing it
            return None
        if saved["processed_at"] != record.get("processed_at") or saved["size"] != self._files.size(target):
            return None
        return StoredFile(Status.DOWNLOADED, self._address(target), saved["size"], saved["sha256"])

    def _download(self, name: str, record: Mapping[str, Any]) -> StoredFile:
        # half a file goes on only if Cliniko has not processed it anew since
        version = re.sub(r"\D", "", str(record.get("processed_at") or ""))
        part = self._parts / f"{name}.{version}.part"
        try:
            digest, size = self._whole(part, record)
        except (NotFound, _Expired):
            return StoredFile(Status.UNAVAILABLE)
        except _TooLarge:
            part.unlink(missing_ok=True)
            return StoredFile(Status.TOO_LARGE)
        target = f"{self._root}/{name}"
        self._move(part, target)
        note = {"sha256": digest, "size": size, "processed_at": record.get("processed_at")}
        self._files.pipe_file(f"{target}.json", json.dumps(note).encode())
        return StoredFile(Status.DOWNLOADED, self._address(target), size, digest)

    def _whole(self, part: Path, record: Mapping[str, Any]) -> tuple[str, int]:
        """Fetch the file, and once more if it has not the size that Cliniko states; then it is as it is."""
        download = _Download(self._client, str(record["id"]), part, self._largest)
        digest, size = download.run()
        if record.get("size") not in {None, size}:
            part.unlink()
            digest, size = download.run()
        return digest, size

    def _move(self, part: Path, target: str) -> None:
        if self._local:
            part.replace(target)
            return
        self._files.put_file(str(part), f"{target}.part")
        self._files.mv(f"{target}.part", target)
        part.unlink()

    def _address(self, target: str) -> str:
        return str(Path(target).resolve()) if self._local else str(self._files.unstrip_protocol(target))


class _TooLarge(Exception):  # noqa: N818 - leaves this module as a status
    """The bytes are more than the setting allows, whatever the metadata said."""


class _Expired(Exception):  # noqa: N818 - the address is asked for again
    """The short-lived address does not open any more."""


class _Download:
    """One file on its way: goes on where it stopped when the connection breaks or the address expires."""

    def __init__(self, client: ClinikoClient, ident: str, part: Path, largest: int | None) -> None:
        self._client = client
        self._path = f"/patient_attachments/{ident}/content"
        self._part = part
        self._largest = largest

    def run(self) -> tuple[str, int]:
        """Fetch everything and answer checksum and size."""
        base = self._client.patience.base
        # a fresh address for one that expired, at once; a broken connection is given time
        afresh = backoff.on_exception(
            backoff.constant, _Expired, interval=0, max_tries=3, jitter=None, logger=None
        )
        patiently = backoff.on_exception(
            backoff.expo, _PASSING, factor=base, max_tries=_TRIES, jitter=None, logger=None
        )
        try:
            patiently(afresh(self._once))()
        except _PASSING:
            msg = f"{self._path}: the file store does not deliver the file; run again later"
            raise Unavailable(msg) from None
        return self._checksum()

    def _once(self) -> None:
        self._append_from(self._client.location(self._path))

    def _append_from(self, address: str) -> None:
        start = self._part.stat().st_size if self._part.exists() else 0
        with self._client.file(address, start) as response:
            if response.status_code == 416:  # noqa: PLR2004 - nothing is missing
                return
            if response.status_code in {403, 404, 410}:
                raise _Expired
            if response.status_code not in {200, 206}:
                msg = f"{self._path}: the file store answered {response.status_code}"
                raise TryAgain(msg)
            resumed = start if response.status_code == 206 else 0  # noqa: PLR2004
            self._write(response, resumed)
            _check_length(response, self._part.stat().st_size - resumed)

    def _write(self, response: requests.Response, resumed: int) -> None:
        flags = os.O_CREAT | os.O_WRONLY | (os.O_APPEND if resumed else os.O_TRUNC)
        size = resumed
        with os.fdopen(os.open(self._part, flags, 0o600), "wb") as sink:
            for block in response.iter_content(_BLOCK):
                size += len(block)
                if self._largest is not None and size > self._largest:
                    raise _TooLarge
                sink.write(block)

    def _checksum(self) -> tuple[str, int]:
        digest, size = hashlib.sha256(), 0
        with self._part.open("rb") as source:
            while block := source.read(_BLOCK):
                digest.update(block)
                size += len(block)
        return digest.hexdigest(), size


def _check_length(response: requests.Response, received: int) -> None:
    """`requests` takes a body that ends early for a whole one; the header knows better."""
    stated = response.headers.get("Content-Length")
    encoded = response.headers.get("Content-Encoding")
    if stated and not encoded and int(stated) != received:
        msg = "the file was cut off"
        raise TryAgain(msg)


def _name_of(record: Mapping[str, Any]) -> str:
    """Name a file by its id: the name a person gave it may hold that person's name."""
    ending = _FILENAME_ENDING.search(str(record.get("filename") or ""))
    return f"{record['id']}{ending.group(0).lower() if ending else ''}"


def _private_name(folder: str) -> str:
    return f"tap-cliniko-{os.getuid()}-{hashlib.sha256(folder.encode()).hexdigest()[:12]}"


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
