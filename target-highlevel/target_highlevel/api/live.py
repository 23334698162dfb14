"""HighLevel as it is: every call is a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

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
    from target_highlevel.api.resource import Transport


class LiveHighLevel:
    """One sub-account of HighLevel, read and written."""

    def __init__(self, transport: Transport, location: str) -> None:
        """Send requests this way, for the sub-account of this id."""
        self.account = Account(transport, location)
        self.blocked_slots = BlockedSlots(transport, location)
        self.calendars = Calendars(transport, location)
        self.schedules = Schedules(transport, location)
        self.contacts = Contacts(transport, location)
        self.custom_values = CustomValues(transport, location)
        self.definitions = Definitions(transport, location)
        self.engagement = Engagement(transport, location)
        self.events = Events(transport, location)
        self.files = Files(transport, location)
        self.notes = Notes(transport, location)
        self.opportunities = Opportunities(transport, location)
        self.records = Records(transport, location)
        self.relations = Relations(transport, location)
        self.tasks = Tasks(transport, location)
