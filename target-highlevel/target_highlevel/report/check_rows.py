"""Rows of the tables of a verification's and a rollback's page, in the order of the columns."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from target_highlevel.report.differences import Kind
from target_highlevel.report.wording import object_name, record_name, source_name
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: What a record may be that is not compared: its outcome, the words on top of the page, the section that tells more.
_NOT_IN = (
    ("filtered", "left out on purpose", "filtered"),
    ("held", "waiting for their turn", "held"),
    ("rejected", "refused", "rejects"),
)
#: Columns of a verification's closing table: those that are always there, those that are when they count.
_ALWAYS = ("source", "equal", "normalised", "different", "missing")
_SOMETIMES = {
    "kept": "changed by people",
    "unreadable": "not readable",
    "filtered": "left out",
    "held": "waiting",
    "rejected": "refused",
}


def verified_columns(totals: Mapping[str, int]) -> dict[str, str]:
    """Return the columns of the closing table, each with its heading."""
    shown = {name: word for name, word in _SOMETIMES.items() if totals.get(name)}
    always = {name: "looked at" if name == "source" else name for name in _ALWAYS}
    open_ = {"difference": "not accounted for"} if totals["difference"] else {}
    return {**always, **shown, **open_, "extra": "extra"}


def kind_columns(fields: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Return the columns of a table of fields: how its values compare, each with its heading."""
    found = {kind for item in fields for kind, number in item["counts"].items() if number}
    return {
        kind.value: _SOMETIMES.get(kind.value, kind.value)
        for kind in Kind
        if kind in found or kind.value not in _SOMETIMES
    }


def compared_words(verification: Mapping[str, Any]) -> str:
    """Return how the values compare that a verification has looked at: all of them, so that the numbers add up."""
    told = {kind.value: verification.get(kind.value, 0) for kind in Kind}
    *parts, last = [f"{told[kind]:,} {word}" for kind, word in kind_columns([{"counts": told}]).items()]
    compared = counted(verification["fields_compared"], "value", "was", "were")
    return f"{compared} compared: {', '.join(parts)} and {last}."


def verified_numbers(totals: Mapping[str, int]) -> list[tuple[str, int, str]]:
    """Return the numbers on top of a verification's page, each with the section that tells more."""
    return [
        (
            f"agree with Cliniko, of {totals['source']:,} looked at",
            totals["equal"] + totals["normalised"],
            "records",
        ),
        ("different or missing in HighLevel", totals["different"] + totals["missing"], "differences"),
        ("extra in HighLevel", totals["extra"], "extra"),
        *(
            (text, totals[name], section)
            for name, text, section in (
                ("kept", "changed by people and left so", "differences"),
                ("unreadable", "could not be read back", "unreadable"),
            )
            if totals.get(name)
        ),
        *((text, totals[name], section) for name, text, section in _NOT_IN if totals[name]),
    ]


def undone_numbers(rollback: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Return the numbers on top of a rollback's page; what is left is known only when it was read back."""
    did = sum(row[name] for row in rollback["objects"] for name in ("removed", "restored", "linked_again"))
    left = rollback["created_left"] + rollback["fields_differing"]
    return [
        ("removed, restored or linked again", did, "records"),
        *([("still there or not as before", left, "proof")] if rollback["read_back"] else ()),
        ("left alone on purpose", rollback["spared"], "spared"),
    ]


def sides(item: Mapping[str, str]) -> tuple[str, str | Markup]:
    """Return what a difference shows on either side."""
    if item["field"]:
        other = ", but another" if item["source_value"] == item["highlevel_value"] else ""
        return item["source_value"], f"{item['highlevel_value']}{other}"
    if item["kind"] == "unreadable":
        return "is there", "could not be read"
    if item["kind"] == "missing":
        return "is there", "is not there"
    here = "is there once" if item["how"] == "doubled" else "is not there"
    there = "is there again" if item["how"] == "doubled" else "is there"
    return here, Markup("{}: <code>{}</code>").format(there, item["highlevel_value"])


def how_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a way of being the same in effect, and how many values are."""
    return _sentence(item["meaning"].replace("`", "")), f"{item['fields']:,}"


def extra_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return why records are extra, what to do, and how many they are."""
    return item["meaning"], item["next_step"], f"{item['records']:,}"


def undone_row(item: Mapping[str, Any]) -> tuple[str, ...]:
    """Return a kind of record and what a rollback did to it."""
    return item["label"], *(
        f"{item[name]:,}" for name in ("removed", "restored", "linked_again", "gone_already")
    )


def with_sum(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the rows of what a rollback undid, and their sum as the last."""
    names = ("removed", "restored", "linked_again", "gone_already")
    return [*rows, {"label": "All", **{name: sum(row[name] for row in rows) for name in names}}]


def left_row(item: Mapping[str, str]) -> tuple[str | Markup, ...]:
    """Return a record that a rollback did not get rid of, or a field it did not put back."""
    object_, _, source = item["record"].partition(":")
    named = Markup("{} <code>{}</code>").format(_sentence(object_name(object_)), record_name(source))
    return named, _code(item["highlevel_id"]), _code(item["field"])


def spared_row(item: Mapping[str, Any]) -> tuple[str | Markup, ...]:
    """Return a record that was left alone, and the fields that somebody changed."""
    fields = Markup(", ").join(_code(name) for name in item["fields"])
    return _code(item["source"]), item["name"], fields


def decision_row(item: Mapping[str, str]) -> tuple[str, ...]:
    """Return what somebody decided."""
    return item["what"], item["decided"]


def head_row(item: Mapping[str, Any]) -> tuple[str | Markup, ...]:
    """Return the head of the audit trail as a run left it."""
    run = Markup("<code>{}</code> {}").format(item["run"], item["mode"])
    return run, f"{item['entries']:,}", _code(item["head"])


def missing_row(item: Mapping[str, str]) -> tuple[str | Markup, ...]:
    """Return a record of a patient that is not in HighLevel."""
    named = Markup("{} <code>{}</code>").format(_sentence(item["kind"]), record_name(item["source"]))
    return named, item["meaning"], item["next_step"].replace("`", "")


def unused_row(item: Mapping[str, Any]) -> tuple[str | Markup, ...]:
    """Return fields of a list of Cliniko's that arrive nowhere for one reason."""
    return (
        source_name(item["list"]),
        Markup(", ").join(_code(name) for name in item["fields"]),
        _sentence(item["why"]),
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def _code(text: str) -> str | Markup:
    return Markup("<code>{}</code>").format(text) if text else ""


#: Filters of the page, by name.
ROWS = {
    function.__name__: function
    for function in (
        kind_columns,
        compared_words,
        how_row,
        extra_row,
        undone_row,
        with_sum,
        left_row,
        spared_row,
        decision_row,
        missing_row,
        unused_row,
        head_row,
        sides,
        record_name,
    )
}
