"""A strict HighLevel: the endpoints that a migration uses, with the refusals and delays of the real one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel import (  # noqa: F401 - each of these modules adds its endpoints to ROUTES
    appointments,
    block_slots,
    calendars,
    contact_fields,
    contact_search,
    contacts,
    custom_values,
    engagement,
    files,
    free_slots,
    locations,
    notes,
    oauth,
    object_fields,
    objects,
    opportunities,
    records,
    relations,
    schedules,
    tasks,
    users,
    workflows,
)
from sandbox.highlevel.app import application
from sandbox.highlevel.options import Options
from sandbox.highlevel.routes import ROUTES
from sandbox.highlevel.state import State

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.applications import Starlette

    from sandbox.control import Control

__all__ = ["Options", "State", "create"]


def create(options: Options | Mapping[str, Any] | None, control: Control) -> tuple[Starlette, State]:
    """Make an empty HighLevel account and the ASGI app in front of it.

    Args:
        options: the switches of `Options`, as an object or by name.
        control: clock, log and violations of the server.
    """
    state = State(Options.parse(options), control)
    return application(state, ROUTES), state
