"""What a clinic's ledger knows of the runs so far, wherever they ran; read without getting in anybody's way."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_console.project import Project


@dataclass(frozen=True)
class History:
    """One look into the ledger.

    Attributes:
        runs: of each sub-account the newest run of each mode and exit code, in the order in which they began
        approved: digest of the plan that was approved, by sub-account
        is_known: whether the ledger could be read; there may be none yet
    """

    runs: tuple[Mapping[str, Any], ...] = ()
    approved: Mapping[str, str] = field(default_factory=dict)
    is_known: bool = True

    @classmethod
    def of(cls, project: Project) -> History:
        """Look into the ledger of a project."""
        if not project.has_ledger:
            return cls()
        try:
            return cls._read(project)
        except Exception:  # noqa: BLE001 - the pages open whatever it is; the job that needs the ledger says why
            return cls(is_known=False)

    @classmethod
    def _read(cls, project: Project) -> History:
        runs: list[Mapping[str, Any]] = []
        approved: dict[str, str] = {}
        for location in project.sub_accounts:
            with closing(Ledger(project.ledger_url, location, exclusive=False)) as ledger:
                runs += ledger.newest_of_each(1)
                approved[location] = ledger.fact(f"approved:{location}") or ""
        return cls(tuple(runs), approved)

    def changed_since(self, moment: str) -> bool:
        """Return whether something may have been written or compared from this moment on.

        A run that has not ended goes on, or was killed; what came after a killed one has looked at what it left.
        """
        newest = {run["location"]: run["id"] for run in self.runs}
        return any(
            run["started_at"] >= moment
            or (run["ended_at"] >= moment if run["ended_at"] else run["id"] == newest[run["location"]])
            for run in self.runs
        )

    def told(self) -> list[Mapping[str, Any]]:
        """Return the runs that say how things stand: not those that did not end, and after which another one came."""
        newest = {run["location"]: run["id"] for run in self.runs}
        return [run for run in self.runs if run["ended_at"] or run["id"] == newest[run["location"]]]
