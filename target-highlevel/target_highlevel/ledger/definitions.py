"""Definitions of a sub-account that records of ours rely on: where one is deleted, its values go with it.

Facts, per sub-account: ``definitions:<location>`` holds what the last load left there (JSON: kind of definition, name, id), and
``deleted_definitions:<location>`` what was found deleted since and has not been written again.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from target_highlevel.ledger.repair import Repair
from target_highlevel.ledger.rows import Row, row_from
from target_highlevel.ledger.tables import record
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.ledger.ledger import Ledger

#: Kinds of definitions beside the fields of an object, which go by the object's key.
OBJECTS, ASSOCIATIONS = "objects", "associations"


class Definitions(Repair):
    """What a run knows of definitions; see the module."""

    def __init__(self, ledger: Ledger, run: str) -> None:
        """Work for one run."""
        super().__init__(ledger, run)
        self._used = f"definitions:{ledger.location}"
        self._deleted = f"deleted_definitions:{ledger.location}"

    def used(self) -> dict[str, dict[str, str]]:
        """Return the id of every definition that loads have used, by kind and name."""
        return dict(json.loads(self._ledger.fact(self._used) or "{}"))

    def use(self, there: Mapping[str, Mapping[str, str]]) -> None:
        """Remember definitions that a load has used, beside those it had nothing to do with."""
        known = self.used()
        merged = {kind: {**known.get(kind, {}), **there.get(kind, {})} for kind in {*known, *there}}
        self._ledger.remember(self._used, canonical_json(merged))

    def deleted(self) -> list[str]:
        """Return the names of deleted definitions whose values are still to be written again."""
        return list(json.loads(self._ledger.fact(self._deleted) or "[]"))

    def written_again(self) -> None:
        """Note that a full read has brought all their values."""
        if self.deleted():
            self._ledger.remember(self._deleted, "[]")

    def forget(self, kind: str, names: Iterable[str], *, files: bool = False) -> None:
        """Have the next full read write again what went with deleted definitions.

        Args:
            kind: a kind of definition, or the object whose fields they are.
            names: their names.
            files: whether files hang on them.
        """
        names = list(names)
        if kind == OBJECTS:
            for row in (row for key in names for row in self._rows_of(key)):
                self.bring_again(row)
        elif kind == ASSOCIATIONS:
            for row in self._rows_of("relation"):
                if row.notes.link.get("association") in names:
                    self.bring_again(row)
        else:
            for row in self._rows_of(kind):
                if set(names) & set(row.written):
                    self.write_again(row, names)
            for row in self._rows_of("file") if files else ():
                self.bring_again(row)
        known = self.used()
        left = {name: id_ for name, id_ in known.get(kind, {}).items() if name not in names}
        self._ledger.remember(self._used, canonical_json({**known, kind: left}))
        deleted = {*self.deleted(), *(f"{kind} {name}" for name in names)}
        self._ledger.remember(self._deleted, canonical_json(sorted(deleted)))

    def _rows_of(self, object_: str) -> list[Row]:
        query = record.select().where(self._here, record.c.object == object_, record.c.hl_id.is_not(None))
        with self._ledger.transaction() as connection:
            return [row_from(found) for found in connection.execute(query).mappings()]
