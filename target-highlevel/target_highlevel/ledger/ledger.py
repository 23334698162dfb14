"""Opening the ledger, its one connection, and the small facts kept in it."""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sqlite3
import threading
from contextlib import ExitStack, contextmanager
from copy import copy
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import backoff
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from target_highlevel.errors import LedgerLost, SettingsError
from target_highlevel.interruption import STEP
from target_highlevel.ledger.lock import LedgerLock, NoLock, PostgresLock, check_session, machine
from target_highlevel.ledger.migrations import migrate
from target_highlevel.ledger.old_reports import shorten_old_report
from target_highlevel.ledger.tables import budget, fact, run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

#: Seconds that one process waits for another which is at work in the same file.
_PATIENCE = 10
#: What to do about a file that is none, or is damaged.
RESTORE = "restore the newest backup of it, or move it away and run with --full-refresh, which first finds what HighLevel holds"
#: What the addresses of PostgreSQL begin with; SQLAlchemy no longer reads the short one, which hosting services give.
_POSTGRES = frozenset({"postgresql", "postgres"})
#: Why PostgreSQL takes no session for the moment; libpq tells it in words only.
_PASSES = re.compile(
    r"too many (?:clients|connections)|remaining connection slots|no more connections|the database system is"
)


def utc_now() -> datetime:
    """Return the present moment in UTC."""
    return datetime.now(UTC)


