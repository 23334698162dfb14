"""Rows of the tables of a plan's page: what a clinic reads of each item, in the order of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from target_highlevel.report.wording import source_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = {
    "duplicates": "Duplicate contacts",
    "workflows": "Workflows",
    "time_zone": "Time zone",
    "hipaa": "HIPAA",
}
_STATES = {"create": "would be created", "extend": "would get options", "there": "is there"}
_MEGABYTE = 1_000_000


def setting_row(item: Mapping[str, str]) -> tuple[str, ...]:
    """Return a setting, what was found and what to do."""
    return _SETTINGS[item["setting"]], item["found"], item["advice"]


def route_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a kind of request and how many there are."""
    return _code(item["route"]), f"{item['requests']:,}"


def owner_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a practitioner and what stands for them."""
    if item["match"] == "user":
        return _code(item["source"]), Markup("user <code>{}</code> {}").format(
            item["user"], item["email"] or ""
        )
    because = "has left" if item["because"] == "inactive" else "no user has their e-mail"
    return _code(item["source"]), f"contact ({because}); patients go to the fallback owner"


def own_field_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a custom field of the clinic, where it goes and how sure that is."""
    name = f"{item['section']} / {item['label']}" if item["section"] else item["label"]
    return name, _code(item["target"]), item["decided_by"], item["confidence"], f"{item['filled']:,}"


def count_row(item: tuple[str, int]) -> tuple[str, ...]:
    """Return a list of Cliniko and its rows."""
    return source_name(item[0]), f"{item[1]:,}"


def type_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return an appointment type and how many appointments have it."""
    return item["name"], _code(item["source"]), f"{item['appointments']:,}"


def location_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a location and its time zone."""
    return item["name"], _code(item["source"]), item["time_zone"] or "not known"


def file_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a type of attachments, how many there are and how large they are."""
    sizes = (f"{item[name] / _MEGABYTE:,.1f}" for name in ("bytes", "largest"))
    return _code(item["type"]), f"{item['count']:,}", *sizes


def schema_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a definition and its state."""
    options = f"{item['options']:,}" if item["options"] else ""
    if item["new_options"]:
        options += f" ({item['new_options']:,} new)"
    return _code(item["name"]), item["kind"], _STATES[item["state"]], options


def _code(text: str) -> Markup:
    return Markup("<code>{}</code>").format(text)


#: Filters of the page, by name.
ROWS = {
    function.__name__: function
    for function in (
        setting_row,
        route_row,
        owner_row,
        own_field_row,
        count_row,
        type_row,
        location_row,
        file_row,
        schema_row,
    )
}
