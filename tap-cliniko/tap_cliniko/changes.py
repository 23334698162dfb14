"""Tells for one request a list whether anything has changed since the last run, so that a quiet run costs little.

A run that reads asks for everything twice over: rows that changed, rows that were hidden, rows that moved, reference data
in full. When none of the lists shows a change, all of that would come back empty, and the run ends after one question for
each. Nothing is skipped for good: bookmarks stay where they are, so the next run that reads begins where the last one ended,
and at least once in `READ_AGAIN_AFTER` seconds a run reads without asking first.

What the question cannot see is a row that was hidden without a move of its updated_at. Whether that happens is measured:
every row that is read and hidden tells, and the question is asked only in an account where hiding moves updated_at.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Self

from tap_cliniko import timestamps
from tap_cliniko.assumptions import HIDING_MOVES_UPDATED_AT
from tap_cliniko.client import Query
from tap_cliniko.errors import TapClinikoError
from tap_cliniko.filters import with_archived
from tap_cliniko.preflight import Access
from tap_cliniko.resources import BY_NAME, Shape
from tap_cliniko.trouble import Pending
from tap_cliniko.windows import CHANGED, Window, filters_of, is_readable, linked_lists, moment_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_cliniko.client import ClinikoClient, Page, Row
    from tap_cliniko.resources import Resource

READ_AGAIN_AFTER = 20 * 3600
"""Seconds after which a run reads, and checks the key's permissions, whatever the lists say: a nightly run always does."""

RECENT = "recent"
"""In the state of a list: the rows of the overlap with their updated_at, which are read already."""

SEEN = "seen"
"""In the state of a list that is read in full: what it looked like."""

MOST_RECENT = 100
"""How many rows of the overlap are worth remembering: as many as one answer holds."""

_FEW_FILES = 3
_BY_A_SECOND_OR_TWO = 2
_STILL_TELLING = 2 * 365 * 86400


@dataclass(slots=True)
class Remembered:
    """What one run tells the next about the account; kept in the state.

    Attributes:
        reader: whose key it was.
        read_at: end of the last run that read.
        checked_at: when the permissions of every stream were last checked.
        access: the outcome for each stream that was selected then.
        hidden: whether a hidden row was met whose updated_at had moved with it.
        hidden_silently: whether one was met whose updated_at had not.
    """

    reader: str = ""
    read_at: str = ""
    checked_at: str = ""
    access: dict[str, str] = field(default_factory=dict)
    hidden: bool = False
    hidden_silently: bool = False

    @classmethod
    def load(cls, saved: Any) -> Self:
        """Read it from the state; what is not as this version writes it is forgotten."""
        known = cls()
        if not isinstance(saved, dict) or {name: type(value) for name, value in saved.items()} != {
            name: type(value) for name, value in asdict(known).items()
        }:
            return known
        read = cls(**saved)
        if any(name not in BY_NAME or not Access.reads(text) for name, text in read.access.items()):
            read.access = {}  # of another version: the permissions are checked again
        return read

    def dump(self) -> dict[str, Any]:
        """Write it into the state. It is part of every STATE message, so nothing is copied that is never changed in place."""
        kept = {name: getattr(self, name) for name in self.__slots__}
        return {**kept, "access": dict(self.access)}

    def note_hidden(self, listed: Resource, rows: Iterable[Row], end: str) -> None:
        """Learn from hidden rows whether hiding moves updated_at; rows of long ago tell nothing of today's Cliniko."""
        since = timestamps.earlier(end, _STILL_TELLING)
        for row in rows:
            for column in listed.reveal:
                if not row.get(column):
                    continue
                hidden, changed = moment_of(row[column]), moment_of(row.get("updated_at"))
                if is_readable(hidden) and is_readable(changed) and hidden >= since:
                    moved = timestamps.earlier(hidden, _BY_A_SECOND_OR_TWO) <= changed
                    self.hidden |= moved
                    self.hidden_silently |= not moved

    def hiding(self) -> str:
        """Answer whether hiding moves updated_at: as measured, else as assumed."""
        if self.hidden_silently:
            return "stays"
        return "moves" if self.hidden else HIDING_MOVES_UPDATED_AT.default

    def permissions_known(self, reader: str, selected: Iterable[Resource], now: float) -> bool:
        """Whether the permissions need not be checked again."""
        everything = {each.name for each in selected} <= set(self.access)
        return everything and reader == self.reader and _is_fresh(self.checked_at, now)

    def read_recently(self, now: float) -> bool:
        """Whether a run may ask before it reads."""
        return _is_fresh(self.read_at, now)


def _is_fresh(moment: str, now: float) -> bool:
    return timestamps.from_epoch(now - READ_AGAIN_AFTER) < moment <= timestamps.from_epoch(now + 3600)


def recent_rows(rows: Iterable[Row], since: str) -> dict[str, str]:
    """Return the rows that the next question will meet again, with what they will be known by."""
    moments = ((str(row["id"]), moment_of(row.get("updated_at"))) for row in rows)
    return {ident: moment for ident, moment in moments if moment >= since or not is_readable(moment)}


