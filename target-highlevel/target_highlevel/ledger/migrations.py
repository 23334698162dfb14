"""Changes of the ledger's own schema: numbered, each in one transaction with the note that it was done."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.tables import TEXT, audit, claim, metadata, record, run

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
        "record_clock": "400000 400000 20",
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
    "audit": {"audit_run": "2000000 2000000 5000"},
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


def _number_runs(connection: sa.Connection) -> None:
    """Give each run its number: in the order in which they were begun where the database knows it, else by their clock."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns(run.name)}
    if run.c.number.name not in columns:
        connection.exec_driver_sql("ALTER TABLE run ADD COLUMN number INTEGER NOT NULL DEFAULT 0")
    order = sa.text("rowid") if connection.dialect.name == "sqlite" else run.c.id
    numbers: Counter[str] = Counter()
    for identity, location in connection.execute(sa.select(run.c.id, run.c.location).order_by(order)).all():
        numbers[location] += 1
        connection.execute(run.update().where(run.c.id == identity).values(number=numbers[location]))


def _know_money(connection: sa.Connection) -> None:
    columns = {column["name"] for column in sa.inspect(connection).get_columns(record.name)}
    if record.c.money.name not in columns:
        connection.exec_driver_sql("ALTER TABLE record ADD COLUMN money TEXT")


def _note_the_clock(connection: sa.Connection) -> None:
    """Give each record the moment from which on it should be another by the clock alone."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns(record.name)}
    if record.c.changes_at.name not in columns:
        connection.exec_driver_sql("ALTER TABLE record ADD COLUMN changes_at VARCHAR")
        next(index for index in record.indexes if index.name == "record_clock").create(connection)
    _tell_sizes(connection)


def _keep_claims(connection: sa.Connection) -> None:
    claim.create(connection, checkfirst=True)


def _name_the_api(connection: sa.Connection) -> None:
    """Name the part of the API that a write was sent to, instead of its route: in open intents; what the trail says, it says."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns(audit.name)}
    if audit.c.api.name not in columns:
        connection.exec_driver_sql("ALTER TABLE audit RENAME COLUMN route TO api")
    begun = sa.select(record.c.location, record.c.ref, record.c.intent).where(record.c.intent.is_not(None))
    for location, ref, text in connection.execute(begun).all():
        intent = json.loads(text)
        route = str(intent.pop("route", ""))
        intent.pop("method", None)
        intent.setdefault("api", next((api for part, api in _APPOINTMENTS.items() if part in route), ""))
        one = (record.c.location == location) & (record.c.ref == ref)
        connection.execute(record.update().where(one).values(intent=json.dumps(intent)))


def _sort_by_bytes(connection: sa.Connection) -> None:
    """Have PostgreSQL sort every text by its bytes, whatever language the database was made for."""
    if connection.dialect.name != "postgresql":
        return
    kind = TEXT.compile(dialect=connection.dialect)
    for table in metadata.sorted_tables:
        texts = [column.name for column in table.columns if isinstance(column.type, sa.String)]
        changes = ", ".join(f"ALTER COLUMN {name} TYPE {kind}" for name in texts)
        connection.exec_driver_sql(f"ALTER TABLE {table.name} {changes}")


def _find_what_a_run_wrote(connection: sa.Connection) -> None:
    next(index for index in audit.indexes if index.name == "audit_run").create(connection, checkfirst=True)
    _tell_sizes(connection)


#: Where an appointment may have been sent: the only kind of record that is looked for by what its intent says.
_APPOINTMENTS = {"/calendars/events": "events", "/tasks": "tasks"}

#: Never edit a step that was released: add one. A step must work on SQLite and on PostgreSQL.
STEPS: tuple[Callable[[sa.Connection], None], ...] = (
    _first,
    _tell_sizes,
    _number_runs,
    _know_money,
    _note_the_clock,
    _keep_claims,
    _name_the_api,
    _sort_by_bytes,
    _find_what_a_run_wrote,
)


#: Key of the lock under which PostgreSQL lets one run after the other change the schema.
_TURN = 0x736368656D61


def migrate(engine: sa.Engine) -> None:
    """Bring the ledger's schema up to date; of several runs that open it at once one does so, and the others wait.

    Raises:
        SettingsError: the ledger was written by a newer version of the target, or has lost a table.
    """
    with engine.begin() as connection:
        done = _done(connection)
    while done < len(STEPS):
        done = _go_on(engine)
    if done > len(STEPS):
        msg = f"ledger_url: this ledger has schema {done}, this version knows up to {len(STEPS)}; use a newer target-highlevel"
        raise SettingsError(msg)
    if lost := _lost(engine):
        msg = (
            f"ledger_url: this ledger is damaged, it has no {' and no '.join(lost)} any more; restore a copy of it, or name a new"
            " one, which finds again what is in HighLevel"
        )
        raise SettingsError(msg)


def _lost(engine: sa.Engine) -> list[str]:
    """Return the names of tables that a ledger had and has not any more."""
    inspector = sa.inspect(engine)
    there = set(inspector.get_table_names())
    # with several schemas on the search path they need not be in the first
    return [name for name in metadata.tables if name not in there and not inspector.has_table(name)]


def _go_on(engine: sa.Engine) -> int:
    """Make the next step, unless somebody else has made them all meanwhile; return the number of the last one made."""
    with engine.begin() as connection:
        _take_turn(connection)
        migration.create(connection, checkfirst=True)
        done = _done(connection)
        if done < len(STEPS):
            STEPS[done](connection)
            done += 1
            connection.execute(migration.insert().values(number=done))
    return done


def _done(connection: sa.Connection) -> int:
    """Return the number of the last step that was made; 0 where there is no ledger yet."""
    if not sa.inspect(connection).has_table(migration.name):
        return 0
    return connection.execute(sa.select(sa.func.max(migration.c.number))).scalar() or 0


def _take_turn(connection: sa.Connection) -> None:
    """Have everybody else wait until this transaction ends; SQLite's driver would begin none before a table is changed."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))
    else:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
