"""From rows to records: total over whatever comes, and true to the schema."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft7Validator

from tap_cliniko.fields import Kind
from tap_cliniko.records import Normaliser, linked_id
from tap_cliniko.resources import BY_NAME, RESOURCES, Resource, Shape

REFERENCE = Path(__file__).parents[2].parent / "shared" / "reference" / "cliniko-resources.yaml"

_LINK = st.integers(min_value=1, max_value=2**63 - 1).map(
    lambda n: {"links": {"self": f"https://x.example/v1/a/{n}"}}
)
_MOMENT = st.datetimes().map(lambda moment: moment.replace(microsecond=0).isoformat() + "Z")
_AMOUNT = st.decimals(allow_nan=False, allow_infinity=False, places=4)
_TREES = st.dictionaries(
    st.text(max_size=5), st.none() | st.booleans() | st.integers() | st.text(), max_size=3
)
_VALUES: dict[Kind, st.SearchStrategy[Any]] = {
    Kind.ID: st.integers(min_value=0) | st.integers(min_value=0).map(str),
    Kind.IDS: st.lists(st.integers(min_value=0) | st.integers(min_value=0).map(str), max_size=3),
    Kind.TEXT: st.text(),
    Kind.TEXTS: st.lists(st.text(), max_size=3),
    Kind.MOMENT: _MOMENT,
    Kind.DATE: st.dates().map(str),
    Kind.DECIMAL: _AMOUNT.map(str) | _AMOUNT | st.integers(),
    Kind.WHOLE: st.integers() | st.integers().map(str),
    Kind.FLAG: st.booleans(),
    Kind.OBJECT: _TREES,
    Kind.OBJECTS: st.lists(_TREES, max_size=2),
    Kind.LINK: _LINK,
    Kind.SELF: st.just({"self": "https://x.example/v1/a/1"}),
    Kind.LINKS: _LINK | st.lists(_LINK, max_size=2),
}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | _TREES,
    max_leaves=5,
)


@st.composite
def rows(draw: st.DrawFn, resource: Resource) -> dict[str, Any]:
    """Make a row with unknown fields, in which anything but the key may be missing, null or empty."""
    row: dict[str, Any] = {}
    for field in resource.fields:
        given_value = draw(st.sampled_from(["value", "null", "empty", "absent"]))
        if field.name in resource.keys or given_value == "value":
            row[field.name] = draw(_VALUES[field.kind])
        elif given_value != "absent":
            row[field.name] = None if given_value == "null" else ""
    for link in ("business", "appointment_type"):
        if resource.shape is Shape.PAGES and f"{link}_id" in resource.keys:
            row[link] = draw(_LINK)
    if resource.shape is Shape.OBJECT:
        row["account"] = {"id": draw(st.integers(min_value=1)), "name": "Any clinic"}
    known = {field.name for field in resource.fields} | {field.id_name for field in resource.fields}
    extra = draw(st.dictionaries(st.text(min_size=1, max_size=6), _JSON, max_size=2))
    return {**{name: value for name, value in extra.items() if name not in known}, **row}


@pytest.mark.parametrize("resource", RESOURCES, ids=lambda resource: resource.name)
def test_any_row_becomes_a_record_that_fits(resource: Resource) -> None:
    """Nulls, empty texts, missing and unknown keys: the record validates, and unknown keys come along."""
    validator = Draft7Validator(resource.schema())
    normal = Normaliser(resource)
    known = {field.name for field in resource.fields}

    @settings(max_examples=25)
    @given(rows(resource))
    def check(row: dict[str, Any]) -> None:
        record = normal(row)
        assert not list(validator.iter_errors(record))
        assert {name: row[name] for name in row.keys() - known} == {
            name: record[name] for name in row.keys() - known
        }
        assert normal(record) == record, "normalising twice changes nothing"

    check()


@given(_JSON)
def test_no_link_is_too_odd(anything: Any) -> None:
    """Whatever stands where a link should be gives an id or nothing, never an error."""
    assert linked_id(anything) is None
    assert linked_id({"links": anything}) is None or isinstance(anything, dict)
    assert linked_id({"links": {"self": anything}}) is None or str(anything).isdecimal()


@pytest.mark.parametrize(
    ("address", "ident"),
    [
        ("https://api.au1.cliniko.com/v1/patients/82", "82"),
        ("http://api.cliniko.com/v1/internal/patients/1156778385624535054", "1156778385624535054"),
        ("https://api.au1.cliniko.com/v1/patients/82?page=1", "82"),
        ("https://api.au1.cliniko.com/v1/patients/82/", "82"),
        ("https://api.au1.cliniko.com/v1/patients/82/referral_source", None),
        ("http://[broken", None),
        ("", None),
    ],
)
def test_the_id_is_the_end_of_the_path(address: str, ident: str | None) -> None:
    """Host, scheme, inner path and query of a link vary; the id does not."""
    assert linked_id({"links": {"self": address}}) == ident


def test_relations_become_columns() -> None:
    """Each single relation has its column, null when the key is missing."""
    record = Normaliser(BY_NAME["invoices"])(
        {"id": 7, "appointment": {"links": {"self": "https://api.au1.cliniko.com/v1/appointments/88"}}}
    )
    assert record["id"] == "7"
    assert record["appointment_id"] == "88"
    assert record["patient_id"] is None


def test_decimals_are_exact_text() -> None:
    """Numbers become plain decimals, texts stay as they came, nothing is rounded."""
    record = Normaliser(BY_NAME["invoice_items"])(
        {
            "id": "1",
            "total_including_tax": Decimal("90.00"),
            "quantity": 2,
            "unit_price": "81.818",
            "tax_rate": "",
        }
    )
    assert [record[name] for name in ("total_including_tax", "quantity", "unit_price", "tax_rate")] == [
        "90.00",
        "2",
        "81.818",
        None,
    ]


def test_access_links_are_dropped_unless_wanted() -> None:
    """URLs that let their holder in do not leave the tap by default."""
    row = {
        "id": "1",
        "telehealth_url": "https://video.example.org/secret",
        "cancellation_url": "https://x.example",
    }
    assert not {"telehealth_url", "cancellation_url"} & Normaliser(BY_NAME["attendees"])(row).keys()
    assert Normaliser(BY_NAME["attendees"], access_links=True)(row)["telehealth_url"] == row["telehealth_url"]


def test_every_signature_of_a_form_is_found_once() -> None:
    """Signatures are named by links, in older answers by several, and inside the content."""
    link = "https://api.au1.cliniko.com/v1/patient_forms/1/signatures/"
    record = Normaliser(BY_NAME["patient_forms"])(
        {
            "id": "1",
            "signatures": [{"links": {"self": f"{link}5"}}, {"links": {"self": f"{link}6"}}],
            "content": {
                "sections": [{"questions": [{"type": "signature", "signature_id": 5}, None, {"name": "x"}]}]
            },
        }
    )
    assert record["signature_ids"] == ["5", "6"]


def test_every_field_is_described() -> None:
    """A reader of the schema learns what each column means, and each relation has its id beside it."""
    for resource in RESOURCES:
        properties = resource.schema()["properties"]
        assert all(each["description"].rstrip().endswith((".", ")")) for each in properties.values()), (
            resource.name
        )
        for field in resource.fields:
            assert field.kind is not Kind.LINK or field.id_name in properties


def _documented() -> dict[str, Any]:
    yaml = pytest.importorskip("yaml")
    if not REFERENCE.exists():
        pytest.skip("the reference of documented samples is not beside this repository")
    return dict(yaml.safe_load(REFERENCE.read_text())["resources"])


def test_documented_samples_validate() -> None:
    """The sample record of every documented resource fits its schema, and none of its fields is unknown."""
    for name, described in _documented().items():
        if name not in BY_NAME:
            assert described["replication"]["method"] == "EXCLUDED", name
            continue
        record = Normaliser(BY_NAME[name], access_links=True)(
            {"patient_form_id": "1", **described["example"]}
        )
        schema = BY_NAME[name].schema()
        assert [error.message for error in Draft7Validator(schema).iter_errors(record)] == [], name
        assert set(described["example"]) <= set(schema["properties"]), name
        assert set(described["fields"]) <= set(schema["properties"]), name


def test_records_survive_json() -> None:
    """A normalised record is plain JSON but for the decimals of unknown fields."""
    record = Normaliser(BY_NAME["taxes"])({"id": "1", "rate": Decimal("10.0"), "name": None})
    assert json.loads(json.dumps(record)) == record
