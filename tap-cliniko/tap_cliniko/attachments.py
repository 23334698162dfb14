"""Fetches the bytes of patient attachments and keeps them where the settings say.

The metadata names no usable address: `/patient_attachments/{id}/content` redirects to a short-lived one on
another host, which is fetched without the key. A file is first written beside its place, resumed after an
interruption, and moved when it is complete. A small file with its checksum beside it tells the next run that
it is there.

Several runs may share a folder at the same time: one of them fetches, the others wait and find the file there.
"""

from __future__ import annotations

import errno
import hashlib
import json
import logging
import os
import re
import tempfile
import uuid
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped]
from filelock import FileLock, Timeout

from tap_cliniko.download import Download, TooLarge
from tap_cliniko.errors import Unavailable
from tap_cliniko.storage import keeping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_cliniko.client import ClinikoClient

logger = logging.getLogger("tap-cliniko")

_WORTH_SAYING, _LONGEST_TURN = 5.0, 600.0
#: What a note always says; one without is not ours.
_NOTED = {"processed_at", "sha256", "size"}
_FILENAME_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}$")


class Status(StrEnum):
    """What became of a file."""

    DOWNLOADED = "downloaded"
    NOT_READY = "not_ready"
    TOO_LARGE = "too_large"
    UNAVAILABLE = "unavailable"
    NOT_REQUESTED = "not_requested"


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
        account: whose files they are, None when Cliniko does not tell.
    """

    def __init__(
        self, client: ClinikoClient, folder: str, largest: int | None = None, account: str | None = None
    ) -> None:
        """Prepare the folder; nothing is fetched yet."""
        self._account = account
        self._client = client
        self._largest = largest
        self._files, self._root = fsspec.core.url_to_fs(folder)
        self._local = "file" in _protocols(self._files)
        # an object store cannot append, so half a file waits here
        self._parts = Path(self._root if self._local else Path(tempfile.gettempdir(), _private_name(folder)))
        self._parts.mkdir(parents=True, exist_ok=True, mode=0o700)
        if not self._local and self._parts.stat().st_uid != os.geteuid():  # anybody can put a folder there
            raise PermissionError(errno.EPERM, f"{self._parts} is another user's")
        self._lockable = True

    def fetch(self, record: Mapping[str, Any]) -> StoredFile:
        """Return where the bytes of an attachment are, fetching them unless they are already there.

        Raises:
            StorageFailed: the folder cannot be written to.
            TapClinikoError: Cliniko does not deliver this file, or none any more.
        """
        with keeping("attachments_dir", self._root if self._local else f"{self._root} or {self._parts}"):
            return self._fetched(record)

    def _fetched(self, record: Mapping[str, Any]) -> StoredFile:
        if record.get("processing_completed") is False:  # null says nothing: the file itself does
            return StoredFile(Status.NOT_READY)
        stated = record.get("size")
        if self._largest is not None and isinstance(stated, int) and stated > self._largest:
            return StoredFile(Status.TOO_LARGE)
        name, note = self._place(record)
        found = self._present(name, note, record)
        if found is not None:
            return found
        with self._turn():
            # what another run fetched while this one waited for its turn
            return self._present(name, self._note(name), record) or self._download(name, record)

    @contextmanager
    def _turn(self) -> Iterator[None]:
        """Let one run at a time write; its lock dies with the process.

        Raises:
            Unavailable: another run takes too long.
        """
        lock = FileLock(self._parts / ".lock", mode=0o600)
        try:
            if self._lockable:
                self._wait_for(lock)
        except (NotImplementedError, OSError) as error:  # some network file systems know no locks
            self._lockable = False
            logger.warning(
                "the attachments folder cannot be locked (%s): let no two runs fetch into it at once",
                getattr(error, "strerror", None) or type(error).__name__,
            )
        try:
            yield
        finally:
            lock.release()

    @staticmethod
    def _wait_for(lock: FileLock) -> None:
        try:
            with suppress(Timeout):
                lock.acquire(timeout=_WORTH_SAYING)
                return
            logger.info("waiting for another run, which is fetching into the same attachments folder")
            lock.acquire(timeout=_LONGEST_TURN)
        except Timeout:
            msg = f"another run has held the attachments folder for more than {_LONGEST_TURN:.0f} s"
            raise Unavailable(msg) from None

    def _place(self, record: Mapping[str, Any]) -> tuple[str, dict[str, Any] | None]:
        """Return a file's name, which is its id, and its note: the name a person gave it may hold that person's name.

        Where the file of another account, in the same folder, has that name already, the account is put before it.
        """
        ending = _FILENAME_ENDING.search(str(record.get("filename") or ""))
        name = f"{record['id']}{ending.group(0).lower() if ending else ''}"
        note = self._note(name)
        owner = (note or {}).get("account")
        if owner is None or self._account in {None, owner}:
            return name, note
        own = f"{self._account}-{name}"
        return own, self._note(own)

    def _note(self, name: str) -> dict[str, Any] | None:
        """Read the note beside a file."""
        try:
            saved = json.loads(self._files.cat_file(f"{self._root}/{name}.json"))
        except (FileNotFoundError, ValueError):  # half a note: the run died while writing it
            return None
        return saved if isinstance(saved, dict) and saved.keys() >= _NOTED else None

    def _present(
        self, name: str, saved: Mapping[str, Any] | None, record: Mapping[str, Any]
    ) -> StoredFile | None:
        """Trust a file whose note agrees with its size, and with the size and the processing time that Cliniko states."""
        target = f"{self._root}/{name}"
        if saved is None or not self._files.exists(target):
            return None
        # tap-cliniko 0.1.0 noted no stated size
        stated = saved.get("stated", saved["size"]), record.get("size")
        if None not in stated and len(set(stated)) > 1:
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
        except TooLarge:
            part.unlink(missing_ok=True)
            return StoredFile(Status.TOO_LARGE)
        target = f"{self._root}/{name}"
        self._move(part, target)
        note = {
            "sha256": digest,
            "size": size,
            "stated": record.get("size"),
            "processed_at": record.get("processed_at"),
            "account": self._account,
        }
        self._files.pipe_file(f"{target}.json", json.dumps(note).encode())
        return StoredFile(Status.DOWNLOADED, self._address(target), size, digest)

    def _whole(self, part: Path, record: Mapping[str, Any]) -> tuple[str, int]:
        """Fetch the file. If the size differs from Cliniko's, fetch it once more and then accept it."""
        stated = record.get("size")
        download = Download(
            self._client,
            str(record["id"]),
            part,
            largest=self._largest,
            stated=stated if isinstance(stated, int) else None,
        )
        digest, size = download.run()
        if stated not in {None, size}:
            part.unlink()
            digest, size = download.run()
        return digest, size

    def _move(self, part: Path, target: str) -> None:
        if self._local:
            part.replace(target)
            return
        # a run on another machine, which no lock holds back, must not find the same half file
        upload = f"{target}.{uuid.uuid4().hex}.part"
        self._files.put_file(str(part), upload)
        self._files.mv(upload, target)
        part.unlink()

    def _address(self, target: str) -> str:
        return str(Path(target).resolve()) if self._local else str(self._files.unstrip_protocol(target))


def _private_name(folder: str) -> str:
    return f"tap-cliniko-{os.getuid()}-{hashlib.sha256(folder.encode()).hexdigest()[:12]}"


def _protocols(files: Any) -> tuple[str, ...]:
    return (files.protocol,) if isinstance(files.protocol, str) else tuple(files.protocol)
