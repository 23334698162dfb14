"""Changes of the ledger's own schema: numbered, each in one transaction with the note that it was done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Callable

migration = sa.Table("migration", sa.MetaData(), sa.Column("number", sa.Integer, primary_key=True))


def _first(connection: sa.Connection) -> None:
    metadata.create_all(connection)


#: How many rows a large clinic's tables have, and how many of them each further column of an index leaves: what SQLite calls
#: statistics. Without them it takes "held" for a better hint than the name of a record, and each write would read the
#: ledger of a large clinic from end to end (a test asks for the plans). PostgreSQL counts for itself.
_STATISTICS = {
    "record": {
        "sqlite_autoindex_record_1": "400000 400000 1",
        "record_work": "400000 400000 100000 20000 100 20",
        "record_seq": "400000 400000 100000 300",
        "record_id": "400000 400000 40000 1",
        "record_origin": "400000 400000 2",
    },
    "dependency": {
        "sqlite_autoindex_dependency_1": "300000 300000 2 1",
        "dependency_parent": "300000 300000 10",
    },
    "exclusion": {"sqlite_autoindex_exclusion_1": "50000 50000 2 1", "exclusion_other": "50000 50000 2"},
    "contribution": {
        "sqlite_autoindex_contribution_1": "200000 200000 10 1",
        "contribution_part": "200000 200000 3",
    },
    "joined": {"sqlite_autoindex_joined_1": "20000 20000 2 1", "joined_target": "20000 20000 200"},
    "before_image": {"sqlite_autoindex_before_image_1": "50000 50000 5000 1"},
}


def _tell_sizes(connection: sa.Connection) -> None:
    if connection.dialect.name != "sqlite":
        return
    connection.exec_driver_sql("ANALYZE")  # makes the table of statistics
    connection.exec_driver_sql("DELETE FROM sqlite_stat1")
    rows = [(table, index, numbers) for table, each in _STATISTICS.items() for index, numbers in each.items()]
    connection.exec_driver_sql("INSERT INTO sqlite_stat1 (tbl, idx, stat) VALUES (?, ?, ?)", rows)
    connection.exec_driver_sql("ANALYZE sqlite_master")  # has them read


#: Never edit a step that was released: add one. A step must work on SQLite and on PostgreSQL.
STEPS: tuple[Callable[[sa.Connection], None], ...] = (_first, _tell_sizes)


def migrate(engine: sa.Engine) -> None:
    """Bring the ledger's schema up to date.

    Raises:
        SettingsError: the ledger was written by a newer version of the target.
    """
    with engine.begin() as connection:
        migration.create(connection, checkfirst=True)
        done = connection.execute(
            sa.select(sa.func.coalesce(sa.func.max(migration.c.number), 0))
        ).scalar_one()
    if done > len(STEPS):
        msg = f"ledger_url: this ledger has schema {done}, this version knows up to {len(STEPS)}; use a newer target-highlevel"
        raise SettingsError(msg)
    for number, step in enumerate(STEPS[done:], start=done + 1):
        with engine.begin() as connection:
            step(connection)
            connection.execute(migration.insert().values(number=number))
