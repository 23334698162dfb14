"""What undoing a run comes to, read from the ledger alone: nothing is asked of HighLevel."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from target_highlevel.ledger.undo import Trace, Undo

ON_CONTACT = frozenset({"note", "appointment", "file", "opportunity"})


@dataclass
class Unit:
    """A contact with what the run put on it, or one record of a custom object."""

    object: str
    hl_id: str
    #: None for a contact that the ledger does not know any more.
    ref: str | None
    created: bool = False
    updated: bool = False
    children: list[Trace] = field(default_factory=list)
    updated_children: set[str] = field(default_factory=set)


@dataclass(frozen=True)
class Plan:
    """Everything a rollback has to do, in levels: what depends on others comes first."""

    levels: list[list[Unit]]
    #: Relations the run created, by HighLevel id: two records of the source may say the same.
    relations: Mapping[str, list[Trace]]
    #: Relations the run removed or pointed elsewhere.
    unlinked: list[str]
    counts: Mapping[str, Counter[str]]
    #: What the run removed: hours and absences, and what has left the sub-account.
    taken_away: list[str]
    #: Records of which the run left a copy behind.
    left: list[str]
    #: Records that a later run has written since.
    rewritten: set[str]
    #: ref → the relations to it that other records want.
    wanted_by: Mapping[str, list[Trace]]
    #: HighLevel id of every relation of ours → its records, whichever run made it.
    known_relations: Mapping[str, list[Trace]]
    #: HighLevel ids of all notes, appointments and files of ours.
    hanging: set[str]


def plan_of(undo: Undo) -> Plan:
    """Return what there is to undo, as the ledger stands now."""
    created = undo.created()
    made = {trace.ref for trace in created}
    changed = undo.updated()
    unlinked = [ref for ref in changed if ref.startswith("relation:")]
    created = [trace for trace in created if trace.ref not in unlinked]
    left = undo.copies_left()
    updated = [ref for ref in changed if ref not in made.union(unlinked, left)]
    everything = undo.relations()
    wanted_by = _wanted_by(everything)
    relations, known = _by_id(created), _by_id(everything)
    return Plan(
        levels=_levels(_units(undo, created, updated), wanted_by),
        relations={hl_id: known[hl_id] for hl_id in relations},
        unlinked=unlinked,
        taken_away=undo.taken_away(),
        counts=_counts(created, [*updated, *left], unlinked),
        left=left,
        rewritten=undo.rewritten(),
        wanted_by=wanted_by,
        known_relations=known,
        hanging=undo.hanging(),
    )


def _by_id(traces: Iterable[Trace]) -> dict[str, list[Trace]]:
    found: defaultdict[str, list[Trace]] = defaultdict(list)
    for trace in traces:
        if trace.object == "relation":
            found[trace.hl_id].append(trace)
    return dict(found)


def _units(undo: Undo, created: Iterable[Trace], updated: Iterable[str]) -> list[Unit]:
    contacts = undo.contacts()
    units: dict[str, Unit] = {}

    def carrier(trace: Trace) -> Unit:
        """Return the unit of the contact that carries a record; one that the run itself left alone gets a unit as well."""
        hl_id = str(trace.parent_id)
        return units.setdefault(f"contact/{hl_id}", Unit("contact", hl_id, contacts.get(hl_id)))

    def own(trace: Trace) -> Unit:
        key = f"{trace.object}/{trace.hl_id}"
        return units.setdefault(key, Unit(trace.object, trace.hl_id, trace.ref))

    for trace in created:
        if trace.object in ON_CONTACT:
            carrier(trace).children.append(trace)
        elif trace.object != "relation":
            own(trace).created = True
    for ref in updated:
        trace_ = undo.trace(ref)
        if trace_ is None:
            continue
        if trace_.object in ON_CONTACT:
            carrier(trace_).children.append(trace_)
            carrier(trace_).updated_children.add(ref)
        else:
            own(trace_).updated = True
    return list(units.values())


def _wanted_by(relations: Iterable[Trace]) -> dict[str, list[Trace]]:
    """Return, for each record, the relations by which others want it: an invoice is wanted by its items."""
    found: defaultdict[str, list[Trace]] = defaultdict(list)
    for trace in relations:
        if trace.origin:
            for end in trace.ends:
                if end != trace.origin:
                    found[end].append(trace)
    return dict(found)


def _levels(units: Collection[Unit], wanted_by: Mapping[str, list[Trace]]) -> list[list[Unit]]:
    """Put every record after those that depend on it: items, then invoices, then contacts, then insurers; calendars last."""
    calendars = [unit for unit in units if unit.object == "calendar"]
    left = {unit.ref or f"contact@{unit.hl_id}": unit for unit in units if unit.object != "calendar"}
    levels: list[list[Unit]] = []
    while left:
        waiting = {ref for ref in left if any(trace.origin in left for trace in wanted_by.get(ref, ()))}
        free = sorted(set(left) - waiting) or sorted(left)  # two that want each other: neither comes first
        levels.append([left.pop(ref) for ref in free])
    return [*levels, calendars]


def _counts(
    created: Iterable[Trace], updated: Iterable[str], unlinked: Iterable[str]
) -> dict[str, Counter[str]]:
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for trace in created:
        counts[trace.object]["remove"] += 1
    for ref in updated:
        counts[ref.partition(":")[0]]["restore"] += 1
    for _ in unlinked:
        counts["relation"]["link_again"] += 1
    return dict(sorted(counts.items()))
