"""Reading back after a rollback: is anything left of what the run created, does anything differ from before?

What was created is taken from the audit trail, which forgets nothing. Contacts and records of custom objects are paged through;
what the search still shows is asked for by its id, because the search lags. On contacts that stay, each list is read in which the
run had put something; of the contacts that were deleted some are asked whether their notes, tasks and relations went with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from target_highlevel.errors import NotFound
from target_highlevel.fields import kind_of
from target_highlevel.objects.inventory import Inventory
from target_highlevel.rollback.plan import ON_CONTACT
from target_highlevel.rollback.result import Spared
from target_highlevel.rollback.touched import ours_ever
from target_highlevel.rollback.units import files_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.undo import Undo
    from target_highlevel.objects.on_contact import OnContact
    from target_highlevel.rollback.result import Restored, Result
    from target_highlevel.rollback.setbacks import Setbacks

_PROBES = 20


@dataclass(frozen=True)
class Proof:
    """What reading back found."""

    #: (object, HighLevel id) of what the run created, that was to be removed and is there.
    left: tuple[tuple[str, str], ...]
    #: (ref, field) of what does not hold its value from before and was not spared.
    differing: tuple[tuple[str, str], ...]

    @property
    def holds(self) -> bool:
        """Return whether the run is undone."""
        return not self.left and not self.differing


class ReadBack:
    """Asks HighLevel whether a rollback did what it says."""

    def __init__(
        self, session: Session, undo: Undo, result: Result, carriers: set[str], setbacks: Setbacks
    ) -> None:
        """Prove one rollback; ``carriers`` are the contacts on which the run had put something."""
        self._session = session
        self._setbacks = setbacks
        self._undo = undo
        self._created = undo.ever_created()
        self._others = undo.files_of_others()
        self._spared = {(item.object, item.hl_id) for item in result.spared.values()}
        self._result = result
        self._carriers = carriers

    def proof(self) -> Proof:
        """Read back."""
        wanted = set(self._created) - self._spared
        shown = sorted(wanted & set(self._there()))
        left = []
        for item in shown:
            with self._setbacks.met(partial(self._unproven, *item)):
                left += [item] if self._is_there(*item) else []
        return Proof(tuple(left), tuple(self._differing()))

    def _there(self) -> Iterator[tuple[str, str]]:
        """Yield what is in HighLevel of the kinds and in the places where the run created something."""
        objects = {object_ for object_, _ in self._created}
        self._session.stop.wait(self._session.search_lag)
        inventory = Inventory(self._session.kinds)
        records = sorted(name for name in objects if "." in name)
        for name in ("contact", *records, *self._session.kinds.diary):
            yield from self._listed(inventory, name) if name in objects else ()
        made = sorted(item for item in self._created if item[0] == "opportunity")
        yield from made[:_PROBES]  # their list is a search: each is read by its id
        yield from self._on_contacts()

    def _listed(self, inventory: Inventory, name: str) -> set[tuple[str, str]]:
        """Return what the lists show of a kind; where they cannot be read all that was created, to be asked for by its id."""
        shown: set[tuple[str, str]] = set()
        with self._setbacks.met(lambda _: shown.update(item for item in self._created if item[0] == name)):
            shown.update((name, found.hl_id) for page in inventory.pages(name) for found in page)
        return shown

    def _is_there(self, object_: str, hl_id: str) -> bool:
        """Return whether something is there that was found; the lists of a contact do not lag, the search does."""
        try:
            if object_ == "contact":
                self._session.highlevel.contacts.get(hl_id)
            elif "." in object_:
                self._session.highlevel.records.get(object_, hl_id)
            elif object_ == "opportunity":
                self._session.highlevel.opportunities.get("", hl_id)
            elif object_ in self._session.kinds.diary:
                kind = self._session.kinds.diary[object_]
                kind.things.get(hl_id, kind.users())
        except NotFound:
            return False
        return True

    def _unproven(self, object_: str, hl_id: str, _reason: str) -> None:
        """List what could not be read back: nobody knows whether something of the run is left there."""
        ref = self._undo.ref_of(object_, hl_id)
        source_id = self._created.get((object_, hl_id), "") if ref is None else ref.partition(":")[2]
        self._result.doubt(Spared(object_, source_id, hl_id, "not_read_back"))

    def _on_contacts(self) -> Iterator[tuple[str, str]]:
        deleted = [
            hl_id
            for object_, hl_id in self._created
            if object_ == "contact" and ("contact", hl_id) not in self._spared
        ]
        for contact_id in [*deleted[:_PROBES], *self._staying()]:
            with self._setbacks.met(partial(self._unproven, "contact", contact_id)):
                yield from self._on_contact(contact_id)
        relation = self._session.kinds.relation
        for object_, record_id in [*(("contact", hl_id) for hl_id in deleted[:_PROBES]), *self._related()]:
            with self._setbacks.met(partial(self._unproven, object_, record_id)):
                yield from [("relation", item.id) for item in relation.all_of(record_id)]

    def _on_contact(self, contact_id: str) -> list[tuple[str, str]]:
        found = [
            (name, hl_id)
            for name in ("note", "appointment")
            for kind in self._session.kinds.activities(name)
            for hl_id in _hanging(kind, contact_id)
        ]
        return found + [("file", key) for key in self._file_keys(contact_id)]

    def _staying(self) -> list[str]:
        """Return the contacts that stay and on which the run had put something."""
        created = {hl_id for object_, hl_id in self._created if object_ == "contact"}
        return sorted((self._carriers - created) | (created & self._kept("contact")))

    def _kept(self, object_: str) -> set[str]:
        return {item.hl_id for item in self._result.spared.values() if item.object == object_}

    def _related(self) -> list[tuple[str, str]]:
        """Return the records that stay and may carry a relation of the run."""
        spared = {
            (item.object, item.hl_id)
            for item in self._result.spared.values()
            if item.object == "contact" or "." in item.object
        }
        restored = {
            (item.row.object, str(item.row.hl_id))
            for item in self._result.restored.values()
            if item.row.object not in ON_CONTACT
        }
        return sorted(spared | restored)

    def _file_keys(self, contact_id: str) -> list[str]:
        try:
            keys = files_of(self._session.highlevel.contacts.get(contact_id))
        except NotFound:
            return []
        return [key for key in keys if (contact_id, key) not in self._others]

    def _differing(self) -> Iterator[tuple[str, str]]:
        for ref, restored in sorted(self._result.restored.items()):
            row = restored.row
            with self._setbacks.met(partial(self._unproven, row.object, str(row.hl_id))):
                yield from [(ref, name) for name in self._fields(restored)]
        relation = self._session.kinds.relation
        for ref, row in sorted(self._result.linked.items()):
            with self._setbacks.met(partial(self._unproven, row.object, str(row.hl_id))):
                if relation.find_link(row.notes.link) != row.hl_id:
                    yield ref, "link"

    def _fields(self, restored: Restored) -> Iterator[str]:
        row = restored.row
        spec = self._session.specs[row.stream]
        kind = self._session.kinds.of(row, spec)
        try:
            current = kind.read(row, spec)
        except NotFound:
            yield "deleted"
            return
        for name, old in restored.before.fields.items():
            if name in restored.left or name.startswith("_"):
                continue
            if kind_of(spec.field(name)).shared:
                ours = ours_ever(row, restored.before)
                agrees = set(current.get(name) or ()) & ours == set(old or ()) & ours
            else:
                agrees = kind_of(spec.field(name)).equal(old, current.get(name))
            if not agrees:
                yield name


def _hanging(kind: OnContact, contact_id: str) -> list[str]:
    try:
        return [str(item["id"]) for item in kind.listed(contact_id)]
    except NotFound:
        return []
