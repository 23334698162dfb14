"""Calendars, hours and absences: what is in the diary of a sub-account and hangs on no contact."""

from __future__ import annotations

from abc import abstractmethod
from collections import defaultdict
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.api.diary import ONLY_OPEN_HOURS, ONLY_SINGLE_DAYS
from target_highlevel.errors import CredentialsRefused, NotFound, Refused
from target_highlevel.marker import marked, marked_title, titled, with_marker
from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, Updated, present
from target_highlevel.objects.on_contact import whole_seconds

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.api.diary import Standing as Things
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectContext
    from target_highlevel.settings import Settings

#: Why nothing of the diary is made: appointments are tasks, or all events are in one calendar that is the clinic's own.
BY_SETTINGS = ONLY_TASKS, ONE_CALENDAR = "appointments_are_tasks", "in_one_calendar"
#: Why an absence is not made: nobody can be blocked for the practitioner, or it is over.
NO_USER, IS_OVER = "no_user", "is_over"
CANNOT_BLOCK, HAS_BOOKINGS = "cannot_be_blocked", "has_bookings"
_DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_SUNDAY = 7
_CLOSED, _OPEN = "closed", "open"
_CLOSED_NOTICE = "24 months"
_USUAL_MINUTES = 30
_ALL_DAY = "00:00-23:59"


def left_out_by(settings: Settings, kind: str) -> str | None:
    """Return why the settings want nothing of this kind of the diary to be made, if they do not."""
    if settings.appointments_as == "task":
        return ONLY_TASKS
    return ONE_CALENDAR if settings.calendar_id and kind != BlockedSlot.kind else None


class Standing(ObjectKind):
    """Created by itself, listed with others of its kind, found again by the marker in a text of it."""

    cuts_texts = False  # the marker stands behind them
    #: What streams call it.
    kind: ClassVar[str]
    #: Our name of each field and the API's, for those whose value is the same.
    names: ClassVar[Mapping[str, str]]

    @property
    @abstractmethod
    def things(self) -> Things:
        """Return the part of the API for this kind."""

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create it with everything in one request."""
        return Created(self.things.create({**self.only_at_first(row), **self.body(present(wanted))}))

    def only_at_first(self, row: Row) -> dict[str, Any]:
        """Return what only a create can say; by default nothing."""
        return {}

    def body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of ours as the API wants them."""
        return {self.names[name]: value for name, value in fields.items() if name in self.names}

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return its fields."""
        return self.decode(self.things.get(str(row.hl_id), self.users()))

    def users(self) -> list[str]:
        """Return the users in whose lists it may be."""
        return [user.id for user in self.ctx.catalogue.users.values()]

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item of the API in our shape."""
        return {name: item.get(api) for name, api in self.names.items()}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed fields."""
        self.things.update(str(row.hl_id), self.body(changes))
        return Updated()

    def ours(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Yield (source id, item) of everything that carries our marker."""
        for item in self.things.listed(self.users()):
            source_id = self.source_id(item)
            if source_id:
                yield source_id, item

    @abstractmethod
    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the Cliniko record that an item of the API carries the marker of."""

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Look for our marker among all of this kind."""
        return next((str(item["id"]) for source_id, item in self.ours() if source_id == row.source_id), None)

    def remove(self, row: Row) -> None:
        """Delete it."""
        self.things.delete(str(row.hl_id))

    def not_yet(self, fields: Mapping[str, Any]) -> str | None:
        """Return why the settings want none: an earlier run, under others, may have left it to be made."""
        return left_out_by(self.ctx.settings, self.kind)

    def in_use(self, row: Row) -> str | None:
        """Return why it must stay although nobody has changed it; by default there is no reason."""
        return None


