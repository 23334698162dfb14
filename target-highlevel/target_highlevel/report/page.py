"""Makes the page from the content: the same content always gives the same bytes."""

from __future__ import annotations

import re
from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, Any

from jinja2 import Environment, PackageLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape

from target_highlevel.report import check_rows, money_rows, plan_rows
from target_highlevel.report.moments import moment
from target_highlevel.report.wording import OUTCOMES, remark
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2.runtime import Context

_WIDTH = 1000
_NARROWEST = 12
#: So many records of a list are shown on the page; the JSON has them all.
_MOST_SHOWN = 100
#: How values compare that are the same; what people changed and what nobody could read is not known to be.
_AGREE = frozenset({"equal", "normalised"})


def run_page(content: Mapping[str, Any]) -> str:
    """Return ``report.html`` of one run."""
    totals = content["totals"]
    verification = content["verification"]
    fields = content["differences"] or []
    more = {
        "numbers": _numbers(content),
        "verified_columns": check_rows.verified_columns(verification["totals"]) if verification else {},
        "differing": [item for item in fields if _differs(item)],
        "agreeing": [item for item in fields if not _differs(item)],
        "totals_present": [name for name in OUTCOMES if totals[name]],
        "totals_row": {**totals, "difference": sum(row["difference"] for row in content["objects"])},
        "most_shown": _MOST_SHOWN,
    }
    return environment().get_template("run.html.j2").render({**content, **more})


def _numbers(content: Mapping[str, Any]) -> list[tuple[str, int, str]]:
    """Return the numbers on top: what each counts, how many there are, and the section that tells more."""
    if content["verification"]:
        return check_rows.verified_numbers(content["verification"]["totals"])
    if content["rollback"]:
        return check_rows.undone_numbers(content["rollback"])
    totals = content["totals"]
    planned = content["mode"] == "plan"
    there = "would be in HighLevel" if planned else "in HighLevel"
    this_time = " this time" if content["changes_only"] else ""
    return [
        (
            f"{there}, of {totals['source']:,} looked at{this_time}",
            totals["created"] + totals["updated"] + totals["unchanged"],
            "records",
        ),
        ("left out on purpose", totals["filtered"], "filtered"),
        ("would wait" if planned else "waiting for their turn", totals["held"], "held"),
        (_refused(content), totals["rejected"], "rejects"),
    ]


def _refused(content: Mapping[str, Any]) -> str:
    if content["mode"] == "plan":
        return "would be refused"
    number = content["totals"]["rejected"]
    if not number or content["rejects_accepted"]:
        return "refused, and set to be left behind" if number else "refused"
    return f"refused: {'it needs' if number == 1 else 'they need'} a person"


def _differs(item: Mapping[str, Any]) -> bool:
    return any(number for kind, number in item["counts"].items() if kind not in _AGREE)


def window_page(content: Mapping[str, Any]) -> str:
    """Return ``report.html`` of several runs together.

    What was in HighLevel and comes again only by a full read counts as filtered, and was not left out on purpose.
    """
    sections = {section["section"]: section for section in content["handover"]["sections"]}
    gone: Counter[str] = Counter()
    for group in sections["undone"]["groups"]:
        gone.update(group["kinds"])
    rows = [
        {**row, "undone": gone[row["label"]], "left_out": row["filtered"] - gone[row["label"]]}
        for row in content["objects"]
    ]
    columns = {name: word for name, word in _WINDOW_COLUMNS.items() if name != "undone" or gone}
    more = {"objects": rows, "columns": columns, "gone": gone.total()}
    return environment().get_template("window.html.j2").render({**content, **more})


#: How the two sides of a field compare, on the sheet.
_MARKS = {
    "equal": "=",
    "normalised": "≈",
    "kept": "≠",
    "different": "≠",
    "missing": "≠",
    "extra": "≠",
    "unreadable": "?",
    "planned": "→",
}


def sheet_page(content: Mapping[str, Any], patients: list[dict[str, Any]], *, traced: bool) -> str:
    """Return ``sheet.html`` of a run over a sample.

    Args:
        content: that of the run's report.
        patients: each patient's page.
        traced: whether it is known of which of Cliniko's values each field is made.
    """
    more = {"patients": patients, "traced": traced, "marks": _MARKS}
    return environment().get_template("sheet.html.j2").render({**content, **more})


#: What the page of several runs shows of each kind of record.
_WINDOW_COLUMNS = {
    "created": "created",
    "updated": "updated",
    "in_highlevel": "in HighLevel now",
    "left_out": "left out on purpose",
    "undone": "undone, or missing",
    "held": "waiting",
    "rejected": "refused",
}


@cache
def environment() -> Environment:
    """Return what the templates are rendered with; each is compiled once."""
    made = Environment(
        loader=PackageLoader("target_highlevel", "report/templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {
        "moment": _moment,
        "duration": duration,
        "number": number,
        "counted": counted,
        "code": code,
        "remark": remark,
        **plan_rows.ROWS,
        **check_rows.ROWS,
        **money_rows.ROWS,
    }
    made.globals |= {"bars": bars, "outcomes": OUTCOMES}
    return made


def number(value: float) -> str:
    """Return a number with its thousands apart."""
    return f"{value:,}"


def code(text: str) -> Markup:
    """Return a sentence with what stands in backticks set as code, and in asterisks stressed."""
    set_ = re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text)))
    return Markup(re.sub(r"\*([^*]+)\*", r"<em>\1</em>", set_))  # noqa: S704 - escaped in the line above


@pass_context
def _moment(context: Context, text: str) -> str:
    """Return a moment in the zone that the content names; a report of an earlier version names none."""
    return moment(text, context.get("time_zone"))


def duration(seconds: int | None) -> str:
    """Return a length of time in its two greatest units."""
    if seconds is None:
        return "not known"
    hours, rest = divmod(int(seconds), 3600)
    minutes, left = divmod(rest, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {left} s" if minutes else f"{left} s"


def bars(row: Mapping[str, Any]) -> list[tuple[str, int, int]]:
    """Return (outcome, start, width) of each part of a row's bar, on a scale of a thousand.

    No part that stands for a record is too thin to be seen: what is rare is what matters here.
    """
    parts = [(name, int(row[name])) for name in OUTCOMES if row[name]]
    total = sum(value for _, value in parts)
    widths = [max(_NARROWEST, value * _WIDTH // total) for _, value in parts]
    if widths:
        widths[widths.index(max(widths))] += _WIDTH - sum(widths)
    placed, start = [], 0
    for (name, _), width in zip(parts, widths, strict=True):
        placed.append((name, start, width))
        start += width
    return placed
