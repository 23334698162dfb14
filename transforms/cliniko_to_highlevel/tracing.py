"""What each field in HighLevel is made of: found by taking one piece of a Cliniko row away at a time and mapping it again.

A declaration of what goes where could be wrong; this cannot. It costs a mapping for every piece, so it is for samples only.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.errors import RecordError
from cliniko_to_highlevel.not_moved import reason
from cliniko_to_highlevel.routes import ROUTES, STREAMS
from cliniko_to_highlevel.row import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.streams import Output, Property

#: (stream, source id) of a mapped record, whoever contributes to it.
Made = tuple[str, str]
#: What a row becomes: by stream, source id and contributor.
Mapped = dict[tuple[str, str, str | None], dict[str, Any]]
#: Of a row: from when it is, as a clinic would put it in order.
_MOMENTS = ("starts_at", "issue_date", "completed_at", "created_at")
#: What names a part of a structured field, and what it says.
_NAMES, _SAYS = ("name", "label"), ("value", "answer", "number")
#: Lists inside structured fields whose entries are pieces of their own.
_PARTS = ("sections", "fields", "questions")
#: In place of an id, the reference record that it names.
_NAMED = {
    "practitioner_id": "practitioner",
    "business_id": "location",
    "appointment_type_id": "appointment_type",
}
_UNTRACED = frozenset({"id", "links"})
_ELSEWHERE = "says the same as another field, or speaks only where that is empty"


@dataclass(frozen=True)
class Piece:
    """One value of a Cliniko row: a field, or an answer inside of one."""

    field: str
    value: str


@dataclass
class Traced:
    """What became of one row."""

    source_id: str
    #: The patient it is about, or the invoice that it belongs to.
    owner: str | None
    at: str
    made: dict[Made, dict[str, list[Piece]]] = field(default_factory=dict)
    #: Fields that arrive nowhere, and why; without their values, some of which are secrets.
    unused: list[tuple[str, str]] = field(default_factory=list)


class Tracer:
    """Traces rows once the reference records of the run are known; the run itself is not touched."""

    def __init__(self, reference: Reference, own_fields: Mapping[str, Mapping[str, Property]]) -> None:
        """Trace with what a mapping knows."""
        self._reference = reference
        self._own = own_fields

    def rule(self, stream: str, name: str) -> str:
        """Return what a property holds, in the words of the mapping."""
        declared = STREAMS[stream].properties.get(name) or self._own.get(stream, {}).get(name)
        return declared.description if declared else ""

    def of(self, message: Mapping[str, Any]) -> Traced | None:
        """Return what became of a row; None of one that is no record of a patient's, or that cannot be mapped."""
        row = Row(message["stream"], message["record"])
        route = ROUTES.get(row.resource)
        try:
            owner = self._owner(row)
            if route is None or owner is None or (whole := self._mapped(row)) is None:
                return None
            traced = Traced(row.source_id, owner, str(next(filter(None, map(row.values.get, _MOMENTS)), "")))
        except RecordError:
            return None
        traced.made = {key[:2]: {} for key in whole}
        if all(record.get("filtered") for record in whole.values()):
            return traced  # the row is left out as a whole
        silent = []
        for path, name, text in _pieces(row.values):
            piece = Piece(name, self._told(row, path, text))
            if not self._credit(traced, piece, whole, self._mapped(_without(row, path))):
                silent.append((path, piece))
        self._credit_together(traced, row, whole, silent)
        return traced

    def _credit_together(
        self, traced: Traced, row: Row, whole: Mapped, silent: list[tuple[tuple[Any, ...], Piece]]
    ) -> None:
        """Find the pieces that say the same: without one the other speaks. What is silent then is listed with its reason."""
        known = [(path, piece) for path, piece in silent if reason(row.resource, path[0]) is None]
        paths = sorted((path for path, _ in known), key=_place, reverse=True)
        none = self._mapped(_without(row, *paths))
        for path, piece in silent:
            why = reason(row.resource, path[0])
            used = False
            if why is None and none is not None:
                alone = self._mapped(_without(row, *(other for other in paths if other != path)))
                used = self._credit(traced, piece, alone or whole, none)
            if not used:
                traced.unused.append((piece.field, why or _ELSEWHERE))

    @staticmethod
    def _owner(row: Row) -> str | None:
        if row.resource == "patients":
            return row.source_id
        return row.linked("patient_id", "patients") or (
            row.linked("invoice_id", "invoices") if row.resource == "invoice_items" else None
        )

    def _mapped(self, row: Row) -> Mapped | None:
        """Return what a row becomes, by whose it is and who says it; None when it cannot be mapped."""
        reference = copy.copy(self._reference)
        for name in ("left_out_patients", "survivors", "invoiced"):
            setattr(reference, name, copy.copy(getattr(reference, name)))
        try:
            outputs: list[Output] = [
                output for make in ROUTES[row.resource].makers for output in make(row, reference)
            ]
        except Exception:  # noqa: BLE001 - without one of its pieces a row may be none: that tells nothing
            return None
        return {
            (output.stream, output.record["source_id"], output.record.get("contributor")): output.record
            for output in outputs
        }

    @staticmethod
    def _credit(
        traced: Traced,
        piece: Piece,
        whole: Mapped,
        without: Mapped | None,
    ) -> bool:
        """Note which properties are others without a piece; return whether there are any."""
        if without is None:
            return True
        used = False
        for key, record in whole.items():
            other = without.get(key)
            if other is None or bool(other.get("filtered")) != bool(record.get("filtered")):
                # without it the record is none: then it is no matter of one property
                used = True
                continue
            for name, value in record.items():
                if value != other.get(name):
                    used = True
                    said = traced.made[key[:2]].setdefault(name, [])
                    said += [] if piece in said else [piece]
        return used or any(key not in whole for key in without)

    def _told(self, row: Row, path: tuple[Any, ...], text: str) -> str:
        known = getattr(self._reference, _NAMED[path[0]])(text) if path[0] in _NAMED else None
        return f"{text} ({known})" if known else text


