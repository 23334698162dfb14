"""The interface of HighLevel that all else is written against: a load, a plan and a verification each bring their own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from target_highlevel.api.account import Account
    from target_highlevel.api.activities import Activities
    from target_highlevel.api.contacts import Contacts, Files
    from target_highlevel.api.custom_values import CustomValues
    from target_highlevel.api.definitions import Definitions
    from target_highlevel.api.diary import BlockedSlots, Calendars, Schedules
    from target_highlevel.api.engagement import Engagement
    from target_highlevel.api.opportunities import Opportunities
    from target_highlevel.api.records import Records
    from target_highlevel.api.relations import Relations


class HighLevel(Protocol):
    """One sub-account of HighLevel, with a part for each of its resources. Threads may share it.

    Implemented by ``LiveHighLevel``, by ``PlannedHighLevel``, which answers writes itself, and by ``ReadOnlyHighLevel``, which
    has none.
    """

    @property
    def account(self) -> Account:
        """The sub-account's settings, users and automations."""

    @property
    def blocked_slots(self) -> BlockedSlots:
        """Time of users that takes no bookings."""

    @property
    def calendars(self) -> Calendars:
        """The calendars that events are in."""

    @property
    def schedules(self) -> Schedules:
        """Hours in which users can be booked."""

    @property
    def contacts(self) -> Contacts:
        """People."""

    @property
    def custom_values(self) -> CustomValues:
        """Texts that the location keeps under a name."""

    @property
    def definitions(self) -> Definitions:
        """Custom fields, custom objects and associations."""

    @property
    def engagement(self) -> Engagement:
        """Signs of people's work with contacts: only read."""

    @property
    def events(self) -> Activities:
        """Appointments in calendars."""

    @property
    def files(self) -> Files:
        """Uploads."""

    @property
    def notes(self) -> Activities:
        """Notes of contacts."""

    @property
    def opportunities(self) -> Opportunities:
        """Where contacts stand in pipelines."""

    @property
    def records(self) -> Records:
        """Records of custom objects."""

    @property
    def relations(self) -> Relations:
        """Links between records."""

    @property
    def tasks(self) -> Activities:
        """Tasks of contacts."""
