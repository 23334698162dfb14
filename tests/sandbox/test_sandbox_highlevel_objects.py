"""Custom objects, records, associations and relations of the emulated HighLevel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from highlevel_server import HighLevelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

ALL_TYPES: tuple[tuple[str, str, list[str]], ...] = (
    ("source_system_id", "TEXT", []),
    ("body", "LARGE_TEXT", []),
    ("quantity", "NUMERICAL", []),
    ("amount", "MONETORY", []),
    ("issued", "DATE", []),
    ("state", "SINGLE_OPTIONS", ["paid", "open"]),
    ("kinds", "MULTIPLE_OPTIONS", ["a", "b", "c"]),
    ("line", "PHONE", []),
)
INVOICE = "custom_objects.invoice"


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server without lag and with a limit that no test reaches."""
    with HighLevelServer() as server:
        yield server


def an_object(highlevel: HighLevelServer, key: str) -> dict[str, Any]:
    """The body that makes an object."""
    return {
        "locationId": highlevel.location,
        "key": key,
        "labels": {"singular": "Thing", "plural": "Things"},
        "primaryDisplayPropertyDetails": {"key": "name", "name": "Name", "dataType": "TEXT"},
    }


def test_an_object_wants_an_agency_token(highlevel: HighLevelServer) -> None:
    """A sub-account token may read schemas and not make them."""
    body = highlevel.call("POST", "/objects/", an_object(highlevel, "thing"), status=401)
    assert body["message"] == "The token is not authorized for this scope."
    made = highlevel.call(
        "POST", "/objects/", an_object(highlevel, "thing"), token=highlevel.state.agency_token
    )
    assert made["object"]["key"] == "custom_objects.thing"
    listed = highlevel.call("GET", f"/objects/?locationId={highlevel.location}")["objects"]
    assert {row["key"] for row in listed} == {"contact", "opportunity", "business", "custom_objects.thing"}


@pytest.mark.parametrize("key", ["Thing__c", "9lives", "custom.thing", "thing-one"])
def test_a_key_has_lower_case_letters_digits_and_underscores(highlevel: HighLevelServer, key: str) -> None:
    """Anything else is refused."""
    agency = highlevel.state.agency_token
    highlevel.call("POST", "/objects/", an_object(highlevel, key), token=agency, status=422)


def test_ten_objects_are_the_most(highlevel: HighLevelServer) -> None:
    """Number eleven is refused; so is a second one of the same key."""
    agency = highlevel.state.agency_token
    for number in range(10):
        highlevel.call("POST", "/objects/", an_object(highlevel, f"thing_{number}"), token=agency)
    highlevel.call("POST", "/objects/", an_object(highlevel, "thing_10"), token=agency, status=400)
    highlevel.call("POST", "/objects/", an_object(highlevel, "thing_1"), token=agency, status=400)


def test_a_property_needs_a_folder_of_its_object(highlevel: HighLevelServer) -> None:
    """The first folder comes with the object, further ones can be made; a stranger's does not do."""
    key, other = highlevel.custom_object("invoice"), highlevel.custom_object("pet")
    body = {"objectKey": other, "name": "More", "locationId": highlevel.location}
    folder = highlevel.call("POST", "/custom-fields/folder", body, status=201)["id"]
    field = {
        "locationId": highlevel.location,
        "objectKey": key,
        "fieldKey": f"{key}.number",
        "parentId": folder,
        "dataType": "TEXT",
        "showInForms": True,
    }
    highlevel.call("POST", "/custom-fields/", field, status=400)
    highlevel.call("POST", "/custom-fields/", {**field, "objectKey": other, "fieldKey": "number"}, status=201)


def test_reading_an_object_may_show_an_old_list_of_properties() -> None:
    """For some seconds the answer comes from a cache and says so; the list by object key is up to date."""
    with HighLevelServer(schema_cache=3) as highlevel:
        key = highlevel.custom_object("invoice")
        path = f"/objects/{key}?locationId={highlevel.location}&fetchProperties=true"
        assert len(highlevel.call("GET", path)["fields"]) == 1
        fields = f"/custom-fields/object-key/{key}?locationId={highlevel.location}"
        highlevel.object_field(key, "number", "TEXT", [], highlevel.call("GET", fields)["folders"][0]["id"])
        stale = highlevel.call("GET", path)
        assert (stale["cache"], len(stale["fields"])) == (True, 1)
        assert len(highlevel.call("GET", fields)["fields"]) == 2
        highlevel.clock.at += 3
        fresh = highlevel.call("GET", path)
        assert (fresh["cache"], len(fresh["fields"])) == (False, 2)


