"""Remembers which rows have been seen, so that rows deleted for good can be found cheaply.

Cliniko keeps no trace of a hard delete. Asking "how many rows up to this id" costs one request; only where
the answer differs from what is remembered is the id space cut in two, down to the ids that are gone.

Deletions are numbered and kept: a run tells all those after the number in its own state. So a run that was
killed tells them again, and several destinations, each with a state of its own, share one file.

It also remembers which rows belonged to which patient, and who was merged into whom: when a patient is deleted
whose records had moved to another one in a merge, nothing in Cliniko tells any more which records those were.

Each file has a number of its own, which a state keeps with what it has read: so a run can tell whether this file
saw all of it. And each belongs to one Cliniko account: to another one, whatever the first holds would seem deleted.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import time
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tap_cliniko.storage import keeping

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

_TABLES = """
CREATE TABLE IF NOT EXISTS known (
    resource TEXT NOT NULL, id INTEGER NOT NULL, gone INTEGER, PRIMARY KEY (resource, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS belongs (
    resource TEXT NOT NULL, patient INTEGER NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (resource, patient, id)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS merged (
    survivor INTEGER NOT NULL, duplicate INTEGER NOT NULL, PRIMARY KEY (survivor, duplicate)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS owner (account TEXT NOT NULL);
"""
_PATIENCE = 60.0  # another run may be writing


def hidden_by(resource: str, column: str) -> str:
    """Name the rows of a resource that a column hides, which are remembered as if they were a resource of their own."""
    return f"{resource} {column}"


class KnownIds:
    """The ids seen so far, by resource, in a file that only its owner can read."""

    def __init__(self, path: str) -> None:
        """Open or create the file."""
        self._path = path
        Path(path).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        self._database = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)
        self._database.executescript(_TABLES)
        self.number = self._own_number()

    def _own_number(self) -> int:
        with self._transaction():
            found = int(self._database.execute("PRAGMA user_version").fetchone()[0])
            return found or self._numbered_anew()

    def _numbered_anew(self) -> int:
        made = secrets.randbelow(2**31 - 1) + 1
        self._database.execute(f"PRAGMA user_version = {made}")
        return made

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def claim(self, account: str, told: int | None) -> str:
        """Let the file belong to an account, unless it has an owner already, and return the owner.

        A file of an earlier version names none, and another clinic may have written into it. It is taken over by a run whose
        state was written along with it and has told all of its deletions, and emptied by any other.

        Args:
            account: whose run it is.
            told: number of the newest deletion that the state has told, None if it was not written along with this file.
        """
        with self._transaction():
            found = self._database.execute("SELECT account FROM owner").fetchone()
            if found:
                return str(found[0])
            self._database.execute("INSERT INTO owner VALUES (?)", (account,))
            holds_rows = self._database.execute("SELECT 1 FROM known LIMIT 1").fetchone()
            if holds_rows and (told is None or told < self.newest()):
                self._forget()
        return account

    def _forget(self) -> None:
        """Empty the file; with another number, every list is gone through once more."""
        for table in ("known", "belongs", "merged"):
            self._database.execute(f"DELETE FROM {table}")  # noqa: S608 - the names above
        self.number = self._numbered_anew()

    def add(self, resource: str, rows: Iterable[tuple[int, Iterable[int]]]) -> None:
        """Remember rows by id, each with its patients; one that was thought gone is back."""
        with self._transaction():
            for ident, patients in rows:
                self._database.execute(
                    "INSERT INTO known (resource, id) VALUES (?, ?) "
                    "ON CONFLICT (resource, id) DO UPDATE SET gone = NULL",
                    (resource, ident),
                )
                self._note_patients(resource, ident, list(patients))

    def _note_patients(self, resource: str, ident: int, patients: list[int]) -> None:
        """Remember whose a row is, and the patients too: one may be deleted before patients are read."""
        self._database.executemany(
            "INSERT OR IGNORE INTO belongs VALUES (?, ?, ?)", ((resource, each, ident) for each in patients)
        )
        self._database.executemany(
            "INSERT OR IGNORE INTO known (resource, id) VALUES ('patients', ?)",
            ((each,) for each in patients),
        )

    def note_merges(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Remember duplicates with their survivors: who was in between shows only as long as nobody deletes him."""
        with self._transaction():
            self._database.executemany(
                "INSERT OR IGNORE INTO merged (duplicate, survivor) VALUES (?, ?)", pairs
            )

    def merged_into(self, patients: Iterable[int]) -> set[int]:
        """Return the patients themselves and all who were merged into them, at one remove or more."""
        found, new = set(patients), list(patients)
        while new:
            query = "SELECT duplicate FROM merged WHERE survivor = ?"
            named = {row[0] for each in new for row in self._database.execute(query, (each,))}
            new = list(named - found)
            found |= named
        return found

    def of_patients(self, resource: str, patients: Iterable[int]) -> list[int]:
        """Return the rows that once belonged to some patients."""
        query = "SELECT id FROM belongs WHERE resource = ? AND patient = ?"
        found: set[int] = set()
        for patient in patients:
            found.update(row[0] for row in self._database.execute(query, (resource, patient)))
        return sorted(found)

    def patients_of(self, resource: str, idents: Iterable[int]) -> set[int]:
        """Return the patients to whom some rows once belonged."""
        query = "SELECT patient FROM belongs WHERE resource = ? AND id = ?"
        return {row[0] for ident in idents for row in self._database.execute(query, (resource, ident))}

    def mark_gone(self, resource: str, idents: Sequence[int]) -> None:
        """Note that rows are gone, under a number greater than every one before.

        The numbers follow the clock, so that those of a file begun anew go on after those of the lost one.
        """
        with self._transaction():
            number = max(self.newest() + 1, time.time_ns() // 1000)
            self._database.executemany(
                "UPDATE known SET gone = ? WHERE resource = ? AND id = ? AND gone IS NULL",
                ((number, resource, ident) for ident in idents),
            )

    def gone_since(self, number: int, *resources: str) -> tuple[list[tuple[str, int]], int]:
        """List what was noted as gone after a number, and return the greatest number by now."""
        named = ",".join("?" * len(resources))
        chosen = f"gone > ? AND resource IN ({named})"
        query = f"SELECT resource, id, gone FROM known WHERE {chosen} ORDER BY gone, id"  # noqa: S608 - only question marks
        rows = self._database.execute(query, (number, *resources)).fetchall()
        return [(resource, ident) for resource, ident, _ in rows], max([number, *(gone for *_, gone in rows)])

    def newest(self) -> int:
        """Return the number of the newest deletion."""
        return int(self._database.execute("SELECT max(gone) FROM known").fetchone()[0] or 0)

    def count(self, resource: str, after: int, upto: int) -> int:
        """Count the ids greater than `after`, up to and with `upto`."""
        return int(self._one("SELECT count(*)", resource, after, upto) or 0)

    def greatest(self, resource: str) -> int:
        """Return the greatest id seen."""
        return int(self._one("SELECT max(id)", resource, 0, 2**63 - 1) or 0)

    def middle(self, resource: str, after: int, upto: int) -> int:
        """Return the id in the middle of a range."""
        half = (self.count(resource, after, upto) - 1) // 2
        return int(self._one("SELECT id", resource, after, upto, f"ORDER BY id LIMIT 1 OFFSET {half}") or 0)

    def ids(self, resource: str, after: int, upto: int) -> list[int]:
        """List the ids of a range."""
        query = "SELECT id FROM known WHERE resource = ? AND gone IS NULL AND id > ? AND id <= ? ORDER BY id"
        with closing(self._database.execute(query, (resource, after, upto))) as rows:
            return [row[0] for row in rows]

    def _one(self, select: str, resource: str, after: int, upto: int, order: str = "") -> int | None:
        query = f"{select} FROM known WHERE resource = ? AND gone IS NULL AND id > ? AND id <= ? {order}"
        with closing(self._database.execute(query, (resource, after, upto))) as rows:
            found = rows.fetchone()
        return found[0] if found else None

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        with keeping("known_ids_path", self._path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                if self._database.in_transaction:  # a full disk has ended it
                    self._database.execute("ROLLBACK")
                raise
            self._database.execute("COMMIT")
