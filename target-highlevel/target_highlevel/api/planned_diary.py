"""The diary as a load would leave it: what is there is read, what would be written seems to have been."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import override

from target_highlevel.api.diary import BlockedSlots, Calendars, Schedules, Standing

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.answers import Item
    from target_highlevel.api.plan_state import PlanState
    from target_highlevel.api.resource import Transport


class _PlannedStanding(Standing):
    """What stands in the diary, and what would be added to it with later changes merged in."""

    def __init__(self, transport: Transport, location: str, state: PlanState) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state
        self._made: dict[str, dict[str, Any]] = {}

    @override
    def listed(self, users: Iterable[str]) -> list[Item]:
        there: list[Item] = self._state.read(lambda: super(_PlannedStanding, self).listed(users), [])
        with self._state.mutex:
            return [*there, *({**fields, "id": identity} for identity, fields in self._made.items())]

    @override
    def create(self, fields: Mapping[str, Any]) -> str:
        self._state.count(self.creating)
        with self._state.mutex:
            identity = self._state.identity()
            self._made[identity] = dict(fields)
        return identity

    @override
    def update(self, identity: str, fields: Mapping[str, Any]) -> None:
        self._state.count(self.updating)
        with self._state.mutex:
            if identity in self._made:
                self._made[identity].update(fields)

    @override
    def delete(self, identity: str) -> None:
        self._state.count(self.deleting)


class PlannedCalendars(_PlannedStanding, Calendars):
    """Calendars that are there, and those that would be made."""


class PlannedSchedules(_PlannedStanding, Schedules):
    """Hours of users that are there, and those that would be made."""


class PlannedBlockedSlots(_PlannedStanding, BlockedSlots):
    """Slots that are blocked, and those that would be."""
