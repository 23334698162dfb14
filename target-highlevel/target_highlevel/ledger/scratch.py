"""A scratch copy of the ledger: plan and verify work on one, so that nothing they do is remembered."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.partials import OTHER_SUB_ACCOUNT
from target_highlevel.ledger.tables import budget, contribution, dependency, exclusion, fact, joined, record

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = 1000
_PREFIX = "highlevel-"
#: Seconds after which a copy without a lock is one whose run was killed at its very beginning.
_UNFINISHED = 3600
_tables = sa.MetaData()

#: Records that the load has not brought into HighLevel so far, and why; only copies have this table.
earlier = sa.Table(
    "earlier",
    _tables,
    *(sa.Column(name, sa.String) for name in ("ref", "status", "reason", "reason_field")),
    sa.Index("earlier_ref", "ref"),
)


def scratch_copy(
    url: str, location: str, *, crosswalk_only: bool = False
) -> tuple[Ledger, tempfile.TemporaryDirectory[str]]:
    """Return a copy of the ledger, and the temporary folder it is in, which vanishes when cleaned up.

    Args:
        url: the real ledger.
        location: the sub-account.
        crosswalk_only: copy which records are where, but not what was received: all of it is new then.
    """
    sweep()
    folder = tempfile.TemporaryDirectory(prefix=_PREFIX, ignore_cleanup_errors=True)
    real = Ledger(url, location, exclusive=False)
    copy = Ledger(f"sqlite:///{Path(folder.name) / 'scratch.db'}", location)
    copy.hurry()
    try:
        with real.transaction() as source, copy.transaction() as destination:
            tables = (
                (record, fact, budget)
                if crosswalk_only
                else (record, fact, budget, dependency, exclusion, contribution, joined)
            )
            for table in tables:
                _copy(source, destination, table)
            if crosswalk_only:
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
                destination.execute(record.update().values(**values))
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
        locks = list(folder.glob("*.lock"))
        return all(map(_is_free, locks)) if locks else time.time() - folder.stat().st_mtime > _UNFINISHED
    except OSError:  # somebody else's, or just being removed
        return False


def _is_free(lock: Path) -> bool:
    with lock.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def count_requests(url: str, location: str, requests: int) -> None:
    """Count in the real ledger what a run on a copy has spent of the day's budget."""
    real = Ledger(url, location, exclusive=False)
    try:
        real.spend(f"{real.now():%Y-%m-%dT%H}", requests)
    finally:
        real.close()


def _keep_earlier(destination: sa.Connection) -> None:
    columns = [record.c[item.name] for item in earlier.c]
    unwritten = sa.select(*columns).where(
        record.c.status.in_(["rejected", "held", "ready"]) | (record.c.reason == OTHER_SUB_ACCOUNT)
    )
    _tables.create_all(destination)
    destination.execute(earlier.insert().from_select([item.name for item in earlier.c], unwritten))


def _copy(source: sa.Connection, destination: sa.Connection, table: sa.Table) -> None:
    destination.execute(table.delete())
    result = source.execution_options(stream_results=True).execute(sa.select(table)).mappings()
    while rows := result.fetchmany(_BATCH):
        _insert(destination, table, rows)


def _insert(destination: sa.Connection, table: sa.Table, rows: Sequence[sa.RowMapping]) -> None:
    destination.execute(table.insert(), [dict(row) for row in rows])
