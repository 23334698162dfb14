"""The audit trail: every write and its outcome, chained by hashes so that a later change shows."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.tables import audit, record, run
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_CHAINED = (
    "seq", "at", "location", "run", "event", "action", "object", "source_id", "hl_id", "method", "api", "status", "fields",
)  # fmt: skip
_START = "0" * 64


# Built once: every write appends twice.
_APPEND = audit.insert()
_NEWEST = sa.select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
_NOTHING = audit.update().where(audit.c.seq < 0).values(seq=audit.c.seq)

#: Key of the lock under which PostgreSQL lets one run after the other append.
_TURN = 0x61756469


def append(connection: sa.Connection, entry: dict[str, Any]) -> int:
    """Write one entry inside the caller's transaction and return its number: ``entry`` has every chained column but ``seq``.

    Runs against other sub-accounts append to the same chain, so where it stands is read anew each time, in turn.
    """
    _take_turn(connection)
    number, previous = head(connection)
    row = {**entry, "seq": number + 1, "prev": previous}
    connection.execute(_APPEND, {**row, "hash": _link(previous, row)})
    return number + 1


def _take_turn(connection: sa.Connection) -> None:
    """Have everybody else wait with appending until this transaction ends."""
    if connection.dialect.name == "postgresql":
        connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_TURN)))
    else:  # SQLite has one writer at a time, from its first writing statement on, even if that changes nothing
        connection.execute(_NOTHING)


def _link(previous: str, row: dict[str, Any]) -> str:
    return hashlib.sha256((previous + canonical_json([row[name] for name in _CHAINED])).encode()).hexdigest()


#: Runs whose trail is thrown away with their copy of the ledger.
_ON_A_COPY = ("plan", "verify")
#: So many of the newest runs are asked where the rest of the trail was found whole.
_LATELY = 100
_NEWEST_FIRST = (run.c.started_at.desc(), run.c.number.desc())


def head(connection: sa.Connection) -> tuple[int, str]:
    """Return how many entries there are, and the hash of the newest: whoever has noted it sees a trail cut short."""
    last = connection.execute(_NEWEST).first()
    return (last.seq, last.hash) if last else (0, _START)


def is_about(connection: sa.Connection, number: int, location: str) -> bool:
    """Return whether there is an entry of this number, and about this sub-account."""
    query = sa.select(audit.c.seq).where(audit.c.seq == number, audit.c.location == location)
    return connection.execute(query).first() is not None


def creates_without_record(connection: sa.Connection, location: str) -> int:
    """Return how many creates of a sub-account are about a record that the ledger does not know any more."""
    here = (record.c.location == location, record.c.ref == audit.c.object + ":" + audit.c.source_id)
    created = (
        audit.c.location == location,
        audit.c.event == "outcome",
        audit.c.action == "create",
        audit.c.hl_id.is_not(None),
    )
    query = sa.select(sa.func.count()).select_from(audit).where(*created, ~sa.exists().where(*here))
    return int(connection.execute(query).scalar() or 0)


def newest_check(connection: sa.Connection) -> dict[str, Any]:
    """Return what the newest run that has ended says of the trail in its report; nothing where there is none."""
    return next(_told(connection, 1), {})


def broken_links(connection: sa.Connection, since: int = 1) -> Iterator[int]:
    """Yield the number of each entry that was changed, removed, or put in later.

    The last ones could be cut off without breaking the chain: what ended runs have noted of its head shows that.

    Args:
        connection: the ledger's.
        since: number of the entry to begin with; all before it are taken to fit.
    """
    noted = _noted(connection, None if since == 1 else _LATELY)
    previous, expected = (_START if since == 1 else None), since
    query = sa.select(audit).where(audit.c.seq >= since).order_by(audit.c.seq)
    for row in connection.execute(query).mappings():
        fits = (
            previous in {None, row["prev"]}
            and row["seq"] == expected
            and _link(row["prev"], dict(row)) == row["hash"]
        )
        if not fits or noted.pop(row["seq"], row["hash"]) != row["hash"]:
            yield row["seq"]
        previous, expected = row["hash"], row["seq"] + 1
    yield from sorted(number for number in noted if number >= since)


def _noted(connection: sa.Connection, most: int | None) -> dict[int, str]:
    """Return the head of the chain as it was when each run ended, as its report says; some worked on a copy of it."""
    told = _told(connection, most)
    return {
        int(said["entries"]): str(said["head"]) for said in told if said.get("entries") and said.get("head")
    }


def _told(connection: sa.Connection, most: int | None) -> Iterator[dict[str, Any]]:
    """Yield what the newest runs that have ended told of the trail."""
    ended = (run.c.facts.is_not(None), run.c.ended_at.is_not(None), run.c.mode.not_in(_ON_A_COPY))
    query = sa.select(run.c.facts).where(*ended).order_by(*_NEWEST_FIRST).limit(most)
    for facts in connection.execute(query).scalars():
        yield json.loads(facts).get("report", {}).get("audit", {})
