"""Reads one stream: joins what a resource is with how lists, windows, files and deletions are read."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cliniko import timestamps
from tap_cliniko.bookmarks import DELETIONS, REMEMBERED_IN
from tap_cliniko.changes import MOST_RECENT, READ_AGAIN_AFTER, RECENT, recent_rows
from tap_cliniko.deletions import DeletionFinder
from tap_cliniko.errors import SettingsError
from tap_cliniko.filters import filters_by, only_hidden, with_archived
from tap_cliniko.known_ids import hidden_by
from tap_cliniko.reading import IdRange
from tap_cliniko.related import RelatedRows
from tap_cliniko.resources import TOMBSTONE, Resource, Shape
from tap_cliniko.resources.account import PUBLIC_SETTINGS
from tap_cliniko.source import SEEN_BY, Source
from tap_cliniko.whole_lists import WholeList
from tap_cliniko.windows import Window, filters_of, passes_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_cliniko.client import Row
    from tap_cliniko.known_ids import KnownIds
    from tap_cliniko.run import Run

_MOST_AHEAD = 3600.0

HIDDEN_IN, LOOKED_AT, BROUGHT_BACK = "hidden_in", "looked_at", "brought_back"
"""In the state of a list: the number of the file that knows all its hidden rows, when it was last looked for rows that are
hidden no longer, and the number of the newest of these that was read again."""


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
    _source: Source = field(init=False)
    _related: RelatedRows = field(init=False)
    _recent: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Share the bookmark with what reads."""
        self._source = Source(self.run, self.resource, self.bookmark)
        self._related = RelatedRows(self._source, self.bookmarks)

    def records(self) -> Iterator[Row]:
        """Read the whole stream."""
        whole = WholeList(self._source, set())
        if self.resource.shape is Shape.OBJECT:
            known = self.run.public_settings if self.resource is PUBLIC_SETTINGS else None
            yield self._source.normal(known or self.run.client.object(self.resource.url_path))
        elif self.run.quiet:
            yield from self._source.pending_rows()
        elif self.resource.shape is Shape.PAGES:
            yield from whole.by_pages()
        elif self.resource.in_full or self.run.must_go_below(self.resource):
            yield from whole.by_id()
            self._source.pending.keep_only(whole.seen)
            if not self._source.withheld:
                yield from self._tombstones(whole.seen)
        else:
            yield from self._source.pending_rows()
            yield from self._read_windows()
            yield from self._brought_back()
            yield from self._tombstones(None)

    def save(self) -> None:
        """Bring the bookmark up to what was passed on."""
        if self.window is not None:
            self.bookmark["window"] = self.window.dump()

    # ------------------------------------------------------------------ windows

    def _read_windows(self) -> Iterator[Row]:
        while (window := self._open_window()) is not None:
            self.window = window
            self.run.read_since.setdefault(self.resource.name, window.start)
            yield from self._read_window(window)
            self.window = None
            self.bookmark.pop("window", None)
            self.bookmark["replication_key_value"] = window.end
            self.bookmark[RECENT] = self._recent if len(self._recent) <= MOST_RECENT else {}
            self._related.note_unsettled()
            if self._related.heard_of is not None:
                self.bookmark["heard_of"] = self._related.heard_of

    def _open_window(self) -> Window | None:
        """Go on inside an unfinished window, or open the next one, which ends where the run ends."""
        self._restart_if_reader_changed()
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
        start = timestamps.earlier(reached, settings.overlap_seconds) if reached else settings.start_date
        if start is None and self.run.known is not None:
            # whatever is gone by now leaves no trace in what is read from here on
            self._related.heard_of = self.run.known.newest()
            self.bookmark[REMEMBERED_IN] = self.bookmark[HIDDEN_IN] = self.run.known.number
            self.bookmark[LOOKED_AT] = self.run.end
        listed, _ = self._source.listed_and_expansion()
        return Window(start, self.run.end, passes_of(listed, start))

    def _restart_if_reader_changed(self) -> None:
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
        if reached > timestamps.from_epoch(self.run.client.now() + _MOST_AHEAD):
            msg = f"the state of {self.resource.name} lies in the future; give the tap another one, or none"
            raise SettingsError(msg)

    def _read_window(self, window: Window) -> Iterator[Row]:
        listed, expand = self._source.listed_and_expansion()
        overlap = timestamps.earlier(window.end, self.run.settings.overlap_seconds)
        while window.passes:
            scopes = self._related.scopes(listed, window)
            reader = self._source.reader(listed, listed.url_path, window)
            while window.scope < len(scopes):
                filters = (*filters_of(listed, window), *scopes[window.scope])
                for chunk in reader.chunks(filters, window.ranges):
                    self._source.note(listed, chunk.rows)
                    self._recent |= recent_rows(chunk.rows, overlap)
                    for row in self._source.in_sample(chunk.rows):
                        yield from expand(row)
                        chunk.id_range.after = int(row["id"])
                window.next_scope()
            window.next_pass()

    # ------------------------------------------------------------------ deletions

    def _brought_back(self) -> Iterator[Row]:
        """Read rows again that are hidden no longer: nothing promises that bringing a row back moves its updated_at."""
        known, listed = self.run.known, self.resource
        if known is None or not listed.reveal or not self.run.tells_of_deletions(listed):
            return
        reader = self._source.reader(listed, listed.url_path)
        if self.bookmark.get(HIDDEN_IN) != known.number:
            for column in listed.reveal:
                for chunk in reader.chunks(only_hidden(listed, column), [IdRange()]):
                    self._source.note(listed, chunk.rows)
            self.bookmark[HIDDEN_IN] = known.number
        names = {column: hidden_by(listed.name, column) for column in listed.reveal}
        if self.bookmark.get(LOOKED_AT, "") <= timestamps.earlier(self.run.end, READ_AGAIN_AFTER):
            finder = DeletionFinder(self.run.client, known, self.run.notice)
            for column, name in names.items():
                known.mark_gone(name, list(finder.brought_back(listed, column)))
            self.bookmark[LOOKED_AT] = self.run.end
        told, number = known.gone_since(self.bookmark.get(BROUGHT_BACK, 0), *names.values())
        for scope in filters_by("id:=", sorted({str(ident) for _, ident in told}, key=int)):
            for chunk in reader.chunks((*with_archived(listed), *scope), [IdRange()]):
                self._source.note(listed, chunk.rows)
                yield from map(self._source.finish, chunk.rows)
        self.bookmark[BROUGHT_BACK] = number

    def _take_stock(self, known: KnownIds) -> None:
        """Remember the rows that were read before anybody remembered them; this file may be younger than the state."""
        if self.bookmark.get(REMEMBERED_IN) == known.number:
            return
        self.run.notice(f"{self.resource.name}: going through all rows once, to know when one is deleted")
        for chunk in self._source.reader(self.resource, self.resource.url_path).chunks(
            with_archived(self.resource), [IdRange()]
        ):
            self._source.note(self.resource, chunk.rows)
        self.bookmark[REMEMBERED_IN] = known.number

    def _tombstones(self, seen: set[int] | None) -> Iterator[Row]:
        """Emit a record for each row that is gone for good."""
        known, name = self.run.known, self.resource.name
        if known is None or not self.run.tells_of_deletions(self.resource):
            return
        if seen is None:
            self._take_stock(known)
        self.run.note_gone(self.resource, seen)
        told, number = known.gone_since(self.bookmark.get(DELETIONS, 0), name)
        for _, ident in told:
            yield {"id": str(ident), TOMBSTONE: self.run.end}
        self.bookmark[DELETIONS] = number