class Calendar(Standing):
    """The calendar of an appointment type: closed until the setting ``calendars_open`` says otherwise."""

    kind, api = "calendar", "calendars"
    names: ClassVar[Mapping[str, str]] = {
        "name": "name",
        "body": "description",
        "minutes": "slotDuration",
        "seats": "appoinmentPerSlot",
        "color": "eventColor",
    }

    @property
    def things(self) -> Things:
        """Return calendars."""
        return self.ctx.highlevel.calendars

    def __init__(self, ctx: ObjectContext, loading_runs: frozenset[str]) -> None:
        """Open no calendar that these runs have made: what takes the time of its team may come after it."""
        super().__init__(ctx)
        self._loading_runs = loading_runs

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields.

        In the team is who has a user and hours in HighLevel. Without anybody all users are, as a calendar needs somebody and an
        event in it a member; such a calendar stays closed.
        """
        hours, team = self._open_hours(fields), self._team(fields)
        is_old = row.created_run not in self._loading_runs and row.hl_id is not None
        # an earlier run may have been told otherwise
        may_open = fields.get("open") and self.ctx.settings.calendars_open
        is_open = bool(may_open and hours and team and is_old)
        wanted = {
            "name": fields.get("name"),
            "body": with_marker(row.source_id, fields.get("body")),
            "minutes": int(fields.get("minutes") or _USUAL_MINUTES),
            "seats": int(fields.get("seats") or 1),
            "color": fields.get("color"),
            "address": fields.get("address"),
            "team": " ".join(sorted(team or self.users())),
            "open_hours": hours,
            "bookings": _OPEN if is_open else _CLOSED,
            "notice": f"{fields.get('notice_hours') or 0} hours" if is_open else _CLOSED_NOTICE,
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _team(self, fields: Mapping[str, Any]) -> set[str]:
        pairs = zip(fields.get("team") or (), fields.get("schedules") or (), strict=True)
        hl_id = self.ctx.work.hl_id
        return {str(hl_id(who)) for who, schedule in pairs if hl_id(who) and hl_id(schedule)}

    def _open_hours(self, fields: Mapping[str, Any]) -> str | None:
        """Return when the calendar is open: it has the sub-account's time zone, and each user's schedule its own.

        Where schedules do not count, it is open while all of the team work: else somebody would be booked who does not.
        """
        alike = fields.get("time_zone") == self.ctx.catalogue.settings.get("timezone")
        if self.ctx.catalogue.known.answer("calendar_hours") == "calendar":
            return fields.get("common_hours") if alike else None
        if alike or not fields.get("open_hours"):
            return fields.get("open_hours")
        return "\n".join(f"{day} {_ALL_DAY}" for day in range(1, _SUNDAY + 1))

    def in_use(self, row: Row) -> str | None:
        """A calendar with bookings stays: they would go with it."""
        return HAS_BOOKINGS if self.ctx.highlevel.calendars.has_events(str(row.hl_id)) else None

    def only_at_first(self, row: Row) -> dict[str, Any]:
        """Return the type of the calendar, which never changes."""
        is_class = int(row.fields.get("seats") or 1) > 1
        return {"calendarType": "class_booking" if is_class else "round_robin"}

    def body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of ours as the API wants them."""
        found = super().body(fields)
        if "minutes" in fields:
            found |= {
                "slotDurationUnit": "mins",
                "slotInterval": fields["minutes"],
                "slotIntervalUnit": "mins",
            }
        if "address" in fields:
            place = [{"kind": "physical", "location": fields["address"]}] if fields["address"] else []
            found["locationConfigurations"] = place
        if "team" in fields:
            found["teamMembers"] = [{"userId": user} for user in str(fields["team"]).split()]
        if "open_hours" in fields:
            found["openHours"] = [_open_hours(day, spans) for day, spans in days_of(fields["open_hours"])]
        if "bookings" in fields:
            is_open = fields["bookings"] == _OPEN
            found["availabilityType"] = ONLY_OPEN_HOURS if is_open else ONLY_SINGLE_DAYS
        if "notice" in fields:
            number, unit = str(fields["notice"] or _CLOSED_NOTICE).split()
            found |= {"allowBookingAfter": int(number), "allowBookingAfterUnit": unit}
        return found

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create it and know its team from now on."""
        made = super().create(row, spec, wanted)
        self.ctx.catalogue.teams[made.hl_id] = tuple(str(wanted["team"]).split())
        return made

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed fields, and know the team."""
        if "team" in changes:
            self.ctx.catalogue.teams[str(row.hl_id)] = tuple(str(changes["team"]).split())
        return super().update(row, spec, changes, current)

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return a calendar in our shape."""
        places = item.get("locationConfigurations") or ()
        notice = item.get("allowBookingAfter"), item.get("allowBookingAfterUnit")
        return {
            **super().decode(item),
            "address": next((place.get("location") for place in places), None),
            "team": " ".join(sorted(str(member["userId"]) for member in item.get("teamMembers") or ())),
            "open_hours": _hours_text(item.get("openHours") or ()),
            "bookings": _CLOSED if item.get("availabilityType") == ONLY_SINGLE_DAYS else _OPEN,
            "notice": f"{notice[0]} {notice[1]}" if None not in notice else None,
        }

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the marker below the description."""
        return marked(item.get("description"))