def test_a_record_keeps_every_type(highlevel: HighLevelServer) -> None:
    """The formats of creation, of change, and null that clears."""
    key = highlevel.custom_object("invoice", *ALL_TYPES)
    written = {
        "name": "Invoice 7",
        "source_system_id": "invoices/7",
        "body": "two\nlines",
        "quantity": 1.5,
        "amount": {"currency": "default", "value": 81.818},
        "issued": "2024-02-29",
        "state": "paid",
        "kinds": ["a", "b"],
        "line": "+61255501234",
    }
    owner = next(iter(highlevel.state.users))
    body = {"locationId": highlevel.location, "properties": written, "owners": [owner]}
    made = highlevel.call("POST", f"/objects/{key}/records", body, status=201)["record"]
    assert (made["properties"], made["owner"]) == (written, [owner])
    path = f"/objects/{key}/records/{made['id']}"
    change = {"kinds": {"add": ["c"], "remove": ["a"]}, "state": None, "quantity": 2}
    highlevel.call("PUT", f"{path}?locationId={highlevel.location}", {"properties": change}, status=200)
    read = highlevel.call("GET", path)["record"]["properties"]
    assert (read["kinds"], read["quantity"], read.get("state")) == (["b", "c"], 2, None)
    assert read["amount"] == written["amount"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("quantity", "1"),
        ("amount", 12.5),
        ("amount", {"currency": "AUD", "value": 1}),
        ("issued", "2024-02-29T00:00:00Z"),
        ("issued", "2023-02-29"),
        ("state", "Paid"),
        ("kinds", "a"),
        ("kinds", {"add": ["a"]}),
        ("line", "02 5550 1234"),
        ("invented", "x"),
        (f"{INVOICE}.body", "x"),
    ],
)
def test_what_a_new_record_may_not_say(highlevel: HighLevelServer, name: str, value: Any) -> None:
    """Wrong formats, option labels instead of keys, unknown properties and long keys answer 422."""
    key = highlevel.custom_object("invoice", *ALL_TYPES)
    body = {"locationId": highlevel.location, "properties": {"name": "x", name: value}}
    highlevel.call("POST", f"/objects/{key}/records", body, status=422)
    assert not highlevel.state.records


def test_a_list_is_changed_by_add_and_remove_only(highlevel: HighLevelServer) -> None:
    """The array of creation is refused on update."""
    key = highlevel.custom_object("invoice", *ALL_TYPES)
    record = highlevel.record(key, name="x", kinds=["a"])
    path = f"/objects/{key}/records/{record}?locationId={highlevel.location}"
    highlevel.call("PUT", path, {"properties": {"kinds": ["b"]}}, status=422)


def test_a_record_without_its_primary_property_is_refused(highlevel: HighLevelServer) -> None:
    """The primary property is what the interface shows."""
    key = highlevel.custom_object("invoice", *ALL_TYPES)
    body = {"locationId": highlevel.location, "properties": {"source_system_id": "x"}}
    highlevel.call("POST", f"/objects/{key}/records", body, status=422)


def test_a_missing_object_answers_404(highlevel: HighLevelServer) -> None:
    """Records of an object that nobody made."""
    body = {"locationId": highlevel.location, "properties": {"name": "x"}}
    answer = highlevel.call("POST", "/objects/custom_objects.ghost/records", body, status=404)
    assert answer["message"] == "Custom Object (custom_objects.ghost) not found"


def test_a_unique_property_keeps_the_second_record_away() -> None:
    """A unique field makes a repeated create fail, until the first record is gone."""
    with HighLevelServer(unique_fields=[f"{INVOICE}.source_system_id"]) as highlevel:
        key = highlevel.custom_object("invoice", *ALL_TYPES)
        first = highlevel.record(key, name="x", source_system_id="invoices/1")
        properties = {"name": "y", "source_system_id": "invoices/1"}
        body = {"locationId": highlevel.location, "properties": properties}
        highlevel.call("POST", f"/objects/{key}/records", body, status=400)
        second = highlevel.record(key, name="y", source_system_id="invoices/2")
        taken = {"properties": {"source_system_id": "invoices/1"}}
        path = f"/objects/{key}/records/{second}?locationId={highlevel.location}"
        highlevel.call("PUT", path, taken, status=400)
        highlevel.call("DELETE", f"/objects/{key}/records/{first}")
        highlevel.call("POST", f"/objects/{key}/records", body, status=201)


