"""A scratch copy of the ledger: plan and verify work on one, so that nothing they do is remembered."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.tables import contribution, dependency, exclusion, fact, joined, record

if TYPE_CHECKING:
    from collections.abc import Sequence

_BATCH = 1000


def scratch_copy(url: str, location: str, *, crosswalk_only: bool = False) -> tuple[Ledger, tempfile.TemporaryDirectory[str]]:
    """Return a copy of the ledger in a temporary folder, and the folder, which vanishes when it is cleaned up.

    Args:
        url: the real ledger.
        location: the sub-account.
        crosswalk_only: copy which records are where, but not what was received: everything then counts as new to the copy.
    """
    folder = tempfile.TemporaryDirectory(prefix="highlevel-")
    real = Ledger(url, location, exclusive=False)
    copy = Ledger(f"sqlite:///{Path(folder.name) / 'scratch.db'}", location)
    try:
        with real.transaction() as source, copy.transaction() as destination:
            tables = (record, fact) if crosswalk_only else (record, fact, dependency, exclusion, contribution, joined)
            for table in tables:
                _copy(source, destination, table)
            if crosswalk_only:
                known = record.c.hl_id.is_not(None)
                destination.execute(record.delete().where(~known))
                values = {"digest": None, "status": "done", "seen_run": None, "outcome": None, "payload": None}
                destination.execute(record.update().values(**values))
        copy.salt = bytes.fromhex(str(real.fact("salt")))
    finally:
        real.close()
    return copy, folder


def _copy(source: sa.Connection, destination: sa.Connection, table: sa.Table) -> None:
    destination.execute(table.delete())
    result = source.execution_options(stream_results=True).execute(sa.select(table)).mappings()
    while rows := result.fetchmany(_BATCH):
        _insert(destination, table, rows)


def _insert(destination: sa.Connection, table: sa.Table, rows: Sequence[sa.RowMapping]) -> None:
    destination.execute(table.insert(), [dict(row) for row in rows])
