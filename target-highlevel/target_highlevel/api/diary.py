"""What stands in the diary of a sub-account and hangs on no contact: calendars, hours of users, blocked slots."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.api import endpoints
from target_highlevel.api.answers import Item, identified, inside, living, rows, text
from target_highlevel.api.paging import list_pages
from target_highlevel.api.resource import Resource
from target_highlevel.errors import NotFound, Refused
from target_highlevel.values import switched

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from target_highlevel.api.endpoints import Endpoint

#: What is looked at around now, in milliseconds, where a list wants a beginning and an end. The limits are ours: a slot is
#: blocked before it is over, and one of more than ten years ahead, or that was over two years ago, is taken for absent.
_YEAR = 365 * 24 * 60 * 60 * 1000
_BACK, _AHEAD = 2 * _YEAR, 10 * _YEAR
#: A span that is refused is halved until it is as short as this.
_SHORTEST = _YEAR // 12
#: With these a span may be refused that is too long.
_NOT_SO = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY})
#: Nobody is told of anything in a calendar.
_QUIET: Mapping[str, Any] = {
    "notifications": [],
    "shouldSendAlertEmailsToAssignedMember": False,
    "googleInvitationEmails": False,
}


#: What a calendar says that takes no bookings: only single days count, and none is named (docs/api-facts.md, Calendars). Should
#: HighLevel see that otherwise, the notice it wants is longer than anybody books ahead.
ONLY_SINGLE_DAYS, ONLY_OPEN_HOURS = 1, 0
CLOSED: Mapping[str, Any] = {
    "availabilityType": ONLY_SINGLE_DAYS,
    "allowBookingAfter": 24,
    "allowBookingAfterUnit": "months",
}


@dataclass(frozen=True, slots=True)
class Calendar:
    """A calendar, with the ids of the users in its team."""

    id: str
    name: str
    active: bool
    team: tuple[str, ...]


class Standing(Resource):
    """One kind of thing that stands for itself. An item is the API's own object, with at least a text as its ``id``."""

    creating: ClassVar[Endpoint]
    updating: ClassVar[Endpoint]
    deleting: ClassVar[Endpoint]
    listing: ClassVar[Endpoint]
    #: What the thing is called around itself in an answer; some answers come bare.
    envelope: ClassVar[str]
    #: What a new one says beside its own fields, and the body that its removal wants.
    always: ClassVar[Mapping[str, Any]] = {}
    removing: ClassVar[Mapping[str, Any] | None] = None

    #: The longest span that its list was not found to refuse (the question `listed_span` of the register).
    _longest = _BACK + _AHEAD

    def listed(self, users: Iterable[str]) -> list[Item]:
        """Return all there are; of those that belong to users, all of these users."""
        return [item for user in users for item in self._of_user(user)]

    def _of_user(self, user: str) -> Iterable[Item]:
        raise NotImplementedError

    def _listing(self, params: Mapping[str, Any]) -> Any:
        """Return the answer to a list; that one is not there says nothing of what would be in it.

        Raises:
            Refused: it is not there, or refused.
        """
        try:
            return self._call(self.listing, params=params)
        except NotFound as error:
            raise Refused(status=error.status, route=error.route, findings=error.findings) from None

    def _in_span(
        self, ask: Callable[[Mapping[str, Any]], Any], endpoint: Endpoint, begins: int, ends: int
    ) -> Iterator[Item]:
        """Yield what is listed between two moments; where that is too long for HighLevel, of each half.

        Args:
            ask: makes the request, given the part of its query that says which span.
            endpoint: for errors.
            begins: in milliseconds, as `ends`.
            ends: what lies across a moment in between may come twice.
        """
        if ends - begins <= self._longest:
            try:
                answer = ask({"startTime": str(begins), "endTime": str(ends)})
            except Refused as refused:
                if refused.status not in _NOT_SO or ends - begins <= _SHORTEST:
                    raise
                self._longest = min(self._longest, (ends - begins + 1) // 2)
            else:
                yield from (identified(item, endpoint) for item in living(rows(answer, endpoint, "events")))
                return
        middle = begins + (ends - begins + 1) // 2
        yield from self._in_span(ask, endpoint, begins, middle)
        yield from self._in_span(ask, endpoint, middle, ends)

    def get(self, identity: str, users: Iterable[str]) -> Item:
        """Return one.

        Raises:
            NotFound: it is not there.
        """
        for item in self.listed(users):
            if item["id"] == identity:
                return item
        raise NotFound(status=404, route=str(self.listing))

    def create(self, fields: Mapping[str, Any]) -> str:
        """Create one and return its id."""
        answer = self._call(self.creating, json={"locationId": self._location, **self.always, **fields})
        return text(inside(answer, self.creating, self.envelope), self.creating, "id")

    def update(self, identity: str, fields: Mapping[str, Any]) -> None:
        """Write these fields."""
        self._call(self.updating, identity, json=self._change(fields))

    def _change(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return fields

    def delete(self, identity: str) -> None:
        """Delete one."""
        self._call(self.deleting, identity, json=self.removing)


class Calendars(Standing):
    """The calendars that events are in."""

    creating, updating = endpoints.CREATE_CALENDAR, endpoints.UPDATE_CALENDAR
    deleting, listing = endpoints.DELETE_CALENDAR, endpoints.LIST_CALENDARS
    envelope = "calendar"
    always: ClassVar[Mapping[str, Any]] = {**_QUIET, "isActive": True}

    def listed(self, users: Iterable[str]) -> list[Item]:
        """Return every calendar, whoever its team is."""
        answer = self._listing({"locationId": self._location})
        return [identified(item, self.listing) for item in living(rows(answer, self.listing, "calendars"))]

    def known(self) -> list[Calendar]:
        """Return every calendar with its team."""
        return list(self._usable(self.listed(()), self.listing, _calendar))

    def has_events(self, calendar: str) -> bool:
        """Return whether there is anything in a calendar, whoever has booked it."""
        endpoint = endpoints.LIST_CALENDAR_EVENTS
        params = {"locationId": self._location, "calendarId": calendar}
        found = self._in_span(
            lambda span: self._call(endpoint, params={**params, **span}), endpoint, *looked_at()
        )
        return any(True for _ in found)


class Schedules(Standing):
    """Hours in which a user can be booked for calendars."""

    creating, updating = endpoints.CREATE_SCHEDULE, endpoints.UPDATE_SCHEDULE
    deleting, listing = endpoints.DELETE_SCHEDULE, endpoints.LIST_SCHEDULES
    envelope = "schedule"

    def _of_user(self, user: str) -> Iterable[Item]:
        params = {"locationId": self._location, "userId": user}
        pages = list_pages(lambda page: self._listing({**params, **page}), self.listing, "schedules")
        return (identified(item, self.listing) for page in pages for item in page)


class BlockedSlots(Standing):
    """Time of users that takes no bookings."""

    creating, updating = endpoints.CREATE_BLOCK_SLOT, endpoints.UPDATE_BLOCK_SLOT
    deleting, listing = endpoints.DELETE_EVENT, endpoints.LIST_BLOCKED_SLOTS
    envelope = "event"
    removing: ClassVar[Mapping[str, Any] | None] = {}

    def _of_user(self, user: str) -> Iterable[Item]:
        params = {"locationId": self._location, "userId": user}
        found = self._in_span(lambda span: self._listing({**params, **span}), self.listing, *looked_at())
        return {item["id"]: item for item in found}.values()

    def _change(self, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"locationId": self._location, **fields}


def looked_at() -> tuple[int, int]:
    """Return the moments between which lists are asked for, in milliseconds."""
    now = int(datetime.now(UTC).timestamp() * 1000)
    return now - _BACK, now + _AHEAD


def _calendar(item: Mapping[str, Any]) -> Calendar:
    endpoint = endpoints.LIST_CALENDARS
    members = item.get("teamMembers")
    listed = members if isinstance(members, list) else []
    team = tuple(
        str(member["userId"]) for member in listed if isinstance(member, dict) and member.get("userId")
    )
    name = str(item.get("name") or "")
    return Calendar(text(item, endpoint, "id"), name, switched(item.get("isActive", True)), team)
