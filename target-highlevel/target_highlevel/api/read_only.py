"""HighLevel without its writes, for a verification: what would write raises before anything is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from target_highlevel.api.account import Account
from target_highlevel.api.activities import Events, Notes, Tasks
from target_highlevel.api.contacts import Contacts, Files
from target_highlevel.api.custom_values import CustomValues
from target_highlevel.api.definitions import Definitions
from target_highlevel.api.diary import BlockedSlots, Calendars, Schedules
from target_highlevel.api.engagement import Engagement
from target_highlevel.api.opportunities import Opportunities
from target_highlevel.api.records import Records
from target_highlevel.api.relations import Relations

if TYPE_CHECKING:
    from target_highlevel.api.resource import Resource, Transport


def _refuse(self: Resource, *_: object, **__: object) -> NoReturn:
    """Raise, whatever was to be written.

    Raises:
        PermissionError: always; nothing was sent.
    """
    message = f"a verification writes nothing; {type(self).__name__} only read"
    raise PermissionError(message)


class ReadOnlyContacts(Contacts):
    """Contacts that are only read."""

    create = update = delete = _refuse


class ReadOnlyFiles(Files):
    """Files that nobody uploads."""

    upload = _refuse


class ReadOnlyNotes(Notes):
    """Notes that are only read."""

    create = update = delete = _refuse


class ReadOnlyTasks(Tasks):
    """Tasks that are only read."""

    create = update = delete = _refuse


class ReadOnlyEvents(Events):
    """Events that are only read."""

    create = update = delete = _refuse


class ReadOnlyCalendars(Calendars):
    """Calendars that are only read."""

    create = update = delete = _refuse


class ReadOnlySchedules(Schedules):
    """Hours of users that are only read."""

    create = update = delete = _refuse


class ReadOnlyBlockedSlots(BlockedSlots):
    """Blocked slots that are only read."""

    create = update = delete = _refuse


class ReadOnlyCustomValues(CustomValues):
    """Custom values that are only read."""

    create = change = delete = _refuse


class ReadOnlyOpportunities(Opportunities):
    """Opportunities that are only read."""

    create = update = delete = _refuse


class ReadOnlyRecords(Records):
    """Records that are only read."""

    create = update = delete = _refuse


class ReadOnlyRelations(Relations):
    """Relations that are only read."""

    create = delete = _refuse


class ReadOnlyDefinitions(Definitions):
    """Definitions that are only read."""

    create_contact_field = update_contact_field = resize_file_field = _refuse
    create_object = set_searchable = create_folder = _refuse
    create_object_field = update_object_field = create_association = _refuse


class ReadOnlyHighLevel:
    """One sub-account of HighLevel, read and never written."""

    def __init__(self, transport: Transport, location: str) -> None:
        """Send reads this way, for the sub-account of this id."""
        self.account = Account(transport, location)
        self.blocked_slots = ReadOnlyBlockedSlots(transport, location)
        self.calendars = ReadOnlyCalendars(transport, location)
        self.schedules = ReadOnlySchedules(transport, location)
        self.contacts = ReadOnlyContacts(transport, location)
        self.custom_values = ReadOnlyCustomValues(transport, location)
        self.definitions = ReadOnlyDefinitions(transport, location)
        self.engagement = Engagement(transport, location)
        self.events = ReadOnlyEvents(transport, location)
        self.files = ReadOnlyFiles(transport, location)
        self.notes = ReadOnlyNotes(transport, location)
        self.opportunities = ReadOnlyOpportunities(transport, location)
        self.records = ReadOnlyRecords(transport, location)
        self.relations = ReadOnlyRelations(transport, location)
        self.tasks = ReadOnlyTasks(transport, location)
