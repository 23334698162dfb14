"""Relations: labelled links between two records, each its own request."""

from __future__ import annotations

import threading
from collections import defaultdict
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import NotFound, Refused
from target_highlevel.ledger.rows import Notes, Status
from target_highlevel.ledger.work import ALL_LISTED
from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, Updated

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.api.relations import RelationItem
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectContext

#: What makes a link: the key of its association, and the ids in HighLevel of its two records.
ENDS = ("association", "first", "second")
_KIND = "relation"
#: Records whose links are kept at hand; the links of further ones are tried one by one.
_MOST_KEPT = 20_000
_STRIPES = 64
#: (association, first record, second record) -> id of the link.
Links = dict[tuple[str, str, str], str]


class Relation(ObjectKind):
    """A link under an association's label; a full label continues under the next one."""

    api = "relations"
    is_made_anew = True

    def __init__(self, ctx: ObjectContext) -> None:
        """Remember which labels are full for which record, so that they are asked once a run."""
        super().__init__(ctx)
        self._first_free: defaultdict[tuple[str, str], int] = defaultdict(int)
        self._links = lru_cache(_MOST_KEPT)(self._list)
        self._links_of_people = lru_cache(_MOST_KEPT)(self._list_again)
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return both ends as HighLevel ids."""
        ends = {name: self.ctx.work.hl_id(fields[name]) for name in ("first", "second") if fields.get(name)}
        if len(ends) < 2 or not all(ends.values()):  # noqa: PLR2004 - the two ends
            raise Rejected("relation_end_missing")
        return {"association": fields["association"], **ends}

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Link the two records; an identical relation answers 400 and is what we wanted (issue 73 of the API's documentation)."""
        first, second = row.fields["first"], row.fields["second"]
        by_people = all(end.startswith("contact:") for end in (first, second))
        known = self._known(first, by_people=by_people)
        for label in self.ctx.catalogue.association_ids(wanted["association"]) if known else ():
            found = known.get((label, wanted["first"], wanted["second"]))
            if found is not None:
                return Existing(found, ours=False)
        self._take_back_former(row, spec, wanted)
        return self.link(wanted)

    def _take_back_former(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> None:
        """Have the link removed that a record of ours has under this label in place of the wanted one (a lost ledger).

        Cliniko has given an invoice to another patient since, say. Only for records of custom objects, which nobody but us makes:
        a person may have linked two contacts. Where any wanted link is there, the others are left alone.
        """
        end = self.ctx.work.row(row.origin) if row.origin and "." in row.origin.partition(":")[0] else None
        if end is None or end.hl_id is None or ALL_LISTED in end.listed.split():
            return
        labels = set(self.ctx.catalogue.association_ids(wanted["association"]))
        side, other = ("first", "second") if row.fields["first"] == end.ref else ("second", "first")
        object_ = row.fields[other].partition(":")[0]
        former: list[dict[str, Any]] = []
        for item in self.all_of(end.hl_id):
            ids = {"first": item.first, "second": item.second}
            if item.association_id not in labels or ids[side] != end.hl_id:
                continue
            holder = self.ctx.work.holder(object_, ids[other])
            refs = {side: end.ref, other: f"{object_}:{holder}"}
            source_id = "|".join((wanted["association"], refs["first"], refs["second"]))
            known = self.ctx.work.row(f"{_KIND}:{source_id}")
            if known is not None and not known.content.absent and known.status != Status.FILTERED:
                return
            if holder is not None:
                link = {"association": wanted["association"], **ids}
                notes = Notes(rebuilt=True, link=link)
                former.append({**_found(row, spec, source_id), "hl_id": item.id, "notes": notes})
        for link in former:
            self.ctx.work.adopt_former(link)

    def link(self, wanted: Mapping[str, Any]) -> Created | Existing:
        """Link two records, named by their ids in HighLevel, under the first label of the association that is not full."""
        key = wanted["association"]
        place = (key, wanted["second"])
        while association_id := self.ctx.schema.label(key, number := self._first_free[place]):
            try:
                return self._link(association_id, wanted)
            except Refused as refused:
                if refused.code != "limit_reached":
                    raise
                # Several writers meet the limit at once: each says only that the label it tried is full.
                self._first_free[place] = max(self._first_free[place], number + 1)
        raise Rejected("relation_limit", key)

    def _known(self, ref: str, *, by_people: bool) -> Links:
        """Return the links of a record that this ledger did not make: listed once, not tried one by one (a lost ledger).

        Of links ``by_people``, as there are between contacts, a contact of an earlier run may have some since: what answers a
        link that is there need not tell it from one that is made.
        """
        with self._stripes[hash(ref) % _STRIPES]:
            known = self._links(ref)
            if known is None and by_people:
                known = self._links_of_people(ref)
            return known or {}

    def _list(self, ref: str) -> Links | None:
        """Return the links of a record; None where an earlier run has listed them, or nobody but this ledger made any."""
        end = self.ctx.work.row(ref)
        if end is None or end.hl_id is None or {ALL_LISTED, _KIND} & set(end.listed.split()):
            return None
        known = self._all_of(end.hl_id)
        self.ctx.work.mark_listed(end, _KIND)
        return known

    def _list_again(self, ref: str) -> Links:
        """Return the links that a contact has by now; those of one made in this run are nobody's."""
        end = self.ctx.work.row(ref)
        if end is None or end.hl_id is None or end.created_run == self.ctx.work.run:
            return {}
        return self._all_of(end.hl_id)

    def _all_of(self, hl_id: str) -> Links:
        return {(item.association_id, item.first, item.second): item.id for item in self.all_of(hl_id)}

    def _link(self, association_id: str, wanted: Mapping[str, Any]) -> Created | Existing:
        try:
            made = self.ctx.highlevel.relations.create(association_id, wanted["first"], wanted["second"])
        except Refused as refused:
            if refused.code != "duplicate_relation":
                raise
            found = self._search(wanted, {association_id})
            if found is None:
                raise
            return Existing(found, ours=False)
        return Created(made)

    def _search(self, wanted: Mapping[str, Any], association_ids: set[str]) -> str | None:
        """Page through the relations of the second record, usually the one with fewer."""
        for item in self.all_of(wanted["second"]):
            ends = (item.first, item.second)
            if item.association_id in association_ids and ends == (wanted["first"], wanted["second"]):
                return item.id
        return None

    def all_of(self, hl_id: str) -> Iterator[RelationItem]:
        """Yield every relation of a record; one that is not there has none."""
        return self.ctx.highlevel.relations.listed(hl_id)

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return what it links, as the ledger knows it: HighLevel has no question for that, and nobody can change it there."""
        return dict(row.notes.link)

    def is_there(self, row: Row, spec: StreamSpec) -> bool:
        """Look for the link among those of its second record: it cannot be read by its id."""
        link = row.notes.link or self.prepare(row, spec, row.fields)
        return any(item.id == row.hl_id for item in self.all_of(link["second"]))

    def co_written_fields(self, spec: StreamSpec, names: Iterable[str]) -> set[str]:
        """Return all that a link is made of: with another end it is another link."""
        return set(ENDS)

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """A relation with other ends is another relation: remove this one and link anew."""
        if not row.notes.found and not self.ctx.work.shared(row):
            self.take_away(str(row.hl_id))
        made = self.create(row, spec, self.prepare(row, spec, row.fields))
        theirs = isinstance(made, Existing) and self.ctx.work.holder(_KIND, made.hl_id) is None
        return Updated(made.hl_id, found=theirs)

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Look for the link among the relations of its second record."""
        return self.find_link(self.prepare(row, spec, row.fields))

    def find_link(self, wanted: Mapping[str, Any]) -> str | None:
        """Look for a link between two records, named by their ids in HighLevel, under any label of the association."""
        return self._search(wanted, set(self.ctx.catalogue.association_ids(wanted["association"])))

    def remove(self, row: Row) -> None:
        """Delete the link.

        Raises:
            NotFound: it is gone already.
        """
        self._delete(str(row.hl_id))

    def take_away(self, hl_id: str) -> bool:
        """Delete a link, and return whether it was still there."""
        try:
            self._delete(hl_id)
        except NotFound:
            return False
        return True

    def _delete(self, hl_id: str) -> None:
        for listed in (self._links, self._links_of_people):
            listed.cache_clear()  # what was listed is true no longer
        self.ctx.highlevel.relations.delete(hl_id)


def _found(row: Row, spec: StreamSpec, source_id: str) -> dict[str, Any]:
    """Return what the ledger keeps of a link that stands in the place of another one of the same record."""
    return {
        "ref": f"{_KIND}:{source_id}",
        "object": _KIND,
        "source_id": source_id,
        "resource": str(row.origin).partition(":")[2].partition("/")[0],
        "stream": spec.stream,
        "origin": row.origin,
        "rank": row.rank,
        "written": {},
    }
