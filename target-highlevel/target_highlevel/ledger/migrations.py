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


#: Never edit a step that was released: add one. A step must work on SQLite and on PostgreSQL.
STEPS: tuple[Callable[[sa.Connection], None], ...] = (_first,)


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
