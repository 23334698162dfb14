"""A destination record as the engine works with it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from target_highlevel.payload import NOTHING, Payload
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Mapping


#: Whose an address is that another contact of ours keeps.
ANOTHER = "another_record"
#: Kinds of objects whose records keep their content: it names practitioners, no patients, and another user changes it.
DIARY = frozenset({"calendar", "schedule", "blocked_slot"})


@dataclass(frozen=True)
class Notes:
    """What the ledger knows of a written record beside its values: for later runs, and for the report."""

    #: Fields that are not there, each with the reason.
    withheld: Mapping[str, str] = field(default_factory=dict)
    #: Texts that HighLevel found too long and that were cut.
    shortened: tuple[str, ...] = ()
    #: Fields that somebody changed in HighLevel and that were left alone.
    conflicts: tuple[str, ...] = ()
    #: Channels that we have closed.
    dnd: tuple[str, ...] = ()
    #: Tags of a contact that are ours.
    tags: tuple[str, ...] = ()
    #: Of a note: ref of its author, who may get another user when its content is not kept any more.
    author: str | None = None
    #: Of a relation: association and HighLevel ids of both ends.
    link: Mapping[str, str] = field(default_factory=dict)
    #: Of a relation that was given other ends: it was there already, and no record of ours had it: a person's.
    found: bool = False
    #: What HighLevel filled in by itself when the record was created.
    filled: Mapping[str, Any] = field(default_factory=dict)
    #: What the record comes to in HighLevel, by what it is summed; None where nobody has kept it.
    money: Mapping[str, str] | None = None
    #: The same as a verification has read it back, in its working copy.
    money_read_back: Mapping[str, str] | None = None
    #: Of a record that a rollback has removed, until that is at its end: HighLevel id of the contact that it was on.
    was_on: str | None = None
    #: Found again in HighLevel: nobody knows who wrote what.
    rebuilt: bool = False
    #: Of a record that was found again: what had been written of the fields that hold something else, ``""`` where nothing was.
    otherwise: Mapping[str, str] = field(default_factory=dict)
    #: Was found again so, once: a value that Cliniko does not have may be an older one of Cliniko's.
    found_again: bool = False

    @classmethod
    def of(cls, kept: Mapping[str, Any] | None) -> Notes:
        """Return what the ledger kept; notes that only an older version took are dropped."""
        known: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in (kept or {}).items()
            if name in cls.__dataclass_fields__
        }
        return cls(**known)

    @classmethod
    def from_json(cls, text: str | None) -> Notes:
        """Return what the ledger kept."""
        return cls.of(json.loads(text) if text else None)

    def recalled(self, found: Notes) -> Notes:
        """Return the notes with what is told by the record itself, of which nobody knows any more how it was made."""
        return replace(
            self,
            tags=found.tags,
            withheld=found.withheld or self.withheld,
            filled=found.filled or self.filled,
        )

    def content(self) -> dict[str, Any]:
        """Return what the ledger keeps: whatever there is to note."""
        return {name: value for name, value in vars(self).items() if value != getattr(NO_NOTES, name)}

    def json(self) -> str | None:
        """Return it as the ledger keeps it; None where there is nothing to note."""
        return canonical_json(content) if (content := self.content()) else None


NO_NOTES = Notes()


class Status(StrEnum):
    """Where a destination record stands."""

    READY = "ready"
    HELD = "held"
    DONE = "done"
    FILTERED = "filtered"
    REJECTED = "rejected"


class Outcome(StrEnum):
    """What a run did to a destination record."""

    CREATED = "created"
    UPDATED = "updated"
    UNCHANGED = "unchanged"
    REMOVED = "removed"


@dataclass(frozen=True)
class Claim:
    """An e-mail or a phone that a contact wants, and that others may want too."""

    #: Hash of the address; none where the contact wants none any more.
    key: str | None
    #: The address, where several want it.
    value: str | None = None
    #: Ref of the contact that keeps it instead.
    keeper: str | None = None
    #: Hash of the address that was written last.
    held: str | None = None
    #: Whether others give it up to this contact.
    kept: bool = False
    #: HighLevel id of a contact that had it before we came.
    met: str | None = None


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
    payload: Payload | None = None
    written: dict[str, str] = field(default_factory=dict)
    notes: Notes = NO_NOTES
    intent: dict[str, Any] | None = None
    digest: str | None = None
    created_run: str | None = None
    outcome: str | None = None
    outcome_run: str | None = None
    listed: str = ""
    #: Made by us, and nothing of it is settled yet: what it holds nobody else wrote.
    created_here: bool = False
    #: From when on it should be another, though nobody says anything new of it.
    changes_at: str | None = None
    #: Of a contact: its addresses, by field.
    claims: dict[str, Claim] = field(default_factory=dict)
    #: Fields that had a value and were emptied, or given another one.
    cleared: set[str] = field(default_factory=set)
    #: Fields of which the text was cut to what HighLevel takes.
    shortened: set[str] = field(default_factory=set)
    #: Its place in the order of writing.
    rank: int = 0

    @property
    def gives_up(self) -> dict[str, str]:
        """Return the addresses that another contact keeps, and whose they are."""
        return {name: ANOTHER for name, claim in self.claims.items() if claim.keeper}

    def wants(self, address: str) -> bool:
        """Return whether a contact wants an e-mail or phone, as far as the ledger knows."""
        return address not in self.claims or self.claims[address].key is not None

    @property
    def content(self) -> Payload:
        """Return what is wanted of the main record; nothing when it did not change."""
        return self.payload or NOTHING

    @property
    def is_whole(self) -> bool:
        """Return whether all that the record should hold is known, not only what others say or what is left to say."""
        return self.payload is not None and not self.payload.filtered

    @property
    def may_be_there(self) -> bool:
        """Return whether what is wanted now may have been written: its write was begun, and nobody has seen the end."""
        # an intent of an earlier version does not say what was sent
        return self.intent is not None and self.intent.get("sent", self.version) == self.version

    @property
    def begun(self) -> dict[str, list[str]]:
        """Return, by field, the marks of values that may be there, because a write of them was begun and nobody saw the end."""
        return dict((self.intent or {}).get("begun") or {})

    @property
    def begun_tags(self) -> list[str]:
        """Return the tags that may be ours, because a write of them was begun and nobody saw the end."""
        return list((self.intent or {}).get("tags") or ())

    @property
    def left(self) -> dict[str, str]:
        """Return what this ledger left in HighLevel, field by field; ``written`` is what was there when it was found again."""
        return {name: kept for name, kept in {**self.written, **self.notes.otherwise}.items() if kept}

    @property
    def fields(self) -> dict[str, Any]:
        """Return the wanted fields of the main record; empty when the main record did not change."""
        return dict(self.content.fields)

    @property
    def contact(self) -> str | None:
        """Return the source id of the contact this record hangs on."""
        return self.content.contact


def row_from(mapping: Mapping[Any, Any]) -> Row:
    """Return a row of the table as a Row."""
    return Row(
        ref=mapping["ref"],
        object=mapping["object"],
        source_id=mapping["source_id"],
        stream=mapping["stream"],
        status=mapping["status"],
        version=mapping["version"],
        rank=mapping["rank"],
        hl_id=mapping["hl_id"],
        parent_id=mapping["parent_id"],
        origin=mapping["origin"],
        reason=mapping["reason"],
        payload=_payload(mapping["payload"]),
        written=_loaded(mapping["written"], {}),
        notes=Notes.from_json(mapping["notes"]),
        intent=_loaded(mapping["intent"], None),
        digest=mapping["digest"],
        created_run=mapping["created_run"],
        outcome=mapping["outcome"],
        outcome_run=mapping["outcome_run"],
        listed=mapping["listed"],
        changes_at=mapping["changes_at"],
        created_here=_is_fresh(mapping),
    )


#: Kept of a refused record of which only changed what others say, so that it can be replayed: it has no payload of its own.
OTHERS_SAY = json.dumps({"others_say": True})


def _payload(text: str | None) -> Payload | None:
    return Payload.from_json(text) if text and text != OTHERS_SAY else None


def _is_fresh(mapping: Mapping[Any, Any]) -> bool:
    """Return whether a create was found to have happened, and the run ended before that could be settled."""
    waits = mapping["hl_id"] and mapping["created_run"] and not mapping["written"]
    return bool(waits) and not Notes.from_json(mapping["notes"]).rebuilt


def _loaded(text: str | None, default: Any) -> Any:
    return json.loads(text) if text else default
