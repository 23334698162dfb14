"""Runs of the mapping, as both hosts see it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_records import messages, record

from cliniko_to_highlevel.core import MessageMapper

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

REFERENCE = (
    "public_settings",
    "users",
    "practitioners",
    "businesses",
    "taxes",
    "billable_items",
    "products",
    "concession_types",
    "daily_availabilities",
    "services",
    "unavailable_block_types",
    "appointment_types",
    "appointment_type_billable_items",
    "appointment_type_products",
    "contacts",
    "referral_source_types",
    "group_appointments",
    "recall_types",
)


def run(lines: Iterable[dict[str, Any]], mapping: str | None = None) -> list[dict[str, Any]]:
    """Return every message that the given ones become."""
    mapper = MessageMapper(mapping)
    return [
        mapped
        for line in lines
        for mapped in (mapper.schema(line) if line["type"] == "SCHEMA" else mapper.record(line))
    ]


def mapped(
    resource: str,
    mapping: str | None = None,
    /,
    *,
    given: Mapping[str, Mapping[str, Any] | None] | None = None,
    **changes: Any,
) -> list[dict[str, Any]]:
    """Return the records that one Cliniko record becomes, with the reference records known.

    In ``given`` stands what is different about those: changed fields, or None for one that was never read.
    """
    mapper = MessageMapper(mapping)
    for name in REFERENCE:
        differs = (given or {}).get(name, {})
        if name != resource and differs is not None:
            list(mapper.record({"type": "RECORD", "stream": name, "record": record(name, **differs)}))
    outputs = mapper.record({"type": "RECORD", "stream": resource, "record": record(resource, **changes)})
    return [{"stream": line["stream"], **line["record"]} for line in outputs if line["type"] == "RECORD"]


def one(resource: str, stream: str, mapping: str | None = None, /, **changes: Any) -> dict[str, Any]:
    """Return the one record of that stream that a Cliniko record becomes."""
    (found,) = [item for item in mapped(resource, mapping, **changes) if item["stream"] == stream]
    return found


def whole_run(mapping: str | None = None, *changed: tuple[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """Return every message of a run over one record of each resource."""
    return run(messages(*changed), mapping)
