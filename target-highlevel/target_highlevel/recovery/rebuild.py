"""Rebuilding the crosswalk from HighLevel alone: a lost ledger must not lead to a second copy of anybody.

Contacts and records of custom objects carry their Cliniko id in a field and are paged through once. What hangs on a contact is
listed when the first thing is about to be added to a contact that this ledger did not create. What is not found there may hang on
another one: Cliniko may have given it to somebody else since. So before anything of a kind is created, what hangs on every other
contact that this ledger did not create is listed as well, once. A first load pays nothing: without our fields in the sub-account
there is nothing of ours to find.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import HighLevelError, NotFound
from target_highlevel.fields import is_empty, mark
from target_highlevel.ledger.recovery import Recovery
from target_highlevel.ledger.rows import DIARY, Notes
from target_highlevel.ledger.work import ALL_LISTED
from target_highlevel.objects.contact import IDENTITY
from target_highlevel.objects.file import source_id as file_source_id
from target_highlevel.objects.inventory import Inventory, Listed
from target_highlevel.recovery.rounds import Round

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.work import Work
    from target_highlevel.objects.kinds import Kinds
    from target_highlevel.setup.catalogue import Catalogue

logger = logging.getLogger(__name__)

_STRIPES = 64
_FULL = "run once with --full-refresh, which reads them again"
_UNREADABLE = (
    "contacts that have the field source_system_id do not show it here: HighLevel may have changed its answers, and without it"
    " everybody would be made a second time"
)


class Rebuild:
    """Finds what an earlier ledger had written."""

    def __init__(
        self,
        catalogue: Catalogue,
        work: Work,
        ledger: Ledger,
        kinds: Kinds,
        settle: Callable[[], Any],
    ) -> None:
        """Fill this ledger; ``settle`` waits as long as the search may lag behind writes."""
        self._catalogue = catalogue
        self._work = work
        self._ledger = ledger
        self._kinds = kinds
        self._inventory = Inventory(kinds)
        self._recovery = Recovery(ledger, work.run)
        self._settle = settle
        self._settled = False
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]
        self._rounds: dict[str, Round] = {}
        self._mutex = threading.Lock()

    def once(self, spec: StreamSpec) -> None:
        """Adopt every contact, or every record of a custom object, that carries one of our ids; once per ledger.

        Raises:
            NotOffered: HighLevel does not show what is of this kind, which only some records need.
        """
        if spec.kind not in {"contact", "custom_object", *DIARY} or self._recovery.is_done(spec.object):
            return
        if spec.kind in DIARY and not self._kinds.in_calendars:
            return
        self._recovery.begin(spec.object)
        if spec.kind in DIARY:
            with self._catalogue.offered.asked(spec.kind):
                self._find_all(spec)
        else:
            self._find_all(spec)
        self._recovery.end(spec.object)

    def is_whole(self, spec: StreamSpec) -> bool:
        """Return whether nothing of a kind can be there that this ledger does not know."""
        if spec.kind in {"contact", "custom_object", *DIARY}:
            return self._recovery.is_done(spec.object)
        return self._recovery.is_done("contact") and not self._recovery.unlisted(spec.kind)

    def _find_all(self, spec: StreamSpec) -> None:
        if self._can_be_there(spec):
            self._find(spec)
        self._forget_gone(spec)

    def _can_be_there(self, spec: StreamSpec) -> bool:
        """Return whether the sub-account has what our ids are kept in; a first load has asked nothing then."""
        if spec.kind == "custom_object":
            return spec.object in self._catalogue.object_keys
        return IDENTITY in self._catalogue.contact_fields

    def _find(self, spec: StreamSpec) -> None:
        if spec.kind not in DIARY:  # its lists do not lag
            self._wait()
        if spec.kind == "custom_object":
            self._catalogue.read_object(spec.object)
        for page in self._inventory.pages(spec.object):
            if page and all(found.source_id is None for found in page):
                raise HighLevelError(_UNREADABLE, route="/contacts/search")
            rows = [self._listed_row(spec, found, found.source_id) for found in page if found.source_id]
            self._recovery.found(rows)
            self._work.adopt(rows)

    def _forget_gone(self, spec: StreamSpec) -> None:
        """Have made again what an older ledger takes to be in HighLevel and is not: a run it knows nothing of was undone, say."""
        gone = 0
        for row in self._recovery.not_found(spec.object):
            if not self._is_there(row, spec):
                self._recovery.forget(row)
                gone += 1
        along = self._recovery.forget_along()
        if gone or along:
            logger.warning(
                "highlevel.gone object=%s records=%d with_them=%d advice=%s", spec.object, gone, along, _FULL
            )

    def _is_there(self, row: Row, spec: StreamSpec) -> bool:
        """Read a record by its id: the search may lag, and a person may have emptied the field that it goes by."""
        if spec.kind == "custom_object" and spec.object not in self._catalogue.object_keys:
            return False
        try:
            self._kinds.of(row, spec).read(row, spec)
        except NotFound:
            return False
        return True

    def _wait(self) -> None:
        """Let the search catch up, once: what an earlier ledger wrote a moment ago would be made again."""
        if not self._settled:
            self._settle()
            self._settled = True

    def _listed_row(self, spec: StreamSpec, found: Listed, source_id: str) -> dict[str, Any]:
        fields = self._inventory.fields(spec, found)
        return self._row(spec, source_id, found.hl_id, self._written(spec, fields))

    def _written(self, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, str]:
        return {
            name: mark(spec.field(name), value, self._ledger.salt)
            for name, value in fields.items()
            if not is_empty(value) and not name.startswith("_")
        }

    def _row(
        self, spec: StreamSpec, source_id: str, hl_id: str, written: Mapping[str, str], **more: Any
    ) -> dict[str, Any]:
        return {
            "ref": f"{spec.object}:{source_id}",
            "object": spec.object,
            "source_id": source_id,
            "resource": source_id.partition("/")[0],
            "stream": spec.stream,
            "hl_id": hl_id,
            "rank": spec.rank,
            "written": dict(written),
            "notes": Notes(rebuilt=True),
            **more,
        }

    def list_contact(self, source_id: str, spec: StreamSpec) -> None:
        """Adopt what of this kind hangs on a contact before anything is added to it, unless this ledger knows it all."""
        with self._stripes[hash(source_id) % _STRIPES]:
            row = self._work.row(f"contact:{source_id}")
            if row is None or row.hl_id is None or {ALL_LISTED, spec.kind} & set(row.listed.split()):
                return
            found = self._files(spec, row.hl_id) if spec.kind == "file" else self._hanging(spec, row.hl_id)
            self._work.adopt(found)
            self._work.mark_listed(row, spec.kind)

    def list_others(self, spec: StreamSpec) -> None:
        """Adopt what of this kind hangs on any contact of ours, before something is created that was not found on its own.

        The writers who need it share the contacts out among themselves and wait for one another.
        """
        with self._mutex:
            if spec.kind not in self._rounds:
                self._rounds[spec.kind] = Round(self._recovery.unlisted(spec.kind))
            round_ = self._rounds[spec.kind]
        round_.work_off(lambda contact: self.list_contact(contact, spec))

    def _hanging(self, spec: StreamSpec, contact_id: str) -> list[dict[str, Any]]:
        return [
            self._row(
                spec, source_id, item["id"], self._written(spec, kind.decode(item)), parent_id=contact_id
            )
            for kind in self._kinds.activities(spec.kind)
            for source_id, item in kind.ours(contact_id).items()
        ]

    def _files(self, spec: StreamSpec, contact_id: str) -> list[dict[str, Any]]:
        return [
            self._row(spec, found, key, {}, parent_id=contact_id)
            for key, item in self._kinds.file.listed(contact_id, spec)
            if (found := file_source_id(item))
        ]
