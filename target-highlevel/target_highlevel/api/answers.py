"""Taking answers apart: what a caller gets has the shape it expects, or there is one error that says it has not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Findings, NotFound, Unknown
from target_highlevel.values import switched

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.endpoints import Endpoint

#: A thing of HighLevel as its API shows it; its ``id`` is a text.
Item = dict[str, Any]

_DATED = re.compile(r"\s*\d{4}-\d\d")
#: What an answer may call what it holds, whatever that is.
_ANY = "data"


class AnswerNotUnderstood(Unknown):
    """HighLevel answered with success, and not in the documented shape: the request was carried out, as far as anybody knows.

    After a create the record has to be looked for, and must not be created again before it is known to be absent.
    """


def not_understood(endpoint: Endpoint, expected: str) -> AnswerNotUnderstood:
    """Return the error for an answer without what was expected of it; only names of properties are told, never a value."""
    return AnswerNotUnderstood(
        f"HighLevel's answer was not understood: it has no {expected}; run again, and report it if this stays",
        route=endpoint.template,
        findings=Findings(code="answer_not_understood"),
    )


def mapping(answer: Any, endpoint: Endpoint, expected: str) -> Item:
    """Return an object of the answer, whatever is in it.

    Raises:
        AnswerNotUnderstood: it is none.
    """
    if not isinstance(answer, dict):
        raise not_understood(endpoint, expected)
    return answer


def inside(answer: Any, endpoint: Endpoint, *envelopes: str) -> Item:
    """Return the object in one of these envelopes of the answer, whatever is in it; the answer may also be the object itself.

    Raises:
        AnswerNotUnderstood: there is none.
        NotFound: it is shown as one that was deleted, or there is expressly nothing.
    """
    whole = mapping(answer, endpoint, envelopes[0])
    held = (whole.get(name) for name in (*envelopes, _ANY))
    found = next((item for item in held if isinstance(item, dict)), whole)
    if found is whole and not _id(whole):
        if endpoint.method == "GET" and any(name in whole and whole[name] is None for name in envelopes):
            raise NotFound(route=endpoint.template)  # what was asked for is expressly nothing
        raise not_understood(endpoint, envelopes[0])
    if is_deleted(found):
        raise NotFound(route=endpoint.template)
    return found


def text(item: Mapping[str, Any], endpoint: Endpoint, name: str) -> str:
    """Return a text that every object of this kind has, such as its id or its key.

    Raises:
        AnswerNotUnderstood: it is missing, empty or no text.
    """
    value = _id(item, name)
    if not isinstance(value, str) or not value:
        raise not_understood(endpoint, name)
    return value


def _id(item: Mapping[str, Any], name: str = "id") -> Any:
    """Return what an object says its id is, or some other text; a number is an id too, and the database's own name is known."""
    value = item.get(name) or (item.get("_id") if name == "id" else None)
    return str(value) if type(value) is int and name.lower().endswith("id") else value


def is_deleted(item: Mapping[str, Any]) -> bool:
    """Return whether a thing that is still shown was deleted: it says so, or when."""
    said = (item.get(name) for name in ("deleted", "isDeleted", "deletedAt"))
    return any(switched(value) or (isinstance(value, str) and _DATED.match(value)) for value in said)


def living(items: Iterable[Item]) -> list[Item]:
    """Return the things of a list that were not deleted."""
    return [item for item in items if not is_deleted(item)]


def is_doubtful(answer: Any, envelope: str) -> bool:
    """Return whether an answer is none to what was asked: nothing is in the envelope, and it is no object or list of its own."""
    if isinstance(answer, dict):
        return not ({envelope, _ANY} & answer.keys() or _id(answer))
    return not (isinstance(answer, list) and answer)


def identified(item: Any, endpoint: Endpoint) -> Item:
    """Return an object that has an id, with that as its ``id``.

    Raises:
        AnswerNotUnderstood: it has none.
    """
    found = mapping(item, endpoint, "object")
    return {**found, "id": text(found, endpoint, "id")}


def rows(answer: Any, endpoint: Endpoint, envelope: str) -> list[Item]:
    """Return the objects of a list, whatever is in them; the answer may be the list itself, and null is an empty one.

    Raises:
        AnswerNotUnderstood: it is no list of objects.
    """
    if isinstance(answer, dict):
        name = next((name for name in (envelope, _ANY) if name in answer), None)
        found = None if name is None else answer[name] or []
    else:
        found = answer
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise not_understood(endpoint, envelope)
    return found
