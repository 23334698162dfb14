"""Rebuilding the crosswalk from HighLevel alone: a lost ledger must not lead to a second copy of anybody.

Contacts and records of custom objects carry their Cliniko id in a field and are paged through once. What hangs on a contact is
listed when the first thing is about to be added to a contact that this ledger did not create. A first load pays nothing: without
our fields in the sub-account there is nothing of ours to find.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from target_highlevel.client.paging import contact_pages, record_pages
from target_highlevel.errors import HighLevelError
from target_highlevel.ledger.work import ALL_LISTED
from target_highlevel.normal import mark
from target_highlevel.objects.contact import IDENTITY
from target_highlevel.objects.contact_values import custom_values, decode
from target_highlevel.objects.file import source_id as file_source_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.client.client import Requests
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.work import Work
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.setup.catalogue import Catalogue

_STRIPES = 64
_UNREADABLE = (
    "contacts that have the field source_system_id do not show it here: HighLevel may have changed its answers, and without it"
    " everybody would be made a second time"
)


class Rebuild:
    """Finds what an earlier ledger had written."""

    def __init__(
        self,
        client: Requests,
        catalogue: Catalogue,
        work: Work,
        ledger: Ledger,
        kinds: Mapping[str, ObjectKind],
        settle: Callable[[], Any],
    ) -> None:
        """Fill this ledger; ``settle`` waits as long as the search may lag behind writes."""
        self._client = client
        self._catalogue = catalogue
        self._work = work
        self._ledger = ledger
        self._kinds = kinds
        self._settle = settle
        self._settled = False
        self._stripes = [threading.Lock() for _ in range(_STRIPES)]

    def once(self, spec: StreamSpec) -> None:
        """Adopt every contact, or every record of a custom object, that carries one of our ids; once per ledger."""
        name = f"rebuilt:{self._ledger.location}:{spec.object}"
        if spec.kind not in {"contact", "custom_object"} or self._ledger.fact(name):
            return
        if spec.kind == "contact" and IDENTITY in self._catalogue.contact_fields:
            self._wait()
            for page in self._contacts():
                self._work.adopt([self._contact_row(spec, item) for item in page])
        if spec.kind == "custom_object" and spec.object in self._catalogue.object_keys:
            self._wait()
            self._catalogue.read_object(spec.object)
            for page in self._records(spec.object):
                self._work.adopt([self._record_row(spec, item) for item in page])
        self._ledger.remember(name, "done")

    def _wait(self) -> None:
        """Let the search catch up, once: what an earlier ledger wrote a moment ago would be made again."""
        if not self._settled:
            self._settle()
            self._settled = True

    def _contacts(self) -> Iterator[list[dict[str, Any]]]:
        field = self._catalogue.contact_fields[IDENTITY]
        ours = [{"field": f"customFields.{field.id}", "operator": "exists"}]
        for page in contact_pages(self._client, self._catalogue.location, ours):
            if not any(field.id in custom_values(item) for item in page):
                raise HighLevelError(_UNREADABLE, route="/contacts/search")
            yield [item for item in page if self._identity(item)]

    def _identity(self, contact: Mapping[str, Any]) -> str | None:
        field = self._catalogue.contact_fields[IDENTITY]
        value = custom_values(contact).get(field.id)
        return str(value) if value else None

    def _records(self, key: str) -> Iterator[list[dict[str, Any]]]:
        for page in record_pages(self._client, self._catalogue.location, key):
            yield [item for item in page if item["properties"].get(IDENTITY)]

    def _contact_row(self, spec: StreamSpec, item: Mapping[str, Any]) -> dict[str, Any]:
        fields = decode(spec, item, self._catalogue)
        return self._row(spec, str(self._identity(item)), item["id"], self._written(spec, fields))

    def _record_row(self, spec: StreamSpec, item: Mapping[str, Any]) -> dict[str, Any]:
        kind: Any = self._kinds["custom_object"]
        fields = kind.decode(spec, item["properties"])
        source_id = str(item["properties"][IDENTITY])
        return self._row(spec, source_id, item["id"], self._written(spec, fields))

    def _written(self, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, str]:
        return {
            name: mark(spec.field(name), value, self._ledger.salt)
            for name, value in fields.items()
            if value not in (None, "", []) and not name.startswith("_")
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
            "notes": {"rebuilt": True},
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

    def _hanging(self, spec: StreamSpec, contact_id: str) -> list[dict[str, Any]]:
        kind: Any = self._kinds[spec.kind]
        found = []
        for item in kind.listed(contact_id):
            source_id = kind.source_id(item)
            if source_id:
                written = self._written(spec, kind.decode(item))
                found.append(self._row(spec, source_id, item["id"], written, parent_id=contact_id))
        return found

    def _files(self, spec: StreamSpec, contact_id: str) -> list[dict[str, Any]]:
        kind: Any = self._kinds["file"]
        return [
            self._row(spec, found, key, {}, parent_id=contact_id)
            for key, item in kind.listed(contact_id, spec)
            if (found := file_source_id(item))
        ]
