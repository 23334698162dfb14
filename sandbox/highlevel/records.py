"""Records of custom objects, and the search over them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import Refusal, refuse, refuse_body, refuse_request
from sandbox.highlevel.filters import OPERATORS, FilterReader, Question, Searchable, counted, heeded
from sandbox.highlevel.naming import epoch_ms, iso
from sandbox.highlevel.objects import custom_object, fields_of
from sandbox.highlevel.record_values import merged_properties
from sandbox.highlevel.relations import drop_relations_of
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, anything, list_of, number, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document, Test

READ, WRITE = "objects/record.readonly", "objects/record.write"
_SHARED = {"properties": anything(), "owners": list_of(text(), most=1), "followers": list_of(text(), most=10)}
NEW_RECORD = Shape({**_SHARED, "locationId": text(filled=True)}, required=("locationId", "properties"))
CHANGED_RECORD = Shape(_SHARED)
SEARCH = Shape(
    {
        "locationId": text(filled=True),
        "page": number(least=1),
        "pageLimit": number(least=1, most=500),
        "query": text(longest=75),
        "searchAfter": list_of(anything()),
        "filters": list_of(anything()),
        "sort": list_of(
            Shape({"field": text(), "direction": text()}, required=("field", "direction")).nested()
        ),
    },
    required=("locationId", "pageLimit"),
)
# Which operators a type takes; every other type takes all of them.
_OPERATORS = {
    "DATE": ("range", "exists", "not_exists"),
    "CHECKBOX": ("eq", "not_eq", "exists", "not_exists"),
    "MULTIPLE_OPTIONS": ("eq", "not_eq", "exists", "not_exists"),
    "NUMERICAL": ("range", "eq"),
}
_SORTABLE = {
    "dateAdded": lambda record: record["dateAdded"],
    "dateUpdated": lambda record: record["dateUpdated"],
}


def shown(record: Document) -> Document:
    """Return a record as create, read and change show it."""
    names = ("id", "owner", "followers", "properties", "dateAdded", "dateUpdated")
    return {name: record[name] for name in names}


def _found(account: Account, record: Document, value: Any) -> Document:
    """Return a record as the search shows it: other names for the same things."""
    by = {"channel": "OAUTH", "source": "INTEGRATION", "sourceId": record["source"]}
    return {
        "id": record["id"],
        "owner": record["owner"],
        "owners": record["owner"],
        "followers": record["followers"],
        "properties": record["properties"],
        "createdAt": record["dateAdded"],
        "updatedAt": record["dateUpdated"],
        "locationId": account.id,
        "objectId": account.objects[record["objectKey"]]["id"],
        "objectKey": record["objectKey"],
        "createdBy": {**by, "createdAt": record["dateAdded"]},
        "lastUpdatedBy": {**by, "createdAt": record["dateUpdated"]},
        "searchAfter": [epoch_ms(value), record["id"]],
    }


def _short_fields(account: Account, object_key: str) -> dict[str, Document]:
    return {field["fieldKey"].rpartition(".")[2]: field for field in fields_of(account, object_key)}


def _people(account: Account, body: dict[str, Any], before: Document) -> Document:
    if "owners" in body and account.options.record_owners == "refuse":
        refuse_body("property owners should not exist")
    if account.options.record_owners == "drop":
        body = {name: value for name, value in body.items() if name != "owners"}
    people: dict[str, list[str]] = {
        "owner": body["owners"] if "owners" in body else before.get("owner") or [],
        "followers": body["followers"] if "followers" in body else before.get("followers") or [],
    }
    for name, identities in people.items():
        if any(account.assignable(identity) is None for identity in identities):
            refuse_body(f"{name} must be users of the location")
    return people


def _properties(call: Call, schema: Document, before: dict[str, Any], *, new: bool) -> dict[str, Any]:
    account = call.account
    given = call.body.get("properties", {})
    if not isinstance(given, dict):
        refuse_body("properties must be an object")
    after = merged_properties(
        _short_fields(account, schema["key"]), before, given, call.state.options, new=new
    )
    primary = schema["primaryDisplayProperty"].rpartition(".")[2]
    if primary not in after:
        refuse_body(f"{primary} should not be empty")
    return after


def _unique_names(account: Account, object_key: str) -> list[str]:
    wanted = account.options.unique_fields
    return [
        name
        for name in _short_fields(account, object_key)
        if {f"{object_key}.{name}", f"*.{name}"} & set(wanted)
    ]


def _claim_unique(account: Account, object_key: str, identity: str, after: dict[str, Any]) -> None:
    """Refuse a value that another record has in a unique property, else remember whose it is."""
    names = _unique_names(account, object_key)
    for name in names:
        holder = account.unique_values.get((object_key, name, str(after.get(name))))
        if name in after and holder not in {None, identity}:
            refuse_request(f"Duplicate value for unique field {object_key}.{name}")
    for name in names:
        if name in after:
            account.unique_values[object_key, name, str(after[name])] = identity


def release_unique(account: Account, record: Document) -> None:
    """Forget the unique values of a record."""
    for name in _unique_names(account, record["objectKey"]):
        account.unique_values.pop((record["objectKey"], name, str(record["properties"].get(name))), None)


@route("POST", "/objects/{schemaKey}/records", WRITE, status=201, body=NEW_RECORD)
def create_record(call: Call) -> dict[str, Any]:
    """Make a record; only unique fields keep a second one with the same values away."""
    account = call.account
    schema = custom_object(account, call.path["schemaKey"])
    properties = _properties(call, schema, {}, new=True)
    people = _people(account, call.body, {})
    identity = account.next_id("record")
    _claim_unique(account, schema["key"], identity, properties)
    record = {
        "id": identity,
        "objectKey": schema["key"],
        "properties": properties,
        "source": call.token.bucket if call.token else "",
        **people,
        **account.stamp(call.at),
    }
    account.put_record(record, call.at)
    account.created[f"records:{schema['key']}"] += 1
    return {"record": shown(record)}


@route("GET", "/objects/{schemaKey}/records/{id}", READ)
def read_record(call: Call) -> dict[str, Any]:
    """Return a record as it is now, without lag."""
    return {"record": shown(_wanted(call))}


@route("PUT", "/objects/{schemaKey}/records/{id}", WRITE, query=("locationId",), body=CHANGED_RECORD)
def change_record(call: Call) -> dict[str, Any]:
    """Change a record; absent properties stay, null clears."""
    account = call.account
    before = _wanted(call)
    schema = custom_object(account, before["objectKey"])
    properties = _properties(call, schema, before["properties"], new=False)
    people = _people(account, call.body, before)
    release_unique(account, before)
    try:
        _claim_unique(account, schema["key"], before["id"], properties)
    except Refusal:
        _claim_unique(account, schema["key"], before["id"], before["properties"])
        raise
    after = {**before, **people, "properties": properties, "dateUpdated": iso(call.at)}
    account.put_record(after, call.at)
    account.updated[f"records:{schema['key']}"] += 1
    return {"record": shown(after)}


def remove_record(account: Account, identity: str, at: float) -> None:
    """Remove a record with its relations."""
    release_unique(account, account.records[identity])
    if not account.options.relations_outlive:
        drop_relations_of(account, identity)
    account.drop_record(identity, at)


@route("DELETE", "/objects/{schemaKey}/records/{id}", WRITE)
def delete_record(call: Call) -> dict[str, Any]:
    """Delete a record with its relations."""
    record = _wanted(call)
    remove_record(call.account, record["id"], call.at)
    call.account.deleted[f"records:{record['objectKey']}"] += 1
    return {"id": record["id"], "success": True}


def _wanted(call: Call) -> Document:
    schema = custom_object(call.account, call.path["schemaKey"])
    record = call.account.records.get(call.path["id"])
    if record is None or record["objectKey"] != schema["key"]:
        refuse(call.state.options.missing_status, f"Record with id {call.path['id']} not found")
    return record


@route("POST", "/objects/{schemaKey}/records/search", READ, body=SEARCH, write=False)
def search_records(call: Call) -> dict[str, Any]:
    """Answer a page of the records that pass the filters, newest first, some seconds behind the writes."""
    account = call.account
    schema = custom_object(account, call.path["schemaKey"])
    body = _asked(call)
    index = account.records_index(schema["key"])
    index.settle(call.at)
    fields = _short_fields(account, schema["key"])
    reader = FilterReader(index, lambda name: _searchable(fields, name))
    names = [name.rpartition(".")[2] for name in schema["searchableProperties"]]
    # The vendor's description requires both `page` and `searchAfter` here, where the contacts refuse the pair.
    together = account.options.record_search != "either"
    question = Question(body, _SORTABLE, lambda query: _text_test(names, query), page_beside_cursor=together)
    rows, total = question.answer(index, reader)
    found = [_found(account, index.documents[identity], value) for value, identity in rows]
    if account.options.record_search == "number":
        found = [{name: row[name] for name in row if name != "searchAfter"} for row in found]
    return {"records": found, "total": counted(account.options, total)}


def _asked(call: Call) -> dict[str, Any]:
    """Return what a search asks, if it is asked as the options say."""
    options, body = call.state.options, call.body
    if options.record_search == "both_always" and "searchAfter" not in body:
        refuse_body("searchAfter should not be empty")
    if options.record_page is not None and body["pageLimit"] > options.record_page:
        refuse_body(f"pageLimit must not be greater than {options.record_page}")
    return heeded(options, body)


def _searchable(fields: dict[str, Document], name: str) -> Searchable | None:
    if name in {"id", "dateAdded", "dateUpdated"}:
        return Searchable(lambda record: record[name], indexed=name == "id")
    prefix, _, short = name.partition(".")
    if prefix != "properties" or short not in fields:
        return None
    kind = fields[short]["dataType"]
    return Searchable(
        lambda record: record["properties"].get(short),
        _OPERATORS.get(kind, OPERATORS),
        indexed=kind == "TEXT",
    )


def _text_test(names: list[str], query: str) -> Test:
    return lambda record: any(query in str(record["properties"].get(name, "")).casefold() for name in names)
