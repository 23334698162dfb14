"""How the value of a field is put together from what several records say; some of it changes by the clock alone."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from target_highlevel.values import decimal_text

#: The values given, and the present moment as ``2026-11-22T10:00:00Z`` → the value of the field.
Combine = Callable[[Sequence[Any], str], Any]


@dataclass(frozen=True)
class Fold:
    """A way to fold; one that is clocked takes dated values, ``{"at": moment, …}``, and looks whether each is past."""

    combine: Combine
    clocked: bool = False


def _union(values: Sequence[Any], _now: str) -> list[str]:
    return sorted({str(item) for value in values for item in (value if isinstance(value, list) else [value])})


def _lines(values: Sequence[Any], _now: str) -> str:
    """Return all texts, each on its own lines, in the order their contributors ask for."""
    ordered = sorted(
        (value if isinstance(value, dict) else {"order": "", "text": value} for value in values),
        key=lambda item: (str(item.get("order") or ""), str(item.get("text") or "")),
    )
    return "\n".join(str(item["text"]) for item in ordered if item.get("text"))


def _only(values: Sequence[Any], _now: str) -> Any:
    return values[-1] if values else None


def _sum(values: Sequence[Any], _now: str) -> str:
    return decimal_text(sum((Decimal(str(value)) for value in values), Decimal(0)))


def _owner(values: Sequence[Any], now: str) -> list[str]:
    """Return practitioners, the most wanted first: of the next appointment, those after it, the latest, those before."""
    dated = sorted({(str(item.get("at") or ""), str(item["ref"])) for item in values if item.get("ref")})
    coming = [ref for at, ref in dated if at > now]
    past = [ref for at, ref in dated if at <= now]
    return list(dict.fromkeys([*coming, *reversed(past)]))


# Visits are ``{"at": moment, "day": local date, "state": …}``. `booked`: to come until it begins, and then it took place.
# `arrived`: took place, whatever the clock says. `did_not_arrive`: missed. `not_arrived`: missed once it has begun, for of a
# visit to come it only says that nobody is there yet.


def _took_place(values: Sequence[Any], now: str) -> list[str]:
    """Return the days of the visits that took place, in order."""
    return sorted(
        str(visit["day"])
        for visit in values
        if visit["state"] == "arrived" or (visit["state"] == "booked" and visit["at"] <= now)
    )


def _first_visit(values: Sequence[Any], now: str) -> str | None:
    return next(iter(_took_place(values, now)), None)


def _last_visit(values: Sequence[Any], now: str) -> str | None:
    return next(reversed(_took_place(values, now)), None)


def _visits(values: Sequence[Any], now: str) -> str:
    return str(len(_took_place(values, now)))


def _no_shows(values: Sequence[Any], now: str) -> str:
    missed = (
        visit["state"] == "did_not_arrive" or (visit["state"] == "not_arrived" and visit["at"] <= now)
        for visit in values
    )
    return str(sum(missed))


def _next(values: Sequence[Any], now: str) -> str | None:
    """Return the day of the next thing to come: a visit that is booked, or a recall."""
    coming = sorted(
        (str(item["at"]), str(item["day"]))
        for item in values
        if item.get("state", "booked") in {"booked", "not_arrived"} and item["at"] > now
    )
    return coming[0][1] if coming else None


def _stage(values: Sequence[Any], now: str) -> str | None:
    """Return the type of the next visit, else of the latest that took place, else of the latest that was missed."""
    typed = sorted(
        (str(visit["at"]), visit["state"], str(visit["type"])) for visit in values if visit.get("type")
    )
    coming = [kind for at, state, kind in typed if at > now and state in {"booked", "not_arrived"}]
    came = [kind for at, state, kind in typed if state == "arrived" or (state == "booked" and at <= now)]
    return next(iter([*coming, *reversed(came), *(kind for _, _, kind in reversed(typed))]), None)


FOLDS: dict[str, Fold] = {
    "union": Fold(_union),
    "lines": Fold(_lines),
    "only": Fold(_only),
    "sum": Fold(_sum),
    "owner": Fold(_owner, clocked=True),
    "first_visit": Fold(_first_visit, clocked=True),
    "last_visit": Fold(_last_visit, clocked=True),
    "visits": Fold(_visits, clocked=True),
    "no_shows": Fold(_no_shows, clocked=True),
    "next": Fold(_next, clocked=True),
    "stage": Fold(_stage, clocked=True),
}
