"""Templates of forms and notes, and the clinic's own fields: what has to be asked again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cliniko.rebuild.account import text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tap_cliniko.client import Row
    from tap_cliniko.rebuild.account import Account

_BUILD_AS = {
    "text": "Single line",
    "paragraph": "Multi line",
    "date": "Date picker",
    "checkboxes": "Checkbox",
    "radiobuttons": "Radio",
    "select": "Single dropdown",
    "signature": "Signature",
    "full_name": "First name and last name of the contact",
    "address": "Address of the contact",
    "phone": "Phone of the contact",
    "pronouns": "Single line",
    "bodycharts": "File upload: there are no body charts",
}


def templates(account: Account, name: str) -> list[dict[str, Any]]:
    """Return the templates of a list that are still in use, with their questions."""
    return [
        {
            "id": text(each["id"]),
            "name": text(each.get("name")),
            "copy_to_patient": bool(each.get("email_to_patient_on_completion")),
            "restricted": bool(each.get("restricted_to_practitioner")),
            "questions": list(_questions(each.get("content"))),
        }
        for each in account.all(name)
        if not each.get("archived_at")
    ]


def _questions(content: Any) -> Iterator[dict[str, Any]]:
    for section in _list(content, "sections"):
        for each in _list(section, "questions"):
            yield {
                "section": text(section.get("name")),
                "question": text(each.get("name")),
                "kind": text(each.get("type")),
                "required": bool(each.get("required")),
                "options": _options(each),
                "connects_to": text(each.get("patient_field_connection")),
                "build_as": _BUILD_AS.get(text(each.get("type")), ""),
            }


def own_fields(definition: Any) -> list[dict[str, Any]]:
    """Return the clinic's own fields of patients."""
    return [
        {
            "section": text(section.get("name")),
            "field": text(each.get("name")),
            "kind": text(each.get("type")),
            "options": [text(option.get("name")) for option in _list(each, "options")],
            "token": text(each.get("token")),
            "archived": bool(each.get("archived") or section.get("archived")),
        }
        for section in _list(definition, "sections")
        for each in _list(section, "fields")
    ]


def _list(tree: Any, name: str) -> list[Row]:
    found = tree.get(name) if isinstance(tree, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _options(question: Row) -> list[str]:
    given = question.get("options")
    answers = [text(each.get("value")) for each in _list(question, "answers")]
    return [*answers, *(map(text, given) if isinstance(given, list) else ())]
