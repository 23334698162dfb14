"""HighLevel as a load would find and leave it: reads go through, and writes are answered here.

So that what is there already is seen. The engine, the ledger (a scratch copy) and the rules are those of the load, therefore the
prediction is what the load then does; nothing but searches and GETs ever leaves.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Any

from typing_extensions import override

from target_highlevel.api import endpoints
from target_highlevel.api.account import Account
from target_highlevel.api.activities import Activities, Events, Notes, Tasks
from target_highlevel.api.contacts import Contacts, Files
from target_highlevel.api.custom_values import CustomValues
from target_highlevel.api.definitions import Definitions, Field, MadeField, ObjectFields, slug
from target_highlevel.api.engagement import Engagement
from target_highlevel.api.opportunities import Opportunities, Pipeline
from target_highlevel.api.paging import LIST_PAGE
from target_highlevel.api.plan_state import Addresses, Counted, PlannedLinks, PlanState, is_planned
from target_highlevel.api.planned_diary import PlannedBlockedSlots, PlannedCalendars, PlannedSchedules
from target_highlevel.api.records import OWNERS, Records
from target_highlevel.api.relations import RelationItem, Relations
from target_highlevel.values import switched

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator, Mapping, Sequence

    from target_highlevel.api.account import User
    from target_highlevel.api.answers import Item
    from target_highlevel.api.records import RecordItem
    from target_highlevel.api.resource import Transport
    from target_highlevel.http.uploads import Upload


class PlannedAccount(Account):
    """The sub-account itself, read as it is."""

    def __init__(self, transport: Transport, location: str, state: PlanState, addresses: Addresses) -> None:
        """Tell the addresses whether contacts may share them."""
        super().__init__(transport, location)
        self._state = state
        self._addresses = addresses

    @override
    def location(self) -> Item:
        found: Item = self._state.read(super().location, {})
        allowed = (found.get("settings") or {}).get("allowDuplicateContact")
        self._addresses.duplicates_allowed = switched(allowed)
        return found

    @override
    def users(self, company_id: str) -> list[User]:
        return self._state.read(lambda: super(PlannedAccount, self).users(company_id), [])


class PlannedCustomValues(CustomValues):
    """Custom values, which a plan reads."""

    def __init__(self, transport: Transport, location: str, state: PlanState) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state

    @override
    def create(self, name: str, value: str) -> str:
        self._state.count(endpoints.CREATE_CUSTOM_VALUE)
        return self._state.identity()

    @override
    def change(self, identity: str, name: str, value: str) -> None:
        self._state.count(endpoints.UPDATE_CUSTOM_VALUE)

    @override
    def delete(self, identity: str) -> None:
        self._state.count(endpoints.DELETE_CUSTOM_VALUE)


class PlannedContacts(Contacts):
    """Contacts that are there, and those that would be made with later changes merged in."""

    def __init__(self, transport: Transport, location: str, state: PlanState, addresses: Addresses) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state
        self._addresses = addresses
        self._made: dict[str, dict[str, Any]] = {}

    @override
    def create(self, fields: Mapping[str, Any]) -> Item:
        self._state.count(endpoints.CREATE_CONTACT)
        with self._state.mutex:
            identity = self._state.identity()
            self._addresses.claim(fields, identity)
            self._made[identity] = dict(fields)
        return {"id": identity}

    @override
    def get(self, contact_id: str) -> Item:
        if not is_planned(contact_id):
            with self._state.noting():
                return super().get(contact_id)
        self._state.count(endpoints.GET_CONTACT)
        with self._state.mutex:
            made = self._made.get(contact_id, {})
            custom = [
                {"id": item["id"], "value": item.get("field_value")} for item in made.get("customFields", ())
            ]
            return {**made, "customFields": custom, "id": contact_id}

    @override
    def update(self, contact_id: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        self._state.count(endpoints.UPDATE_CONTACT)
        with self._state.mutex:
            self._addresses.claim(fields, contact_id)
            made = self._made.get(contact_id)
            if made is not None:  # what is in HighLevel already is read there
                changed = (*made.get("customFields", ()), *fields.get("customFields", ()))
                made.update(fields)
                made["customFields"] = list({item["id"]: item for item in changed}.values())
        return {}

    @override
    def delete(self, contact_id: str) -> None:
        self._state.count(endpoints.DELETE_CONTACT)

    @override
    def with_address(self, parameter: str, address: str) -> str | None:
        with self._state.noting():
            return super().with_address(parameter, address)

    @override
    def with_value(self, field_id: str, value: str) -> list[Item]:
        return self._state.read(lambda: super(PlannedContacts, self).with_value(field_id, value), [])

    @override
    def pages_with(self, field_id: str) -> Iterator[list[Item]]:
        return self._state.read_all(super().pages_with(field_id))

    @override
    def pages(self) -> Iterator[list[Item]]:
        return self._state.read_all(super().pages())


class PlannedFiles(Files):
    """Files that would be uploaded."""

    def __init__(self, transport: Transport, location: str, state: PlanState) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state

    @override
    def upload(self, contact_id: str, upload: Upload) -> Item:
        self._state.count(endpoints.UPLOAD_FILE)
        return {}


class PlannedActivities(Activities):
    """What hangs on contacts, and what would be added to them with later changes merged in."""

    def __init__(self, transport: Transport, location: str, state: PlanState, there: Activities) -> None:
        """Share this state with the rest of the plan; what is there already is read of ``there``."""
        super().__init__(transport, location)
        self._state = state
        self._there = there
        self._endpoints = there.endpoints
        self._made: dict[str, dict[str, Any]] = {}

    @override
    def listed(self, contact_id: str) -> list[Item]:
        if not is_planned(contact_id):
            with self._state.noting():
                return self._there.listed(contact_id)
        self._state.count(self._endpoints.listed)
        return []

    @override
    def create(self, contact_id: str, fields: Mapping[str, Any]) -> str:
        self._state.count(self._endpoints.create)
        with self._state.mutex:
            identity = self._state.identity()
            self._made[identity] = dict(fields)
        return identity

    @override
    def get(self, contact_id: str, item_id: str) -> Item:
        if not is_planned(contact_id) and not is_planned(item_id):
            with self._state.noting():
                return self._there.get(contact_id, item_id)
        self._state.count(self._endpoints.get)
        with self._state.mutex:
            return {**self._made.get(item_id, {}), "id": item_id}

    @override
    def update(self, contact_id: str, item_id: str, fields: Mapping[str, Any]) -> None:
        self._state.count(self._endpoints.update)
        with self._state.mutex:
            if item_id in self._made:
                self._made[item_id].update(fields)

    @override
    def delete(self, contact_id: str, item_id: str) -> None:
        self._state.count(self._endpoints.delete)


class PlannedOpportunities(PlannedActivities, Opportunities):
    """Opportunities that are there, and those that would be made."""

    @override
    def pipelines(self) -> list[Pipeline]:
        return self._state.read(super().pipelines, [])


class PlannedRecords(Records):
    """Records that are there, and those that would be made with later changes merged in."""

    def __init__(self, transport: Transport, location: str, state: PlanState) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state
        self._made: dict[str, dict[str, Any]] = {}

    @override
    def create(self, key: str, properties: Mapping[str, Any], owners: Sequence[str] | None = None) -> str:
        self._state.count(endpoints.CREATE_RECORD)
        with self._state.mutex:
            identity = self._state.identity()
            self._made[identity] = {**properties, **({OWNERS: owners} if owners else {})}
        return identity

    @override
    def get(self, key: str, record_id: str) -> Item:
        if not is_planned(record_id):
            with self._state.noting():
                return super().get(key, record_id)
        self._state.count(endpoints.GET_RECORD)
        with self._state.mutex:
            return dict(self._made.get(record_id, {}))

    @override
    def update(
        self,
        key: str,
        record_id: str,
        properties: Mapping[str, Any],
        owners: Sequence[str] | None = None,
    ) -> None:
        self._state.count(endpoints.UPDATE_RECORD)
        with self._state.mutex:
            made = self._made.get(record_id)
            if made is not None:
                made.update({name: _merged(made.get(name), value) for name, value in properties.items()})
                made.update({OWNERS: owners} if owners is not None else {})

    @override
    def delete(self, key: str, record_id: str) -> None:
        self._state.count(endpoints.DELETE_RECORD)

    @override
    def with_value(self, key: str, name: str, value: str) -> list[RecordItem]:
        return self._state.read(lambda: super(PlannedRecords, self).with_value(key, name, value), [])

    @override
    def pages(self, key: str) -> Iterator[list[RecordItem]]:
        return self._state.read_all(super().pages(key))


def _merged(known: Any, value: Any) -> Any:
    """Return a property as a change leaves it; a list is changed by what to add and what to remove."""
    if isinstance(value, dict) and set(value) == {"add", "remove"}:
        return [*(item for item in known or () if item not in value["remove"]), *value["add"]]
    return value


class PlannedRelations(Relations):
    """Relations that are there and those that would be made."""

    def __init__(self, transport: Transport, location: str, state: PlanState, links: PlannedLinks) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state
        self._links = links

    @override
    def create(self, association_id: str, first: str, second: str) -> str:
        self._state.count(endpoints.CREATE_RELATION)
        with self._state.mutex:
            identity = self._state.identity()
            self._links.add(RelationItem(identity, association_id, first, second))
        return identity

    @override
    def listed(self, record_id: str) -> Iterator[RelationItem]:
        with self._state.mutex:
            found = self._links.of(record_id)
        for _ in range(max(1, ceil(len(found) / LIST_PAGE))):
            self._state.count(endpoints.LIST_RELATIONS)
        return iter(found)

    @override
    def delete(self, relation_id: str) -> None:
        self._state.count(endpoints.DELETE_RELATION)
        with self._state.mutex:
            self._links.remove(relation_id)


class PlannedDefinitions(Definitions):
    """Definitions that are there; what is missing would be made."""

    def __init__(self, transport: Transport, location: str, state: PlanState) -> None:
        """Share this state with the rest of the plan."""
        super().__init__(transport, location)
        self._state = state
        #: The one field that a planned object comes with, by the object's key.
        self._primary: dict[str, str] = {}

    @override
    def contact_fields(self) -> dict[str, Field]:
        return self._state.read(super().contact_fields, {})

    @override
    def create_contact_field(self, label: str, data_type: str, **more: Any) -> MadeField:
        self._state.count(endpoints.CREATE_CONTACT_FIELD)
        return MadeField(self._state.identity(), slug(label))

    @override
    def update_contact_field(self, field_id: str, name: str, options: Sequence[str]) -> None:
        self._state.count(endpoints.UPDATE_CONTACT_FIELD)

    @override
    def resize_file_field(self, field_id: str, name: str, most_files: int) -> int | None:
        self._state.count(endpoints.UPDATE_CONTACT_FIELD)
        return most_files

    @override
    def objects(self) -> set[str]:
        return self._state.read(super().objects, set())

    @override
    def create_object(
        self, key: str, labels: tuple[str, str], description: str, primary: tuple[str, str]
    ) -> None:
        self._state.count(endpoints.CREATE_OBJECT)
        self._primary[key] = primary[0].rpartition(".")[2]

    @override
    def set_searchable(self, key: str, properties: Sequence[str]) -> None:
        self._state.count(endpoints.UPDATE_OBJECT)

    @override
    def object_fields(self, key: str) -> ObjectFields:
        if key not in self._primary:
            return self._state.read(
                lambda: super(PlannedDefinitions, self).object_fields(key), ObjectFields({}, {})
            )
        self._state.count(endpoints.LIST_OBJECT_FIELDS)
        field = Field(self._state.identity(), "TEXT")
        return ObjectFields({self._primary[key]: field}, {"Info": self._state.identity()})

    @override
    def create_object_field(
        self, key: str, folder: str, name: str, label: str, data_type: str, options: Mapping[str, str] | None
    ) -> Field:
        self._state.count(endpoints.CREATE_OBJECT_FIELD)
        return Field(self._state.identity(), data_type, dict(options or {}))

    @override
    def update_object_field(
        self, field_id: str, name: str, options: Mapping[str, str], *, in_forms: bool
    ) -> None:
        self._state.count(endpoints.UPDATE_OBJECT_FIELD)

    @override
    def create_folder(self, key: str, name: str) -> str:
        self._state.count(endpoints.CREATE_FOLDER)
        return self._state.identity()

    @override
    def associations(self) -> dict[str, str]:
        return self._state.read(super().associations, {})

    @override
    def create_association(self, key: str, first: tuple[str, str], second: tuple[str, str]) -> str:
        self._state.count(endpoints.CREATE_ASSOCIATION)
        return self._state.identity()


class PlannedHighLevel:
    """One sub-account of HighLevel, read and never written, in which writes seem to have happened."""

    def __init__(self, transport: Transport, location: str, blockers: list[str]) -> None:
        """Read this way; what is refused goes to the blockers, and the plan goes on."""
        state = PlanState(blockers)
        counted = Counted(transport, state)
        addresses = Addresses(Contacts(transport, location), state)
        links = PlannedLinks(Relations(transport, location), state)
        self._state = state
        self.account = PlannedAccount(counted, location, state, addresses)
        self.blocked_slots = PlannedBlockedSlots(counted, location, state)
        self.calendars = PlannedCalendars(counted, location, state)
        self.schedules = PlannedSchedules(counted, location, state)
        self.contacts = PlannedContacts(counted, location, state, addresses)
        self.custom_values = PlannedCustomValues(counted, location, state)
        self.definitions = PlannedDefinitions(counted, location, state)
        self.engagement = Engagement(counted, location)
        self.events = PlannedActivities(counted, location, state, Events(counted, location))
        self.files = PlannedFiles(counted, location, state)
        self.notes = PlannedActivities(counted, location, state, Notes(counted, location))
        self.opportunities = PlannedOpportunities(counted, location, state, Opportunities(counted, location))
        self.records = PlannedRecords(counted, location, state)
        self.relations = PlannedRelations(counted, location, state, links)
        self.tasks = PlannedActivities(counted, location, state, Tasks(counted, location))

    @property
    def requests(self) -> Counter[str]:
        """Return how many requests the load would make, by endpoint."""
        return self._state.requests
