"""`POST /contacts/search`: filters over standard and custom fields, some seconds behind the writes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.contact_body import CHANNELS
from sandbox.highlevel.contacts import shown
from sandbox.highlevel.filters import FilterReader, Question, Searchable, counted, heeded
from sandbox.highlevel.naming import epoch_ms
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, anything, list_of, number, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document, Test

LARGEST_PAGE = 500
LONGEST_QUERY = 75
SEARCH = Shape(
    {
        "locationId": text(filled=True),
        "page": number(least=1),
        "pageLimit": number(least=1, most=LARGEST_PAGE),
        "searchAfter": list_of(anything()),
        "query": text(longest=LONGEST_QUERY),
        "sort": list_of(
            Shape({"field": text(), "direction": text()}, required=("field", "direction")).nested()
        ),
        "filters": list_of(anything()),
    },
    required=("locationId", "pageLimit"),
)
_STANDARD = (
    "id",
    "email",
    "phone",
    "tags",
    "source",
    "assignedTo",
    "type",
    "address1",
    "city",
    "state",
    "country",
    "postalCode",
    "website",
    "companyName",
    "dnd",
    "dateOfBirth",
    "dateAdded",
    "dateUpdated",
    "timezone",
)
_INDEXED = frozenset({"id", "email", "phone"})


def _lower(name: str) -> Searchable:
    return Searchable(lambda contact: contact.get(name, "").lower())


def _plain(name: str) -> Searchable:
    return Searchable(lambda contact: contact.get(name), indexed=name in _INDEXED)


def _channel(channel: str) -> Searchable:
    return Searchable(lambda contact: contact.get("dndSettings", {}).get(channel, {}).get("status"))


FIELDS: dict[str, Searchable] = {
    **{name: _plain(name) for name in _STANDARD},
    "firstNameLowerCase": _lower("firstName"),
    "lastNameLowerCase": _lower("lastName"),
    **{f"dndSettings.{channel}.status": _channel(channel) for channel in CHANNELS},
}
SORTABLE = {
    name: FIELDS[name].read
    for name in ("dateAdded", "dateUpdated", "firstNameLowerCase", "lastNameLowerCase")
}


def _field(account: Account, name: str) -> Searchable | None:
    prefix, _, identity = name.partition(".")
    if prefix != "customFields":
        return FIELDS.get(name)
    definition = account.contact_fields.get(identity)
    if definition is None:
        return None
    return Searchable(
        lambda contact: contact["customFields"].get(identity), indexed=definition["dataType"] == "TEXT"
    )


def _text_test(query: str) -> Test:
    def test(contact: Document) -> bool:
        names = f"{contact.get('firstName', '')} {contact.get('lastName', '')}"
        shown_text = " ".join((names, contact.get("email", ""), contact.get("phone", "")))
        return query in shown_text.casefold()

    return test


@route("POST", "/contacts/search", "contacts.readonly", body=SEARCH, write=False)
def search_contacts(call: Call) -> dict[str, Any]:
    """Answer a page of the contacts that pass the filters, newest first."""
    account = call.account
    index = account.contact_search
    index.settle(call.at)
    reader = FilterReader(index, lambda name: _field(account, name))
    rows, total = Question(heeded(call.state.options, call.body), SORTABLE, _text_test).answer(index, reader)
    found = [_row(index.documents[identity], value) for value, identity in rows]
    return {"contacts": found, "total": counted(call.state.options, total)}


def _row(contact: Document, value: Any) -> Document:
    by_time = value in {contact["dateAdded"], contact["dateUpdated"]}
    return {**shown(contact), "searchAfter": [epoch_ms(value) if by_time else value, contact["id"]]}
