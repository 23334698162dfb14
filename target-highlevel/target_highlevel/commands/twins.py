"""Whether a second copy of a record may go: all that is on it is on the kept one too, and nobody works with it.

The signs of people's work are those by which a rollback spares what a run has made. A contact never goes: what is found says
whether a person merges the two in HighLevel or deletes the second.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import NotFound
from target_highlevel.fields import is_empty, kind_of
from target_highlevel.ledger.rows import DIARY
from target_highlevel.ledger.undo import Undo
from target_highlevel.objects.contact import decode
from target_highlevel.objects.file import source_id as file_source_id
from target_highlevel.report.wording import meaning
from target_highlevel.rollback.engagement import Engagement
from target_highlevel.rollback.touched import foreign_fields
from target_highlevel.rollback.units import files_of
from target_highlevel.verify.downloads import DocumentUnreadable
from target_highlevel.withheld import possible_tags

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.repair import Repair
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.on_contact import OnContact
    from target_highlevel.verify.downloads import Downloads

    Files = Mapping[str, Mapping[str, Any]]


_SAME = "no contact is deleted from here: all that is on it is on the other, and nobody works with it, so delete it in HighLevel"


class Twins:
    """Compares second copies with those that are kept."""

    def __init__(self, session: Session, work: Repair, downloads: Downloads, kept: Mapping[str, str]) -> None:
        """Compare for one repair.

        Args:
            session: of the repair.
            work: its side of the ledger.
            downloads: reads the bytes of files.
            kept: HighLevel id of each second copy → id of the one that is kept.
        """
        self._session = session
        self._work = work
        self._downloads = downloads
        self._kept = kept
        self._engagement = Engagement(session, Undo(session.ledger, session.run, ""))

    def why_it_stays(self, row: Row, hl_id: str) -> str:
        """Return why the second copy of a record stays, and what a person does about it; nothing if it may go.

        Raises:
            HighLevelError: one of the two could not be read.
        """
        copy = replace(row, hl_id=hl_id)
        if row.object == "contact":
            only_there = self._of_contact(row, copy)
            return f"{only_there}: merge the two in HighLevel" if only_there else _SAME
        if row.object == "file":
            return self._of_file(row, copy)
        if row.object == "opportunity":
            return "somebody may work with it: close one of the two in HighLevel"
        if row.object == "relation":
            return ""
        return self._of_values(row, copy)

    def linked(self, hl_id: str) -> set[str]:
        """Return the second copies that a second copy is linked with."""
        ends = {end for item in self._links(hl_id) for end in (item.first, item.second)}
        return {end for end in ends - {hl_id} if end in self._kept}

    def _of_values(self, row: Row, copy: Row) -> str:
        """Compare all that is in the two, in whatever is none of our fields as well."""
        ours, theirs = self._read(row), self._read(copy)
        spec = self._session.specs[row.stream]
        names = sorted({*ours, *theirs})
        differing = [
            name for name in names if not kind_of(spec.field(name)).equal(ours.get(name), theirs.get(name))
        ]
        if differing:
            return _differ(differing)
        if row.object in DIARY and self._session.kinds.diary[row.object].in_use(copy):
            return "there are bookings in it"
        return self._of_links(row, copy) if "." in row.object else ""

    def _read(self, row: Row) -> dict[str, Any]:
        kinds, spec = self._session.kinds, self._session.specs[row.stream]
        if "." not in row.object:
            return kinds.of(row, spec).read(row, spec)
        properties = kinds.custom_object.properties(row, spec)
        theirs = kinds.custom_object.of_others(spec, properties)
        return {**kinds.custom_object.decode(spec, properties), **theirs}

    # Contacts

    def _of_contact(self, row: Row, copy: Row) -> str:
        """Compare two contacts: what the copy lacks is no loss, what it has the kept one has too."""
        contacts = self._session.highlevel.contacts
        kept, other = contacts.get(str(row.hl_id)), contacts.get(str(copy.hl_id))
        differing = self._only_on(row, other, kept)
        if differing:
            return _differ(differing)
        if self._work.carries(str(copy.hl_id)):
            return "the ledger leads to something on it"
        if (reason := self._engagement.reason(str(copy.hl_id), other)) is not None:
            return _lower(meaning("spared", reason).says)
        return (
            self._of_items(row, copy)
            or self._of_files(files_of(kept), files_of(other))
            or self._of_links(row, copy)
        )

    def _only_on(self, row: Row, other: Mapping[str, Any], kept: Mapping[str, Any]) -> list[str]:
        """Return the fields of a second contact that hold what the kept one does not."""
        spec, catalogue = self._session.specs[row.stream], self._session.catalogue()
        there, here = decode(spec, other, catalogue), decode(spec, kept, catalogue)
        found = set(foreign_fields(spec, other, catalogue))
        for name, declared in spec.fields.items():
            kind, value = kind_of(declared), there.get(name)
            if kind.shared:
                more = set(value or ()) - set(here.get(name) or ()) - possible_tags(spec.fields)
                found |= {name} if more else set()
            elif (
                kind.written
                and not is_empty(value)
                and value is not False
                and not kind.equal(here.get(name), value)
                and not kind.is_highlevels_own(value, row.notes, catalogue.settings)
            ):
                found.add(name)
        return sorted(found)

    def _of_items(self, row: Row, copy: Row) -> str:
        """Compare notes, tasks and events of two contacts."""
        kinds = self._session.kinds
        for name, kind in (("note", kinds.note), ("task", kinds.task), ("event", kinds.event)):
            ours = kind.ours(str(row.hl_id))
            for item in kind.listed(str(copy.hl_id)):
                source = kind.source_id(item)
                if source is None:
                    return f"somebody has added {_a(name)} to it"
                twin = ours.get(source)
                if twin is None or self._shown(kind, twin) != self._shown(kind, item):
                    return f"{_a(name)} on it ({source}) is not the same on the one that is kept"
        return ""

    def _shown(self, kind: OnContact, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item in our shape; a contact's list shows less of an event than there is."""
        is_event = kind is self._session.kinds.event
        return kind.decode(kind.activities.get("", str(item["id"])) if is_event else item)

    # Files

    def _of_file(self, row: Row, copy: Row) -> str:
        """Compare the bytes of two files on one contact."""
        files = files_of(self._session.highlevel.contacts.get(str(row.parent_id)))
        other = files.pop(str(copy.hl_id), None)
        if other is None:
            raise NotFound(route="", status=404)
        return self._of_files(files, {str(copy.hl_id): other})

    def _of_files(self, kept: Files, others: Files) -> str:
        for item in others.values():
            source = file_source_id(item)
            if source is None:
                return "somebody has added a file to it"
            twin = next((each for each in kept.values() if file_source_id(each) == source), None)
            if twin is None:
                return f"a file on it ({source}) is not on the one that is kept"
            if not self._same_bytes(twin, item):
                return f"the bytes of {source} are not the same, or cannot be read"
        return ""

    def _same_bytes(self, one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
        try:
            found = {
                self._downloads.sha256(str(item.get("url") or ""), zipped=False) for item in (one, other)
            }
        except DocumentUnreadable:
            return False
        return len(found) == 1 and None not in found

    # Links

    def _of_links(self, row: Row, copy: Row) -> str:
        """Compare the links of two records: another second copy counts as the one that is kept of it."""
        kept = {self._as_kept(item) for item in self._links(str(row.hl_id))}
        others = {self._as_kept(item) for item in self._links(str(copy.hl_id))}
        return (
            ""
            if others <= kept
            else "it is linked with something that the one that is kept is not linked with"
        )

    def _as_kept(self, item: Any) -> tuple[str, str, str]:
        return item.association_id, *(self._kept.get(end, end) for end in (item.first, item.second))

    def _links(self, hl_id: str) -> Iterable[Any]:
        return self._session.kinds.relation.all_of(hl_id)


def _differ(names: list[str]) -> str:
    return f"its {', '.join(names)} differ{'s' if len(names) == 1 else ''}"


def _a(name: str) -> str:
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"


def _lower(text: str) -> str:
    return f"{text[:1].lower()}{text[1:]}".rstrip(".")
