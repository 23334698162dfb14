"""Where the bytes of a file are: on this machine, or behind any address that fsspec opens (``s3://bucket/88.pdf``)."""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec  # type: ignore[import-untyped]

from target_highlevel.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator


class FileBytes:
    """The bytes behind a path or an address, of which as few are fetched as are asked for."""

    def __init__(self, address: str) -> None:
        """Name where they are; nothing is fetched yet.

        Raises:
            SettingsError: nothing that is installed opens such addresses.
        """
        self._path = Path(address)
        self._files: Any = None
        if "://" not in address:
            return
        try:
            self._files, self._name = fsspec.core.url_to_fs(address)
        except (ImportError, ValueError):
            kind = address.partition("://")[0]
            msg = f"file_path: nothing here opens {kind}:// addresses; install fsspec's package for them beside target-highlevel"
            raise SettingsError(msg) from None

    def head(self, size: int) -> bytes | None:
        """Return the first bytes; None when there is nothing.

        Raises:
            Unavailable: the store does not answer.
        """
        if self._files is not None:
            with _asking():
                return bytes(self._files.cat_file(self._name, 0, size)) if self._there() else None
        if not self._path.is_file():
            return None
        with self._path.open("rb") as file:
            return file.read(size)

    @contextmanager
    def on_disk(self) -> Iterator[Path | None]:
        """Yield a file on this machine that holds them, which may be gone afterwards; None when there is nothing.

        Raises:
            Unavailable: the store does not answer.
        """
        if self._files is None:
            yield self._path if self._path.is_file() else None
            return
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / "file"
            with _asking():
                there = self._there()
                if there:
                    self._files.get_file(self._name, str(copy))
            yield copy if there else None

    def _there(self) -> bool:
        return bool(self._files.isfile(self._name))


@contextmanager
def _asking() -> Iterator[None]:
    """Say of any failure of a store that it is one; each store's library has errors of its own, whose texts may hold anything."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - see above
        hint = f"the store of the attachments does not answer ({type(error).__name__}); run again"
        raise Unavailable(hint) from None
