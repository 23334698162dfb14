"""Turns error bodies into findings that are safe to show: codes, fixed phrases, names of properties."""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Findings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

# The words in which HighLevel says that a thing is not there; with which statuses is not known (API facts, section 11).
_GONE = re.compile(
    r"not found|does ?n[o']t exist|do not exist|no longer exists?|could not find|unable to find"
    r"|\bno (such )?\w+( \w+){0,3} (was |were )?(found|exists?)|\bno such (?!option|value|choice)|no longer available"
    r"|(has been|have been|was|is|already) deleted|\bid\b( \w+)? is (invalid|not valid)|invalid (\w+ )?id\b",
    re.IGNORECASE,
)
_INVALID_ID = re.compile(r"(?-i:\w*I|\bi)d\b.*\b(invalid|not (a )?valid|must be)", re.IGNORECASE)
# What a server of this kind says of an address it does not know, whatever was asked for there.
_NO_ROUTE = re.compile(r"^cannot (get|post|put|patch|delete) /", re.IGNORECASE)

# An address in words that do not begin with its property.
_ADDRESSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), name)
    for name, pattern in (
        (
            "email",
            (
                r"(invalid|malformed|not a valid) e-?mail|e-?mail( address| id)? (is |format |must be )*(an? )?(in|not )valid"
                r"|^(?=.*\be-?mail)(?=.*(deliver|domain|could not be verified|disposable|bounced|reject|wrong|malformed))"
            ),
        ),
        (
            "phone",
            (
                r"(invalid|not a valid) ((phone|mobile|contact)( number)?|country calling code)\b"
                r"|(phone|mobile)( number)? (is |format |must be )*(an? )?(in|not )valid|seem to be a phone number"
                r"|^(?=.*\b(phone|mobile))(?=.*(invalid|not valid|reject|too short|wrong|malformed))"
            ),
        ),
    )
)

# What only a sentence about the length of a text says.
_TOO_LONG = r"\btoo long\b|\d characters?\b|max(imum)? length|\b(shorter|longer) than\b"
_IS_LONG = (
    r"(^|\s)(?P<name>\S+)( text| value| length)? (exceeds|is too (large|short)|is (larger|shorter) than"
    rf"|(is|must|should|can|cannot|can't|may|has)\b.*({_TOO_LONG}))"
)
_LONGEST_OF = r"max(imum)? length (of|for)( the)?( field| property)? (?P<name>[^\s:;,]+)"

# That something is taken: said in words that else say that it is not valid, or not there.
_TAKEN: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, phrase)
    for pattern, code, phrase in (
        (
            (
                r"does not allow duplicated contacts|duplicate_contact|duplicated? contact"
                r"|^(?=.*\b(contact|e-?mail|phone))(?=.*(already (exists?|in use|used|taken|registered)|same (e-?mail|phone)))"
            ),
            "duplicate_contact",
            "the e-mail or phone belongs to another contact",
        ),
        (r"slot you have selected is no longer available", "slot_unavailable", "the slot is not available"),
    )
)

# A user to whom nothing can be given, in whatever words: that one is not there says nothing of what was to be theirs.
_USER = re.compile(
    r"\W*(?:(?:the|this|such|no|given|selected|invalid|unknown|could not find|assigned(?! ?to)) )*"
    r"(?:user ?(?:id)?|assigned(?: ?to| user id)|assigneduserid|assignee|team ?member)\b"
    r".*(?:invalid|\bnot\b|n't\b|deleted|inactive|disabled|no longer|must be|should be)"
    r"|\W*(?:invalid|unknown|no such|could not find(?: the)?) (?:assigned )?(?:user ?(?:id)?|assignee|team ?member)\b",
    re.IGNORECASE,
)
#: What a body calls the user that something is given to.
_USERS = ("assignedTo", "assignedUserId", "userId")

# What a file is refused for; it names no property.
_FILES: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, phrase)
    for pattern, code, phrase in (
        (
            r"\bfile[ -]?size\b|\bfile('s)?\b( \w+)? (too (large|big)|larger than|exceeds)|\btoo (large|big) (a )?file",
            "file_too_large",
            "the file is too large",
        ),
        (
            r"\b(file|mime)[ -]?(types?|formats?|extensions?)\b|\b(type|format|extension) of (the |this )?file\b",
            "file_type_refused",
            "files of this type are not accepted",
        ),
    )
)

