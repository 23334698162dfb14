"""The clinic's custom fields of patients: their definition and the values of one patient."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.clinic.builder import Builder

HEALTH_FUNDS = ("Example Health", "Sample Mutual", "Fund of Förde & 例")
_FIELDS: tuple[tuple[str, bool, tuple[tuple[str, str, tuple[str, ...], bool], ...]], ...] = (
    (
        "Funding",
        False,
        (
            ("Health fund", "radiobuttons", HEALTH_FUNDS, False),
            ("Membership number", "text", (), False),
            ("NDIS number", "text", (), False),
            ("NDIS plan end", "date", (), False),
        ),
    ),
    (
        "About you",
        False,
        (
            ("Interests", "checkboxes", ("Running", "Sea kayaking", "Chess ♟"), False),
            ("Goals", "paragraph", (), False),
            ("Preferred room", "text", (), False),
            ("Fax consent (old)", "text", (), True),
        ),
    ),
    ("Old section", True, (("Old question", "text", (), False),)),
)


def custom_fields_definition(build: Builder) -> dict[str, Any]:
    """Return the sections, fields and options with their tokens, as the settings show them."""
    return {
        "sections": [
            {
                "name": name,
                "token": build.token(),
                "archived": archived,
                "fields": [_field(build, *one) for one in fields],
            }
            for name, archived, fields in _FIELDS
        ]
    }


def _field(build: Builder, name: str, kind: str, options: tuple[str, ...], archived: bool) -> dict[str, Any]:  # noqa: FBT001 - a row of the table above
    field: dict[str, Any] = {"name": name, "type": kind, "token": build.token(), "archived": archived}
    if options:
        field["options"] = [{"name": one, "token": build.token(), "archived": False} for one in options]
        field["other"] = {"enabled": True, "archived": False}
    return field


def custom_fields(definition: Mapping[str, Any], answers: Mapping[str, Any]) -> dict[str, Any] | None:
    """Return the custom fields of a patient who gave these answers by field name.

    An answer to a choice that is none of its options stands under "other"; a field without an answer is
    listed without a value, as the API does; a patient without any answer has no custom fields at all.
    """
    if not answers:
        return None
    tree = deepcopy(dict(definition))
    for section in tree["sections"]:
        for field in section["fields"]:
            _answer(field, answers.get(field["name"]))
    return tree


def _answer(field: dict[str, Any], answer: Any) -> None:
    if "options" not in field:
        if answer is not None:
            field["value"] = answer
        return
    chosen = answer if isinstance(answer, (list, tuple)) else [answer]
    names = {option["name"] for option in field["options"]}
    for option in field["options"]:
        if option["name"] in chosen:
            option["selected"] = True
    others = [one for one in chosen if one is not None and one not in names]
    if others:
        field["other"] = {**field["other"], "selected": True, "value": others[0]}
