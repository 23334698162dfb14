"""Custom objects and relations at their edges: lists of options, options nobody declared, labels that are full."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hl_loading import Loader

SERVICE = "custom_objects.cliniko_service"


def rejects(loader: Loader) -> set[tuple[str, str, str]]:
    """Return (source, reason, field) of each reject of the newest run."""
    with max((loader.folder / "reports").glob("*/rejects.csv")).open() as file:
        return {(row["source"], row["reason"], row["field"]) for row in csv.DictReader(file)}


def service(number: int, **fields: Any) -> str:
    """Return the RECORD line of a service."""
    identity = f"billable_items/{number}"
    return record("hl_services", identity, service_name=f"S{number}", source_system_id=identity, **fields)


def with_rooms(lines: list[str], *options: str) -> list[str]:
    """Return these schemas with one more field of services: several options at once."""
    described = {
        "field": "custom",
        "dataType": "MULTIPLE_OPTIONS",
        "label": "Rooms",
        "options": [*(options or ("A", "B", "C"))],
    }
    messages = [json.loads(line) for line in lines]
    for message in messages:
        if message["stream"] == "hl_services":
            kind = {"type": ["array", "null"], "items": {"type": "string"}}
            message["schema"]["properties"]["rooms"] = {**kind, "x-highlevel": described}
    return [json.dumps(message) for message in messages]


def test_a_list_of_options_changes_by_what_comes_and_what_goes(highlevel: Callable[..., Loader]) -> None:
    """An option that a person added stays unless Cliniko's list changes; then the list is Cliniko's."""
    loader = highlevel()
    head = with_rooms(schemas("billable_items"))
    assert loader.load([*head, service(1, rooms=["B", "A"])]).code == 0
    properties = next(iter(loader.sandbox.highlevel.state.records.values()))["properties"]
    assert sorted(properties["rooms"]) == ["a", "b"]
    assert loader.load([*head, service(1, rooms=["C", "B"])]).code == 0
    properties = next(iter(loader.sandbox.highlevel.state.records.values()))["properties"]
    assert sorted(properties["rooms"]) == ["b", "c"]
    before = len(loader.sandbox.highlevel.control.requests)
    assert loader.load([*head, service(1, rooms=["B", "C"])]).code == 0
    after = loader.sandbox.highlevel.control.requests[before:]
    assert not [item for item in after if item.method == "PUT" and "/records/" in item.path]


def test_options_whose_keys_would_be_alike(highlevel: Callable[..., Loader]) -> None:
    """Labels that differ only in signs, or are in another script, stay different options, also those that come later."""
    loader = highlevel()
    first, more = ("A", "A+", "東", "西"), ("A-", "南", "北")
    head = schemas("billable_items")
    assert loader.load([*with_rooms(head, *first), *_one_each(first)]).code == 0
    assert loader.load([*with_rooms(head, *first, *more), *_one_each((*first, *more))]).code == 0
    state = loader.sandbox.highlevel.state
    field = next(item for item in state.object_fields.values() if item["fieldKey"].endswith(".rooms"))
    labels = {option["key"]: option["label"] for option in field["options"]}
    shown = [[labels[key] for key in item["properties"]["rooms"]] for item in state.records.values()]
    assert sorted(shown) == sorted([label] for label in (*first, *more))


def _one_each(labels: Sequence[str]) -> list[str]:
    return [service(number, rooms=[label]) for number, label in enumerate(labels, start=1)]


def test_an_option_that_the_field_lacks_never_costs_the_record(highlevel: Callable[..., Loader]) -> None:
    """It is left out, without a request that would be refused, and listed; of several options the others are there."""
    loader = highlevel()
    lines = [service(1, service_kind="Gadget", rooms=["A", "Z"]), service(2, service_kind="Product")]
    head = with_rooms(schemas("billable_items"), "A", "B")
    loaded = loader.load([*head, *lines])
    assert loaded.code == 0, loaded.log[-2000:]
    told = {(item["source"], item["field"]) for item in loaded.report["not_taken"]["records"]}
    assert told == {("billable_items/1", "service_kind"), ("billable_items/1", "rooms")}
    found = (item["properties"] for item in loader.sandbox.highlevel.state.records.values())
    first, second = sorted(found, key=lambda properties: properties["source_system_id"])
    assert "service_kind" not in first
    assert first["rooms"] == ["a"]
    assert second["service_kind"] == "product"
    assert {entry.status for entry in loader.sandbox.highlevel.control.requests if entry.write} <= {200, 201}
    assert loader.load([*head, *lines], MODE="verify").code == 0


def test_a_doctor_with_more_patients_than_one_label_takes(highlevel: Callable[..., Loader]) -> None:
    """A full label goes on under the next; when all four are full the rest is rejected by name, and the patients are there."""
    loader = highlevel(relation_limit=2)
    doctor = person("contacts/1", "Doc", "Tor", tags=["doctor"])
    related = [{"association": "cliniko_referring_doctor", "to": "contact:contacts/1"}]
    people = [person(f"patients/{n}", "Ada", f"L{n}", relations=related) for n in range(1, 11)]
    assert loader.load([*schemas("contacts", "patients"), doctor, *people]).code == 4
    state = loader.sandbox.highlevel.state
    assert len(state.contacts) == 11
    assert len(state.relations) == 8
    assert {(reason, field) for _, reason, field in rejects(loader)} == {
        ("relation_limit", "cliniko_referring_doctor")
    }
    assert len(rejects(loader)) == 2
    assert loader.sandbox.highlevel.control.stats()["violations"] == []
