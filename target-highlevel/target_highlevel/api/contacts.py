"""Contacts, and the files in their fields."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.answers import (
    AnswerNotUnderstood,
    Item,
    identified,
    inside,
    living,
    not_understood,
    rows,
    text,
)
from target_highlevel.api.paging import search_pages
from target_highlevel.api.resource import Resource
from target_highlevel.errors import NotFound
from target_highlevel.values import listed_options

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.http.uploads import Upload

PAGE = 500
#: The most hits of a search by our id: there should be one.
_FEW = 20
#: How a read may call the value of a custom field: ``value``, ``fieldValue``, ``field_value``, ``fieldValueString``.
_VALUE = re.compile(r"(field_?)?value", re.IGNORECASE)
#: The words of a channel's status; ``active`` means that nobody may write there.
_STATUSES = {word: word for word in ("active", "inactive", "permanent")} | {
    "true": "active",
    "false": "inactive",
}


class Contacts(Resource):
    """The people of a sub-account. A contact is the API's own object, with at least a text as its ``id``."""

    def create(self, fields: Mapping[str, Any]) -> Item:
        """Create a contact and return it as the answer shows it, with what HighLevel has filled in by itself.

        Raises:
            DuplicateContact: the sub-account allows no duplicates, and another contact has the e-mail or the phone.
        """
        body = {"locationId": self._location, **fields}
        answer = self._call(endpoints.CREATE_CONTACT, json=body)
        return _contact(inside(answer, endpoints.CREATE_CONTACT, "contact"), endpoints.CREATE_CONTACT)

    def get(self, contact_id: str) -> Item:
        """Return a contact by its id, which does not lag behind writes as the search does.

        Raises:
            NotFound: it is not there.
        """
        answer = self._call(endpoints.GET_CONTACT, contact_id)
        return _contact(inside(answer, endpoints.GET_CONTACT, "contact"), endpoints.GET_CONTACT)

    def update(self, contact_id: str, fields: Mapping[str, Any]) -> Mapping[str, Any]:
        """Write these fields of a contact; tags and lists are replaced as a whole.

        Return the contact as far as the answer shows it.

        Raises:
            DuplicateContact: another contact has the e-mail or the phone.
        """
        endpoint = endpoints.UPDATE_CONTACT
        answer = self._call(endpoint, contact_id, json=fields)
        try:
            return _contact(inside(answer, endpoint, "contact"), endpoint)
        except AnswerNotUnderstood:
            return {}

    def delete(self, contact_id: str) -> None:
        """Delete a contact with all that hangs on it."""
        self._call(endpoints.DELETE_CONTACT, contact_id)

    def with_address(self, parameter: str, address: str) -> str | None:
        """Return the id of the contact that has an address, if any.

        Args:
            parameter: ``email`` or ``number``.
            address: an e-mail or a phone number.
        """
        endpoint = endpoints.SEARCH_DUPLICATE
        answer = self._call(endpoint, params={"locationId": self._location, parameter: address})
        try:
            return text(inside(answer, endpoint, "contact"), endpoint, "id")
        except NotFound:
            return None
        except AnswerNotUnderstood:
            if isinstance(answer, dict) and not any(
                isinstance(part, dict | list) and part for part in answer.values()
            ):
                return None  # an answer that holds nothing says that there is nobody
            raise

    def with_value(self, field_id: str, value: str) -> list[Item]:
        """Return the contacts whose custom field has exactly this value, as far as the search knows; it lags behind writes."""
        endpoint = endpoints.SEARCH_CONTACTS
        body = {
            "locationId": self._location,
            "pageLimit": _FEW,
            "page": 1,
            "filters": [{"field": f"customFields.{field_id}", "operator": "eq", "value": value}],
        }
        found = [
            _contact(item, endpoint)
            for item in living(rows(self._call(endpoint, json=body), endpoint, "contacts"))
        ]
        ours = [item for item in found if str(custom_values(item).get(field_id)) == value]
        if ours or not found:
            return ours
        # whoever answers with others has not looked for the value: then all are looked through
        everybody = (item for page in self.pages_with(field_id) for item in page)
        return [item for item in everybody if str(custom_values(item).get(field_id)) == value]

    def pages_with(self, field_id: str) -> Iterator[list[Item]]:
        """Yield every contact that has a value in this custom field, up to 500 at a time."""
        return self._pages([{"field": f"customFields.{field_id}", "operator": "exists"}])

    def pages(self) -> Iterator[list[Item]]:
        """Yield every contact, up to 500 at a time."""
        return self._pages([])

    def _pages(self, filters: Sequence[Mapping[str, Any]]) -> Iterator[list[Item]]:
        endpoint = endpoints.SEARCH_CONTACTS
        body: dict[str, Any] = {"locationId": self._location, "pageLimit": PAGE}
        if filters:
            body["filters"] = filters
        pages = search_pages(
            lambda cursor: self._call(endpoint, json={**body, **cursor}), endpoint, "contacts"
        )
        for page in pages:
            yield [_contact(item, endpoint) for item in page]


