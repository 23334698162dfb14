"""From a row as Cliniko sends it to a record that fits its schema: pure, and total over all JSON."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from tap_cliniko.fields import Kind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cliniko.client import Row
    from tap_cliniko.resources import Resource


_WHOLE = re.compile(r"-?[0-9]+")
#: The last part of an address's path; a host stands behind two slashes.
_LAST_ID = re.compile(r"(?<!/)/([0-9]+)/*(?:[?#].*)?\Z", re.DOTALL)

#: The key of the settings of an account that does not tell its id: there is one record of each.
_UNKNOWN_ACCOUNT = "unknown"


def linked_id(link: Any) -> str | None:
    """Read the id at the end of a relation's link; the host, scheme and query in front of it vary."""
    links = link.get("links") if isinstance(link, dict) else None
    address = links.get("self") if isinstance(links, dict) else None
    if not isinstance(address, str):
        return None
    found = _LAST_ID.search(address)
    return found[1] if found else None


def linked_ids(links: Any) -> list[str]:
    """Read the ids of a list of links, or of a single one."""
    several = links if isinstance(links, list) else [links]
    return [found for found in map(linked_id, several) if found]


def _id(value: Any) -> Any:
    return (
        str(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else (value or None)
    )


def _text(value: Any) -> Any:
    return str(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else value


def _decimal(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, (int, float, Decimal)):
        return None if value == "" else value
    return format(Decimal(str(value)), "f")


def _whole(value: Any) -> Any:
    if isinstance(value, Decimal) and value == value.to_integral_value():
        return int(value)
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else (value or None)
    return value


def _ids(value: Any) -> Any:
    return [_id(each) for each in value] if isinstance(value, list) else (value or None)


def _blank_is_null(value: Any) -> Any:
    # old rows carry "" where a date or an object is missing
    return None if value == "" else value


_CONVERSIONS: dict[Kind, Callable[[Any], Any]] = {
    Kind.ID: _id,
    Kind.IDS: _ids,
    Kind.TEXT: _text,
    Kind.TEXTS: _blank_is_null,
    Kind.MOMENT: _blank_is_null,
    Kind.DATE: _blank_is_null,
    Kind.DECIMAL: _decimal,
    Kind.WHOLE: _whole,
    Kind.FLAG: _blank_is_null,
    Kind.OBJECT: _blank_is_null,
    Kind.OBJECTS: _blank_is_null,
    Kind.LINK: _blank_is_null,
    Kind.LINKS: _blank_is_null,
    Kind.SELF: _blank_is_null,
}


def questions(content: Any) -> Iterator[Row]:
    """Walk through the questions of a form, a note or a template."""
    sections = content.get("sections") if isinstance(content, dict) else None
    for section in sections if isinstance(sections, list) else ():
        asked = section.get("questions") if isinstance(section, dict) else None
        yield from (each for each in (asked if isinstance(asked, list) else ()) if isinstance(each, dict))


def _signature_ids(row: Row) -> Row:
    found = linked_ids(row.get("signatures"))
    found += [str(q["signature_id"]) for q in questions(row.get("content")) if q.get("signature_id")]
    return {"signature_ids": list(dict.fromkeys(found))}


def _account_id(row: Row) -> Row:
    account = row.get("account")
    found = _id(account.get("id")) if isinstance(account, dict) else None
    return {"account_id": found or _UNKNOWN_ACCOUNT}


_DERIVED: dict[str, Callable[[Row], Row]] = {
    "patient_forms": _signature_ids,
    "public_settings": _account_id,
    "settings": _account_id,
    "services": lambda row: {"practitioner_ids": linked_ids(row.get("practitioners"))},
}


class Normaliser:
    """Turns the rows of one resource into records.

    Args:
        resource: what the rows are.
        access_links: keep URLs that let their holder in without a password.
    """

    def __init__(self, resource: Resource, *, access_links: bool = False) -> None:
        """Look the conversions up once."""
        fields = resource.fields
        self._known = [(field.name, _CONVERSIONS[field.kind]) for field in fields]
        self._relations = [(field.name, field.id_name) for field in fields if field.kind is Kind.LINK]
        self._secret = [] if access_links else [field.name for field in fields if field.bearer]
        self._derive = _DERIVED.get(resource.name)

    def __call__(self, row: Row) -> Row:
        """Return a new record; unknown fields come along as they are."""
        record = dict(row)
        for name in self._secret:
            record.pop(name, None)
        for name, convert in self._known:
            value = record.get(name)
            if value is not None:
                record[name] = convert(value)
        for name, id_name in self._relations:
            record[id_name] = linked_id(row.get(name)) or _id(record.get(id_name))
        if self._derive:
            record.update(self._derive(row))
        return record
