"""Measures the sub-account itself: its users, its custom values, and the shapes of its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.api import endpoints
from target_highlevel.api.paging import CURSOR
from target_highlevel.api.records import PAGES
from target_highlevel.errors import Refused
from target_highlevel.probe.belongings import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.probe.asking import Said
    from target_highlevel.probe.own import Own

_OBJECT = "custom_objects."


def measure(own: Own) -> None:
    """Measure what needs no contact."""
    _users(own)
    _list_shape(own)
    _record_search(own)
    _custom_values(own)


def shapes(own: Own, said: Said) -> None:
    """Tell from the sub-account's settings what HighLevel calls the thing in an answer, and its id."""
    if said.identity("location"):
        body = said.body
        name = next((name for name in ("location", "data") if isinstance(body.get(name), dict)), "")
        inside = "data" if name == "data" else "named"
        own.found.answer("envelopes", inside, "the sub-account's settings were read")
        name = "id" if "id" in body.get(name, body) else "_id"
        own.found.answer("id_names", name, "the sub-account's settings were read")


def _users(own: Own) -> None:
    said = own.ask(endpoints.LIST_USERS, params={"locationId": own.asker.location})
    if said.ok:
        own.found.answer("users_list", "served", "the list was answered")
    elif said.status in {404, 410}:
        own.found.answer("users_list", "gone", said.told())
    else:
        own.found.unknown("users_list", said.told())


def _list_shape(own: Own) -> None:
    params = {"locationId": own.asker.location, "skip": 0, "limit": 10}
    said = own.ask(endpoints.LIST_ASSOCIATIONS, params=params)
    if not said.ok:
        own.found.unknown("list_shape", said.told())
    elif isinstance(said.body, list):
        own.found.answer("list_shape", "bare", "the associations came as a list")
    else:
        own.found.answer("list_shape", "wrapped", "the associations came in an object")


def _custom_values(own: Own) -> None:
    at = own.asker.location
    body = {"name": NAME, "value": "can be written"}
    made = own.ask(endpoints.CREATE_CUSTOM_VALUE, at, json=body)
    identity = made.identity("customValue")
    if made.refused:
        listed = own.ask(endpoints.LIST_CUSTOM_VALUES, at)
        own.found.answer("custom_values", "read_only" if listed.ok else "refused", made.told())
    elif not identity:
        own.found.unknown("custom_values", f"{made.told()}, without an id")
    else:
        shown = own.ask(endpoints.GET_CUSTOM_VALUE, at, identity).part("customValue").get("value")
        if shown == body["value"]:
            own.found.answer("custom_values", "writable", "one was made and read back")
        else:
            own.found.unknown("custom_values", "one was made and is not read back as it was written")


def _record_search(own: Own) -> None:
    """Search a custom object of whoever: how many records it has, and which, is nobody's business."""
    objects = own.ask(endpoints.LIST_OBJECTS, params={"locationId": own.asker.location})
    keys = sorted(key for row in objects.rows("objects") if (key := str(row.get("key"))).startswith(_OBJECT))
    if not keys:
        for name in ("record_search", "record_page"):
            own.found.unknown(name, f"{objects.told()}; no custom object is there yet")
        return

    def search(**more: object) -> Said:
        body = {"locationId": own.asker.location, "query": "", "page": 1, "pageLimit": 1, **more}
        return own.ask(endpoints.SEARCH_RECORDS, keys[0], json=body)

    wanted: dict[str, object] = {}
    said = search()
    if isinstance(said.error, Refused) and CURSOR in said.error.properties:
        wanted = {CURSOR: []}
        refusal, said = said, search(**wanted)
        if said.ok:
            own.found.answer("record_search", "cursor_first", refusal.told())
    _record_page(own, lambda size: search(**wanted, pageLimit=size))
    if "record_search" in own.found.measurements:
        return
    after = next((row.get(CURSOR) for row in said.rows("records")), None)
    if not said.ok or not said.rows("records"):
        own.found.unknown("record_search", f"{said.told()}; no record was found")
    elif not after:
        own.found.answer("record_search", "number", "a record has no cursor")
    else:
        both = search(**{CURSOR: after})
        if both.ok or isinstance(both.error, Refused):
            told = f"number and cursor together: {both.told()}"
            own.found.answer("record_search", "both" if both.ok else "either", told)
        else:
            own.found.unknown("record_search", both.told())


def _record_page(own: Own, search: Callable[[int], Said]) -> None:
    """Ask for pages of fewer records each time, until one is answered."""
    seen = []
    for size in PAGES:
        said = search(size)
        seen.append(f"{size} records: {said.told()}")
        if said.ok:
            own.found.answer("record_page", str(size), "; ".join(seen))
            return
        if not isinstance(said.error, Refused):
            break
    own.found.unknown("record_page", "; ".join(seen))
