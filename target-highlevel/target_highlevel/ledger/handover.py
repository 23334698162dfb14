"""What a handover tells of the ledger: counts without doings of our own, what is not in HighLevel, and where to look for it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import sqlalchemy as sa

from target_highlevel.ledger.bulk import BESIDE
from target_highlevel.ledger.counts import (
    FURTHER_PART,
    PART,
    ObjectCount,
    standing_records,
    unsettled_records,
)
from target_highlevel.ledger.partials import LEFT_OUT_ALONG, OTHER_SUB_ACCOUNT
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.tables import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.ledger.counts import Unsettled
    from target_highlevel.ledger.ledger import Ledger

#: A link or a part of a text that Cliniko gave up since: nothing is missing.
_GIVEN_UP = "no_longer_wanted"
#: Reasons that are doings of our own: another sub-account, where the record is, lists it itself.
_OURS = frozenset({BESIDE, _GIVEN_UP, OTHER_SUB_ACCOUNT})
_AT_ONCE = 1000


def is_missed(item: Unsettled) -> bool:
    """Return whether somebody might miss a record that is not in HighLevel.

    An attendance is there as its appointment, a practitioner without a user as a contact (unless refused), a patient of another
    location in its sub-account, a link that Cliniko gave up is not wanted, and of a long note left out it is enough to know once:
    the ledger counts them, a clinic does not.
    """
    further = item.outcome == "filtered" and item.object == "note" and PART in item.source_id
    without_user = item.outcome == "filtered" and item.object == "user"
    return item.reason not in _OURS and not without_user and not further


def missed_records(ledger: Ledger) -> Iterator[Unsettled]:
    """Yield every record that is not in HighLevel, or not as it should be, and that somebody might miss."""
    return (item for item in unsettled_records(ledger, None) if is_missed(item))


def clinic_counts(ledger: Ledger) -> list[ObjectCount]:
    """Return where every record stands, as a clinic counts: a long note once, whatever stands beside another not at all."""
    parts = further_parts(ledger)
    found = []
    for item in standing_records(ledger):
        filtered = item.reasons.get("filtered") or Counter[str]()
        apart = filtered.total() if item.object == "user" else sum(filtered[code] for code in _OURS)
        further = parts.get((item.object, item.resource, Status.DONE.value), 0)
        left_out = parts.get((item.object, item.resource, Status.FILTERED.value), 0)
        item.filtered -= apart + left_out
        item.unchanged -= further
        item.source -= apart + left_out + further
        found.append(item)
    return [item for item in found if item.source]


def further_parts(ledger: Ledger) -> dict[tuple[str, str, str], int]:
    """Return how many records are only the further parts of a long text, by object, resource and where they stand.

    What waits for a patient who is left out counts as left out itself.
    """
    status = sa.case(
        (record.c.reason.in_(LEFT_OUT_ALONG), Status.FILTERED.value), else_=record.c.status
    ).label("standing")
    groups = (record.c.object, record.c.resource, status)
    query = (
        sa.select(*groups, sa.func.count())
        .where(
            record.c.location == ledger.location,
            FURTHER_PART,
            (status == Status.DONE.value)
            | ((status == Status.FILTERED.value) & record.c.reason.not_in(_OURS)),
        )
        .group_by(*groups)
    )
    with ledger.transaction() as connection:
        return {
            (object_, resource, status): number
            for object_, resource, status, number in connection.execute(query)
        }


def unusable_addresses(ledger: Ledger) -> Iterator[tuple[str, str]]:
    """Yield (source id, field) of every contact whose e-mail or phone is none, by the tag that says so."""
    query = (
        sa.select(record.c.source_id, record.c.notes)
        .where(
            record.c.location == ledger.location,
            record.c.object == "contact",
            record.c.hl_id.is_not(None),
            record.c.notes.contains('"invalid-'),
        )
        .order_by(record.c.source_id)
    )
    with ledger.transaction() as connection:
        for source_id, notes in connection.execute(query):
            tags = json.loads(notes).get("tags", ())
            yield from ((source_id, name) for name in ("email", "phone") if f"invalid-{name}" in tags)


class Whereabouts:
    """Which contact of HighLevel a record hangs on: that is where somebody looks for it."""

    def __init__(self, ledger: Ledger) -> None:
        """Read which contacts there are, and what is related to them."""
        here = record.c.location == ledger.location
        contacts = sa.select(record.c.source_id, record.c.hl_id).where(
            here, record.c.object == "contact", record.c.hl_id.is_not(None)
        )
        links = sa.select(record.c.origin, record.c.source_id).where(
            here, record.c.object == "relation", record.c.origin.is_not(None)
        )
        hanging = sa.select(record.c.ref, record.c.parent_id).where(here, record.c.parent_id.is_not(None))
        related = sa.select(record.c.ref, record.c.payload).where(
            here, record.c.payload.contains('"relations":[['), record.c.hl_id.is_(None)
        )
        items = sa.select(record.c.ref, record.c.money).where(here, record.c.money.contains('"of":'))
        self._ids: dict[str, str] = {}
        self._on: dict[str, str] = {}
        self._parents: dict[str, str] = {}
        self._of: dict[str, str] = {}
        with ledger.transaction() as connection:
            for source_id, hl_id in connection.execute(contacts.execution_options(yield_per=_AT_ONCE)):
                self._ids[source_id] = hl_id
            for origin, link in connection.execute(links.execution_options(yield_per=_AT_ONCE)):
                ends = [
                    end.removeprefix("contact:") for end in link.split("|")[1:] if end.startswith("contact:")
                ]
                if ends and not origin.startswith("contact:"):
                    self._on.setdefault(origin, ends[0])
            for ref, parent in connection.execute(hanging.execution_options(yield_per=_AT_ONCE)):
                self._parents[ref] = parent
            for ref, payload in connection.execute(related):
                ends = [
                    end.removeprefix("contact:")
                    for _, end in json.loads(payload)["relations"]
                    if end.startswith("contact:")
                ]
                self._on |= {ref: ends[0]} if ends else {}
            for ref, money in connection.execute(items.execution_options(yield_per=_AT_ONCE)):
                self._of[ref] = json.loads(money)["of"]

    def contact(self, object_: str, source_id: str, named: str = "") -> str:
        """Return the HighLevel id of the contact of a record, or nothing where there is none.

        Args:
            object_: kind of object.
            source_id: the record.
            named: source id of the contact it hangs on, where that is known.
        """
        ref = f"{object_}:{source_id}"
        if ref in self._parents:
            return self._parents[ref]
        ends = [
            end.removeprefix("contact:") for end in source_id.split("|")[1:] if end.startswith("contact:")
        ]
        on = (
            named
            or self._on.get(ref)
            or self._on.get(self._of.get(ref, ""))
            or (ends[0] if ends else source_id)
        )
        return self._ids.get(on, "")
