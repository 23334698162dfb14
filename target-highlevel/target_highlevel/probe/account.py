"""Measures the sub-account itself: its users, its custom values, and the shapes of its lists."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.api import endpoints
from target_highlevel.probe.belongings import NAME

if TYPE_CHECKING:
    from target_highlevel.probe.own import Own


def measure(own: Own) -> None:
    """Measure what needs no contact."""
    _users(own)
    _list_shape(own)
    _custom_values(own)


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
        own.found.answer("custom_values", "refused", made.told())
    elif not identity:
        own.found.unknown("custom_values", f"{made.told()}, without an id")
    else:
        shown = own.ask(endpoints.GET_CUSTOM_VALUE, at, identity).part("customValue").get("value")
        if shown == body["value"]:
            own.found.answer("custom_values", "writable", "one was made and read back")
        else:
            own.found.unknown("custom_values", "one was made and is not read back as it was written")
