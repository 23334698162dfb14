"""Fetches one file of the account, from its short-lived address and without the key."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING

import backoff
import requests

from tap_cliniko.errors import TryAgain, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tap_cliniko.client import ClinikoClient

_BLOCK = 1 << 18
_TRIES = 5
_FAR_TOO_MANY = 10  # times the bytes that Cliniko states, which need not be exact
#: From where on the bytes of an answer are, or how many there are in all where none are left.
_RANGE = re.compile(r"bytes (?:(?P<first>\d{1,18})-\d+/.*|\*/(?P<size>\d{1,18}))", re.ASCII)
_PASSING = (requests.RequestException, TryAgain)


class TooLarge(Exception):  # noqa: N818 - becomes a status, never an error
    """The bytes are more than the setting allows, whatever the metadata said."""


class Expired(Exception):  # noqa: N818 - the address is asked for again
    """The short-lived address does not open any more."""


class Download:
    """One file on its way: goes on where it stopped when the connection breaks or the address expires."""

    def __init__(
        self, client: ClinikoClient, ident: str, part: Path, *, largest: int | None, stated: int | None
    ) -> None:
        """Name the file by its attachment's id, with the size that Cliniko states; its bytes go to `part`."""
        self._client = client
        self._path = f"/patient_attachments/{ident}/content"
        self._part = part
        self._largest = largest
        self._most = max(client.bounds.file_size, _FAR_TOO_MANY * (stated or 0))

    def run(self) -> tuple[str, int]:
        """Fetch everything and return checksum and size.

        Raises:
            Unavailable: the file store does not deliver.
        """
        base = self._client.retry_policy.base
        # a fresh address for one that expired, at once; a broken connection is given time
        afresh = backoff.on_exception(
            backoff.constant, Expired, interval=0, max_tries=3, jitter=None, logger=None
        )
        patiently = backoff.on_exception(
            backoff.expo, _PASSING, factor=base, max_tries=_TRIES, jitter=None, logger=None
        )
        try:
            patiently(afresh(self._once))()
        except Expired:
            msg = f"{self._path}: the file store opens no address of the file"
            raise Unavailable(msg) from None
        except _PASSING:
            msg = f"{self._path}: the file store does not deliver the file; run again later"
            raise Unavailable(msg) from None
        return self._checksum()

    def _once(self) -> None:
        self._append_from(self._client.location(self._path))

    def _append_from(self, address: str) -> None:
        start = self._part.stat().st_size if self._part.exists() else 0
        with self._client.file(address, start) as (response, blocks):
            # 416: nothing is missing
            complete = response.status_code == 416 and start > 0  # noqa: PLR2004
            if complete or response.status_code == 206:  # noqa: PLR2004
                self._check_range(response, start)
            if complete:
                return
            if response.status_code in {403, 404, 410}:
                raise Expired
            if response.status_code not in {200, 206}:
                msg = f"{self._path}: the file store answered {response.status_code}"
                raise TryAgain(msg)
            resumed = start if response.status_code == 206 else 0  # noqa: PLR2004
            self._write(blocks, resumed)
            _check_length(response, self._part.stat().st_size - resumed)

    def _check_range(self, response: requests.Response, start: int) -> None:
        """Make sure that an answer goes on where we stopped, and begin again where it does not, as with another file's length."""
        told = _RANGE.fullmatch(response.headers.get("Content-Range", "").strip())
        if told and int(told["first"] or told["size"]) != start:
            self._part.unlink(missing_ok=True)
            msg = f"{self._path}: the file store does not go on where it was asked to"
            raise TryAgain(msg)

    def _write(self, blocks: Iterator[bytes], resumed: int) -> None:
        flags = os.O_CREAT | os.O_WRONLY | (os.O_APPEND if resumed else os.O_TRUNC)
        size = resumed
        with os.fdopen(os.open(self._part, flags, 0o600), "wb") as sink:
            for block in blocks:
                size += len(block)
                if self._largest is not None and size > self._largest:
                    raise TooLarge
                if size > self._most:
                    self._part.unlink()
                    msg = f"{self._path}: the file has no end"
                    raise TryAgain(msg)
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
    if stated and stated.isdecimal() and not encoded and int(stated) != received:
        msg = "the file was cut off"
        raise TryAgain(msg)
