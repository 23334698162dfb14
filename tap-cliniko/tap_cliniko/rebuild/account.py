"""Reads lists for the reference; what the key may not read is remembered and counts as empty."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tap_cliniko.client import Query
from tap_cliniko.errors import NotFound, RoleRefused
from tap_cliniko.filters import filters_by, with_archived
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.records import Normaliser
from tap_cliniko.resources import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tap_cliniko.client import ClinikoClient, Row


class Account:
    """The lists of one account."""

    def __init__(self, client: ClinikoClient) -> None:
        """Read nothing yet."""
        self._client = client
        self._names: dict[str, dict[str, str]] = {}
        self.refused: set[str] = set()
        """Lists that the key's role may not read, or that the account does not have."""

    def all(self, name: str, *filters: str, hidden: bool = True) -> Iterator[Row]:
        """Read a list by id, with its archived rows unless they are of no interest."""
        resource = BY_NAME[name]
        normal = Normaliser(resource)
        wanted = (*filters, *(with_archived(resource) if hidden else ()))
        try:
            for path in (resource.url_path, *resource.also):
                reader = ListReader(self._client, path, name)
                for chunk in reader.chunks(wanted, [IdRange()]):
                    yield from map(normal, chunk.rows)
        except (RoleRefused, NotFound):
            self.refused.add(name)

    def newest(self, name: str) -> tuple[list[Row], int]:
        """Return the newest rows of a list, as many as come in one answer, and how many there are in all."""
        resource = BY_NAME[name]
        try:
            page = self._client.page(resource.url_path, name, Query(with_archived(resource), sort="id:desc"))
        except (RoleRefused, NotFound):
            self.refused.add(name)
            return [], 0
        return list(map(Normaliser(resource), page.rows)), page.total or len(page.rows)

    def with_ids(self, name: str, ids: Iterable[str]) -> dict[str, Row]:
        """Return some rows of a list by their ids."""
        return {
            str(row["id"]): row
            for (by_id,) in filters_by("id:=", sorted(set(ids)))
            for row in self.all(name, by_id)
        }

    def pages(self, name: str) -> Iterator[Row]:
        """Read a list whose rows have no id, or whose filters nobody knows, page by page."""
        resource = BY_NAME[name]
        normal, number, more = Normaliser(resource), 1, True
        try:
            while more:
                page = self._client.page(resource.url_path, name, Query(page=number))
                yield from map(normal, page.rows)
                number, more = number + 1, page.more
        except (RoleRefused, NotFound):
            self.refused.add(name)

    def one(self, name: str) -> Row:
        """Read the single object that a resource is."""
        return self._client.object(BY_NAME[name].url_path)

    def named(self, name: str) -> dict[str, str]:
        """Return the names of a list's rows by id; each list is read once for this."""
        if name not in self._names:
            self._names[name] = {str(each["id"]): label(each) for each in self.all(name)}
        return self._names[name]


def label(row: Row) -> str:
    """Return what people call a row."""
    names = ("label", "display_name", "name", "business_name", "id")
    return next((text(row[name]) for name in names if row.get(name)), "")


def text(value: Any) -> str:
    """Write a value of the API; nothing stays nothing."""
    return "" if value is None else str(value)
