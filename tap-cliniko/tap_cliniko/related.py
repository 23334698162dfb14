"""Finds rows that belong to a window though no moment of their own says so: rows of merged patients, groups of attendees."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_cliniko import timestamps
from tap_cliniko.errors import RoleRefused
from tap_cliniko.filters import filters_by
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.records import linked_id
from tap_cliniko.resources import BY_NAME
from tap_cliniko.windows import BY_ID, FOLLOWING, NEEDED

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tap_cliniko.client import Row
    from tap_cliniko.resources import Resource
    from tap_cliniko.source import Source
    from tap_cliniko.windows import Window

UNSETTLED = "unsettled"
"""In the state of a list whose rows are to be read once more."""


@dataclass(slots=True)
class RelatedRows:
    """Tells which further filters the passes of a window are read under.

    Attributes:
        source: the stream.
        bookmarks: the state of other streams that the reading depends on, by their names.
        heard_of: number of the newest deletion whose traces were read again.
    """

    source: Source
    bookmarks: Mapping[str, dict[str, Any]]
    heard_of: int | None = None

    def scopes(self, listed: Resource, window: Window) -> list[tuple[str, ...]]:
        """Return the further filters under which a pass is read, one reading for each."""
        sample = self.source.run.sample.filters(listed) if self.source.run.sample else None
        if window.passes[0] not in BY_ID:
            return sample if sample is not None else [()]
        if window.passes[0] == NEEDED:
            return self._needed(listed, window) if sample is None else []
        if window.passes[0] == FOLLOWING:
            return self._following(listed, window) if sample is None else []
        # what a merge moved is asked for from the start: the merges may be more than before the interruption
        window.scope, window.ranges = 0, [IdRange()]
        merged = self._merged(window)
        moved_by = listed.moved_by or ((listed.by_patient,) if listed.by_patient else ())
        scopes = [each for by in moved_by if merged for each in filters_by(by, merged)]
        return [*scopes, *filters_by("id:=", self._left_behind(listed, window))]

    def _needed(self, listed: Resource, window: Window) -> list[tuple[str, ...]]:
        """Return what finds the rows referenced by rows of another list, as they are read next.

        Where the other list is still in its first reading, all rows are needed: those an interrupted run has
        passed on are not in this one.
        """
        window.scope, window.ranges = 0, [IdRange()]
        name, link = listed.needed_by or ("", "")
        if name in self.source.run.access and not self.source.run.readable(BY_NAME[name]):
            return []
        since = self._needed_since(name, window)
        if since is None or self.source.bookmark.get(UNSETTLED):
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
        window.scope, window.ranges = 0, [IdRange()]
        name, by = listed.follows or ("", "")
        if name not in self.source.run.access or not self.source.run.readable(BY_NAME[name]):
            return []
        read_since = self.source.run.read_since.get(name, window.start)
        if read_since is None or window.start is None:
            return [()]
        changed = self._changed_since(BY_NAME[name], min(read_since, window.start))
        return filters_by(by, sorted({str(row["id"]) for row in changed}, key=int))

    def _needed_since(self, other: str, window: Window) -> str | None:
        """Return since when changes of the other list count: as far back as either list has still to go.

        This one has further to go when it was left out for a while and the other one was not.
        """
        if other not in self.source.run.access:
            return window.start
        bookmark = self.bookmarks.get(other, {})
        reached, began = bookmark.get("replication_key_value"), bookmark.get("window")
        if began is not None or reached is None:
            since = began["start"] if began else self.source.run.settings.start_date
        else:
            since = timestamps.earlier(reached, self.source.run.settings.overlap_seconds)
        return min(since, window.start) if since and window.start else None

    def _changed_since(self, other: Resource, moment: str) -> Iterator[Row]:
        """Yield the rows of another list that changed or were hidden since some moment."""
        reader = ListReader(self.source.run.client, other.url_path, other.name)
        for column in ("updated_at", *other.reveal, *other.moves_alone):
            revealing = (f"{each}:*" for each in other.reveal if each != column)
            for chunk in reader.chunks((*revealing, f"{column}:>={moment}"), [IdRange()]):
                # one that is deleted before its own list is read leaves no other trace
                self.source.note(other, chunk.rows)
                yield from chunk.rows

    def note_unsettled(self) -> None:
        """Note that rows were read before those that show in them were read for the first time.

        What is deleted in between nobody remembers, so the next run reads all rows once more.
        """
        resource = self.source.resource
        other = (resource.needed_by or ("",))[0] if resource.shows else ""
        follows = other in self.source.run.access and self.source.run.readable(BY_NAME[other])
        first = follows and "replication_key_value" not in self.bookmarks.get(other, {})
        if self.source.run.known is not None and first:
            self.source.bookmark[UNSETTLED] = True
        else:
            self.source.bookmark.pop(UNSETTLED, None)

    def _merged(self, window: Window) -> list[str]:
        merged = self.source.run.merges.since(window.start) if window.start else []
        return self.source.run.sample.merged(merged) if self.source.run.sample else merged

    def _left_behind(self, listed: Resource, window: Window) -> list[str]:
        """Name the rows of deleted patients, and of deleted rows that showed in this list.

        What a merge had moved away before lives on elsewhere.
        """
        known, shown = self.source.run.known, listed.needed_by if listed.shows else None
        if known is None:
            return []
        names = ["patients", *(shown or ())[:1]]
        for name in names:
            self.source.run.note_gone_once(BY_NAME[name])
        gone, self.heard_of = known.gone_since(self.source.bookmark.get("heard_of", 0), *names)
        patients = {ident for name, ident in gone if name == "patients"}
        if window.start:
            ever = {str(ident) for _, ident in known.gone_since(0, "patients")[0]}
            patients |= {int(each) for each in self.source.run.merges.into(ever, window.start)}
        for name in names[1:]:
            patients |= known.patients_of(name, (ident for of, ident in gone if of == name))
        return [str(each) for each in known.of_patients(listed.name, known.merged_into(patients))]