@dataclass(slots=True)
class Looks:
    """What a list that was read in full looked like: how many rows, and when the newest of them changed."""

    rows: int = 0
    newest: str = ""

    def add(self, rows: Iterable[Row]) -> None:
        """Count rows that were read."""
        for row in rows:
            self.rows += 1
            self.newest = max(self.newest, moment_of(row.get("updated_at")))

    def dump(self, end: str) -> dict[str, Any] | None:
        """Write it into the state, unless a row may change once more in the second in which it was read."""
        return {"rows": self.rows, "newest": self.newest} if self.newest < end else None


def page_looks(rows: list[Row]) -> dict[str, Any]:
    """Return what a list whose rows have no id looked like."""
    return {"rows": len(rows), "digest": _digest(rows)}


def _digest(rows: list[Row]) -> str:
    texts = sorted(json.dumps(row, sort_keys=True, default=str) for row in rows)
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


@dataclass(slots=True)
class ChangeCheck:
    """Asks the lists of an account whether they are as the last run left them.

    Attributes:
        client: the account.
        access: what the key may see of each stream.
        bookmarks: the state of each stream.
        end: up to when changes count.
        overlap: how many seconds before a bookmark they count.
    """

    client: ClinikoClient
    access: Mapping[str, Access]
    bookmarks: Mapping[str, dict[str, Any]]
    end: str
    overlap: float

    def nothing_changed(self) -> bool:
        """Ask list after list until one shows a change; those that change most come first."""
        asked = sorted(self._asked(), key=lambda each: each.in_full)
        reached = {self._reached(each) for each in asked if not each.in_full}
        # a list that was left out for a while has more to catch up on than its own changes
        together = len(reached) <= 1 and self._all_were_read() and all(self._can_tell(each) for each in asked)
        return together and all(self._is_unchanged(each) for each in asked)

    def _reached(self, resource: Resource) -> str | None:
        reached: str | None = self.bookmarks.get(resource.name, {}).get("replication_key_value")
        return reached

    def _asked(self) -> Iterator[Resource]:
        """Yield the lists to ask; what lies below rows of another list changes with these."""
        names = {each.name for each in self._readable()}
        for resource in self._readable():
            name = resource.name
            parent = resource.below[0] if resource.shape is Shape.UNDER_PARENT and resource.below else name
            if (
                resource.rarely_changes
                or resource.shape is Shape.OBJECT
                or (parent != name and parent in names)
            ):
                continue
            yield BY_NAME[parent]

    def _all_were_read(self) -> bool:
        """Whether the state holds the lists that are not asked, too: one that was selected only now was never read."""
        lists = (each for each in self._readable() if each.shape is not Shape.OBJECT)
        return all({SEEN, "replication_key_value"} & set(self.bookmarks.get(each.name, {})) for each in lists)

    def _readable(self) -> Iterator[Resource]:
        yield from (BY_NAME[name] for name, each in self.access.items() if each.outcome.readable)

    def _can_tell(self, resource: Resource) -> bool:
        """Whether the last run has left what it takes: an unfinished window, or many files to be fetched, are to be read."""
        bookmark = self.bookmarks.get(resource.name, {})
        found = self.access.get(resource.name)
        if found is not None and found.below:
            return False
        if resource.in_full:
            return SEEN in bookmark
        few_files = len(Pending(dict(bookmark), self.end).due()) <= _FEW_FILES
        reached = self._reached(resource)
        begun = reached is not None and reached <= self.end and "window" not in bookmark
        return begun and few_files and all(name in self.access for name in linked_lists(resource))

    def _is_unchanged(self, resource: Resource) -> bool:
        try:
            if resource.shape is Shape.PAGES:
                return self._pages_are_as_seen(resource)
            return self._is_as_seen(resource) if resource.in_full else self._has_no_news(resource)
        except TapClinikoError:
            return False  # whatever it is, the run that reads meets it again and says so

    def _has_no_news(self, resource: Resource) -> bool:
        bookmark = self.bookmarks[resource.name]
        start = timestamps.earlier(bookmark["replication_key_value"], self.overlap)
        asked = (Window(start, self.end, [each]) for each in (CHANGED, *resource.moves_alone))
        pages = (self._page(resource, filters_of(resource, window)) for window in asked)
        recent = bookmark.get(RECENT, {})
        return all(
            not page.more
            and all(recent.get(str(row["id"])) == moment_of(row.get("updated_at")) for row in page.rows)
            for page in pages
        )

    def _is_as_seen(self, resource: Resource) -> bool:
        """Compare the number of rows, and when the newest of them changed."""
        page = self._page(resource, with_archived(resource), sort="updated_at:desc", size=1)
        newest = max((moment_of(row.get("updated_at")) for row in page.rows), default="")
        return bool(self.bookmarks[resource.name][SEEN] == {"rows": page.total, "newest": newest})

    def _pages_are_as_seen(self, resource: Resource) -> bool:
        """Compare what is on the page; of a list of several pages only the number of rows can be told by one request."""
        page, seen = self._page(resource, ()), self.bookmarks[resource.name][SEEN]
        if page.more:
            return bool(page.total == seen["rows"])
        return bool(page_looks(page.rows) == seen)

    def _page(self, resource: Resource, filters: tuple[str, ...], **more: Any) -> Page:
        return self.client.page(resource.url_path, resource.name, Query(filters, **more))
