"""Where a stream's records come from: a list, what lies below its rows, the files that belong to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from tap_cliniko.attachments import Status, StoredFile
from tap_cliniko.children import expansion_of
from tap_cliniko.errors import NotFound, RoleRefused, StorageFailed, TapClinikoError
from tap_cliniko.filters import AT_ONCE, with_archived
from tap_cliniko.known_ids import hidden_by
from tap_cliniko.merges import merged
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.records import linked_id
from tap_cliniko.resources import Shape
from tap_cliniko.trouble import Patience, Pending
from tap_cliniko.windows import BY_ID, in_window

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cliniko.client import Row
    from tap_cliniko.resources import Resource
    from tap_cliniko.run import Run
    from tap_cliniko.windows import Window

T = TypeVar("T")

_READERS = 3

SEEN_BY = "seen_by"
"""In the state of a list that was not seen in full: who saw it."""


@dataclass(slots=True)
class Source:
    """The rows of one stream, as records.

    Attributes:
        run: what all streams of the run share.
        resource: the stream's declaration.
        bookmark: the stream's part of the state.
        withheld: whether the role was refused a part.
        pending: what did not come and is to be asked for again.
        patience: how much trouble with single records is borne.
    """

    run: Run
    resource: Resource
    bookmark: dict[str, Any]
    withheld: bool = False
    pending: Pending = field(init=False)
    patience: Patience = field(default_factory=Patience)

    def __post_init__(self) -> None:
        """Keep in the state what is to be asked for again."""
        self.pending = Pending(self.bookmark, self.run.end)

    def listed_and_expansion(self) -> tuple[Resource, Any]:
        """Return which list is read, and what turns each of its rows into records."""
        if self.resource.shape is Shape.UNDER_PARENT or self.run.must_go_below(self.resource):
            expand = expansion_of(self.resource, self.run.client, self.finish)
            return self.run.parent_of(self.resource), lambda row: self._below(row, expand)
        return self.resource, lambda row: iter((self.finish(row),))

    def reader(self, listed: Resource, path: str, window: Window | None = None) -> ListReader:
        """Return what reads a list, and notices within a window that a filter is ignored."""
        inside = None
        if window is not None and window.passes[0] not in BY_ID:
            inside = in_window(window)
        return ListReader(
            self.run.client,
            path,
            listed.name,
            readers=_READERS,
            inside=inside,
            notice=lambda text: self.run.notice(f"{self.resource.name}: {text}"),
        )

    def normal(self, row: Row) -> Row:
        """Turn a row into a record."""
        return self.run.normaliser(self.resource)(row)

    def finish(self, row: Row) -> Row:
        """Turn a row into a record, with the file that belongs to it."""
        record = self.normal(row)
        if self.resource.name == "patient_attachments":
            record.update(self._stored(record).columns())
        return record

    def in_sample(self, rows: list[Row]) -> list[Row]:
        """Leave out rows that belong to nobody in the sample."""
        return self.run.sample.keep(self.resource, rows) if self.run.sample else rows

    def note(self, listed: Resource, rows: list[Row]) -> None:
        """Learn from rows that were read what later runs need to know."""
        self.run.remembered.note_hidden(listed, rows, self.run.end)
        if self.run.known is not None and self.resource.shape is Shape.ROWS:
            self.run.known.add(listed.name, ((int(row["id"]), _patients_of(row)) for row in rows))
            for column in listed.reveal:
                if hidden := [(int(row["id"]), ()) for row in rows if row.get(column)]:
                    self.run.known.add(hidden_by(listed.name, column), hidden)
            if listed.name == "patients":
                self.run.known.note_merges(merged(rows))

    def as_far_as_served(self, found: Iterator[T], path: str) -> Iterator[T]:
        """Read a further list of the same rows where there is one; the rows of the list itself come all the same."""
        try:
            yield from self.as_far_as_allowed(found)
        except NotFound:
            self.run.notice(f"{self.resource.name}: {path} is not served; what only it lists is missing")

    def as_far_as_allowed(self, found: Iterator[T]) -> Iterator[T]:
        """Read on until the role is refused."""
        try:
            yield from found
        except RoleRefused as refusal:
            self._go_on_without(refusal)

    def _go_on_without(self, refusal: RoleRefused) -> None:
        """Leave a part out that the role may not read, if the settings say so; another key begins again with it."""
        if not self.run.settings.skip_refused_streams:
            raise refusal
        if not self.withheld:
            self.run.notice(f"{self.resource.name}: this and the like is left out: {refusal}")
        self.withheld = True
        self.run.withheld.add(self.resource.name)
        if not self.resource.in_full:
            self.bookmark[SEEN_BY] = self.run.reader

    # ------------------------------------------------------------------ trouble with one record

    def _below(self, parent: Row, expand: Callable[[Row], Iterator[Row]]) -> Iterator[Row]:
        """Yield what lies below a row, as far as it can be had."""
        try:
            for record in expand(parent):
                self.patience.succeeded()  # a row with nothing below it says nothing
                yield record
        except TapClinikoError as error:
            self._spare(self.run.parent_of(self.resource), str(parent["id"]), error)
        else:
            self.pending.settle(str(parent["id"]))

    def _stored(self, record: Row) -> StoredFile:
        if self.run.attachments is None:
            return StoredFile(Status.NOT_REQUESTED)
        ident = record["id"]
        try:
            stored = self.run.attachments.fetch(record)
        except StorageFailed:
            raise
        except TapClinikoError as error:
            self._spare(self.resource, ident, error)
            return StoredFile(Status.UNAVAILABLE)
        if stored.status is Status.NOT_READY:
            self.pending.failed(ident)
            return stored
        self.patience.succeeded()
        self.pending.settle(ident)
        return stored

    def _spare(self, listed: Resource, ident: str, error: TapClinikoError) -> None:
        """Do without what one row should bring, and remember to ask again; a key that may have none of it is no trouble."""
        if isinstance(error, RoleRefused) and self.run.settings.skip_refused_streams:
            self._go_on_without(error)
            return
        before = ident in self.pending
        self.pending.failed(ident)
        self.patience.failed(f"{self.resource.name}: {listed.name}/{ident}", error, before=before)

    def pending_rows(self) -> Iterator[Row]:
        """Ask again for what did not come in an earlier run; what belongs to rows that are gone never will."""
        listed, expand = self.listed_and_expansion()
        files_only = self.resource.name == "patient_attachments" and self.run.attachments is None
        due = [] if files_only else self.pending.due()
        for start in range(0, len(due), AT_ONCE):
            asked = due[start : start + AT_ONCE]
            found: set[str] = set()
            reader = self.reader(listed, listed.url_path)
            for chunk in reader.chunks((*with_archived(listed), f"id:={','.join(asked)}"), [IdRange()]):
                found.update(str(row["id"]) for row in chunk.rows)
                for row in chunk.rows:
                    if self.patience.worn_out:  # the rest waits for the next run, each attempt takes its time
                        return
                    yield from expand(row)
            self.pending.settle(*(each for each in asked if each not in found))


def _patients_of(row: Row) -> Iterator[int]:
    """Name the patients a record belongs to."""
    referrer = "referrer" if row.get("referrer_type") == "Patient" else ""
    for name in ("patient", "related_patient", referrer):
        found = linked_id(row.get(name))
        if found:
            yield int(found)
    yield from (int(each) for each in row.get("patient_ids") or [] if each)
