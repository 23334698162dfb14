"""What is wanted of one record, as the ledger keeps it until it is written."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import Incoming


@dataclass(frozen=True)
class Payload:
    """A main record without what others contribute to it; the names of its JSON are those that older ledgers have."""

    fields: Mapping[str, Any] = field(default_factory=dict)
    #: Keys of facts that it shares with others, which several records contribute.
    joins: tuple[str, ...] = ()
    #: Each association with the ref of its other end.
    relations: tuple[tuple[str, str], ...] = ()
    #: Source id of the contact that it hangs on.
    contact: str | None = None
    #: Whether it is to be taken out of HighLevel.
    absent: bool = False
    #: Why it is left out; of one that is there already, these fields are written all the same.
    filtered: str | None = None
    #: Into how many records its text was cut.
    pieces: int | None = None
    #: Into how many records the target has divided it.
    parts: int | None = None
    #: Source id of the contact whose owner it has.
    owner_of: str | None = None

    @classmethod
    def from_json(cls, text: str) -> Payload:
        """Return what the ledger kept."""
        kept = json.loads(text)
        reason = kept.get("only_these")
        return cls(
            fields=kept.get("fields", {}),
            joins=tuple(kept.get("joins") or ()),
            relations=tuple((key, to) for key, to in kept.get("relations") or ()),
            contact=kept.get("contact"),
            absent=bool(kept.get("absent")),
            filtered=str(reason) if reason else None,
            pieces=kept.get("pieces"),
            parts=kept.get("parts"),
            owner_of=kept.get("owner_of"),
        )

    def json(self) -> str:
        """Return it as the ledger keeps it."""
        return canonical_json(content(self))


def content(wanted: Payload | Incoming) -> dict[str, Any]:
    """Return what the ledger keeps of a record; it is part of the digest by which the record is known to be unchanged."""
    return {
        "fields": dict(wanted.fields),
        "joins": wanted.joins,
        "relations": wanted.relations,
        "contact": wanted.contact,
        "absent": wanted.absent,
        "only_these": wanted.filtered or False,
        **({"pieces": wanted.pieces} if wanted.pieces else {}),
        **({"parts": wanted.parts} if wanted.parts else {}),
        **({"owner_of": wanted.owner_of} if wanted.owner_of else {}),
    }


#: Of a record of which only changed what others say.
NOTHING = Payload()
