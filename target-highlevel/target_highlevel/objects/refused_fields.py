"""Which field a refusal is about, where the record can do without it: what HighLevel does not take never costs the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.fields import is_empty, kind_of
from target_highlevel.http.error_messages import UNEXPLAINED
from target_highlevel.texts import utf16_length

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.errors import Refused

#: Without these a record would be nobody's, or nobody would know it.
_NEEDED = frozenset({"source_system_id", "firstName", "lastName", "tags", "owner"})
#: What the API calls the addresses of a contact.
_ADDRESSES = ("email", "phone")
#: Refusals of a text for its length; a limit may be one of something else, unless the refusal names the text.
_OF_LENGTH = frozenset({"invalid_length", "too_large"})
_OF_NAMED_LENGTH = _OF_LENGTH | {"limit_reached"}
#: How long a text is tried where a refusal names no number, and the smallest number that can be a limit.
_LENGTHS = (20_000, 5_000, 2_000, 1_000, 500, 255, 100)
_SHORTEST = 20
#: Refusals of a value, which may leave open of which.
OF_SOME_VALUE = UNEXPLAINED | {"invalid_choice", "invalid_property"}


def refused_field(
    refused: Refused, spec: StreamSpec, fields: Mapping[str, Any], custom_ids: Iterable[str] = ()
) -> str | None:
    """Return our name of the field that a refusal names, if a value was sent and the record can do without it.

    Args:
        refused: the refusal; it names properties as the body has them, or by their key.
        spec: the stream of the record.
        fields: what was sent, by our names.
        custom_ids: our names of a contact's custom fields in the order of the body, where they go by number.
    """
    named = named_fields(refused, spec.by_api_name, fields, custom_ids)
    return next(
        (name for name in named if name in spec.fields and name not in _NEEDED | {spec.primary}), None
    )


def names_nothing(refused: Refused, named: Iterable[str]) -> bool:
    """Return whether a refusal is about some value, and nobody understands which.

    Args:
        refused: the refusal.
        named: our names of the fields that it names, of those that were sent.
    """
    return refused.code in OF_SOME_VALUE and not any(named)


def leaner(spec: StreamSpec, fields: Mapping[str, Any]) -> Iterator[set[str]]:
    """Yield what to leave out of a create, one attempt after the other, where a refusal names no field.

    One address after the other; else everything but the addresses, group by group; else both.
    """
    standard = {
        declared.api_name: name for name, declared in spec.fields.items() if declared.kind == "standard"
    }
    addresses = [standard[api] for api in _ADDRESSES if not is_empty(fields.get(standard.get(api, "")))]
    fewer = [set(addresses[:number]) for number in range(1, len(addresses) + 1)]
    groups = spared(spec, fields)
    yield from [*fewer, *groups, *(some | groups[-1] for some in fewer)]


def spared(spec: StreamSpec, fields: Mapping[str, Any]) -> list[set[str]]:
    """Return what a record can go without beside its addresses, in groups that grow: its choices, its custom fields, all.

    A patient's *no* and an owner always go along.
    """
    spare = {
        name: kind_of(spec.field(name))
        for name, value in fields.items()
        if name in spec.fields and name not in _NEEDED | {spec.primary} and not is_empty(value)
    }
    spare = {
        name: kind
        for name, kind in spare.items()
        if not (kind.is_channel or kind.of_record or kind.declared.api_name in _ADDRESSES)
    }
    choices = {name for name, kind in spare.items() if kind.options_in(fields[name])}
    return [choices, choices | {name for name, kind in spare.items() if kind.declared.is_custom}, set(spare)]


def named_fields(
    refused: Refused, by_api: Mapping[str, str], fields: Mapping[str, Any], custom_ids: Iterable[str] = ()
) -> Iterator[str]:
    """Yield our names of the fields that a refusal names, of those that were sent with a value."""
    by_number = list(custom_ids)
    for path in refused.properties:
        parts = path.split(".")
        number = next((int(part) for part in parts if part.isdigit()), None)
        if number is not None and parts[0] == "customFields":
            candidates = by_number[number : number + 1]
        else:
            candidates = [by_api.get(part, part) for part in parts]
        yield from (name for name in candidates if fields.get(name) not in (None, "", []))


def too_long(refused: Refused, texts: Mapping[str, str], named: Iterable[str]) -> tuple[str, int] | None:
    """Return which text a refusal finds too long, and how long it may be: less than it is; none where it is about no text.

    Args:
        refused: the refusal.
        texts: the texts that were sent and can be cut, by our names.
        named: our names of the fields that the refusal names.
    """
    fields = list(named)
    if refused.code not in (_OF_NAMED_LENGTH if fields else _OF_LENGTH):
        return None
    meant = [name for name in fields if name in texts] if fields else list(texts)
    name = max(meant, key=lambda one: len(texts[one]), default=None)
    if name is None:
        return None
    length = utf16_length(texts[name])
    told = [number for number in refused.findings.numbers if _SHORTEST <= number < length]
    longest = max(told, default=0) or next((number for number in _LENGTHS if number < length), 0)
    return (name, longest) if longest else None
