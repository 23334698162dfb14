"""The automations that a clinic had in Cliniko, each as a recipe for a workflow in HighLevel."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from tap_cliniko.rebuild.account import text
from tap_cliniko.rebuild.messages import moment
from tap_cliniko.rebuild.recipes import ONLINE_BOOKING, RECALL, RECIPES
from tap_cliniko.rebuild.specimens import LEAST_PATIENTS, specimen
from tap_cliniko.rebuild.timing import Gap, typical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tap_cliniko.client import Row
    from tap_cliniko.rebuild.messages import Kind, Messages, Sent
    from tap_cliniko.rebuild.recipes import Recipe

_CHANNELS = {"SMS": "Send SMS", "Email": "Send Email"}
_NEAR = timedelta(days=60)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What else tells of automations: types, the settings, forms, and calls back that are due."""

    types: Sequence[Row]
    settings: Row
    forms: int = 0
    recalls: Sequence[Row] = ()
    recall_types: Mapping[str, str] = field(default_factory=dict)


def automations(messages: Messages, around: Surroundings) -> list[dict[str, Any]]:
    """Return a recipe for every automation of which there is a sign, in the order in which to build them."""
    found: list[dict[str, Any]] = []
    for recipe in RECIPES:
        kinds = [
            sent
            for kind, sent in messages.sent.items()
            if kind.code in recipe.codes and not _names_recall(kind)
        ]
        on = [
            each
            for each in around.types
            if recipe.templates and each.get(recipe.templates) and not each.get("archived_at")
        ]
        if kinds:
            found += [
                _sent(recipe, each, messages, on) for each in sorted(kinds, key=lambda sent: -sent.number)
            ]
        elif on:
            found.append(_unsent(recipe, on))
        elif recipe.key == "patient_form" and (around.forms or messages.forms_sent):
            found.append(_forms(recipe, messages))
    return [*found, *_recall(messages, around), *_online_booking(messages, around)]


def _sent(recipe: Recipe, sent: Sent, messages: Messages, types: Iterable[Row]) -> dict[str, Any]:
    rows = sent.rows()
    return _recipe(
        recipe,
        channel=sent.kind.channel,
        seen={"messages": sent.number, "first": _day(sent.first), "last": _day(sent.last)},
        **_timing(recipe, _gaps(recipe, messages, rows)),
        types=_type_names(types) or messages.types_of(rows),
        action=recipe.action or _action(sent.kind.channel),
        **_specimen(messages, rows),
    )


def _unsent(recipe: Recipe, types: Iterable[Row]) -> dict[str, Any]:
    missing = f"no such message was sent yet; its text and timing are in Cliniko under {recipe.look}"
    return _recipe(
        recipe, types=_type_names(types), action=recipe.action or _action(""), specimen_missing=missing
    )


def _forms(recipe: Recipe, messages: Messages) -> dict[str, Any]:
    """Return the recipe of forms where no message carried them: what is known is when they were made."""
    rows = messages.forms
    return {
        **_unsent(recipe, ()),
        **_timing(recipe, _gaps(recipe, messages, rows)),
        "seen": {**_seen(rows), "messages": messages.forms_sent},
        "types": messages.types_of(rows),
    }


def _seen(rows: Sequence[Row]) -> dict[str, Any]:
    moments = sorted(text(row.get("created_at")) for row in rows) or [""]
    return {"messages": len(rows), "first": _day(moments[0]), "last": _day(moments[-1])}


def _recipe(recipe: Recipe, **more: Any) -> dict[str, Any]:
    """Lay a recipe out; what nothing was found of is empty."""
    return {
        "key": recipe.key,
        "name": recipe.name,
        "trigger": recipe.trigger,
        "moment": recipe.moment[1] or None,
        "filters": list(recipe.filters),
        "channel": None,
        "seen": {"messages": 0, "first": None, "last": None},
        "waits": [],
        "timing_from": 0,
        "types": [],
        "specimen": None,
        "specimen_missing": None,
        "look": recipe.look,
        **more,
    }


