"""Relations read back from one of their ends: one request for each record that has any."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

from target_highlevel.ledger.links import ExpectedLinks
from target_highlevel.ledger.rows import Status
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import Compared
from target_highlevel.verify.reading import Unreadable, in_parallel

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.relations import RelationItem
    from target_highlevel.descriptor import Association
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.rows import Row
    from target_highlevel.verify.expected import Expected
    from target_highlevel.verify.findings import Findings
    from target_highlevel.verify.reading import Reader

_BATCH = 500


class Links:
    """Compares relations."""

    def __init__(self, session: Session, expected: Expected, findings: Findings, reader: Reader) -> None:
        """Read through the session's client."""
        self._reader = reader
        self._session = session
        self._expected = expected
        self._findings = findings
        self._kind = session.kinds.relation
        self._associations = {
            association.key: association
            for spec in session.specs.values()
            for association in spec.associations
        }
        self._labels = self._known_labels()
        self._links = ExpectedLinks(session.ledger)

    def _known_labels(self) -> dict[str, str]:
        """Return the association of each label's id: one that was full continues under further labels."""
        there = self._session.catalogue().associations
        return {
            there[label[0]]: association.key
            for association in self._associations.values()
            for label in association.labels()
            if label[0] in there
        }

    def verify(self) -> None:
        """Compare every relation."""
        self._collect()
        sides = {key: self._side(association) for key, association in self._associations.items()}
        objects = {getattr(self._associations[key], side) for key, side in sides.items()}
        listers = self._links.listers(sides, objects)
        for hl_id, found in in_parallel(self._listed, listers, self._session.stop):
            if isinstance(found, Unreadable):
                self._unreadable(hl_id, found.reason, sides)
            else:
                self._compare(hl_id, found or [], sides)
            self._findings.flush()
        for row in self._expected.records.unverified("relation"):
            self._findings.missing(row)
        self._findings.flush()

    def _collect(self) -> None:
        """Find out between which two records of HighLevel each relation should be."""
        work = self._session.work
        links = []
        for row in self._expected.records.unverified("relation"):
            association, first, second = _ends(row)
            ids = work.hl_id(first), work.hl_id(second)
            if ids[0] and ids[1]:
                links.append((row.ref, association, ids[0], ids[1]))
            if len(links) >= _BATCH:
                self._links.keep(links)
                links = []
        self._links.keep(links)

    def _side(self, association: Association) -> str:
        """Return the end to read an association from: the contact, read for others too, else the rarer."""
        if "contact" in {association.first, association.second}:
            return "first" if association.first == "contact" else "second"
        return self._links.rarer_side(association.first, association.second)

    def _listed(self, hl_id: str) -> list[RelationItem] | Unreadable | None:
        return self._reader.read(lambda: list(self._kind.all_of(hl_id)))

    def _unreadable(self, hl_id: str, reason: str, sides: Mapping[str, str]) -> None:
        wanted = self._links.of(hl_id, sides)
        for row in chain.from_iterable(wanted.values()):
            self._findings.unreadable(row, reason)
        if not wanted:
            self._findings.unreadable_list("relation", reason)

    def _compare(self, hl_id: str, found: list[RelationItem], sides: Mapping[str, str]) -> None:
        wanted = self._links.of(hl_id, sides)
        seen: set[tuple[str, str, str]] = set()
        for item in self._known_first(found):
            key = self._labels.get(item.association_id)
            if key is None or (item.first if sides[key] == "first" else item.second) != hl_id:
                continue  # somebody else's label, or a relation that is read from its other end
            pair = (key, item.first, item.second)
            if pair in seen:
                self._extra(item, key, "doubled")
            elif pair in wanted:
                for row in wanted[pair]:
                    self._findings.compared(row, [Compared(key, Kind.EQUAL)])
            else:
                self._unwanted(item, key)
            seen.add(pair)

    def _known_first(self, found: list[RelationItem]) -> list[RelationItem]:
        """Put what the ledger leads to first, where a link is there twice: that one is no double."""
        if len({(item.association_id, item.first, item.second) for item in found}) == len(found):
            return found
        return sorted(found, key=lambda item: self._expected.records.status_of("relation", item.id) is None)

    def _unwanted(self, item: RelationItem, key: str) -> None:
        """Decide on a relation under one of our labels that the received records do not ask for."""
        known = self._expected.records.status_of("relation", item.id)
        if known is None:
            self._extra(item, key, "unknown")
        elif known == Status.READY.value:  # the account asked for it once, and does no more
            self._extra(item, key, "no_longer_wanted")

    def _extra(self, item: RelationItem, key: str, how: str) -> None:
        first = self._name(self._associations[key].first, item.first)
        second = self._name(self._associations[key].second, item.second)
        resource = first.partition(":")[2].partition("/")[0]
        self._findings.surplus("relation", f"{key}|{first}|{second}", item.id, how, resource=resource)

    def _name(self, object_: str, hl_id: str) -> str:
        return f"{object_}:{self._session.work.holder(object_, hl_id) or hl_id}"


def _ends(row: Row) -> tuple[str, str, str]:
    """Return association, first and second ref; an unchanged relation says them in its identity only."""
    if row.fields:
        return str(row.fields["association"]), str(row.fields["first"]), str(row.fields["second"])
    association, first, second = row.source_id.split("|")
    return association, first, second
