"""Rows of the tables of money on a page, in the order of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from target_highlevel.report.money import grouped
from target_highlevel.report.wording import object_name

if TYPE_CHECKING:
    from collections.abc import Mapping

_WHAT = {
    "different": "another {}",
    "missing": "not in HighLevel",
    "extra": "in HighLevel only",
}


def money_total_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a kind of record and its sums on both sides."""
    return item["label"], item["currency"] or "not known", *_sides(item)


def money_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the sums of one year, status and location, in one currency."""
    records = (item["cliniko_records"], item["highlevel_records"])
    number = f"{records[0]:,}" if records[0] == records[1] else f"{records[0]:,} / {records[1]:,}"
    named = (item["year"], item["status"], item["business"])
    return (
        " ".join(filter(None, (object_words(item["object"]).capitalize(), item["currency"]))),
        *(text or "none" for text in named),
        number,
        *_sides(item),
    )


def money_explained_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why records are on one side only, how many and what they come to."""
    where = "in Cliniko only" if item["kind"] == "missing" else "in HighLevel only"
    amount = f"{item['currency']} {grouped(item['amount'])}".strip()
    return item["meaning"], f"{item['label']}, {where}", f"{item['records']:,}", amount


def money_differing_row(item: Mapping[str, Any]) -> tuple[str | Markup, ...]:
    """Return a record that does not come to the same on both sides."""
    what = _WHAT[item["kind"]].format(item["differs_in"])
    values = [grouped(item[name] or "") for name in ("cliniko", "highlevel")]
    if any(values):
        what += f": {values[0] or 'nothing'} in Cliniko, {values[1] or 'nothing'} in HighLevel"
    return Markup("<code>{}</code>").format(item["source"]), what, grouped(item["difference"] or "")


def object_words(object_: str) -> str:
    """Return what a clinic calls a kind of record."""
    return object_name(object_)


def _sides(item: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(grouped(item[name]) for name in ("cliniko", "highlevel", "difference"))


#: Filters of the page, by name.
ROWS = {
    function.__name__: function
    for function in (money_total_row, money_row, money_explained_row, money_differing_row, object_words)
}
