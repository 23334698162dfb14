"""Recipes of automations as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cliniko.rebuild.parts import Section, Table

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_cliniko.rebuild.parts import Reference, Row


def automations(reference: Reference) -> Section:
    """Return the section of what is to be built as workflows."""
    how = (
        "One workflow each, in this order (Automation, Workflows). Leave them unpublished until the load is "
        "verified and Cliniko's own messages are off, or patients hear from both. Timing is measured from the "
        "messages that were sent. A specimen shows the words that several patients got; what was personal is "
        "a merge field or […]. Copy the full texts from Cliniko."
    )
    tables = [
        Table(("step", "in HighLevel"), _recipe(each), _title(each)) for each in reference["automations"]
    ]
    return Section("Automations to build", how, tables or [Table(("step", "in HighLevel"), [])])


def _title(recipe: Mapping[str, Any]) -> str:
    channel = {"Email": "e-mail"}.get(recipe["channel"], recipe["channel"])
    return f"{recipe['name']} by {channel}" if channel else str(recipe["name"])


def _recipe(recipe: Mapping[str, Any]) -> list[Row]:
    specimen = recipe["specimen"]
    rows = [
        ("trigger", recipe["trigger"]),
        ("wait", _wait(recipe)),
        ("filter", "; ".join(recipe["filters"]) or "none"),
        ("action", recipe["action"]),
        ("appointment types", ", ".join(recipe["types"]) or "all"),
        ("seen", _seen(recipe)),
    ]
    if specimen:
        subject = f"Subject: {specimen['subject']}\n" if specimen["subject"] else ""
        rows.append(("specimen", f"{subject}{specimen['text']}"))
    else:
        rows.append(("specimen", f"none: {recipe['specimen_missing']}"))
    return [*rows, ("in Cliniko", recipe["look"])]


def _wait(recipe: Mapping[str, Any]) -> str:
    waits = [f"{each['words']} ({each['share']} % of the messages)" for each in recipe["waits"]]
    if waits:
        return "; ".join(waits)
    if recipe["timing_from"]:
        return f"{recipe['timing_from']:,} were looked at and follow no common timing: decide yourself"
    return "none" if not recipe["moment"] else f"not known, to be counted from {recipe['moment']}"


def _seen(recipe: Mapping[str, Any]) -> str:
    seen = recipe["seen"]
    what = "form" if recipe["key"] == "patient_form" and not recipe["channel"] else "message"
    if not seen["messages"]:
        return f"no {what}"
    period = f", {seen['first']} to {seen['last']}" if seen["first"] else ""
    return f"{seen['messages']:,} {what}{'' if seen['messages'] == 1 else 's'}{period}"