def _pieces(values: Mapping[str, Any]) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """Yield (path, name, text) of every value of a row that says something."""
    for name, value in values.items():
        if name in _UNTRACED or name.startswith("_sdc"):
            continue
        if isinstance(value, dict) and any(part in value for part in _PARTS):
            yield from _inside((name,), name, value)
        elif isinstance(value, list) and all(isinstance(item, dict) for item in value):
            for number, item in enumerate(value):
                yield (name, number), f"{name} {number + 1}", _text(item)
        elif text := _text(value):
            yield (name,), name, text


def _inside(
    path: tuple[Any, ...], named: str, value: Mapping[str, Any]
) -> Iterator[tuple[tuple[Any, ...], str, str]]:
    """Yield the answers inside of a form, a note or the clinic's own fields."""
    for part in _PARTS:
        for number, item in enumerate(value.get(part) or ()):
            label = next((str(item[name]) for name in _NAMES if item.get(name)), str(number + 1))
            inner = (*path, part, number)
            if any(more in item for more in _PARTS):
                yield from _inside(inner, f"{named} / {label}", item)
            elif text := _answer(item):
                yield inner, f"{named} / {label}", text


def _answer(item: Mapping[str, Any]) -> str:
    """Return what was answered: a text, or the options that were chosen."""
    chosen = [
        str(option.get("value") or option.get("name") or option.get("token") or "")
        for name in ("answers", "options")
        for option in item.get(name) or ()
        if isinstance(option, dict) and option.get("selected")
    ]
    other = item.get("other")
    if isinstance(other, dict) and other.get("selected"):
        chosen.append(str(other.get("value") or ""))
    said = next((_text(item[name]) for name in _SAYS if item.get(name) not in (None, "")), "")
    return said or ", ".join(filter(None, chosen))


def _text(value: Any) -> str:
    if isinstance(value, dict):
        return " · ".join(
            filter(None, (_text(item) for name, item in value.items() if name not in _UNTRACED))
        )
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "" if value is None else str(value)


def _without(row: Row, *paths: tuple[Any, ...]) -> Row:
    """Return a row without some of its pieces; of those in one list the last comes first."""
    values: Any = row.values
    for path in paths:
        values = _cut(values, path)
    return Row(row.resource, values)


def _place(path: tuple[Any, ...]) -> list[str]:
    return [f"{step:06}" if isinstance(step, int) else step for step in path]


def _cut(value: Any, path: tuple[Any, ...]) -> Any:
    step, *rest = path
    if rest:
        inner = _cut(value[step], tuple(rest))
        if isinstance(value, list):
            return [*value[:step], inner, *value[step + 1 :]]
        return {**value, step: inner}
    if isinstance(value, list):
        return [*value[:step], *value[step + 1 :]]
    return {**value, step: None}
