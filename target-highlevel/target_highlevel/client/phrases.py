"""Turns error bodies into findings that are safe to show: codes, fixed phrases, names of properties."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Findings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

# What the messages are known to say (API description and public issues), and the phrase in their place.
_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, phrase)
    for pattern, code, phrase in (
        (
            r"does not allow duplicated contacts",
            "duplicate_contact",
            "the e-mail or phone belongs to another contact",
        ),
        (r"duplicate relation", "duplicate_relation", "the relation exists already"),
        (r"object labels can ?not be same", "labels_equal", "the two labels of an association must differ"),
        (r"not authorized for this scope", "missing_scope", "the token lacks a scope"),
        (
            r"not accessible from this token|does not have access to this location",
            "foreign_location",
            "the token does not belong to this location",
        ),
        (r"invalid jwt|access token is invalid|token.*expired", "invalid_token", "the token is not valid"),
        (r"slot you have selected is no longer available", "slot_unavailable", "the slot is not available"),
        (r"too many requests", "too_many_requests", "too many requests"),
        (
            r"already exists|must be unique|unique constraint|duplicate",
            "already_exists",
            "a unique value exists already",
        ),
        (
            r"(at least one of|either) .*(e-?mail|phone|number)|(e-?mail|phone) (or|and) .*(required|missing|empty)",
            "address_required",
            "an e-mail or a phone must be given",
        ),
        (r"not found|does not exist|no .* found", "not_found", "not found"),
        (
            r"limit (is |has been )?(reached|exceeded)|exceeds? .*limit|max(imum)? .*(reached|exceeded|allowed|\d)",
            "limit_reached",
            "a limit of HighLevel is reached",
        ),
        (
            r"(up to|more than|at most) [\d,]+",  # what a full label answers nobody has seen (section 11)
            "limit_reached",
            "a limit of HighLevel is reached",
        ),
    )
)

# `<property> <constraint>` as validators write it, reduced to its kind: the constraint may quote the value.
_CONSTRAINTS: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, phrase)
    for pattern, code, phrase in (
        (r"^property (?P<name>\S+) should not exist", "unknown_property", "is not accepted here"),
        (
            r"^(?P<name>\S+) (should not be (empty|null)|is required|must not be empty|is missing)",
            "missing_property",
            "must be given",
        ),
        (
            r"^(each value in )?(?P<name>\S+) must be (shorter|longer)",
            "invalid_length",
            "has the wrong length",
        ),
        (
            r"^(each value in )?(?P<name>\S+) must (be one of|match one of)",
            "invalid_choice",
            "is none of the choices",
        ),
        (
            r"^(each value in )?(?P<name>\S+) (must|should|has to|is not|is invalid|contains)",
            "invalid_property",
            "is not valid",
        ),
    )
)

_BY_STATUS = {
    400: "bad_request",
    404: "not_found",
    409: "conflict",
    413: "too_large",
    415: "unsupported_type",
    422: "not_processable",
}

# Properties that may be missing from what we sent, so that the name alone tells nothing about anybody.
_PUBLIC_NAMES = frozenset(
    {
        "address1",
        "appointmentStatus",
        "assignedTo",
        "assignedUserId",
        "associationId",
        "body",
        "calendarId",
        "city",
        "companyId",
        "completed",
        "contactId",
        "country",
        "customFields",
        "dataType",
        "dateOfBirth",
        "dnd",
        "dndSettings",
        "dueDate",
        "email",
        "endTime",
        "fieldKey",
        "filters",
        "firstName",
        "firstRecordId",
        "gender",
        "id",
        "key",
        "labels",
        "lastName",
        "limit",
        "locationId",
        "model",
        "name",
        "objectKey",
        "options",
        "owners",
        "page",
        "pageLimit",
        "parentId",
        "phone",
        "picklistOptions",
        "postalCode",
        "properties",
        "query",
        "schemaKey",
        "searchAfter",
        "secondRecordId",
        "showInForms",
        "skip",
        "source",
        "startTime",
        "state",
        "tags",
        "timezone",
        "title",
        "toNotify",
        "userId",
        "website",
    },
)

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def findings_of(status: int, body: Any, sent: Iterable[str] = ()) -> Findings:
    """What an error body says, without anything that could be about a person.

    Args:
        status: the status of the answer
        body: the parsed body
        sent: names of the properties we sent; only these and public ones are repeated
    """
    fields = body if isinstance(body, dict) else {}
    names = _PUBLIC_NAMES | frozenset(sent)
    reduced = [_reduce(text, names) for text in _texts(fields)]
    meta = fields.get("meta")
    meta = meta if isinstance(meta, dict) else {}
    return Findings(
        code=next((code for code, _, _ in reduced if code), _BY_STATUS.get(status, f"http_{status}")),
        messages=tuple(phrase for _, phrase, _ in reduced),
        properties=tuple(dict.fromkeys(name for _, _, name in reduced if name)),
        contact_id=_identifier(meta.get("contactId")),
        matching_field=_identifier(meta.get("matchingField")),
        existing_id=_identifier(meta.get("existingId")),
        trace_id=_identifier(fields.get("traceId")),
    )


def property_names(payload: Any) -> Iterator[str]:
    """Every property name in a payload, at any depth."""
    if isinstance(payload, dict):
        yield from payload
        for value in payload.values():
            yield from property_names(value)
    elif isinstance(payload, list | tuple):
        for value in payload:
            yield from property_names(value)


def _texts(fields: dict[str, Any]) -> Iterator[str]:
    """The messages of a body: a string, or an array of strings (422); sometimes a code besides."""
    message = fields.get("message")
    for text in message if isinstance(message, list) else [message]:
        if isinstance(text, str):
            yield text
    code = fields.get("code")
    if isinstance(code, str) and not isinstance(message, str | list):
        yield code


def _reduce(text: str, names: frozenset[str]) -> tuple[str, str, str]:
    """Code, phrase and property of one message; only the code's absence says that it was not understood."""
    for pattern, code, phrase in _CONSTRAINTS:
        if found := pattern.search(text):
            name = _shown(found["name"], names)
            return code, f"{name or 'a property'} {phrase}", name
    for pattern, code, phrase in _KNOWN:
        if pattern.search(text):
            return code, phrase, ""
    return "", f"a message we do not know ({len(text)} characters)", ""


def _shown(name: str, names: frozenset[str]) -> str:
    """The property's name if every part of it is one we know, else nothing: it might be a value."""
    parts = name.strip("'\"`,:").split(".")
    return ".".join(parts) if all(part in names or part.isdigit() for part in parts) else ""


def _identifier(value: Any) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None