class Files(Resource):
    """Uploads: the one way to put a file on a contact."""

    def upload(self, contact_id: str, upload: Upload) -> Item:
        """Upload a file into a file field of a contact, and return the contact as far as the answer shows it.

        It may show nothing of it: then the contact has to be read.
        """
        endpoint = endpoints.UPLOAD_FILE
        params = {"contactId": contact_id, "locationId": self._location}
        answer = self._call(endpoint, params=params, files=upload)
        try:
            return _contact(inside(answer, endpoint, "contact"), endpoint)
        except AnswerNotUnderstood:
            return {}


def custom_values(contact: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of a contact's custom fields by the field's id.

    A read names a value otherwise than a write does, and v3 of the API otherwise again (docs/api-facts.md, Contacts).
    """
    return {
        item["id"]: item[name] for item in contact.get("customFields") or () if (name := value_name(item))
    }


def value_name(item: Mapping[str, Any]) -> str | None:
    """Return what the value of a custom field is called where a contact shows it; None where there is none."""
    return next(filter(_VALUE.match, item), None)


def _contact(item: Any, endpoint: Endpoint) -> Item:
    """Return a contact whose structured parts are of the kinds that readers rely on."""
    contact = identified(item, endpoint)
    for name, read in _PARTS.items():
        if name in contact:
            try:
                contact[name] = read(contact[name] or [], endpoint)
            except (AttributeError, TypeError):
                raise not_understood(endpoint, name) from None
    return contact


def _custom_fields(found: Any, endpoint: Endpoint) -> list[Item]:
    """Return the custom fields of a contact, which come as a list or by their ids."""
    if isinstance(found, dict):
        return [{"id": identity, "value": value} for identity, value in found.items()]
    return [identified(field, endpoint) for field in found]


def _tags(found: Any, _endpoint: Endpoint) -> list[str]:
    """Return the tags of a contact, which come as texts, numbers, as objects with a name, or joined; nothing is none.

    Tags are written as a whole, so none that is there may be read as something else, or not at all.
    """
    listed = listed_options(found, ()) if isinstance(found, str) else found
    return [_tag(tag) for tag in listed if tag not in (None, "", {})]


def _tag(found: Any) -> str:
    told = found.get("name") if isinstance(found, dict) else found
    if isinstance(told, str) or type(told) is int:
        return str(told)
    raise TypeError


def _channels(found: Any, _endpoint: Endpoint) -> dict[str, Item]:
    """Return the settings of a contact's channels by their names, which come with a status or are one."""
    if found and not isinstance(found, dict):
        raise TypeError(found)
    said = {
        name: value if isinstance(value, dict) else {"status": value}
        for name, value in dict(found).items()
        if value
    }
    return {name: {**value, "status": _status(value.get("status"))} for name, value in said.items()}


def _status(told: Any) -> str:
    """Return the status of a channel; what nobody knows closes it: a patient's *no* in other words must not be overheard."""
    word = str(told or "inactive").lower()
    return _STATUSES.get(word, "permanent")


_PARTS: Mapping[str, Callable[[Any, Endpoint], Any]] = {
    "customFields": _custom_fields,
    "tags": _tags,
    "dndSettings": _channels,
}
