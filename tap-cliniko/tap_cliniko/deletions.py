"""Finds the rows that were deleted for good since the last run, and those that are hidden no longer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cliniko.client import Query
from tap_cliniko.errors import NotFound
from tap_cliniko.filters import AT_ONCE, filters_by, only_hidden, with_archived
from tap_cliniko.known_ids import hidden_by

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cliniko.client import ClinikoClient
    from tap_cliniko.known_ids import KnownIds
    from tap_cliniko.resources import Resource

_MANY = 50
_NEARLY_ALL = 0.9


class DeletionFinder:
    """Compares the ids that are remembered with those that Cliniko still has.

    Args:
        client: the account.
        known: what is remembered.
        notice: is told when the finding is not believed.
    """

    def __init__(self, client: ClinikoClient, known: KnownIds, notice: Callable[[str], None]) -> None:
        """Keep what is needed for every resource."""
        self._client = client
        self._known = known
        self._notice = notice

    def gone(self, resource: Resource, seen: set[int] | None) -> Iterator[int]:
        """Yield the ids that are gone; `seen` are all that exist when the resource was read in full.

        When nearly everything seems to have vanished at once, the key has lost a permission rather than the clinic
        its data: nothing is reported then.
        """
        name, top = resource.name, self._known.greatest(resource.name)
        if not top:
            return
        if seen is None:
            missing = list(self._missing(resource, name, with_archived(resource), 0, top))
        else:
            missing = [each for each in self._known.ids(name, 0, top) if each not in seen]
        remembered = self._known.count(name, 0, top)
        if len(missing) >= _MANY and len(missing) >= _NEARLY_ALL * remembered:
            self._notice(
                f"{name}: {len(missing)} of {remembered} rows seem deleted, which is not believed; check the key's role"
            )
            return
        yield from (each for each in missing if self._is_gone(resource, each))

    def brought_back(self, resource: Resource, column: str) -> Iterator[int]:
        """Yield the ids of rows that were hidden by this column and no longer are, or are gone."""
        name = hidden_by(resource.name, column)
        if top := self._known.greatest(name):
            yield from self._missing(resource, name, only_hidden(resource, column), 0, top)

    def _missing(
        self, resource: Resource, name: str, shown: tuple[str, ...], after: int, upto: int
    ) -> Iterator[int]:
        """Cut the range in two wherever the numbers differ, until few enough ids are left to name them.

        Args:
            resource: the list.
            name: under which name its ids are remembered.
            shown: the filters that show them.
            after: ids greater than this one.
            upto: up to and with this one.
        """
        remembered = self._known.count(name, after, upto)
        bounds = (*shown, f"id:>{after}", f"id:<={upto}")
        if self._client.page(resource.url_path, resource.name, Query(bounds, size=1)).total == remembered:
            return
        if remembered <= AT_ONCE:
            yield from self._missing_of(resource, shown, self._known.ids(name, after, upto))
            return
        middle = self._known.middle(name, after, upto)
        yield from self._missing(resource, name, shown, after, middle)
        yield from self._missing(resource, name, shown, middle, upto)

    def _missing_of(self, resource: Resource, shown: tuple[str, ...], ids: list[int]) -> list[int]:
        present: set[int] = set()
        for filters in filters_by("id:=", [str(each) for each in ids]):
            page = self._client.page(resource.url_path, resource.name, Query((*shown, *filters)))
            present |= {int(row["id"]) for row in page.rows}
        return [each for each in ids if each not in present]

    def _is_gone(self, resource: Resource, ident: int) -> bool:
        """Ask for the row itself: only a plain "not found", hidden rows included, proves the deletion."""
        try:
            self._client.object(f"{resource.url_path}/{ident}", Query(with_archived(resource), size=1))
        except NotFound:
            return True
        return False
