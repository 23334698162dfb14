"""Taking answers apart: what a caller gets has the shape it expects, or there is one error that says it has not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Findings, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.endpoints import Endpoint

#: A thing of HighLevel as its API shows it; its ``id`` is a text.
Item = dict[str, Any]


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


def inside(answer: Any, endpoint: Endpoint, envelope: str) -> Item:
    """Return the object in an envelope of the answer, whatever is in it.

    Raises:
        AnswerNotUnderstood: there is none.
    """
    return mapping(mapping(answer, endpoint, envelope).get(envelope), endpoint, envelope)


def text(item: Mapping[str, Any], endpoint: Endpoint, name: str) -> str:
    """Return a text that every object of this kind has, such as its id or its key.

    Raises:
        AnswerNotUnderstood: it is missing, empty or no text.
    """
    value = item.get(name)
    if not isinstance(value, str) or not value:
        raise not_understood(endpoint, name)
    return value


def identified(item: Any, endpoint: Endpoint) -> Item:
    """Return an object that has an id.

    Raises:
        AnswerNotUnderstood: it has none.
    """
    found = mapping(item, endpoint, "object")
    text(found, endpoint, "id")
    return found


def rows(answer: Any, endpoint: Endpoint, envelope: str) -> list[Item]:
    """Return the objects of a list, whatever is in them.

    Raises:
        AnswerNotUnderstood: it is no list of objects.
    """
    found = mapping(answer, endpoint, envelope).get(envelope)
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise not_understood(endpoint, envelope)
    return found
