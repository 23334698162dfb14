"""What is said of an error that nobody foresaw: what is wrong, where, what to do, and a trace without any value.

Texts of such errors are never repeated: they may hold a record. The trace names modules, lines and types only.
"""

from __future__ import annotations

import errno
import importlib.metadata
import platform
import shutil
import sqlite3
import tempfile
import traceback
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.endings import public_message
from target_highlevel.errors import HighLevelError, Unforeseen
from target_highlevel.ledger.ledger import RESTORE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.settings import Settings

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_FORBIDDEN = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})
_TOO_MANY_FILES = frozenset({errno.EMFILE, errno.ENFILE})
#: Less than this left counts as full: a database needs some room beside the file itself.
_LITTLE_ROOM = 16 << 20
_PACKAGES = ("target-highlevel", "cliniko-to-highlevel", "singer-sdk", "SQLAlchemy", "requests", "urllib3")

#: SQLite's result codes (https://www.sqlite.org/rescode.html), and what they mean to who runs this.
_SQLITE = {
    sqlite3.SQLITE_CORRUPT: ("the ledger is damaged", RESTORE),
    sqlite3.SQLITE_NOTADB: (
        "the ledger is no database",
        f"see whether ledger_url names the right file; else {RESTORE}",
    ),
    sqlite3.SQLITE_FULL: ("the disk of the ledger is full", "make room there and run again: nothing is lost"),
    sqlite3.SQLITE_IOERR: (
        "the disk of the ledger fails",
        "check the disk or the network drive, then run again",
    ),
    sqlite3.SQLITE_READONLY: ("the ledger cannot be written", "check the rights of the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: (
        "the ledger cannot be opened",
        "check that its folder is there and may be written",
    ),
    sqlite3.SQLITE_PERM: ("the ledger cannot be opened", "check the rights of the file and its folder"),
    sqlite3.SQLITE_BUSY: (
        "the ledger is kept locked",
        "end the program that has it open (a database browser?), then run again",
    ),
    sqlite3.SQLITE_LOCKED: ("the ledger is kept locked", "end the program that has it open, then run again"),
    sqlite3.SQLITE_NOMEM: (
        "no memory is left",
        "end other programs or give this machine more, then run again",
    ),
}


def known(
    error: BaseException | None, settings: Settings | None = None, folder: Path | None = None
) -> BaseException | None:
    """Return an error that says what to do; one of ours, a signal, or none at all as it is.

    Args:
        error: what ended the run
        settings: what the run was told, as far as it could be read
        folder: where the trace is written; by default the folder of the reports
    """
    if not isinstance(error, Exception) or isinstance(error, HighLevelError):
        return error
    what, advice = _meaning(error, settings)
    if folder is None and settings is not None:
        folder = Path(settings.report_dir)
    trace = _write_trace(error, folder)
    told = f"; where it happened stands in {trace}, without any value" if trace else ""
    return Unforeseen(f"{what}: {advice}{told}")


def known_of_ending(
    error: Exception,
    before: BaseException | None,
    settings: Settings | None = None,
    folder: Path | None = None,
) -> BaseException | None:
    """Return an error that says what failed while a run ended, and before it what had ended the run.

    That a signal had asked it to stop needs no words: it is no reason to fail.

    Args:
        error: what failed while the run ended
        before: what had ended the run, if anything
        settings: what the run was told, as far as it could be read
        folder: where the trace of both is written; by default the folder of the reports
    """
    if error.__context__ is None:
        error.__context__ = before  # as if raised while handling it, so that one trace names both
    ending = known(error, settings, folder)
    first = public_message(known(before))
    return Unforeseen(f"{first}; and while the run ended: {public_message(ending)}") if first else ending


def _meaning(error: Exception, settings: Settings | None) -> tuple[str, str]:
    """Return what is wrong, with its place, and what to do."""
    if isinstance(error, sa.exc.DBAPIError):
        return _of_the_ledger(error, settings)
    if isinstance(error, MemoryError):
        return "no memory is left", "end other programs or give this machine more, then run again"
    if isinstance(error, BrokenPipeError):
        return (
            "nobody takes the states of this run any more",
            "see why the program behind it has ended, then run again",
        )
    if isinstance(error, OSError) and error.errno is not None:
        return _of_the_system(error, settings)
    return (
        f"something unforeseen happened ({type(error).__name__})",
        "run again; if it stays, send the file named here to the maintainers",
    )


def _of_the_ledger(error: sa.exc.DBAPIError, settings: Settings | None) -> tuple[str, str]:
    where = f" ({_ledger(settings)})" if settings else ""
    code = getattr(error.orig, "sqlite_errorcode", None)
    if code is None:
        said = f"the ledger's database failed{where}, {type(error.orig).__name__}"
        return said, "check that it runs, has room and can be reached, then run again: nothing is lost"
    what, advice = _SQLITE.get(code & 0xFF, (f"the ledger failed ({type(error.orig).__name__})", "run again"))
    return f"{what}{where}", advice


def _of_the_system(error: OSError, settings: Settings | None) -> tuple[str, str]:
    place = f" ({error.filename})" if isinstance(error.filename, str | Path) else ""
    if error.errno in _FULL:
        full = ", ".join(map(str, _without_room(settings)))
        return (
            f"the disk is full{f' ({full})' if full else place}",
            "make room there and run again: nothing is lost",
        )
    if error.errno in _FORBIDDEN:
        return f"a file may not be used{place}", "check its rights and those of its folder, then run again"
    if error.errno in _TOO_MANY_FILES:
        return "too many files are open", "raise the limit (ulimit -n), or end other programs, then run again"
    return (
        f"a file or a connection failed{place}, {errno.errorcode.get(error.errno or 0, '?')}",
        "check it, then run again",
    )


def _without_room(settings: Settings | None) -> Iterator[Path]:
    """Yield the folders of this run whose disk is full."""
    folders = [Path(tempfile.gettempdir())]
    if settings is not None:
        folders += [Path(settings.report_dir), Path(_ledger(settings)).parent]
    for folder in dict.fromkeys(folders):
        with suppress(OSError):
            if shutil.disk_usage(folder).free < _LITTLE_ROOM:
                yield folder


def _ledger(settings: Settings) -> str:
    """Return the file of a ledger, or its address without a password."""
    url = sa.make_url(settings.ledger_url)
    return (
        str(url.database) if url.get_backend_name() == "sqlite" else url.render_as_string(hide_password=True)
    )


def _write_trace(error: BaseException, folder: Path | None) -> Path | None:
    """Write where an error came from; return the file, or None where it cannot be written."""
    if folder is None:
        return None
    path = folder / "error.txt"
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path.write_text("\n".join((*_versions(), "", *_trace(error), "")), encoding="utf-8")
        path.chmod(0o600)
        return path
    return None


def _versions() -> Iterator[str]:
    yield f"Python {platform.python_version()} on {platform.system()}"
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            yield f"{package} {importlib.metadata.version(package)}"


def _trace(error: BaseException | None) -> Iterator[str]:
    """Yield the frames of an error and of what caused it, the first cause first."""
    chain: list[BaseException] = []
    while error is not None and error not in chain:
        chain.append(error)
        error = error.__cause__ or error.__context__
    for each in reversed(chain):
        yield f"{type(each).__module__}.{type(each).__qualname__}"
        for frame, line in traceback.walk_tb(each.__traceback__):
            yield f"  {frame.f_globals.get('__name__', '?')}:{line} in {frame.f_code.co_qualname}"
