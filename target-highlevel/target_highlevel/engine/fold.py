"""Putting a record together from its main record and from what others contribute to it. Pure functions."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row


def fold(
    spec: StreamSpec,
    main: Mapping[str, Any],
    contributions: Iterable[tuple[str, Mapping[str, Any]]],
    now: str,
) -> dict[str, Any]:
    """Return the fields of a record.

    Args:
        spec: says how each field is folded.
        main: fields of the main record; empty when only a contribution changed.
        contributions: (contributor, fields), in the order of the contributors.
        now: the present moment, as ``2026-11-22T10:00:00Z``; decides which appointment is the next.
    """
    given: defaultdict[str, list[Any]] = defaultdict(list)
    for _, fields in contributions:
        for name, value in fields.items():
            given[name].append(value)
    result = {
        name: value for name, value in main.items() if not (name in spec.fields and spec.fields[name].fold)
    }
    for name, values in given.items():
        declared = spec.fields.get(name)
        if declared is None:
            continue
        if declared.fold:
            own = [main[name]] if main.get(name) is not None else []
            result[name] = _FOLDS[declared.fold]([*own, *values], now)
        else:
            result[name] = values[-1]
    for declared in spec.folded:
        if declared.name not in result and main.get(declared.name) is not None:
            result[declared.name] = _FOLDS[declared.fold or "only"]([main[declared.name]], now)
    return result


def asked(row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return those of a record's wanted fields that its reception is about."""
    if row.payload is None:  # only what others contribute has changed
        return {
            name: value for name, value in wanted.items() if name in spec.fields and spec.fields[name].fold
        }
    if row.payload.get("only_these"):  # left out, but there already: it only learns why
        return {name: value for name, value in wanted.items() if name in row.fields}
    return dict(wanted)


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
    return values[-1]


def _owner(values: Sequence[Any], now: str) -> str | None:
    """Return the ref of the next appointment's practitioner, else of the latest one's."""
    dated = sorted(
        (str(item.get("at") or ""), str(item["ref"])) for item in values if item and item.get("ref")
    )
    coming = [ref for at, ref in dated if at >= now]
    past = [ref for at, ref in dated if at < now]
    return coming[0] if coming else (past[-1] if past else None)


_FOLDS = {"union": _union, "lines": _lines, "only": _only, "owner": _owner}
