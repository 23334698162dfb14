"""The contract of the mapped streams: what is emitted is declared, and in time."""

from __future__ import annotations

import re
from typing import Any

import pytest
from cliniko_records import RECORDS, SCHEMA, messages, record
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator
from mapping_runs import run, whole_run

from cliniko_to_highlevel.core import MessageMapper
from cliniko_to_highlevel.errors import Filter, Reason
from cliniko_to_highlevel.routes import IGNORED, ROUTES, STREAMS

DATA_TYPES = {
    "TEXT",
    "LARGE_TEXT",
    "NUMERICAL",
    "MONETORY",
    "DATE",
    "SINGLE_OPTIONS",
    "MULTIPLE_OPTIONS",
    "FILE_UPLOAD",
}
FOLDS = {
    "union",
    "lines",
    "only",
    "sum",
    "owner",
    "first_visit",
    "last_visit",
    "visits",
    "no_shows",
    "next",
    "stage",
}


def check(lines: list[dict[str, Any]]) -> None:
    """Check a run: every record fits the schema sent before it, and its options were declared by then."""
    schemas: dict[str, dict[str, Any]] = {}
    keys: dict[str, list[str]] = {}
    for line in lines:
        if line["type"] == "SCHEMA":
            assert schemas.get(line["stream"]) != line["schema"], (
                "a schema is sent again when it changed only"
            )
            schemas[line["stream"]], keys[line["stream"]] = line["schema"], line["key_properties"]
            continue
        schema, sent = schemas[line["stream"]], line["record"]
        assert set(sent) <= set(schema["properties"])
        assert set(keys[line["stream"]]) <= set(sent)
        Draft7Validator(schema).validate(sent)
        _check_values(schema, sent)


def _check_values(schema: dict[str, Any], sent: dict[str, Any]) -> None:
    associations = {item["key"] for item in schema["x-highlevel"].get("associations", ())}
    assert {item["association"] for item in sent.get("relations") or ()} <= associations
    assert sent.get("filtered") in {None, *(item.value for item in Filter)}
    assert sent.get("rejected") is None or sent["rejected"]["reason"] in {item.value for item in Reason}
    for name, value in sent.items():
        declared = schema["properties"][name].get("x-highlevel", {})
        assert value != "", f"{name}: nothing is null, not empty text"
        if value is not None and "options" in declared:
            assert set(value if isinstance(value, list) else [value]) <= set(declared["options"])
        if declared.get("dataType") in {"NUMERICAL", "MONETORY"} and value is not None:
            assert re.fullmatch(r"-?\d+(\.\d*[1-9])?", value)


@pytest.fixture
def schemas() -> dict[str, dict[str, Any]]:
    """Return the last schema of each stream in a whole run."""
    return {line["stream"]: line["schema"] for line in whole_run() if line["type"] == "SCHEMA"}


def test_a_whole_run_keeps_the_contract() -> None:
    """Every record of a run is declared, property by property and option by option."""
    lines = whole_run()
    check(lines)
    assert {line["stream"] for line in lines if line["type"] == "RECORD"} == set(STREAMS)


def test_every_cliniko_stream_is_handled() -> None:
    """Streams are mapped or left out on purpose; others are not Cliniko's."""
    mapper = MessageMapper()
    assert all(mapper.handles(name, SCHEMA) for name in (*ROUTES, *IGNORED))
    assert not mapper.handles("hl_contacts", SCHEMA)
    assert not mapper.handles("orders", SCHEMA)
    assert not mapper.handles("contacts", {"properties": {}})
    assert not mapper.handles("contacts")
    list(mapper.schema({"type": "SCHEMA", "stream": "contacts", "schema": SCHEMA}))
    assert mapper.handles("contacts")
    assert not set(ROUTES) & set(IGNORED)
    assert list(mapper.record({"type": "RECORD", "stream": "stock_adjustments", "record": {"id": "1"}})) == []


def test_labels_of_contact_fields_make_their_keys(schemas: dict[str, dict[str, Any]]) -> None:
    """HighLevel makes a contact field's key from its label, so the label must give the property's name."""
    for name, declared in schemas["hl_contacts"]["properties"].items():
        described = declared.get("x-highlevel", {})
        if described.get("field") == "custom":
            assert re.sub(r"[^a-z0-9]+", "_", described["label"].lower()) == name


def test_fields_are_of_known_kinds(schemas: dict[str, dict[str, Any]]) -> None:
    """Types, folds and keys are those that the target knows."""
    for schema in schemas.values():
        for name, declared in schema["properties"].items():
            described = declared.get("x-highlevel", {})
            assert described.get("fold") in {None, *FOLDS}
            assert declared["description"]
            if described.get("field") == "custom":
                assert described["dataType"] in DATA_TYPES
                assert re.fullmatch(r"[a-z][a-z0-9_]*", name)


def test_objects_describe_themselves(schemas: dict[str, dict[str, Any]]) -> None:
    """Each custom object has a key, labels, a readable primary property and the source id as a text."""
    objects = [item for item in schemas.values() if item["x-highlevel"]["object"] == "custom_object"]
    assert {item["x-highlevel"]["key"] for item in objects} == {
        "custom_objects.cliniko_patient_profile",
        "custom_objects.cliniko_invoice",
        "custom_objects.cliniko_invoice_line_item",
        "custom_objects.cliniko_service",
        "custom_objects.cliniko_insurance_provider",
    }
    for item in objects:
        described = item["x-highlevel"]
        assert item["properties"][described["primary"]]["x-highlevel"]["dataType"] == "TEXT"
        assert item["properties"]["source_system_id"]["x-highlevel"]["dataType"] == "TEXT"
        assert set(described["searchable"]) <= set(item["properties"])
        assert described["labels"]["singular"] != described["labels"]["plural"]