class Schedule(Standing):
    """When a user can be booked in one calendar."""

    kind, api = "schedule", "schedules"
    is_made_anew = True
    names: ClassVar[Mapping[str, str]] = {"name": "name", "time_zone": "timezone"}

    @property
    def things(self) -> Things:
        """Return schedules."""
        return self.ctx.highlevel.schedules

    def left_out(self, row: Row, fields: Mapping[str, Any]) -> str | None:
        """Return why there is nobody whose hours these could be."""
        return None if self.ctx.work.hl_id(str(fields.get("owner"))) else NO_USER

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields."""
        wanted = {
            "name": titled(row.source_id, fields.get("name")),
            "time_zone": fields.get("time_zone"),
            "hours": fields.get("hours"),
            "user": self.ctx.work.hl_id(str(fields.get("owner"))),
            "calendar": self.ctx.work.hl_id(str(fields.get("calendar"))),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return fields of ours as the API wants them; whose it is and for which calendar only a create says."""
        found = super().body(fields)
        if "hours" in fields:
            found["rules"] = [
                {"type": "wday", "day": _DAYS[day - 1], "intervals": [{"from": a, "to": b} for a, b in spans]}
                for day, spans in days_of(fields["hours"])
            ]
        return found

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create it for its user and its calendar."""
        whose = {"userId": wanted["user"], "calendarIds": [wanted["calendar"]]}
        return Created(self.things.create({**whose, **self.body(present(wanted))}))

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed fields; for another user or calendar it is made anew, and the old one removed."""
        if not {"user", "calendar"} & set(changes):
            return super().update(row, spec, changes, current)
        wanted = {**current, **changes}
        again = next(
            (
                str(item["id"])
                for source, item in self.ours()
                if source == row.source_id and item["id"] != row.hl_id
            ),
            None,
        )
        made = again or self.create(row, spec, wanted).hl_id
        with suppress(NotFound):
            self.remove(row)
        return Updated(made)

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return a schedule in our shape."""
        lines = (
            f"{_DAYS.index(rule['day']) + 1} {' '.join(_span(each) for each in rule.get('intervals') or ())}"
            for rule in item.get("rules") or ()
            if rule.get("day") in _DAYS
        )
        return {
            **super().decode(item),
            "hours": "\n".join(sorted(lines)) or None,
            "user": item.get("userId"),
            "calendar": next(iter(item.get("calendarIds") or ()), None),
        }

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the marker behind the name."""
        return marked_title(item.get("name"))


class BlockedSlot(Standing):
    """An absence as time of a user that takes no bookings."""

    kind, api = "blocked_slot", "blocked_slots"
    names: ClassVar[Mapping[str, str]] = {
        "title": "title",
        "starts_at": "startTime",
        "ends_at": "endTime",
        "user": "assignedUserId",
    }

    @property
    def things(self) -> Things:
        """Return blocked slots."""
        return self.ctx.highlevel.blocked_slots

    def left_out(self, row: Row, fields: Mapping[str, Any]) -> str | None:
        """Return why there is nothing to be blocked."""
        if not self.ctx.work.hl_id(str(fields.get("owner"))):
            return NO_USER
        if self.ctx.catalogue.known.answer("blocked_slots") != "accepted":
            return CANNOT_BLOCK
        over = str(fields.get("ends_at") or "") <= f"{self.ctx.now():%Y-%m-%dT%H:%M:%SZ}"
        return IS_OVER if over and row.hl_id is None else None

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields."""
        wanted = {
            "title": titled(row.source_id, fields.get("title")),
            "starts_at": fields.get("starts_at"),
            "ends_at": fields.get("ends_at"),
            "user": self.ctx.work.hl_id(str(fields.get("owner"))),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create it; where HighLevel blocks no user through its API, that is this record's trouble and nobody else's."""
        try:
            return super().create(row, spec, wanted)
        except CredentialsRefused:
            self.ctx.highlevel.account.location()  # raises if it is the token
            raise Rejected(CANNOT_BLOCK) from None
        except Refused as refused:
            if wants_calendar(refused):
                raise Rejected(CANNOT_BLOCK) from None
            raise

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write it whole: whom it blocks has to be said again."""
        return super().update(row, spec, {**current, **changes}, current)

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return a blocked slot in our shape."""
        fields = super().decode(item)
        return {**fields, **{name: whole_seconds(fields[name]) for name in ("starts_at", "ends_at")}}

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the marker behind the title."""
        return marked_title(item.get("title"))


def wants_calendar(refused: Refused) -> bool:
    """Return whether a block of a user was refused because it names no calendar.

    A calendar is that of a type of appointment: to block it would take the time of all its team.
    """
    return "calendarId" in refused.properties


def days_of(hours: Any) -> Iterator[tuple[int, list[tuple[str, str]]]]:
    """Yield (day, spans) of hours as text: ``1 09:00-13:00 14:00-17:30``, one line a day, Monday first."""
    for line in str(hours or "").splitlines():
        day, *spans = line.split()
        yield int(day), [(span[:5], span[6:]) for span in spans]


def _open_hours(day: int, spans: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """Return the hours of a day as calendars have them, for which Sunday is 0."""
    hours = [
        {
            "openHour": int(starts[:2]),
            "openMinute": int(starts[3:]),
            "closeHour": int(ends[:2]),
            "closeMinute": int(ends[3:]),
        }
        for starts, ends in spans
    ]
    return {"daysOfTheWeek": [day % _SUNDAY], "hours": hours}


def _hours_text(open_hours: Iterable[Mapping[str, Any]]) -> str | None:
    days: defaultdict[int, list[str]] = defaultdict(list)
    for item in open_hours:
        for day in item.get("daysOfTheWeek") or ():
            days[int(day) or _SUNDAY] += [
                f"{each['openHour']:02}:{each['openMinute']:02}-{each['closeHour']:02}:{each['closeMinute']:02}"
                for each in item.get("hours") or ()
            ]
    return "\n".join(f"{day} {' '.join(sorted(days[day]))}" for day in sorted(days)) or None


def _span(interval: Mapping[str, Any]) -> str:
    return f"{interval.get('from')}-{interval.get('to')}"
