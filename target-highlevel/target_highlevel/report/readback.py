"""What a verification read back, made ready for the report: kinds of records in words, sums, examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.report.wording import label, meaning, reading_order

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What becomes of a record that is looked at; together they are all of them.
OUTCOMES = (
    "equal",
    "normalised",
    "kept",
    "unreadable",
    "different",
    "missing",
    "filtered",
    "held",
    "rejected",
)


def read_back(verification: Mapping[str, Any], first: list[dict[str, str]]) -> dict[str, Any]:
    """Return the verification's part of ``report.json``.

    Args:
        verification: the counts of what was read back.
        first: the first of what is not the same.
    """
    objects = sorted(
        ({"label": label(item["object"], item["resource"]), **item} for item in verification["objects"]),
        key=lambda item: reading_order(item["object"], item["resource"]),
    )
    names = ("source", *OUTCOMES, "extra", "difference")
    return {
        **verification,
        "objects": objects,
        "totals": {name: sum(item.get(name, 0) for item in objects) for name in names},
        "extra_because": [
            _because("extra", how, number) for how, number in verification["extra_because"].items()
        ],
        "unreadable_because": [
            _because("unreadable", how, number)
            for how, number in verification.get("unreadable_because", {}).items()
        ],
        "first": first,
    }


def _because(outcome: str, how: str, number: int) -> dict[str, Any]:
    said = meaning(outcome, how)
    return {"how": how, "meaning": said.says, "next_step": said.next_step, "records": number}
