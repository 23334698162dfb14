"""A scratch copy of the ledger: plan and verify work on one, so that nothing they do is remembered."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa
from filelock import FileLock, Timeout
from typing_extensions import override

from target_highlevel.ledger.audit import head
from target_highlevel.ledger.ledger import Ledger, next_number
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.tables import (
    claim,
    contribution,
    dependency,
    exclusion,
    fact,
    joined,
    record,
    run,
)
from target_highlevel.ledger.transitions import COPIED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

_BATCH = 1000
_PREFIX = "target-highlevel-scratch-"
#: A file of this name and content says that a folder is a copy of ours; whatever else is called so is left alone.
_MARK = (
    "TARGET-HIGHLEVEL-SCRATCH",
    "A working copy of a ledger; it is removed when its run ends, or by the next one.\n",
)
#: Seconds after which a copy without a lock is one whose run was killed at its very beginning.
_UNFINISHED = 3600
#: Under which name a copy, and then its run, remembers how far the audit trail went when the copy was made.
COPIED_AT = "copied_at"
_tables = sa.MetaData()

#: Records that the load has not brought into HighLevel so far, and why; only copies have this table.
earlier = sa.Table(
    "earlier",
    _tables,
    *(sa.Column(name, sa.String) for name in ("ref", "status", "reason", "reason_field")),
    sa.Index("earlier_ref", "ref"),
)


class Copy(Ledger):
    """A working copy; the day's requests are counted in the real ledger, by the block, so that a killed run has counted them."""

    def __init__(self, folder: str, url: str, location: str) -> None:
        """Open an empty ledger in a folder, as a copy of the one at an address."""
        super().__init__(f"sqlite:///{Path(folder) / 'scratch.db'}", location)
        self._url = url

    @override
    def spent_by_hour(self, since: str) -> dict[str, int]:
        with closing(Ledger(self._url, self.location, exclusive=False)) as real:
            return real.spent_by_hour(since)

    @override
    def spend(self, hour: str, requests: int) -> None:
        with closing(Ledger(self._url, self.location, exclusive=False)) as real:
            real.spend(hour, requests)

    @override
    def forget_spent(self, after: timedelta) -> bool:
        with closing(Ledger(self._url, self.location, exclusive=False)) as real:
            return real.forget_spent(after)


def scratch_copy(
    url: str, location: str, *, crosswalk_only: bool = False
) -> tuple[Ledger, tempfile.TemporaryDirectory[str]]:
    """Return a copy of the ledger, and the temporary folder it is in, which vanishes when cleaned up.

    Args:
        url: the real ledger.
        location: the sub-account.
        crosswalk_only: copy which records are where and which runs there were, but not what was received: all of it is new then.
    """
    sweep()
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    Path(folder.name, _MARK[0]).write_text(_MARK[1], encoding="utf-8")
    real = Ledger(url, location, exclusive=False)
    copy = Copy(folder.name, url, location)
    copy.disable_fsync()
    try:
        with real.transaction() as source, copy.transaction() as destination:
            _freeze(source)
            written = head(source)[0]  # what is written from now on is missing
            tables = (
                (record, fact, claim, run)
                if crosswalk_only
                else (record, fact, claim, dependency, exclusion, contribution, joined)
            )
            for table in tables:
                _copy(source, destination, table, location)
            if crosswalk_only:
                # what runs have noted of the audit trail is of no use without it: it would seem to be cut short
                destination.execute(run.update().values(facts=None), execution_options=COPIED.options)
                _keep_earlier(destination)
                known = record.c.hl_id.is_not(None)
                destination.execute(record.delete().where(~known))
                values = {
                    "digest": None,
                    "status": "done",
                    "seen_run": None,
                    "outcome": None,
                    "payload": None,
                }
                destination.execute(record.update().values(**values), execution_options=COPIED.options)
            copy.remember(COPIED_AT, str(written))
        copy.salt = bytes.fromhex(str(real.fact("salt")))
    finally:
        real.close()
    return copy, folder


def sweep() -> int:
    """Remove the copies of runs that were killed, which hold all that the ledger held; return how many there were."""
    left = [folder for folder in Path(tempfile.gettempdir()).glob(f"{_PREFIX}*") if _is_left(folder)]
    for folder in left:
        shutil.rmtree(folder, ignore_errors=True)
    return len(left)


def _is_left(folder: Path) -> bool:
    """Return whether nobody works on a copy any more: its lock is free, or it never came to have one."""
    try:
        if not _is_ours(folder):
            return False
        locks = list(folder.glob("*.lock"))
        return all(map(_is_free, locks)) if locks else time.time() - folder.stat().st_mtime > _UNFINISHED
    except OSError:  # somebody else's, or just being removed
        return False


def _is_ours(folder: Path) -> bool:
    """Return whether a folder is one that this program has made for this user, by its mark."""
    mark = folder / _MARK[0]
    mine = not folder.is_symlink() and folder.stat().st_uid == os.getuid() and mark.is_file()
    return mine and mark.read_text(encoding="utf-8") == _MARK[1]


def _is_free(lock: Path) -> bool:
    try:
        with FileLock(lock, timeout=0):
            return True
    except Timeout:
        return False


def _keep_earlier(destination: sa.Connection) -> None:
    columns = [record.c[item.name] for item in earlier.c]
    unwritten = sa.select(*columns).where(
        record.c.status.in_(["rejected", "held", "ready"]) | (record.c.reason == OTHER_SUB_ACCOUNT)
    )
    _tables.create_all(destination)
    destination.execute(earlier.insert().from_select([item.name for item in earlier.c], unwritten))


def _freeze(source: sa.Connection) -> None:
    """Have every table read as it is now: a load may go on beside, and what it releases meanwhile would wait for ever."""
    if source.dialect.name == "postgresql":
        source.exec_driver_sql("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ")
    else:  # its driver begins no transaction for what only reads
        source.exec_driver_sql("BEGIN")


def _copy(source: sa.Connection, destination: sa.Connection, table: sa.Table, location: str) -> None:
    """Copy the rows of one sub-account; a ledger may hold several, and each is planned and verified alone."""
    destination.execute(table.delete())
    query = sa.select(table)
    if "location" in table.c:
        query = query.where(table.c.location == location)
    result = source.execution_options(stream_results=True).execute(query).mappings()
    while rows := result.fetchmany(_BATCH):
        _insert(destination, table, rows)


def _insert(destination: sa.Connection, table: sa.Table, rows: Sequence[sa.RowMapping]) -> None:
    destination.execute(table.insert(), [dict(row) for row in rows], execution_options=COPIED.options)


def publish_run(url: str, location: str, ended: Mapping[str, Any]) -> None:
    """Put a run as it ended into the real ledger; none of its records goes with it."""
    real = Ledger(url, location, exclusive=False)
    try:
        with real.transaction() as connection:
            number = next_number(connection, location)
            known = {**ended, "number": number, "facts": json.dumps(ended["facts"])}
            connection.execute(run.insert().values(known))
    finally:
        real.close()