# What is looked for before all else, in this order: each has words that the next ones have too.
_FIRST: tuple[tuple[re.Pattern[str], str, str, str], ...] = (
    (_NO_ROUTE, "no_such_route", "there is no such route", ""),
    *((pattern, code, phrase, "") for pattern, code, phrase in (*_FILES, *_TAKEN)),
    *((pattern, "invalid_property", f"{name} is not valid", name) for pattern, name in _ADDRESSES),
    (_GONE, "not_found", "not found", ""),
)

# What the messages are known to say (API description and public issues), and the phrase in their place.
_KNOWN: tuple[tuple[re.Pattern[str], str, str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), code, phrase)
    for pattern, code, phrase in (
        (r"duplicate relation", "duplicate_relation", "the relation exists already"),
        (r"object labels can ?not be same", "labels_equal", "the two labels of an association must differ"),
        (r"not authorized for this scope", "missing_scope", "the token lacks a scope"),
        (
            r"not accessible from this token|does not have access to this location",
            "foreign_location",
            "the token does not belong to this location",
        ),
        (r"invalid jwt|access token is invalid|token.*expired", "invalid_token", "the token is not valid"),
        (r"opportunity_no_duplicate", "opportunity_there", "the contact has an opportunity there"),
        (r"too many requests", "too_many_requests", "too many requests"),
        (_TOO_LONG, "invalid_length", "a text has the wrong length"),
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
        (_LONGEST_OF, "invalid_length", "has the wrong length"),
        (_IS_LONG, "invalid_length", "has the wrong length"),
        (
            r"(invalid|unknown|no such) (option|value|choice)s?\b.*\b(for|of|in)( the)?( custom)?( field)? (?P<name>[^\s:;,]+)",
            "invalid_choice",
            "is none of the choices",
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
    410: "not_found",
    409: "conflict",
    413: "too_large",
    415: "unsupported_type",
    422: "not_processable",
}

#: Refusals that say no reason which anybody understands: whether something was made all the same is not known either.
UNEXPLAINED = frozenset(_BY_STATUS[status] for status in (400, 409, 422))

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
        "fieldValue",
        "field_value",
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
        "value",
        "website",
    },
)

#: Keys of our own custom fields: a message may name one that is not in the body, where fields have ids.
_OUR_KEYS = re.compile(r"cliniko_[a-z0-9_]+|source_system_id")

#: What stands before the name of a custom object's property.
_OF_OBJECT = re.compile(r"^custom_objects\.\w+\.")

#: What things are in: that it is not there says nothing of the thing itself.
_AROUND = ("location", "locationid", "company", "companyid", "token", "user", "userid", "assignedto")
#: What a sentence is about stands first in it.
_SUBJECT = re.compile(r"\W*(?:(?:the|this|your|no|such|given|invalid|unknown|could not find) )*(\w+)")

#: The part of a path before an id -> what a message may call the thing with that id.
_NOUNS = {
    "appointments": ("appointment", "event"),
    "contacts": ("contact",),
    "customFields": ("field",),
    "events": ("event", "appointment"),
    "notes": ("note",),
    "records": ("record", "object"),
    "relations": ("relation",),
    "tasks": ("task",),
}

#: Words that refuse a value, and names of fields that no sentence has for another reason.
_REFUSES = re.compile(
    r"invalid|not (a )?(valid|allowed|accepted|supported)|must be|malformed|wrong|unsupported|too short"
    r"|no such (option|value|choice)|\bnot (one of|among)",
    re.IGNORECASE,
)
_SPEAKING = frozenset(
    {
        "address1",
        "city",
        "companyName",
        "country",
        "dateOfBirth",
        "email",
        "gender",
        "phone",
        "postalCode",
        "timezone",
        "website",
    }
)
_WORD = re.compile(r"[A-Za-z][\w.]*\w")

