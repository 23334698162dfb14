"""A destination record as the engine works with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


class Status(str, Enum):
    """Where a destination record stands."""

    READY = "ready"
    HELD = "held"
    DONE = "done"
    FILTERED = "filtered"
    REJECTED = "rejected"


class Outcome(str, Enum):
    """What a run did to a destination record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass
class Row:
    """One destination record: what is wanted of it and what is known of it."""

    ref: str
    object: str
    source_id: str
    stream: str
    status: str
    version: int
    hl_id: str | None = None
    parent_id: str | None = None
    origin: str | None = None
    reason: str | None = None
    payload: dict[str, Any] | None = None
    written: dict[str, str] = field(default_factory=dict)
    notes: dict[str, Any] = field(default_factory=dict)
    intent: dict[str, Any] | None = None
    digest: str | None = None
    created_run: str | None = None
    outcome: str | None = None
    outcome_run: str | None = None
    listed: str = ""
    #: Made by us, and nothing of it is settled yet: what it holds nobody else wrote.
    created_here: bool = False

    @property
    def fields(self) -> dict[str, Any]:
        """Return the wanted fields of the main record; empty when the main record did not change."""
        return dict((self.payload or {}).get("fields", {}))

    @property
    def contact(self) -> str | None:
        """Return the source id of the contact this record hangs on."""
        return (self.payload or {}).get("contact")


def row_from(mapping: Mapping[Any, Any]) -> Row:
    """Return a row of the table as a Row."""
    return Row(
        ref=mapping["ref"],
        object=mapping["object"],
        source_id=mapping["source_id"],
        stream=mapping["stream"],
        status=mapping["status"],
        version=mapping["version"],
        hl_id=mapping["hl_id"],
        parent_id=mapping["parent_id"],
        origin=mapping["origin"],
        reason=mapping["reason"],
        payload=_loaded(mapping["payload"], None),
        written=_loaded(mapping["written"], {}),
        notes=_loaded(mapping["notes"], {}),
        intent=_loaded(mapping["intent"], None),
        digest=mapping["digest"],
        created_run=mapping["created_run"],
        outcome=mapping["outcome"],
        outcome_run=mapping["outcome_run"],
        listed=mapping["listed"],
        created_here=_is_fresh(mapping),
    )


def _is_fresh(mapping: Mapping[Any, Any]) -> bool:
    """Return whether a create was found to have happened, and the run ended before that could be settled."""
    waits = mapping["hl_id"] and mapping["created_run"] and not mapping["written"]
    return bool(waits) and not _loaded(mapping["notes"], {}).get("rebuilt")


def _loaded(text: str | None, default: Any) -> Any:
    return json.loads(text) if text else default