class Ledger:
    """The durable memory of all runs against one sub-account.

    One connection, used by one thread at a time: the ledger is never the limit at ten requests a second, and a single writer
    keeps the order of what is durable plain.
    """

    def __init__(
        self, url: str, location: str, *, exclusive: bool = True, now: Callable[[], datetime] = utc_now
    ) -> None:
        """Open (and create or upgrade) the ledger.

        Raises:
            SettingsError: the URL cannot be opened, or another run holds the sub-account.
            LedgerLost: the database takes no session at present.
        """
        self.location = location
        self.now = now
        self._mutex = threading.RLock()
        self._engine = _engine(url)
        self._lock: LedgerLock | PostgresLock | NoLock = NoLock()
        self._is_guest = False
        try:
            with ExitStack() as undo:
                undo.callback(self._engine.dispose)
                self._connection = undo.enter_context(self._engine.connect())
                if self._engine.dialect.name == "postgresql":
                    check_session(self._connection)
                if exclusive:
                    self._lock = _lock(self._connection, location)
                    undo.callback(self._lock.close)
                migrate(self._engine)
                undo.pop_all()  # it is open: nothing to undo
        except sa.exc.DBAPIError as error:
            if _PASSES.search(str(error.orig)):
                msg = "the ledger's database is busy (it is starting, or has too many sessions); run again"
                raise LedgerLost(msg) from None
            msg = (
                f"ledger_url: the ledger cannot be opened ({type(error.orig).__name__}){_advice(error.orig)}"
            )
            raise SettingsError(msg) from None
        self.salt = bytes.fromhex(self._once("salt", secrets.token_hex(32)))
        #: Identity of this ledger, which its copies share; it follows from the salt, so that older copies have the same.
        self.identity = self._once("ledger", hashlib.blake2b(self.salt, digest_size=8).hexdigest())

    def beside(self, location: str) -> Ledger:
        """Return the same ledger for another sub-account of this process, over the same connection; it is closed before this one.

        Raises:
            SettingsError: another run holds that sub-account.
        """
        other = copy(self)
        other.location, other._is_guest = location, True  # noqa: SLF001 - of our own kind
        other._lock = _lock(self._connection, location)  # noqa: SLF001
        return other

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Run a block as one durable step; an exception undoes all of it.

        Raises:
            LedgerLost: the connection was cut, and with it the lock that keeps other runs away: this one must write no more.
        """
        with STEP, self._mutex:
            if (
                self._connection.invalidated
            ):  # SQLAlchemy would open another one, without the lock, and say nothing
                hint = "the connection to the ledger was cut; run again, nothing is lost"
                raise LedgerLost(hint)
            if self._connection.in_transaction():
                yield self._connection
                return
            with self._connection.begin():
                yield self._connection

    def disable_fsync(self) -> None:
        """Stop waiting for the disk: for copies, which nobody needs after a power cut."""
        with self._mutex:
            self._connection.exec_driver_sql("PRAGMA synchronous=OFF")
            self._connection.commit()

    def close(self) -> None:
        """Close the connection and give the lock back."""
        with self._mutex:
            if not self._is_guest:
                self._connection.close()
                self._engine.dispose()
            self._lock.close()

    def compact(self) -> bool:
        """Give freed pages back, so that what was removed cannot be read from the file either; return whether that was possible.

        It is not where another program is reading the ledger, or where the disk has no room for a second one.
        """
        if self._engine.dialect.name != "sqlite":
            return True  # PostgreSQL overwrites freed rows by its own vacuum
        with self._mutex:
            try:
                self._connection.exec_driver_sql("VACUUM")
                self._connection.rollback()
                busy, *_ = self._connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            except sa.exc.OperationalError:
                return False
            finally:
                self._connection.rollback()
        return not busy

    # Runs

    def begin_run(self, mode: str, at: datetime | None = None) -> str:
        """Record that a run began; return its id, which tells when. The order of runs is that of their numbers.

        Args:
            mode: what it does.
            at: the moment at which it began with its part in another sub-account; by default now.
        """
        started = at or self.now()
        identity = f"{started:%Y%m%dT%H%M%S.%fZ}-{secrets.token_hex(3)}"
        begun = {"id": identity, "location": self.location, "mode": mode, "started_at": _text(started)}
        with self.transaction() as connection:
            number = next_number(connection, self.location)
            connection.execute(run.insert().values(**begun, number=number, facts="{}"))
        return identity

    def run_number(self, identity: str) -> int:
        """Return the number of a run; 0 when there is no such run."""
        with self.transaction() as connection:
            return connection.execute(sa.select(run.c.number).where(run.c.id == identity)).scalar() or 0

    def end_run(self, identity: str, exit_code: int, facts: dict[str, Any]) -> None:
        """Record how a run ended."""
        with self.transaction() as connection:
            connection.execute(
                run.update()
                .where(run.c.id == identity)
                .values(ended_at=_text(self.now()), exit_code=exit_code, facts=json.dumps(facts))
            )
            shorten_old_report(connection, self.location, identity)

    def runs(self, newest: int | None = None) -> list[dict[str, Any]]:
        """Return every run of this sub-account, or the newest so many, oldest first.

        Every run keeps its report: who needs one run, or the last ones, must not read a year of them.
        """
        query = sa.select(run).where(run.c.location == self.location)
        return self._listed(query.order_by(run.c.number.desc()).limit(newest))[::-1]

    def newest_of_each(self, number: int) -> list[dict[str, Any]]:
        """Return the newest so many runs of each mode and exit code, oldest first."""
        rank = sa.func.row_number().over(
            partition_by=(run.c.mode, run.c.exit_code), order_by=run.c.number.desc()
        )
        ranked = sa.select(run.c.id, rank.label("rank")).where(run.c.location == self.location).subquery()
        wanted = sa.select(ranked.c.id).where(ranked.c.rank <= number)
        return self._listed(sa.select(run).where(run.c.id.in_(wanted)).order_by(run.c.number))

    def since_newest(self, mode: str) -> frozenset[str]:
        """Return the newest run of a mode, and all that have begun since; none where there is no such run."""
        here = run.c.location == self.location
        newest = sa.select(sa.func.max(run.c.number)).where(here, run.c.mode == mode).scalar_subquery()
        with self.transaction() as connection:
            return frozenset(
                connection.execute(sa.select(run.c.id).where(here, run.c.number >= newest)).scalars()
            )

    def knows(self, identity: str) -> bool:
        """Return whether this is a run of this sub-account."""
        query = sa.select(run.c.id).where(run.c.location == self.location, run.c.id == identity)
        with self.transaction() as connection:
            return connection.execute(query).first() is not None

    def began_at(self, identity: str) -> str | None:
        """Return when a run began, of whichever sub-account it is; None when there is no such run."""
        with self.transaction() as connection:
            return connection.execute(sa.select(run.c.started_at).where(run.c.id == identity)).scalar()

    def run_of(self, identity: str) -> dict[str, Any]:
        """Return one run of this sub-account, which is known."""
        (found,) = self._listed(sa.select(run).where(run.c.location == self.location, run.c.id == identity))
        return found

    def _listed(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self.transaction() as connection:
            rows = connection.execute(query).mappings()
            return [{**row, "facts": json.loads(row["facts"] or "{}")} for row in rows]

    # Facts

    def fact(self, name: str) -> str | None:
        """Return a single value kept under a name."""
        with self.transaction() as connection:
            return connection.execute(sa.select(fact.c.value).where(fact.c.name == name)).scalar()

    def facts(self, prefix: str) -> list[str]:
        """Return every value kept under a name that begins so."""
        with self.transaction() as connection:
            query = (
                sa.select(fact.c.value)
                .where(fact.c.name.startswith(prefix, autoescape=True))
                .order_by(fact.c.name)
            )
            return list(connection.execute(query).scalars())

    def remember(self, name: str, value: str) -> None:
        """Keep a single value under a name; runs against other sub-accounts may keep theirs at the same moment."""
        with self.transaction() as connection:
            kept = self._insert(fact, name=name, value=value)
            connection.execute(kept.on_conflict_do_update(index_elements=["name"], set_={"value": value}))

    @property
    def lock(self) -> LedgerLock | PostgresLock | NoLock:
        """Return what keeps other runs from the sub-account."""
        return self._lock

    @property
    def place(self) -> str:
        """Return a digest of where the ledger is: machine and real path of its file, or the database on a server."""
        url = self._engine.url
        if self._engine.dialect.name != "sqlite":
            where = f"{url.host}:{url.port}/{url.database}"
        else:
            where = f"{machine()} {Path(url.database or '').resolve()}"
        return hashlib.sha256(where.encode()).hexdigest()[:16]

    def forget_salt(self) -> None:
        """Replace the key of all hashes: those made with it tell nothing any more."""
        self.salt = secrets.token_bytes(32)
        self.remember("salt", self.salt.hex())

    def _once(self, name: str, value: str) -> str:
        """Return a value that is made once, whoever begins first; who finds it waits for no run that is writing."""
        found = self.fact(name)
        if found is None:
            with self.transaction() as connection:
                made = self._insert(fact, name=name, value=value)
                connection.execute(made.on_conflict_do_nothing(index_elements=["name"]))
            found = self.fact(name)
        return str(found)

    def _insert(self, table: sa.Table, **values: Any) -> Any:
        """Return an insert that knows what to do when the key is taken: each database has its own."""
        dialect = postgresql if self._engine.dialect.name == "postgresql" else sqlite
        return dialect.insert(table).values(**values)

    # The day's budget

    def spent_since(self, hour: str) -> int:
        """Return the requests counted in this hour (``2026-11-22T10``) and later ones."""
        return sum(self.spent_by_hour(hour).values())

    def spent_by_hour(self, since: str) -> dict[str, int]:
        """Return the requests counted in this hour and in each later one, oldest first."""
        query = sa.select(budget.c.hour, budget.c.requests).where(
            budget.c.location == self.location, budget.c.hour >= since
        )
        with self.transaction() as connection:
            return {row.hour: row.requests for row in connection.execute(query.order_by(budget.c.hour))}

    def spend(self, hour: str, requests: int) -> None:
        """Add requests to an hour; a negative number gives unused ones back."""
        added = self._insert(budget, location=self.location, hour=hour, requests=requests)
        key, sum_ = ["location", "hour"], {"requests": budget.c.requests + requests}
        with self.transaction() as connection:  # in one statement: others may count at the same moment
            connection.execute(added.on_conflict_do_update(index_elements=key, set_=sum_))

    def forget_spent(self, after: timedelta) -> bool:
        """Forget all counted requests of this sub-account, unless the last time is no longer ago; return whether it was done."""
        name, now = f"spent_forgotten:{self.location}", self.now()
        with self.transaction() as connection:
            last = self.fact(name)
            if last and abs(now - datetime.fromisoformat(last)) < after:
                return False
            self.remember(name, now.isoformat())
            connection.execute(budget.delete().where(budget.c.location == self.location))
        return True


def begun_together(run: str) -> str:
    """Return what the ids of the parts have in common that one run has in several sub-accounts."""
    return run.partition("-")[0]


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def next_number(connection: sa.Connection, location: str) -> int:
    """Return the number of the next run of a sub-account."""
    newest = sa.select(sa.func.max(run.c.number)).where(run.c.location == location)
    return int(connection.execute(newest).scalar() or 0) + 1


def _advice(error: BaseException | None) -> str:
    """Return what to do about a file that SQLite cannot read as a database."""
    if type(error) is not sqlite3.DatabaseError:
        return ""
    return f": see whether it names the right file; if that is damaged, {RESTORE}"


def _engine(url: str) -> sa.Engine:
    try:
        address = sa.engine.make_url(url)
    except sa.exc.ArgumentError:
        msg = "ledger_url: not a SQLAlchemy URL; for example sqlite:////srv/clinic/ledger.db"
        raise SettingsError(msg) from None
    if address.get_backend_name() in _POSTGRES:
        return _postgres(address)
    if address.get_backend_name() != "sqlite":
        msg = f"ledger_url: the ledger can be in SQLite or PostgreSQL, not in {address.get_backend_name()}"
        raise SettingsError(msg)
    if (address.database or "").startswith("file:"):  # it would lead past the lock beside the file
        msg = "ledger_url: name the file by its path, sqlite:////srv/clinic/ledger.db, and not by a URI of SQLite's"
        raise SettingsError(msg)
    if not address.database or address.database == ":memory:":
        msg = "ledger_url: a ledger in memory ends with its run, and all that it holds; name a file, sqlite:////srv/clinic/ledger.db"
        raise SettingsError(msg)
    _private_file(Path(address.database))
    engine = sa.create_engine(
        address, poolclass=sa.pool.StaticPool, hide_parameters=True, connect_args={"check_same_thread": False}
    )
    sa.event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _postgres(address: sa.URL) -> sa.Engine:
    if address.drivername in _POSTGRES:  # the driver SQLAlchemy would take is another one than we install
        address = address.set(drivername="postgresql+psycopg")
    try:
        return sa.create_engine(address, hide_parameters=True)
    except ModuleNotFoundError as error:
        msg = f"ledger_url: {error.name} is missing; install target-highlevel with its extra: target-highlevel[postgres]"
        raise SettingsError(msg) from None


def _private_file(path: Path) -> None:
    """Create the ledger so that only its owner can read it: it must hold personal data until it is written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        path.chmod(0o600)
    except OSError as error:
        msg = f"ledger_url: the file cannot be written ({error.strerror})"
        raise SettingsError(msg) from None


def _prepare_sqlite(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={_PATIENCE * 1000}")
    _write_ahead(cursor)
    # an intent must survive a power cut, or a lost answer could double a record
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.close()


@backoff.on_exception(
    backoff.constant,
    sqlite3.OperationalError,
    max_time=_PATIENCE,
    interval=0.05,
    jitter=None,
    giveup=lambda error: "locked" not in str(error),
)
def _write_ahead(cursor: sqlite3.Cursor) -> None:
    """Keep the log beside the file; where several open a new one at once SQLite refuses this at once, without its patience."""
    cursor.execute("PRAGMA journal_mode=WAL")


def _lock(connection: sa.Connection, location: str) -> LedgerLock | PostgresLock:
    if connection.dialect.name == "postgresql":
        return PostgresLock(connection, location)
    return LedgerLock(Path(connection.engine.url.database or ""), location)