#: Of these refusals the numbers tell how long a text may be.
_ABOUT_LENGTH = frozenset({"invalid_length", "limit_reached", "too_large"})
_NUMBER = re.compile(r"\d+(?:[ ,.\u00a0]\d{3})*(?![\w-])")

#: Nobody says more than this of one thing; what is longer would cost time only.
_LONGEST = 1000
#: Where the words of an error stand, and those that say more beside a message.
_DETAILED = ("errors", "details")
_SAYING = (
    "code",
    "msg",
    "error",
    "detail",
    "description",
    "reason",
    "constraints",
    "message",
    "messages",
    *_DETAILED,
)
#: What names the property that a part of an error is about.
_ABOUT = ("property", "field", "path", "param")
#: Parts of an error in which identifiers stand, and what each is called.
_FACTS_IN = ("meta", "data", "error")
_FACTS = {
    "existingContactId": "contactId",
    "contactId": "contactId",
    "field": "matchingField",
    "matchingField": "matchingField",
    "existingId": "existingId",
}

_IDENTIFIER = re.compile(r"[A-Za-z0-9_-]{1,64}")


def findings_of(status: int, body: Any, sent: Collection[str] = ()) -> Findings:
    """What an error body says, without anything that could be about a person.

    Args:
        status: the status of the answer
        body: the parsed body
        sent: names of the properties we sent; only these and public ones are repeated
    """
    fields = body if isinstance(body, dict) else {}
    names = _PUBLIC_NAMES | frozenset(sent)
    about_the_token = status in {401, 403}
    user = "" if about_the_token else next((name for name in _USERS if name in sent), "")
    reduced = [_reduce(text, names, user) for text in texts_of(fields)]
    meta = _facts(fields)
    return Findings(
        code=next((code for code, _, _ in reduced if code), _BY_STATUS.get(status, f"http_{status}")),
        messages=tuple(phrase for _, phrase, _ in reduced),
        properties=tuple(dict.fromkeys(name for _, _, name in reduced if name)),
        contact_id=_identifier(meta.get("contactId")),
        matching_field=_identifier(meta.get("matchingField")),
        existing_id=_identifier(meta.get("existingId")),
        trace_id=_identifier(fields.get("traceId")),
        numbers=tuple(_numbers(texts_of(fields)))
        if any(code in _ABOUT_LENGTH for code, _, _ in reduced)
        else (),
    )


def names_the_thing_itself(body: Any, path: str) -> bool:
    """Return whether an error says that what the path leads to is not there, and not something the body refers to.

    Args:
        body: the parsed body of the error
        path: what was asked for, ids filled in
    """
    parent, _, own_id = path.strip("/").rpartition("/")
    nouns = _NOUNS.get(parent.rpartition("/")[2], ())
    told = [text for text in texts_of(body) if _GONE.search(text)]
    return any(own_id in text or any(noun in text.casefold() for noun in nouns) for text in told)


def says_gone(body: Any, sent: Iterable[str], path: str) -> bool:
    """Return whether an error says that what the path leads to is not there, or that its id is none.

    Args:
        body: the parsed body of the error
        sent: names of what was sent along: an error about one of those says nothing of the thing itself
        path: what was asked for, ids filled in
    """
    others = {name.casefold() for name in sent if name.casefold().endswith("id")}
    return any(_subject(text) not in others | _around(path) for text in _saying_gone(body))


def says_only_others_are_gone(body: Any, path: str) -> bool:
    """Return whether an error says that something is not there, and that this is what the thing itself would be in."""
    told = [_subject(text) for text in _saying_gone(body)]
    return bool(told) and _around(path).issuperset(told)


def _saying_gone(body: Any) -> Iterator[str]:
    return (text for text in texts_of(body) if _GONE.search(text) or _INVALID_ID.search(text))


def _subject(text: str) -> str:
    found = _SUBJECT.match(text.casefold())
    return found[1] if found else ""


def _around(path: str) -> set[str]:
    return set() if path.strip("/").startswith("locations/") else set(_AROUND)


def is_about_the_route(body: Any) -> bool:
    """Return whether an error says that there is no such route, which tells nothing of any thing."""
    return any(_NO_ROUTE.search(text) for text in texts_of(body))


