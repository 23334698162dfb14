"""A rollback from beginning to end: what is unclear, links put back, then what the run made, what depends on others first."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import SettingsError
from target_highlevel.fields import kind_of
from target_highlevel.ledger.purge import purged_on
from target_highlevel.ledger.rows import DIARY, Notes
from target_highlevel.ledger.undo import DONE, Undo, rolled_back, writing_runs
from target_highlevel.rollback.act import Hand
from target_highlevel.rollback.copies import Copies
from target_highlevel.rollback.links import Links
from target_highlevel.rollback.pages import Pages
from target_highlevel.rollback.plan import plan_of
from target_highlevel.rollback.pool import do_all
from target_highlevel.rollback.proof import Proof, ReadBack
from target_highlevel.rollback.removed import Removed
from target_highlevel.rollback.result import Result
from target_highlevel.rollback.setbacks import Setbacks
from target_highlevel.rollback.touched import Marks, tags_before
from target_highlevel.rollback.unclear import Unclear
from target_highlevel.rollback.units import UnitWorker
from target_highlevel.withheld import tags as tags_of
from target_highlevel.withheld import told_by, untold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.rollback.plan import Unit
    from target_highlevel.rollback.result import Restored


def run_to_undo(ledger: Ledger, wanted: str | None) -> str:
    """Return the run to undo: the wanted one, else the newest that wrote and was not undone.

    Raises:
        SettingsError: there is no such run, or the ledger was purged.
    """
    purged = purged_on(ledger)
    if purged:
        msg = (
            f"this ledger was purged on {purged}: which records somebody has worked with since cannot be told any more, so"
            " nothing is removed. The contacts of a run can be found in HighLevel by the field source_system_id"
        )
        raise SettingsError(msg)
    wrote = writing_runs(ledger)
    if wanted is not None:
        if wanted not in wrote:
            msg = f"run {wanted} wrote nothing to this sub-account; `runs` lists those that did"
            raise SettingsError(msg)
        return wanted
    open_ = [run for run in wrote if not rolled_back(ledger, run)]
    if not open_:
        msg = "there is no run to undo: none has written to this sub-account, or all were undone"
        raise SettingsError(msg)
    return open_[-1]


class Rollback:
    """Undoes one run.

    It can be killed at any moment and started again: what is done is in the ledger, the rest is judged anew.
    """

    def __init__(self, session: Session, undone: str) -> None:
        """Prepare; nothing is sent yet."""
        self._session = session
        self._undo = Undo(session.ledger, session.run, undone)
        self._marks = Marks(session.ledger.salt, session.specs)
        self._hand = Hand(
            self._undo, self._marks, session.specs, lambda: f"{session.ledger.now():%Y-%m-%dT%H:%M:%SZ}"
        )
        self._setbacks = Setbacks(session)
        self.result = Result()
        self.undone = undone
        #: Signs of people's work with a contact that the token may not see.
        self.unseen: set[str] = set()

    def act(self) -> Proof:
        """Undo the run, read back and have the ledger forget it."""
        self._read_definitions()
        setbacks = self._setbacks
        unclear = Unclear(self._session, self._undo, self._hand, self._marks, self.result, setbacks)
        do_all(unclear.clear_up, self._undo.unclear(), self._session)
        plan = plan_of(self._undo)
        worker = UnitWorker(self._session, self._undo, self._hand, self._marks, plan, self.result, setbacks)
        pages = Pages(self._session, self._undo, worker, setbacks)
        Removed(self._session, self._undo, plan, self.result, setbacks).bring_back()
        links = Links(self._session, self._undo, self._hand, plan, self.result, setbacks)
        do_all(links.put_back, plan.unlinked, self._session)
        for level in plan.levels:
            made = [unit for unit in level if unit.created]
            do_all(worker.take_back, pages.take_back(made), self._session)
        changed = [unit for level in plan.levels for unit in level if not unit.created]
        # a calendar has its team again before a booking goes back into it
        self._put_back(worker, [unit for unit in changed if unit.object in DIARY])
        self._put_back(worker, [unit for unit in changed if unit.object not in DIARY])
        do_all(links.remove, list(plan.relations.values()), self._session)
        carriers = self._undo.carriers()  # now: what is put back tells no longer where else it was
        copies = Copies(self._session, self._undo, plan, self.result, setbacks)
        do_all(copies.put_back, plan.left, self._session)
        self._spare_left_since()
        self._spare_purged()
        self.unseen = worker.unseen
        proof = ReadBack(self._session, self._undo, self.result, carriers, setbacks).proof()
        if links.remove_left(hl_id for object_, hl_id in proof.left if object_ == "relation"):
            proof = ReadBack(self._session, self._undo, self.result, carriers, setbacks).proof()
        if proof.holds:
            self._finish()
        return proof

    def _put_back(self, worker: UnitWorker, units: list[Unit]) -> None:
        """Put back what the run changed, now that what it made has no address any more that others had before.

        One that comes free only when another of these is put back is tried again, as long as that helps.
        """
        while units:
            do_all(worker.take_back, units, self._session)
            again = worker.refused()
            units = again if len(again) < len(units) else []

    def _spare_purged(self) -> None:
        """List what the run changed and nobody can put back; of a run undone before, what was put back is needed no longer."""
        refs = () if rolled_back(self._session.ledger, self.undone) else self._undo.purged()
        for row in filter(None, map(self._undo.row, refs)):
            self.result.spare(row, "purged")

    def _spare_left_since(self) -> None:
        """List what the run made and a later run left behind for another copy: it is that run's to put back."""
        for ref, hl_id in self._undo.left_since():
            row = self._undo.row(ref)
            if row is not None and ref not in self.result.spared:
                self.result.spare(replace(row, hl_id=hl_id), "written_by_a_later_run")

    def _read_definitions(self) -> None:
        catalogue = self._session.catalogue()
        for spec in self._session.specs.values():
            if spec.kind == "custom_object" and spec.object in catalogue.object_keys:
                catalogue.read_object(spec.object)

    # The end

    def _finish(self) -> None:
        adopted = self._undo.adopted()
        restored = {
            ref: None if ref in adopted else self._marks.after(item.row, item.put_back, item.before)
            for ref, item in self.result.restored.items()
            if ref not in self.result.settled
        }
        with self._session.ledger.transaction():
            self._undo.finish(restored, self.result.settled, self.result.spared)
            self._undo.retag({ref: notes for ref, notes in self._notes_put_back() if ref not in adopted})
            self._session.ledger.remember(f"{DONE}{self.undone}", json.dumps({"by": self._session.run}))

    def _notes_put_back(self) -> Iterator[tuple[str, Notes]]:
        """Yield, of contacts that were put back, which tags and closed channels are ours now: as before the run.

        Else the undoing of an earlier run finds the tags changed, and a later load opens a channel that a person has closed.
        """
        for ref, item in self.result.restored.items():
            told: dict[str, Any] = {}
            for name, declared in self._session.specs[item.row.stream].fields.items():
                if kind_of(declared).shared and name in item.put_back:
                    told |= self._tags_put_back(item, name)
            told |= self._channels_put_back(item)
            if told:
                yield ref, replace(item.row.notes, **told)

    def _tags_put_back(self, item: Restored, name: str) -> dict[str, Any]:
        spec = self._session.specs[item.row.stream]
        tags = tags_before(item.row, spec, item.before, name)
        known = item.row.notes.withheld
        told = {field: why for field in spec.fields if (why := told_by(tags, field)) is not None}
        # what is known says more than a tag, unless the run has withheld the address for another reason
        told |= {
            field: why for field, why in known.items() if field in told and tags_of({field: why}) <= tags
        }
        withheld = {
            **told,
            **{field: why for field, why in untold(known).items() if field not in item.put_back},
        }
        return {"tags": tuple(sorted(tags)), "withheld": withheld}

    def _channels_put_back(self, item: Restored) -> dict[str, Any]:
        spec = self._session.specs[item.row.stream]
        channels = {name for name in item.put_back if kind_of(spec.field(name)).is_channel}
        before = set(Notes.of(item.before.known.get("notes")).dnd)
        now = set(item.row.notes.dnd)
        return {"dnd": tuple(sorted((now - channels) | (before & channels)))} if channels else {}

    def left_behind(self) -> dict[str, Any]:
        """Return what a rollback leaves on purpose: definitions and tags."""
        catalogue = self._session.catalogue()
        fields, objects, associations = [], [], []
        for spec in self._session.specs.values():
            if spec.kind == "contact":
                fields += [f"contact.{name}" for name in spec.fields if name in catalogue.contact_fields]
            if spec.kind == "custom_object" and spec.object in catalogue.object_keys:
                objects.append(spec.object)
            associations += [
                key
                for item in spec.associations
                for key, _, _ in item.labels()
                if key in catalogue.associations
            ]
        return {
            "fields": sorted(fields),
            "objects": sorted(objects),
            "associations": sorted(set(associations)),
            "tags": sorted(self.result.tags),
        }
