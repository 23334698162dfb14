"""What a plan would have written so far, read back as HighLevel would show it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Findings, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_MARK = "planned-"
#: HighLevel's limit for one record under one label (highlevel-api.md section 11).
_MOST_RELATIONS = 1000
_ENVELOPES = ("contact", "record", "note", "task", "calendar", "appointment")


def planned_id(number: int) -> str:
    """Return an id that HighLevel would never give."""
    return f"{_MARK}{number}"


def is_planned(path: str) -> bool:
    """Return whether a path or an id leads to something that is only planned."""
    return _MARK in path


class PlannedRecords:
    """Bodies of the planned creates, with later changes merged in."""

    def __init__(self) -> None:
        """Nothing is planned yet."""
        self._bodies: dict[str, dict[str, Any]] = {}

    def create(self, identity: str, body: Mapping[str, Any]) -> None:
        """Keep what would be created."""
        self._bodies[identity] = dict(body)

    def change(self, identity: str, body: Mapping[str, Any]) -> None:
        """Merge a change into something planned; what is in HighLevel already is read there."""
        known = self._bodies.get(identity)
        if known is None:
            return
        known.update(
            {name: value for name, value in body.items() if name not in {"properties", "customFields"}}
        )
        if "properties" in body:
            known["properties"] = _merged(known.get("properties", {}), body["properties"])
        if "customFields" in body:
            changed = {item["id"]: item for item in (*known.get("customFields", ()), *body["customFields"])}
            known["customFields"] = list(changed.values())

    def shown(self, identity: str) -> dict[str, Any]:
        """Return something planned in every envelope in which a read may expect it."""
        body = self._bodies.get(identity, {})
        fields = [
            {"id": item["id"], "value": item.get("field_value")} for item in body.get("customFields", ())
        ]
        item = {"properties": {}, **body, "customFields": fields, "id": identity}
        return dict.fromkeys(_ENVELOPES, item)


def _merged(known: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Merge properties; a list is changed by what to add and what to remove."""
    merged = dict(known)
    for name, value in changes.items():
        if isinstance(value, dict) and set(value) == {"add", "remove"}:
            kept = [item for item in known.get(name) or () if item not in value["remove"]]
            merged[name] = [*kept, *value["add"]]
        else:
            merged[name] = value
    return merged


class PlannedRelations:
    """Relations that are there and those that would be made; refuses what HighLevel would refuse."""

    def __init__(self, read: Callable[[str], list[dict[str, Any]]]) -> None:
        """Read the relations of a record of HighLevel with this; each record is asked for once."""
        self._read = read
        self._there: dict[str, list[dict[str, Any]]] = {}
        self._made: dict[str, list[dict[str, Any]]] = {}
        self._pairs: set[tuple[str, str, str]] = set()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def relate(self, body: Mapping[str, Any], identity: str) -> None:
        """Make a relation.

        Raises:
            Refused: there is one already, or the label is full for one of the records.
        """
        association, first, second = (
            body[name] for name in ("associationId", "firstRecordId", "secondRecordId")
        )
        if not is_planned(first) and not is_planned(second):
            self.of(second)
        if (association, first, second) in self._pairs:
            raise Refused(status=400, findings=Findings(code="duplicate_relation"))
        if (
            max(self._counts[association, "first", first], self._counts[association, "second", second])
            >= _MOST_RELATIONS
        ):
            raise Refused(status=400, findings=Findings(code="limit_reached"))
        row = {"id": identity, "associationId": association, "firstRecordId": first, "secondRecordId": second}
        self._count(row)
        for record in {first, second}:
            self._made.setdefault(record, []).append(row)

    def of(self, record: str) -> list[dict[str, Any]]:
        """Return all relations of a record, there or planned."""
        if record not in self._there:
            self._there[record] = [] if is_planned(record) else self._read(record)
            for row in self._there[record]:
                self._count(row)
        return [*self._there[record], *self._made.get(record, ())]

    def remove(self, identity: str) -> None:
        """Take a relation away."""
        for rows in (*self._there.values(), *self._made.values()):
            for row in [item for item in rows if item["id"] == identity]:
                rows.remove(row)
                self._pairs.discard(_pair(row))

    def _count(self, row: Mapping[str, Any]) -> None:
        if _pair(row) not in self._pairs:
            self._pairs.add(_pair(row))
            self._counts[row["associationId"], "first", row["firstRecordId"]] += 1
            self._counts[row["associationId"], "second", row["secondRecordId"]] += 1


def _pair(row: Mapping[str, Any]) -> tuple[str, str, str]:
    return row["associationId"], row["firstRecordId"], row["secondRecordId"]
