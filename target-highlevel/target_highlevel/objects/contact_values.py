"""A contact's fields in our shape and in HighLevel's; each kind of field (``fields``) knows its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.fields import ContactAnswer, ContactBody, is_empty, kind_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.fields.base import Users
    from target_highlevel.setup.catalogue import Catalogue

__all__ = ["decode", "encode", "filled_in", "prepare"]


def prepare(spec: StreamSpec, fields: Mapping[str, Any], user: Users) -> dict[str, Any]:
    """Return the wanted fields as ``decode`` would return them."""
    kinds = ((name, kind_of(declared)) for name, declared in spec.fields.items())
    return {
        name: kind.wanted(fields.get(name), user)
        for name, kind in kinds
        if kind.written and (kind.always_wanted or name in fields)
    }


def encode(
    spec: StreamSpec,
    fields: Mapping[str, Any],
    catalogue: Catalogue,
    *,
    current: Mapping[str, Any] | None = None,
    ours: Iterable[str] = (),
) -> dict[str, Any]:
    """Return the body of a create (``current`` is None) or of an update."""
    body = ContactBody(catalogue, current, ours)
    for name, value in fields.items():
        if name in spec.fields:
            kind_of(spec.fields[name]).put(body, value)
    return body.json()


def filled_in(spec: StreamSpec, sent: Mapping[str, Any], there: Mapping[str, Any]) -> dict[str, Any]:
    """Return what HighLevel has filled in by itself in a contact that came without it."""
    return {
        name: there[name]
        for name, declared in spec.fields.items()
        if kind_of(declared).filled_in and is_empty(sent.get(name)) and not is_empty(there.get(name))
    }


def decode(spec: StreamSpec, contact: Mapping[str, Any], catalogue: Catalogue) -> dict[str, Any]:
    """Return a contact of the API in our shape; ``_dnd`` keeps the settings of every channel."""
    answer = ContactAnswer(contact, catalogue)
    fields: dict[str, Any] = {"_dnd": contact.get("dndSettings") or {}}
    for declared in spec.fields.values():
        fields |= kind_of(declared).take(answer)
    return fields
