"""Reads one stream: joins what a resource is with how lists, windows, files and deletions are read."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any, TypeVar

from tap_cliniko import moments
from tap_cliniko.attachments import Status, StoredFile
from tap_cliniko.children import expansion_of
from tap_cliniko.client import Query
from tap_cliniko.errors import ContractChanged, RoleRefused, SettingsError
from tap_cliniko.filters import AT_ONCE, filters_by, revealed
from tap_cliniko.merges import merged
from tap_cliniko.reading import ListReader, Stretch
from tap_cliniko.records import linked_id
from tap_cliniko.resources import BY_NAME, TOMBSTONE, Resource, Shape
from tap_cliniko.windows import BY_ID, FOLLOWING, NEEDED, Window, filters_of, lies_in, passes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_cliniko.client import Row
    from tap_cliniko.known_ids import KnownIds
    from tap_cliniko.run import Run

T = TypeVar("T")

_REREADS = 5
_MOST_AHEAD = 3600.0
_LANES = 3

SEEN_BY = "seen_by"
"""In the state of a list that was not seen in full: who saw it."""

UNSETTLED = "unsettled"
"""In the state of a list whose rows are to be read once more."""

REMEMBERED_IN = "remembered_in"
"""In the state of a list: the number of the file of known ids that holds all its rows."""


@dataclass(slots=True)
class Extraction:
    """The reading of one stream in one run.

    Attributes:
        run: what all streams of the run share.
        resource: the stream's declaration.
        bookmark: the stream's part of the state; `save` brings it up to date.
        bookmarks: the parts of other streams that the reading depends on, by their names.
        window: the window under way.
    """

    run: Run
    resource: Resource
    bookmark: dict[str, Any]
    bookmarks: Mapping[str, dict[str, Any]]
    window: Window | None = None
    _heard_of: int | None = None  # number of the newest deletion whose traces were read again
    _withheld: bool = False  # whether the role was refused a part

    def records(self) -> Iterator[Row]:
        """Read the whole stream."""
        if self.resource.shape is Shape.OBJECT:
            yield self._normal(self.run.client.object(self.resource.url_path))
        elif self.resource.shape is Shape.PAGES:
            yield from self._read_pages()
        elif self.resource.in_full or self.run.must_go_below(self.resource):
            yield from self._read_in_full()
        else:
            yield from self._read_pending_files()
            yield from self._read_windows()
            yield from self._tombstones(None)

    def save(self) -> None:
        """Bring the bookmark up to what was passed on."""
        if self.window is not None:
            self.bookmark["window"] = self.window.dump()

    # ------------------------------------------------------------------ by shape

    def _read_pages(self) -> Iterator[Row]:
        """Read a list that cannot be filtered by id; from the first page again whenever it changed."""
        for _ in range(_REREADS):
            records = self._pages_if_stable()
            if records is not None:
                yield from records
                return
        msg = f"{self.resource.url_path}: the list or its order changes faster than it can be read; run again later"
        raise ContractChanged(msg)

    def _pages_if_stable(self) -> list[Row] | None:
        records: list[Row] = []
        number, totals = 1, set()
        while True:
            page = self.run.client.page(self.resource.url_path, self.resource.name, Query(page=number))
            records += map(self._normal, page.rows)
            totals.add(page.total)
            if len(totals) > 1:
                return None
            if not page.more:
                keys = {tuple(each[name] for name in self.resource.keys) for each in records}
                # without a fixed order a row that comes on two pages stands in the place of another
                whole = page.total in {None, len(records)} and (number == 1 or len(keys) == len(records))
                return records if whole else None
            number += 1

    def _read_in_full(self) -> Iterator[Row]:
        listed, expand = self._source()
        sample = self.run.sample.filters(listed) if self.run.sample else None
        seen: set[int] = set()
        for path, scope in product((listed.url_path, *listed.also), [()] if sample is None else sample):
            chunks = self._reader(listed, path).chunks((*revealed(listed), *scope), [Stretch()])
            for chunk in self._as_far_as_allowed(chunks) if path in listed.also else chunks:
                fresh = [row for row in chunk.rows if int(row["id"]) not in seen]
                seen.update(int(row["id"]) for row in fresh)
                self._remember(listed, fresh)
                for row in fresh:
                    yield from self._in_sample(list(expand(row)))
        if not self._withheld:
            yield from self._tombstones(seen)

    def _read_windows(self) -> Iterator[Row]:
        while (window := self._open_window()) is not None:
            self.window = window
            self.run.read_since.setdefault(self.resource.name, window.start)
            yield from self._read_window(window)
            self.window = None
            self.bookmark.pop("window", None)
            self.bookmark["replication_key_value"] = window.end
            self._note_unsettled()
            if self._heard_of is not None:
                self.bookmark["heard_of"] = self._heard_of

    # ------------------------------------------------------------------ windows

    def _open_window(self) -> Window | None:
        """Go on inside an unfinished window, or open the next one, which ends where the run ends."""
        self._begin_again_for_new_eyes()
        if self.run.known is None:
            self.bookmark.pop(REMEMBERED_IN, None)  # what is read now, nobody remembers
        if "window" in self.bookmark:
            return Window.load(self.bookmark["window"])
        self.bookmark["replication_key"] = "updated_at"
        reached = self.bookmark.get("replication_key_value")
        if reached is not None and reached >= self.run.end:
            self._refuse_future(reached)
            return None
        settings = self.run.settings
        start = moments.earlier(reached, settings.overlap) if reached else settings.start
        if start is None and self.run.known is not None:
            # whatever is gone by now leaves no trace in what is read from here on
            self._heard_of = self.run.known.newest()
            self.bookmark[REMEMBERED_IN] = self.run.known.number
        return Window(start, self.run.end, passes_of(self.resource, start))

    def _begin_again_for_new_eyes(self) -> None:
        """Forget how far the reading came if rows or files were withheld, and somebody else reads now."""
        seen_by = self.bookmark.get(SEEN_BY)
        if seen_by is not None and seen_by != self.run.reader:
            self.run.notice(
                f"{self.resource.name}: read from its start: the key before did not show all of it"
            )
            for name in (SEEN_BY, "window", "replication_key_value"):
                self.bookmark.pop(name, None)
        if not self.run.sees_all_of(self.resource):
            self.bookmark[SEEN_BY] = self.run.reader

    def _refuse_future(self, reached: str) -> None:
        """Stop at a bookmark that this account cannot have reached: until then no change would be read."""
        if reached > moments.from_epoch(self.run.client.now() + _MOST_AHEAD):
            msg = f"the state of {self.resource.name} lies in the future; give the tap another one, or none"
            raise SettingsError(msg)

    def _read_window(self, window: Window) -> Iterator[Row]:
        listed, expand = self._source()
        while window.passes:
            scopes = self._scopes(listed, window)
            reader = self._reader(listed, listed.url_path, window)
            while window.scope < len(scopes):
                filters = (*filters_of(listed, window), *scopes[window.scope])
                for chunk in reader.chunks(filters, window.stretches):
                    self._remember(listed, chunk.rows)
                    for row in self._in_sample(chunk.rows):
                        yield from expand(row)
                        chunk.stretch.after = int(row["id"])
                window.next_scope()
            window.next_pass()

    def _scopes(self, listed: Resource, window: Window) -> list[tuple[str, ...]]:
        """Return the further filters under which a pass is read, one reading for each."""
        sample = self.run.sample.filters(listed) if self.run.sample else None
        if window.passes[0] not in BY_ID:
            return sample if sample is not None else [()]
        if window.passes[0] == NEEDED:
            return self._needed(listed, window) if sample is None else []
        if window.passes[0] == FOLLOWING:
            return self._following(listed, window) if sample is None else []
        # what a merge moved is asked for from the start: the merges may be more than before the interruption
        window.scope, window.stretches = 0, [Stretch()]
        merged = self._merged(window)
        moved_by = listed.moved_by or ((listed.by_patient,) if listed.by_patient else ())
        scopes = [each for by in moved_by if merged for each in filters_by(by, merged)]
        return [*scopes, *filters_by("id:=", self._left_behind(window))]

    def _needed(self, listed: Resource, window: Window) -> list[tuple[str, ...]]:
        """Return what finds the rows referenced by rows of another list, as they are read next.

        Where the other list is still in its first reading, all rows are needed: those an interrupted run has
        passed on are not in this one.
        """
        window.scope, window.stretches = 0, [Stretch()]
        name, link = listed.needed_by or ("", "")
        if name in self.run.access and not self.run.readable(BY_NAME[name]):
            return []
        since = self._needed_since(name, window)
        if since is None or self.bookmark.get(UNSETTLED):
            return [()]
        found: set[str] = set()
        try:
            for row in self._changed_since(BY_NAME[name], since):
                found.update(filter(None, [linked_id(row.get(link))]))
        except RoleRefused:
            return []  # not selected, so the preflight has not asked for it
        return filters_by("id:=", sorted(found, key=int))

    def _following(self, listed: Resource, window: Window) -> list[tuple[str, ...]]:
        """Return what finds the rows that belong to the rows of another list which changed since either was read."""
        window.scope, window.stretches = 0, [Stretch()]
        name, by = listed.follows or ("", "")
        if name not in self.run.access or not self.run.readable(BY_NAME[name]):
            return []
        read_since = self.run.read_since.get(name, window.start)
        if read_since is None or window.start is None:
            return [()]
        changed = self._changed_since(BY_NAME[name], min(read_since, window.start))
        return filters_by(by, sorted({str(row["id"]) for row in changed}, key=int))

    def _needed_since(self, other: str, window: Window) -> str | None:
        """Return since when changes of the other list count: as far back as either list has still to go.

        This one has further to go when it was left out for a while and the other one was not.
        """
        if other not in self.run.access:
            return window.start
        bookmark = self.bookmarks.get(other, {})
        reached, began = bookmark.get("replication_key_value"), bookmark.get("window")
        if began is not None or reached is None:
            since = began["start"] if began else self.run.settings.start
        else:
            since = moments.earlier(reached, self.run.settings.overlap)
        return min(since, window.start) if since and window.start else None

    def _changed_since(self, other: Resource, moment: str) -> Iterator[Row]:
        """Yield the rows of another list that changed or were hidden since some moment."""
        reader = ListReader(self.run.client, other.url_path, other.name)
        for column in ("updated_at", *other.reveal):
            revealing = (f"{each}:*" for each in other.reveal if each != column)
            for chunk in reader.chunks((*revealing, f"{column}:>={moment}"), [Stretch()]):
                # one that is deleted before its own list is read leaves no other trace
                self._remember(other, chunk.rows)
                yield from chunk.rows

    def _note_unsettled(self) -> None:
        """Note that rows were read before those that show in them were read for the first time.

        What is deleted in between nobody remembers, so the next run reads all rows once more.
        """
        other = (self.resource.needed_by or ("",))[0]
        follows = other in self.run.access and self.run.readable(BY_NAME[other])
        first = follows and "replication_key_value" not in self.bookmarks.get(other, {})
        if self.run.known is not None and first:
            self.bookmark[UNSETTLED] = True
        else:
            self.bookmark.pop(UNSETTLED, None)

    def _merged(self, window: Window) -> list[str]:
        merged = self.run.merges.since(window.start) if window.start else []
        return self.run.sample.merged(merged) if self.run.sample else merged

    def _left_behind(self, window: Window) -> list[str]:
        """Name the rows of deleted patients, and of deleted rows that showed in this list.

        What a merge had moved away before lives on elsewhere.
        """
        known, shown = self.run.known, self.resource.needed_by
        if known is None:
            return []
        names = ["patients", *(shown or ())[:1]]
        for name in names:
            self.run.note_gone_once(BY_NAME[name])
        gone, self._heard_of = known.gone_since(self.bookmark.get("heard_of", 0), *names)
        patients = {ident for name, ident in gone if name == "patients"}
        if window.start:
            ever = {str(ident) for _, ident in known.gone_since(0, "patients")[0]}
            patients |= {int(each) for each in self.run.merges.into(ever, window.start)}
        for name in names[1:]:
            patients |= known.patients_of(name, (ident for of, ident in gone if of == name))
        return [str(each) for each in known.of_patients(self.resource.name, known.merged_into(patients))]

    # ------------------------------------------------------------------ rows

    def _source(self) -> tuple[Resource, Any]:
        """Return which list is read, and how a record comes from each of its rows."""
        if self.resource.shape is Shape.UNDER_PARENT or self.run.must_go_below(self.resource):
            expand = expansion_of(self.resource, self.run.client, self._finish)
            return self.run.parent_of(self.resource), lambda row: self._as_far_as_allowed(expand(row))
        return self.resource, lambda row: iter((self._finish(row),))

    def _as_far_as_allowed(self, found: Iterator[T]) -> Iterator[T]:
        try:
            yield from found
        except RoleRefused as refusal:
            self._go_on_without(refusal)

    def _go_on_without(self, refusal: RoleRefused) -> None:
        """Leave a part out that the role may not read, if the settings say so; another key begins again with it."""
        if not self.run.settings.skip_refused:
            raise refusal
        if not self._withheld:
            self.run.notice(f"{self.resource.name}: this and the like is left out: {refusal}")
        self._withheld = True
        if not self.resource.in_full:
            self.bookmark[SEEN_BY] = self.run.reader

    def _reader(self, listed: Resource, path: str, window: Window | None = None) -> ListReader:
        inside = None
        if window is not None and window.passes[0] not in BY_ID:
            inside = lies_in(window)
        return ListReader(
            self.run.client,
            path,
            listed.name,
            lanes=_LANES,
            inside=inside,
            notice=lambda text: self.run.notice(f"{self.resource.name}: {text}"),
        )

    def _normal(self, row: Row) -> Row:
        return self.run.normaliser(self.resource)(row)

    def _finish(self, row: Row) -> Row:
        record = self._normal(row)
        if self.resource.name == "patient_attachments":
            record.update(self._stored(record).columns())
        return record

    def _in_sample(self, rows: list[Row]) -> list[Row]:
        return self.run.sample.keep(self.resource, rows) if self.run.sample else rows

    # ------------------------------------------------------------------ files

    def _stored(self, record: Row) -> StoredFile:
        if self.run.attachments is None:
            return StoredFile(Status.NOT_REQUESTED)
        pending = self.bookmark.get("pending_files", [])
        try:
            stored = self.run.attachments.fetch(record, failed_before=record["id"] in pending)
        except RoleRefused as refusal:
            self._go_on_without(refusal)
            return StoredFile(Status.UNAVAILABLE)
        pending = [each for each in pending if each != record["id"]]
        self.bookmark["pending_files"] = (
            [*pending, record["id"]] if stored.status.worth_another_try else pending
        )
        return stored

    def _read_pending_files(self) -> Iterator[Row]:
        """Ask again for the files that were not ready last time; those whose rows are gone never will be."""
        pending = list(self.bookmark.get("pending_files", [])) if self.run.attachments else []
        for start in range(0, len(pending), AT_ONCE):
            asked = pending[start : start + AT_ONCE]
            found: set[str] = set()
            reader = self._reader(self.resource, self.resource.url_path)
            for chunk in reader.chunks((*revealed(self.resource), f"id:={','.join(asked)}"), [Stretch()]):
                found.update(str(row["id"]) for row in chunk.rows)
                yield from map(self._finish, chunk.rows)
            gone = set(asked) - found
            left = [each for each in self.bookmark["pending_files"] if each not in gone]
            self.bookmark["pending_files"] = left

    # ------------------------------------------------------------------ deletions

    def _remember(self, listed: Resource, rows: list[Row]) -> None:
        if self.run.known is not None and self.resource.shape is Shape.ROWS:
            self.run.known.add(listed.name, ((int(row["id"]), _patients_of(row)) for row in rows))
            if listed.name == "patients":
                self.run.known.note_merges(merged(rows))

    def _take_stock(self, known: KnownIds) -> None:
        """Remember the rows that were read before anybody remembered them; this file may be younger than the state."""
        if self.bookmark.get(REMEMBERED_IN) == known.number:
            return
        self.run.notice(f"{self.resource.name}: going through all rows once, to know when one is deleted")
        for chunk in self._reader(self.resource, self.resource.url_path).chunks(
            revealed(self.resource), [Stretch()]
        ):
            self._remember(self.resource, chunk.rows)
        self.bookmark[REMEMBERED_IN] = known.number

    def _tombstones(self, seen: set[int] | None) -> Iterator[Row]:
        """Emit a record for each row that is gone for good."""
        known, name = self.run.known, self.resource.name
        if known is None or not self.run.tells_of_deletions(self.resource):
            return
        if seen is None:
            self._take_stock(known)
        self.run.note_gone(self.resource, seen)
        told, number = known.gone_since(self.bookmark.get("deletions", 0), name)
        for _, ident in told:
            yield {"id": str(ident), TOMBSTONE: self.run.end}
        self.bookmark["deletions"] = number


def _patients_of(row: Row) -> Iterator[int]:
    """Name the patients a record belongs to."""
    referrer = "referrer" if row.get("referrer_type") == "Patient" else ""
    for name in ("patient", "related_patient", referrer):
        found = linked_id(row.get(name))
        if found:
            yield int(found)
    yield from (int(each) for each in row.get("patient_ids") or [] if each)
