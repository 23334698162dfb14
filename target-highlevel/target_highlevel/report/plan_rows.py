"""Rows of the tables of a plan's page: what a clinic reads of each item, in the order of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from target_highlevel.report.wording import KEEPS_BECAUSE, source_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = {
    "duplicates": "Duplicate contacts",
    "workflows": "Workflows",
    "time_zone": "Time zone",
    "hipaa": "HIPAA",
    "probe": "What HighLevel answers",
    "pipeline": "Pipeline",
    "left_out": "Definitions that cannot be read",
}
_STATES = {"create": "would be created", "extend": "would get options", "there": "is there"}
#: Why a practitioner owns no patients; of any other the record was refused.
_NO_OWNER = {"inactive": "has left", "no_user": "no user has their e-mail"}
_MEGABYTE = 1_000_000
_GIGABYTE = 1_000_000_000


def setting_row(item: Mapping[str, str]) -> tuple[str, ...]:
    """Return a setting, what was found and what to do."""
    return _SETTINGS[item["setting"]], item["found"], item["advice"].replace("`", "")


def route_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a kind of request and how many there are."""
    return _code(item["route"]), f"{item['requests']:,}"


def owner_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a practitioner and what stands for them."""
    if item["match"] == "user":
        return _code(item["source"]), Markup("user <code>{}</code> {}").format(
            item["user"], item["email"] or ""
        )
    because = _NO_OWNER.get(item["because"])
    stands = Markup("{}; patients go to the fallback owner").format(
        f"contact ({because})" if because else "nobody (see the refused)"
    )
    if item["suggested"]:
        stands += Markup(
            ". To be confirmed: user <code>{}</code> {} has the same name; <code>owners</code> of the mapping says so"
        ).format(item["suggested"], item["email"] or "")
    return _code(item["source"]), stands


def own_field_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a custom field of the clinic, where it goes and how sure that is."""
    name = f"{item['section']} / {item['label']}" if item["section"] else item["label"]
    target = Markup('<code class="whole">{}</code>').format(item["target"])
    if item["until_confirmed"] != item["target"]:
        target += Markup(" once the mapping says so; until then <code class='whole'>{}</code>").format(
            item["until_confirmed"]
        )
    return name, target, item["decided_by"], item["confidence"], f"{item['filled']:,}"


def count_row(item: tuple[str, int]) -> tuple[str, ...]:
    """Return a list of Cliniko and its rows."""
    return source_name(item[0]), f"{item[1]:,}"


def family_row(item: Mapping[str, str]) -> tuple[Any, ...]:
    """Return who keeps an address, who does not, and why."""
    return item["field"], _code(item["keeper"]), _code(item["source"]), KEEPS_BECAUSE[item["because"]]


def finding_row(item: tuple[str, int]) -> tuple[str, ...]:
    """Return a finding about patients and how many it is of."""
    return item[0], f"{item[1]:,}"


def type_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return an appointment type and how many appointments have it."""
    return item["name"], _code(item["source"]), f"{item['appointments']:,}"


def stage_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return an appointment type and the stage it leads to, or the one that may be meant."""
    if item["stage"]:
        return item["name"], "is there"
    if item["suggested"]:
        return item["name"], Markup("to be confirmed: rename <code>{}</code> in HighLevel").format(
            item["suggested"]
        )
    return item["name"], "is missing"


def insurer_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return an insurer that would be made, how sure that is and why, and of how many patients it is."""
    return (
        item["name"] or "typed name",
        _code(item["source"]),
        item["because"],
        item["confidence"],
        f"{item['patients']:,}",
    )


def location_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a location and its time zone."""
    return item["name"], _code(item["source"]), item["time_zone"] or "not known"


def file_row(item: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return a type of attachments, how many there are and how large they are."""
    sizes = (f"{item[name] / _MEGABYTE:,.1f}" for name in ("bytes", "largest"))
    return _code(item["type"]), f"{item['count']:,}", *sizes


def length_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a group of notes by their length, and how many there are."""
    return f"up to {item['up_to']:,}" if item["up_to"] else "longer", f"{item['notes']:,}"


def gigabytes(number: int) -> str:
    """Return bytes in the unit that disks are sold by; a little of it in megabytes."""
    return f"{number / _GIGABYTE:,.1f} GB" if number * 10 >= _GIGABYTE else f"{number / _MEGABYTE:,.1f} MB"


def reader(item: Mapping[str, Any]) -> Markup:
    """Return a user by id, and by e-mail when that is shown."""
    return Markup("<code>{}</code>{}").format(item["user"], f" {item['email']}" if item["email"] else "")


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
        family_row,
        finding_row,
        type_row,
        stage_row,
        insurer_row,
        location_row,
        file_row,
        length_row,
        gigabytes,
        reader,
        schema_row,
    )
}
