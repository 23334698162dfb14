"""What the newest plan leaves to a person: the clinic's own fields, and who keeps an address that several people share."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from migration_console.mapping_file import digest
from migration_console.reports import rows
from target_highlevel.plan.quality import DUPLICATES, PAIR

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_console.mapping_file import MappingFile
    from migration_console.reports import Report


def plan_of(report: Report | None) -> dict[str, Any]:
    """Return what a plan says; empty when there is none, or when it did not come to its end."""
    return (report.content["plan"] or {}) if report else {}


def fields(plan: Mapping[str, Any], mapping: MappingFile) -> list[dict[str, Any]]:
    """Return the fields of a plan, each with its name in the mapping (`key`) and its place there, if it has one (`choice`)."""
    found = (plan.get("account") or {}).get("custom_fields") or ()
    named = [(item.get("section") or "", str(item["label"]), _key(item)) for item in found]
    choices = mapping.choices(named)
    return [
        {**item, "key": key, "choice": choice}
        for item, (_, _, key), choice in zip(found, named, choices, strict=True)
    ]


def _key(item: Mapping[str, Any]) -> str:
    if "name" in item:
        return str(item["name"])
    return f"{item['section']} / {item['label']}" if item.get("section") else str(item["label"])


def needs_decision(item: Mapping[str, Any]) -> bool:
    """Return whether a field has no place yet, and its proposal is unsure or not what a load follows without a choice."""
    sure = item.get("confidence") in {"certain", "high"}
    return not item["choice"] and not (sure and item.get("until_confirmed", item["target"]) == item["target"])


def sharing(plan: Mapping[str, Any], mapping: MappingFile) -> list[dict[str, Any]]:
    """Return each shared address once: who shares it, who keeps it by the plan, and whom a person has chosen."""
    chosen = mapping.keeps()
    groups: dict[tuple[str, str], dict[str, Any]] = {}
    for row in plan.get("families") or ():
        key = row["field"], row["keeper"]
        group = groups.setdefault(
            key, {"address": key[0], "keeper": key[1], "others": [], "sharers": [key[1]]}
        )
        group["others"].append((row["source"], row["because"]))
        group["sharers"].append(row["source"])
    for group in groups.values():
        kept = (source for source in group["sharers"] if group["address"] in chosen.get(source, ()))
        group["choice"] = next(kept, "")
    return list(groups.values())


def to_look_at(report: Report | None) -> str:
    """Return what tells the shared addresses and possible duplicates of a plan from other ones; empty without any.

    Who keeps an address by the plan makes no difference.
    """
    if report is None:
        return ""
    sharers: dict[tuple[str, str], set[str]] = {}
    for row in plan_of(report).get("families") or ():
        sharers.setdefault((row["field"], row["keeper"]), {row["keeper"]}).add(row["source"])
    shared = sorted([field, *sorted(people)] for (field, _), people in sharers.items())
    pairs = sorted(list(row.values())[:2] for row in rows(report.folder / DUPLICATES, 0, None, PAIR, {}))
    return digest(json.dumps([shared, pairs])) if shared or pairs else ""