def test_records_are_found_by_property_after_the_lag() -> None:
    """Filters on properties, page by page, some seconds late."""
    with HighLevelServer(search_lag=2) as highlevel:
        key = highlevel.custom_object("invoice", *ALL_TYPES)
        made = [
            highlevel.record(key, name=f"I{n}", source_system_id=f"invoices/{n}", quantity=n)
            for n in range(7)
        ]
        path = f"/objects/{key}/records/search"
        body: dict[str, Any] = {"locationId": highlevel.location, "pageLimit": 3}
        assert highlevel.call("POST", path, body)["total"] == 0
        highlevel.clock.at += 2
        one = {"field": "properties.source_system_id", "operator": "eq", "value": "invoices/4"}
        found = highlevel.call("POST", path, {**body, "filters": [{"group": "AND", "filters": [one]}]})[
            "records"
        ]
        assert [(row["id"], row["properties"]["name"], row["objectKey"]) for row in found] == [
            (made[4], "I4", key)
        ]
        big = {"field": "properties.quantity", "operator": "range", "value": {"gte": 5}}
        assert highlevel.call("POST", path, {**body, "filters": [big]})["total"] == 2
        dated = {"field": "properties.issued", "operator": "eq", "value": "2024-01-01"}
        highlevel.call("POST", path, {**body, "filters": [dated]}, status=422)
        seen: list[str] = []
        while rows := highlevel.call("POST", path, body)["records"]:
            seen += [row["id"] for row in rows]
            body |= {"searchAfter": rows[-1]["searchAfter"], "page": 1}  # the vendor requires both
        assert sorted(seen) == sorted(made)


def an_association(highlevel: HighLevelServer, key: str, second: str) -> dict[str, Any]:
    """The body that associates contacts with an object."""
    return {
        "locationId": highlevel.location,
        "key": key,
        "firstObjectLabel": f"Patient {key}",
        "firstObjectKey": "contact",
        "secondObjectLabel": f"Thing {key}",
        "secondObjectKey": second,
    }


def relate(highlevel: HighLevelServer, association: str, first: str, second: str, status: int = 201) -> Any:
    """Relate two records, or fail to."""
    body = {
        "locationId": highlevel.location,
        "associationId": association,
        "firstRecordId": first,
        "secondRecordId": second,
    }
    return highlevel.call("POST", "/associations/relations", body, status=status)


def test_labels_must_differ_and_ten_are_the_most(highlevel: HighLevelServer) -> None:
    """Equal labels are refused, and the eleventh association of a pair."""
    key = highlevel.custom_object("invoice")
    same = {**an_association(highlevel, "a", key), "firstObjectLabel": "X", "secondObjectLabel": "X"}
    refused = highlevel.call("POST", "/associations/", same, status=422)
    assert refused["message"] == ["Both object labels can not be same"]
    for number in range(10):
        highlevel.call("POST", "/associations/", an_association(highlevel, f"a_{number}", key), status=201)
    highlevel.call("POST", "/associations/", an_association(highlevel, "a_10", key), status=400)
    listed = highlevel.call("GET", f"/associations/?locationId={highlevel.location}&skip=8&limit=5")
    assert [row["key"] for row in listed["associations"]] == ["a_8", "a_9"]


def test_a_relation_follows_the_order_and_exists_once(highlevel: HighLevelServer) -> None:
    """Swapped ends and doubles are refused; it is listed at both ends and can be removed."""
    key = highlevel.custom_object("invoice")
    association = highlevel.call("POST", "/associations/", an_association(highlevel, "a", key))["id"]
    contact, record = highlevel.contact(firstName="Ada")["id"], highlevel.record(key, name="x")
    relate(highlevel, association, record, contact, status=400)
    made = relate(highlevel, association, contact, record)
    again = relate(highlevel, association, contact, record, status=400)
    assert again["message"] == (
        f"Could not create relation: duplicate relation of object Ids for given association {association}"
    )
    for end in (contact, record):
        path = f"/associations/relations/{end}?locationId={highlevel.location}&skip=0&limit=10"
        assert [row["id"] for row in highlevel.call("GET", path)["relations"]] == [made["id"]]
    highlevel.call("DELETE", f"/associations/relations/{made['id']}?locationId={highlevel.location}")
    relate(highlevel, association, contact, record)


def test_a_record_has_a_thousand_relations_per_label() -> None:
    """The cap counts at either end and per association."""
    with HighLevelServer(relation_limit=3) as highlevel:
        key = highlevel.custom_object("insurer")
        first, second = (
            highlevel.call("POST", "/associations/", an_association(highlevel, name, key))["id"]
            for name in ("a", "a_2")
        )
        insurer = highlevel.record(key, name="Fund")
        people = [highlevel.contact(firstName=f"P{number}")["id"] for number in range(4)]
        for person in people[:3]:
            relate(highlevel, first, person, insurer)
        relate(highlevel, first, people[3], insurer, status=400)
        relate(highlevel, second, people[3], insurer)
