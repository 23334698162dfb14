"""What the sub-account offers: ids of fields, options, associations, users and calendars, read once a run."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from target_highlevel.api.diary import CLOSED
from target_highlevel.assumptions import Known
from target_highlevel.errors import CredentialsRefused, NotOffered, Refused, SettingsError, Unknown
from target_highlevel.setup.offered import Offered
from target_highlevel.values import switched

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_highlevel.api.account import User
    from target_highlevel.api.definitions import Field
    from target_highlevel.api.diary import Calendar
    from target_highlevel.api.opportunities import Pipeline
    from target_highlevel.api.protocol import HighLevel

logger = logging.getLogger(__name__)


class Catalogue:
    """The sub-account's definitions. Reads lazily; ``schema`` adds what is missing."""

    def __init__(
        self,
        highlevel: HighLevel,
        fallback_email: str | None,
        *,
        blockers: list[str] | None = None,
        known: Known | None = None,
    ) -> None:
        """Know nothing yet but what a probe has measured.

        With ``blockers``, what would stop a load is put there instead of being raised.
        """
        self._blockers = blockers
        self.known = known or Known()
        self._highlevel = highlevel
        self.offered = Offered(highlevel.account.location)
        self._fallback_email = fallback_email
        self.settings: dict[str, Any] = {}
        #: Users by e-mail, and all of them.
        self.users: dict[str, User] = {}
        self.logins: list[User] = []
        self.contact_fields: dict[str, Field] = {}
        self.object_keys: set[str] = set()
        self.object_fields: dict[str, dict[str, Field]] = {}
        #: The folders of each custom object, by their names.
        self.folders: dict[str, dict[str, str]] = {}
        self.associations: dict[str, str] = {}
        self.overflow: dict[str, list[str]] = {}
        self._calendars: dict[str, str] | None = None
        #: Users in the team of each calendar, as far as calendars have been read or made.
        self.teams: dict[str, tuple[str, ...]] = {}
        self.fallback_owner: str | None = None
        #: Users whom HighLevel has refused as an owner: the fallback owner stands in, and a verification lists it.
        self.refused_users: set[str] = set()
        #: Pick-lists, as ``contact.cliniko_location``, of which HighLevel has refused an option that they lack.
        self.closed_lists: set[str] = set()
        #: The pipeline of the settings, and what HighLevel answered where it shows none.
        self.pipeline: Pipeline | None = None
        self.no_pipelines: NotOffered | None = None

    def read(self) -> None:
        """Read the sub-account's settings, users, contact fields, objects and associations.

        Raises:
            SettingsError: the sub-account is not there, or no user can own a patient.
            CredentialsRefused: the token may not read one of them.
        """
        self.settings = self._highlevel.account.location()
        self._read_users()
        self.read_contact_fields()
        self.read_objects()
        self.read_associations()

    @property
    def left_out(self) -> dict[str, int]:
        """How many rows of each list of the sub-account could not be read, and are left out."""
        highlevel = self._highlevel
        parts = highlevel.account, highlevel.calendars, highlevel.definitions, highlevel.opportunities
        return {route: number for part in parts for route, number in part.odd.items() if number}

    def read_contact_fields(self) -> None:
        """Read the custom fields of contacts. A list may lag, so what was just made is kept; threads may be making others."""
        self.contact_fields.update(self._highlevel.definitions.contact_fields())

    def read_objects(self) -> None:
        """Read which kinds of objects there are; a list may lag, so what was just made is kept."""
        self.object_keys.update(self._highlevel.definitions.objects())

    def _read_users(self) -> None:
        listed = self._highlevel.account.users(str(self.settings.get("companyId") or ""))
        self.logins = listed
        self.users = {user.email: user for user in listed if user.email}
        if self._fallback_email:
            found = self.users.get(self._fallback_email.casefold())
            if found is None:
                msg = (
                    "fallback_owner: no user of this sub-account has that e-mail;"
                    " set TARGET_HIGHLEVEL_FALLBACK_OWNER to one that exists"
                )
                self._block(msg)
                return
            self.fallback_owner = found.id
        elif len(listed) == 1:
            self.fallback_owner = listed[0].id
        else:
            msg = "set TARGET_HIGHLEVEL_FALLBACK_OWNER: the e-mail of the user who owns patients without a matched practitioner"
            self._block(msg)

    def refuse_user(self, user: str) -> None:
        """Take note that HighLevel refuses a user as an owner; any number of threads may."""
        if user not in self.refused_users:
            logger.warning(
                "highlevel.owner_refused user=%s advice=%s",
                user,
                "the fallback owner stands in; name another user under owners in the mapping",
            )
            self.refused_users.add(user)

    def _block(self, problem: str) -> None:
        if self._blockers is None:
            raise SettingsError(problem)
        self._blockers.append(problem)

    def read_associations(self) -> None:
        """Read every association."""
        self.associations.update(self._highlevel.definitions.associations())

    def read_object(self, key: str) -> None:
        """Read the fields and folders of a custom object. As of contacts, what was just made is kept."""
        found = self._highlevel.definitions.object_fields(key)
        self.object_fields.setdefault(key, {}).update(found.fields)
        self.folders.setdefault(key, {}).update(found.folders)

    def contact_field(self, name: str) -> Field:
        """Return a custom field of contacts.

        Raises:
            SettingsError: it is not there although the schema was set up.
        """
        try:
            return self.contact_fields[name]
        except KeyError:
            msg = f"contact field contact.{name} is missing in HighLevel; create it or run again"
            raise SettingsError(msg) from None

    def object_field(self, key: str, name: str) -> Field:
        """Return a field of a custom object.

        Raises:
            SettingsError: it is not there although the schema was set up.
        """
        try:
            return self.object_fields[key][name]
        except KeyError:
            msg = f"field {name} of {key} is missing in HighLevel; create it or run again"
            raise SettingsError(msg) from None

    def lacking(self, key: str, name: str, options: Iterable[str]) -> set[str]:
        """Return those options that a pick-list is known to lack; of a field that shows none, nothing is known."""
        there = self.contact_fields if key == "contact" else self.object_fields.get(key, {})
        labels = there[name].options if name in there else {}
        return {option for option in options if option not in labels} if labels else set()

    def association_ids(self, key: str) -> list[str]:
        """Return the ids of an association and of those it continues under, in order."""
        keys = self.overflow.get(key, [key])
        return [self.associations[name] for name in keys if name in self.associations]

    def expect_pipeline(self, wanted: str) -> None:
        """Look for the pipeline of the settings, by its id or its name; where HighLevel shows none, only opportunities need it.

        Raises:
            SettingsError: it is not there.
        """
        try:
            with self.offered.asked("pipelines"):
                found = self._highlevel.opportunities.pipelines()
        except NotOffered as error:
            self.no_pipelines = error
            return
        named = [item for item in found if wanted == item.id] or [
            item for item in found if wanted.strip().casefold() == item.name.strip().casefold()
        ]
        if len(named) != 1:
            self._block(
                f"pipeline: {len(named) or 'no'} pipelines of this sub-account have that name or id;"
                " make it in HighLevel (Opportunities, Pipelines) with a stage for each appointment type,"
                " or set TARGET_HIGHLEVEL_PIPELINE to one that exists (with several sub-accounts, a name that each has)"
            )
            return
        self.pipeline = named[0]

    def expect_calendar(self, wanted: str) -> None:
        """Check whether the calendar for all events is there: without it every single one would be refused.

        Raises:
            SettingsError: it is not.
        """
        try:
            found = {item.id: item for item in self._listed_calendars()}
        except NotOffered:
            return  # each event tells whether it can be in there
        if wanted not in found:
            self._block(
                "calendar_id: no calendar of this sub-account has that id;"
                " set TARGET_HIGHLEVEL_CALENDAR_ID to one that exists, or leave it out"
            )
        elif not found[wanted].active:
            self._block("calendar_id: that calendar is not active; activate it in HighLevel")

    def calendar(self, name: str, *, make: bool) -> str | None:
        """Return the calendar of that name; when there is none, make it or return None."""
        if self._calendars is None:
            self._calendars = self._read_calendars()
        if make and name not in self._calendars:
            try:
                self._calendars[name] = self._create_calendar(name)
            except Unknown:
                self._calendars = self._read_calendars()
                if name not in self._calendars:
                    self._calendars[name] = self._create_calendar(name)
            except Refused as refused:  # it may be there all the same
                self._calendars = self._read_calendars() if refused.maybe_created else self._calendars
                if name not in self._calendars:
                    raise
        return self._calendars.get(name)

    def _read_calendars(self) -> dict[str, str]:
        return {item.name: item.id for item in self._listed_calendars()}

    def _listed_calendars(self) -> list[Calendar]:
        with self.offered.asked("calendars"):
            listed = self._highlevel.calendars.known()
        for item in listed:
            self.teams.setdefault(item.id, item.team)
        return listed

    def team(self, calendar: str) -> tuple[str, ...]:
        """Return the users in the team of a calendar; none where calendars are not shown."""
        if calendar not in self.teams:
            with suppress(NotOffered):
                self._listed_calendars()
        return self.teams.setdefault(calendar, ())

    def of_team(self, calendar: str, user: str | None) -> str | None:
        """Return the user if an event in that calendar can be theirs, else the first of its team.

        An event in a team's calendar is refused for anybody else, and for nobody (docs/api-facts.md, Appointments).
        """
        team = self.team(calendar)
        return user if not team or user in team else team[0]

    def _create_calendar(self, name: str) -> str:
        """Create a calendar with every user in its team, because only a member can be assigned; it takes no bookings.

        Raises:
            NotOffered: the token may make no calendars.
        """
        team = tuple(user.id for user in self.users.values())
        members = [{"userId": user} for user in team]
        fields = {"name": name, "calendarType": "round_robin", "teamMembers": members}
        try:
            identity = self._highlevel.calendars.create({**fields, **CLOSED})
        except CredentialsRefused as error:
            with self.offered.asked("calendars"):
                raise error from None
        self.teams[identity] = team
        return identity

    def allows_duplicates(self) -> bool:
        """Return whether the sub-account lets two contacts share an e-mail or a phone."""
        return switched((self.settings.get("settings") or {}).get("allowDuplicateContact"))
