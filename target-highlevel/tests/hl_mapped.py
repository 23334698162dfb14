"""Mapped messages by hand: the schemas are the mapper's own, the records say only what a test is about."""

from __future__ import annotations

import json
from typing import Any

from cliniko_to_highlevel.core import MessageMapper


def schemas(*cliniko_streams: str) -> list[str]:
    """Return the SCHEMA lines of everything that these streams of Cliniko feed."""
    mapper = MessageMapper()
    return [
        json.dumps(message)
        for stream in cliniko_streams
        for message in mapper.schema({"type": "SCHEMA", "stream": stream})
    ]


def record(stream: str, source_id: str, **fields: Any) -> str:
    """Return one RECORD line."""
    return json.dumps({"type": "RECORD", "stream": stream, "record": {"source_id": source_id, **fields}})


def person(source_id: str, first: str, last: str, **fields: Any) -> str:
    """Return the RECORD line of a contact, with its id in the field of identity."""
    own = {"firstName": first, "lastName": last, "source_system_id": source_id, "tags": ["patient"]}
    return record("hl_contacts", source_id, **{**own, **fields})


def state(mark: str) -> str:
    """Return one STATE line."""
    return json.dumps({"type": "STATE", "value": {"mark": mark}})