def property_names(payload: Any) -> Iterator[str]:
    """Every property name in a payload, at any depth."""
    if isinstance(payload, dict):
        yield from payload
        for value in payload.values():
            yield from property_names(value)
    elif isinstance(payload, list | tuple):
        for value in payload:
            yield from property_names(value)


def texts_of(body: Any) -> Iterator[str]:
    """The messages of a body: a string, or an array of strings (422); in other shapes, whatever texts an error is made of."""
    fields = body if isinstance(body, dict) else {}
    message = fields.get("message")
    if isinstance(message, str | list):
        yield from _texts(message)
    said = [
        name
        for name in _SAYING
        if name in fields and (name in _DETAILED or not isinstance(message, str | list))
    ]
    for name in said:
        yield from _texts(fields[name])


def _texts(said: Any, about: str = "") -> Iterator[str]:
    """The texts of a part of an error, each behind the property it is about where that stands beside or above it."""
    if isinstance(said, str):
        told = said[:_LONGEST]
        yield f"{about} {told}" if about and about.casefold() not in told.casefold() else told
    elif isinstance(said, list):
        for item in said:
            yield from _texts(item, about)
    elif isinstance(said, dict):
        named = next((said[name] for name in _ABOUT if isinstance(said.get(name), str)), about)
        for name, item in said.items():
            if name not in _ABOUT:
                yield from _texts(item, named if named or name in _SAYING else name)


def _facts(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The identifiers that an error carries, wherever: of the contact that has an address, and of which address."""
    found: dict[str, Any] = {}
    for name in _FACTS_IN:
        if isinstance(part := fields.get(name), dict):
            found = _facts(part) | found
    told = {name: fields[alias] for alias, name in _FACTS.items() if fields.get(alias)}
    return told | found


def _reduce(text: str, names: frozenset[str], user: str = "") -> tuple[str, str, str]:
    """Code, phrase and property of one message; only the code's absence says that it was not understood.

    Args:
        text: the message
        names: of the properties that may be repeated
        user: of the property in which a user was named, if one was
    """
    if user and _USER.match(text):
        return "invalid_property", f"{user} is not valid", user
    for pattern, code, phrase, name in _FIRST:
        if pattern.search(text):
            return code, phrase, name
    for pattern, code, phrase in _CONSTRAINTS:
        if found := pattern.search(text):
            name = _shown(found["name"] or "", names)
            return code, f"{name or 'a property'} {phrase}", name
    for pattern, code, phrase in _KNOWN:
        if pattern.search(text):
            return code, phrase, ""
    name = _mentioned(text, names) if _REFUSES.search(text) else ""
    unknown = f"a message we do not know ({len(text)} characters)"
    return ("invalid_property", f"{name} is not valid", name) if name else ("", unknown, "")


def _mentioned(text: str, names: frozenset[str]) -> str:
    """Return the field of a contact or record that a message speaks of first, in whatever words."""
    words = [word.casefold().removeprefix("contact.") for word in _WORD.findall(text)]
    known = {name.casefold(): name for name in names & _SPEAKING}
    # a name of two words may be written so: ``Postal code``
    spoken = [known.get(word) or known.get(word + after) for word, after in itertools.pairwise([*words, ""])]
    return next(
        (name or word for name, word in zip(spoken, words, strict=True) if name or _OUR_KEYS.fullmatch(word)),
        "",
    )


def _shown(name: str, names: frozenset[str]) -> str:
    """The property's name if every part of it is one we know, else nothing: it might be a value."""
    plain = _OF_OBJECT.sub("", name.strip("'\"`,:")).replace("[", ".").replace("]", "")
    parts = plain.split(".")
    known = (
        part in names or part == "contact" or part.isdigit() or _OUR_KEYS.fullmatch(part) for part in parts
    )
    return ".".join(parts) if all(known) else ""


def _numbers(texts: Iterable[str]) -> Iterator[int]:
    """Yield the numbers of messages, with or without signs between thousands."""
    for text in texts:
        yield from (int(re.sub(r"\D", "", found)) for found in _NUMBER.findall(text))


def _identifier(value: Any) -> str | None:
    return value if isinstance(value, str) and _IDENTIFIER.fullmatch(value) else None
