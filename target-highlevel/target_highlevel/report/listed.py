"""What the newest verification and the rollbacks of a migration have listed, read from the tables in their reports."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.report.differences import Kind
from target_highlevel.report.tables import read_table
from target_highlevel.report.wording import Meaning, meaning
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Sections of the handover that come from a verification, each with what it means; why one is extra or could not be read is told
#: of each record.
_FOUND: dict[str, Meaning | None] = {
    Kind.MISSING.value: Meaning(
        "It is not in HighLevel.", "Run `meltano invoke target-highlevel:repair`, then a full read."
    ),
    Kind.DIFFERENT.value: Meaning(
        "HighLevel holds another value.",
        "Leave it, or have Cliniko's back with `meltano invoke target-highlevel:repair --values`.",
    ),
    Kind.KEPT.value: Meaning(
        "It holds what a person entered, as `overwrite` allows.", "Check whether it is right."
    ),
    Kind.EXTRA.value: None,
    Kind.UNREADABLE.value: None,
}
_SPARED, _LEFT = "spared", "left"
_STILL_THERE = Meaning("The undo could not take it back.", "Undo that run again.")
_NOT_THERE = Meaning("{} is not there any more; it listed {}.", "Look for it in a copy of the reports.")


@dataclass(frozen=True)
class Entry:
    """One thing that the handover names."""

    section: str
    source: str
    object: str
    field: str
    reason: str
    meaning: str
    next_step: str
    #: Source id of the contact it hangs on, where that is known.
    contact: str = ""
    resource: str = ""


def verified(run: Mapping[str, Any], reports: str) -> Iterator[Entry]:
    """Yield what a verification found: where its table is gone, how many of each kind there were."""
    totals = (run["facts"].get("report", {}).get("verification") or {}).get("totals", {})
    path = Path(reports) / run["id"] / "differences.csv"
    try:
        for row in read_table(path, ("source", "object", "field", "kind", "how")):
            if row["kind"] in _FOUND:
                said = _FOUND[row["kind"]] or meaning(row["kind"], row["how"])
                yield _entry(row["kind"], row["source"], row["object"], row["field"], row["how"], said)
    except (OSError, ValueError):
        for kind in _FOUND:
            yield from _gone(kind, path, totals.get(kind, 0))


def undone(run: Mapping[str, Any], reports: str) -> Iterator[Entry]:
    """Yield what a rollback left alone, and what it could not take back."""
    facts = run["facts"]
    path = Path(reports) / run["id"] / "spared.csv"
    try:
        for row in read_table(path, ("source", "object", "reason", "fields")):
            said = meaning("spared", row["reason"])
            yield _entry(_SPARED, row["source"], row["object"], row["fields"], row["reason"], said)
    except (OSError, ValueError):
        yield from _gone(_SPARED, path, facts.get("spared", 0))
    path = path.with_name("left.csv")
    try:
        for row in read_table(path, ("record", "highlevel_id", "field")):
            object_, _, source = row["record"].partition(":")
            yield _entry(_LEFT, source or row["highlevel_id"], object_, row["field"], _LEFT, _STILL_THERE)
    except (OSError, ValueError):
        yield from _gone(_LEFT, path, facts.get("created_left", 0) + facts.get("fields_differing", 0))


def _entry(section: str, source: str, object_: str, field: str, reason: str, said: Meaning) -> Entry:
    return Entry(section, source, object_, field, reason or section, said.says, said.next_step)


def _gone(section: str, path: Path, number: int) -> Iterator[Entry]:
    """Say that a table is gone, if there was anything in it: nobody may take an empty section for nothing found."""
    if number:
        says = _NOT_THERE.says.format(f"{path.parent.name}/{path.name}", counted(number, "record"))
        yield Entry(section, path.parent.name, "", "", "table_gone", says, _NOT_THERE.next_step)
