"""Measures relations, between two contacts of the probe's own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.api import endpoints
from target_highlevel.api.answers import rows
from target_highlevel.probe.asking import NO_ANSWER
from target_highlevel.probe.belongings import ASSOCIATION

if TYPE_CHECKING:
    from target_highlevel.probe.own import Own

_QUESTIONS = ("relation_again", "relations_outlive_ends", "relations_of_missing")


def measure(own: Own) -> None:
    """Relate two contacts twice, delete one, and look at what is left."""
    at = own.asker.location
    body = {
        "locationId": at,
        "key": ASSOCIATION,
        "firstObjectKey": "contact",
        "firstObjectLabel": "Probed",
        "secondObjectKey": "contact",
        "secondObjectLabel": "Probed with",
    }
    made = own.ask(endpoints.CREATE_ASSOCIATION, json=body)
    association = made.identity("association")
    other = own.make_contact().identity("contact") if association else ""
    if not other:
        for name in _QUESTIONS:
            own.found.unknown(name, f"nothing could be related: {made.told()}")
        return
    pair = {
        "locationId": at,
        "associationId": association,
        "firstRecordId": own.contact,
        "secondRecordId": other,
    }
    first = own.ask(endpoints.CREATE_RELATION, json=pair)
    if first.ok:
        _again(own, pair)
    else:
        own.found.unknown("relation_again", f"the first was not made: {first.told()}")
    gone = own.ask(endpoints.DELETE_CONTACT, other)
    if not (first.ok and gone.ok):
        for name in ("relations_outlive_ends", "relations_of_missing"):
            own.found.unknown(name, f"no related contact was deleted: {gone.told()}")
        return
    page = {"locationId": at, "skip": 0, "limit": 10}
    left = own.ask(endpoints.LIST_RELATIONS, own.contact, params=page)
    try:
        number = len(rows(left.given(), endpoints.LIST_RELATIONS, "relations"))
    except NO_ANSWER:
        own.found.unknown("relations_outlive_ends", f"{left.told()}; no list of relations")
    else:
        answer = "kept" if number else "removed"
        own.found.answer("relations_outlive_ends", answer, f"{number} relations were listed at the other end")
    missing = own.ask(endpoints.LIST_RELATIONS, other, params=page)
    if missing.ok or missing.refused:
        answer = "empty" if missing.ok else "refused"
        own.found.answer("relations_of_missing", answer, missing.told())
    else:
        own.found.unknown("relations_of_missing", missing.told())


def _again(own: Own, pair: dict[str, str]) -> None:
    said = own.ask(endpoints.CREATE_RELATION, json=pair)
    if said.ok:
        own.found.answer("relation_again", "same", "accepted a second time")
    elif said.refused:
        own.found.answer("relation_again", "refused", said.told())
    else:
        own.found.unknown("relation_again", said.told())