def _recall(messages: Messages, around: Surroundings) -> list[dict[str, Any]]:
    """Return the recipe of recalls: messages that name them, or went by hand to patients who were due then."""
    if not around.recalls and not around.recall_types:
        return []
    due = defaultdict[str, list[datetime]](list)
    for each in around.recalls:
        if day := moment(each.get("recall_at")):
            due[text(each.get("patient_id"))].append(day)
    rows, gaps = [], []
    for kind, sent in messages.sent.items():
        if not _names_recall(kind) and kind.code not in RECALL.codes:
            continue
        for row in sent.rows():
            gap = _nearest(row, due[text(row.get("patient_id"))])
            gaps += [gap] if gap else []
            rows += [row] if gap or _names_recall(kind) else []
    return [
        _recipe(
            RECALL,
            seen=_seen(rows),
            **_timing(RECALL, gaps),
            types=sorted(set(around.recall_types.values())),
            action=_action(""),
            **_specimen(messages, rows),
        )
    ]


def _names_recall(kind: Kind) -> bool:
    return "recall" in kind.category.casefold()


def _nearest(row: Row, due: Iterable[datetime]) -> Gap | None:
    """Measure from the recall that a message can have been about, in whole days: recalls have no time of day."""
    sent = moment(row.get("created_at"))
    if sent is None:
        return None
    day = sent.replace(hour=0, minute=0, second=0)
    near = [each for each in due if abs(day - each) <= _NEAR]
    return Gap(day, min(near, key=lambda each: abs(day - each))) if near else None


def _online_booking(messages: Messages, around: Surroundings) -> list[dict[str, Any]]:
    rules = around.settings.get("online_bookings") or {}
    types = [
        each for each in around.types if each.get("show_in_online_bookings") and not each.get("archived_at")
    ]
    if not rules.get("enabled") or not types:
        return []
    confirmations = [
        row
        for kind, sent in messages.sent.items()
        if kind.code in ONLINE_BOOKING.codes
        for row in sent.rows()
        if messages.booked_online(row)
    ]
    return [
        _recipe(
            ONLINE_BOOKING,
            filters=list(booking_rules(rules)),
            seen=_seen(confirmations),
            **_timing(ONLINE_BOOKING, _gaps(ONLINE_BOOKING, messages, confirmations)),
            types=_type_names(types),
            action=f"{_action('')}: the confirmation; Send Internal Notification to the assigned user",
            **_specimen(messages, confirmations),
        )
    ]


def booking_rules(rules: Mapping[str, Any]) -> Iterable[str]:
    """Say the clinic's rules where HighLevel has them: in the calendar, not in the workflow."""
    for name, words in (
        ("min_hours_advance_required_to_book", "calendar, minimum scheduling notice: {} hour{s}"),
        (
            "min_hours_notice_for_patient_cancellation",
            "calendar, cancelling and rescheduling until {} hour{s} before",
        ),
        (
            "max_appointments_per_day_segment",
            "calendar, appointments per day: Cliniko allows {} per part of the day",
        ),
        ("policy", "calendar, form with a box to tick for the policy: “{}”"),
    ):
        if (value := rules.get(name)) not in {None, ""}:
            yield words.format(value, s="" if value == 1 else "s")


# ---------------------------------------------------------------------- evidence


def _gaps(recipe: Recipe, messages: Messages, rows: Sequence[Row]) -> list[Gap]:
    gaps = []
    for row in rows:
        booking = messages.bookings.get(text(row.get("booking_id")))
        if booking is None:
            continue
        sent, about = moment(row.get("created_at")), moment(booking.get(recipe.moment[0]))
        if sent and about:
            zone = messages.zone(booking)
            gaps.append(Gap(sent.astimezone(zone), about.astimezone(zone)))
    return gaps


def _timing(recipe: Recipe, gaps: Sequence[Gap]) -> dict[str, Any]:
    waits = [
        {"words": each.words(recipe.moment[1]), "minutes": each.minutes, "at": each.at, "share": each.share}
        for each in typical(gaps)
    ]
    return {"waits": waits, "timing_from": len(gaps)}


def _specimen(messages: Messages, rows: Sequence[Row]) -> dict[str, Any]:
    found = specimen([messages.to_mask(row) for row in rows])
    if found:
        shown = {"subject": found.subject or None, "text": found.text, "patients": found.patients}
        return {"specimen": shown, "specimen_missing": None}
    missing = f"fewer than {LEAST_PATIENTS} patients got one, so what is personal in it cannot be told"
    return {"specimen": None, "specimen_missing": missing}


def _action(channel: str) -> str:
    return _CHANNELS.get(channel, "Send SMS or Send Email")


def _type_names(types: Iterable[Row]) -> list[str]:
    return sorted({text(each.get("name")) for each in types})


def _day(moment_: str) -> str | None:
    return moment_[:10] or None