def test_associations_stay_within_the_limits(schemas: dict[str, dict[str, Any]]) -> None:
    """Two objects have at most 10 labels, and the two labels of one differ."""
    labels: dict[tuple[str, ...], int] = {}
    for schema in schemas.values():
        for item in schema["x-highlevel"].get("associations", ()):
            assert item["first_label"] != item["second_label"]
            pair = tuple(sorted((item["first"], item["second"])))
            labels[pair] = labels.get(pair, 0) + item["overflow"]
    assert labels
    assert max(labels.values()) <= 10


def test_options_are_declared_before_they_are_used() -> None:
    """Types and locations are options of the contact before the first booking."""
    lines = whole_run()
    first = next(
        i for i, line in enumerate(lines) if line["type"] == "RECORD" and (line["record"].get("contributor"))
    )
    declared = [
        line for line in lines[:first] if line["type"] == "SCHEMA" and line["stream"] == "hl_contacts"
    ][-1]
    fields = declared["schema"]["properties"]
    assert fields["cliniko_appointment_type"]["x-highlevel"]["options"] == ["Standard"]
    assert fields["cliniko_location"]["x-highlevel"]["options"] == ["North clinic"]


def test_a_code_that_is_newer_than_the_mapping_becomes_an_option() -> None:
    """A value outside the declared options is declared by a further schema before its record."""
    lines = whole_run(None, ("invoices", record("invoices", status=50, status_description="Written off")))
    check(lines)
    sent = [line for line in lines if line["type"] == "SCHEMA" and line["stream"] == "hl_invoices"]
    assert len(sent) == 2
    assert "Written off" in sent[-1]["schema"]["properties"]["invoice_status"]["x-highlevel"]["options"]


def test_one_bad_record_is_rejected_and_the_others_go_on() -> None:
    """A record that cannot be read is rejected by reason and field on its stream, without its values."""
    lines = whole_run(None, ("patients", record("patients", date_of_birth="14/09/1987")))
    check(lines)
    rejected = [line for line in lines if line["type"] == "RECORD" and line["record"].get("rejected")]
    assert [(line["stream"], line["record"]) for line in rejected] == [
        (
            stream,
            {
                "source_id": "patients/7",
                "contributor": None,
                "rejected": {"reason": "invalid_date", "field": "date_of_birth"},
            },
        )
        for stream in ("hl_contacts", "hl_patient_profiles")
    ]
    assert any(line["stream"] == "hl_invoices" for line in lines if line["type"] == "RECORD")


def test_a_row_deleted_for_good_empties_nothing() -> None:
    """Of a row that Cliniko has no longer only its identity arrives; a relation must go."""
    gone = [
        {"type": "RECORD", "stream": name, "record": {"id": "7", "_sdc_deleted_at": "2024-01-01T00:00:00Z"}}
        for name in RECORDS
    ]
    lines = run(gone)
    check(lines)
    records = {line["stream"]: line["record"] for line in lines if line["type"] == "RECORD"}
    assert records.pop("hl_relationships") == {"source_id": "relationships/7", "absent": True}
    assert records.pop("hl_absences") == {"source_id": "unavailable_blocks/7", "absent": True}
    made_of_others = {"hl_insurers", "hl_opportunities", "hl_schedules"}
    assert set(records) == set(STREAMS) - {"hl_absences", "hl_relationships", *made_of_others}
    assert all(item["filtered"] == "deleted_in_cliniko" for item in records.values())


JUNK = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.sampled_from(["", "2024-02-30", "99999999999999999999", "-1", "²", "\x00", "\ud800", "1e9999"]),
    st.lists(
        st.one_of(st.none(), st.text(max_size=5), st.dictionaries(st.text(max_size=5), st.text(max_size=5))),
        max_size=3,
    ),
    st.dictionaries(
        st.sampled_from(["sections", "number", "links", "x"]),
        st.one_of(st.none(), st.text(max_size=5), st.lists(st.integers(), max_size=2)),
        max_size=3,
    ),
)


@st.composite
def damaged_runs(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return a run with fields missing, null, of the wrong kind, or unknown."""
    lines = messages()
    for line in lines:
        if line["type"] == "RECORD":
            fields = draw(st.lists(st.sampled_from(sorted(line["record"])), max_size=4, unique=True))
            for field in fields:
                line["record"][field] = draw(JUNK)
            for field in draw(st.lists(st.sampled_from(sorted(line["record"])), max_size=2, unique=True)):
                del line["record"][field]
            line["record"]["unheard_of"] = draw(JUNK)
    return lines


@given(damaged_runs())
@settings(max_examples=settings().max_examples // 2)
def test_no_record_is_an_error_and_twice_is_the_same(lines: list[dict[str, Any]]) -> None:
    """Whatever a record holds, what is emitted keeps the contract; a second run emits the same."""
    mapped = run(lines)
    check(mapped)
    assert run(lines) == mapped
    assert not any(
        "mapping_failed" in str(line["record"].get("rejected")) for line in mapped if line["type"] == "RECORD"
    )
