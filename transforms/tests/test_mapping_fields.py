"""Every field of the sources arrives or is on the list of those that do not, with a reason."""

from __future__ import annotations

import importlib
import importlib.util
from typing import TYPE_CHECKING, Any

import pytest
from cliniko_records import RECORDS, record
from mapping_runs import whole_run

from cliniko_to_highlevel.not_moved import EVERYWHERE, NOT_MOVED, reason
from cliniko_to_highlevel.routes import ROUTES

if TYPE_CHECKING:
    from pathlib import Path

#: What the tap adds to a record for itself.
TAP_FIELDS = {"id", "account_id", "account", "patient_custom_fields_definition"}

#: Fields that speak only when another one is silent: the changes that make it so.
FALLBACKS: dict[tuple[str, str], dict[str, Any]] = {
    ("practitioners", "label"): {"display_name": None, "title": None, "first_name": None, "last_name": None},
    ("businesses", "label"): {"business_name": None, "display_name": None},
    ("businesses", "display_name"): {"business_name": None},
    ("appointment_type_products", "discounted_amount"): {"is_monetary_discount": True},
    ("appointment_type_billable_items", "discounted_amount"): {"is_monetary_discount": True},
    ("appointment_type_billable_items", "is_monetary_discount"): {
        "discounted_amount": "5",
        "is_monetary_discount": True,
    },
    ("individual_appointments", "cancellation_reason"): {
        "cancelled_at": "2024-03-10T00:00:00Z",
        "cancellation_reason_description": None,
    },
    ("individual_appointments", "cancellation_reason_description"): {"cancelled_at": "2024-03-10T00:00:00Z"},
    ("individual_appointments", "cancellation_note"): {"cancelled_at": "2024-03-10T00:00:00Z"},
    ("attendees", "cancellation_reason"): {
        "cancelled_at": "2024-03-10T00:00:00Z",
        "cancellation_reason_description": None,
    },
    ("attendees", "cancellation_reason_description"): {"cancelled_at": "2024-03-10T00:00:00Z"},
    ("attendees", "cancellation_note"): {"cancelled_at": "2024-03-10T00:00:00Z"},
    ("products", "product_supplier_id"): {"product_supplier_name": None},
    ("contacts", "type_code"): {"type_code": 1},
    ("contacts", "country"): {"country_code": None},
    ("businesses", "country"): {"country_code": None},
    ("patients", "country"): {"country_code": None},
    ("invoices", "status_description"): {"status": 99},
    ("invoices", "calculation_method_description"): {"calculation_method": 99},
    ("invoice_items", "product_id"): {"billable_item_id": None},
    ("communications", "category_code"): {"category": None},
    ("communications", "type_code"): {"type": None},
    ("communications", "direction_code"): {"direction_description": None},
}

#: Another value, where its kind does not tell one.
OTHERS: dict[str, Any] = {
    "address_2": "Level 9",
    "address_3": "c/o Somebody",
    "billable_item_id": "999",
    "calculation_method": 3,
    "cancellation_reason": 40,
    "category_code": 2,
    "content": {"sections": [{"name": "Other", "questions": [{"name": "Q", "type": "text", "answer": "a"}]}]},
    "country": "New Zealand",
    "country_code": "NZ",
    "custom_fields": None,
    "direction_code": 2,
    "discount_percentage": "15",
    "discounted_amount": "3",
    "email": "other@example.org",
    "file_size": 99,
    "file_status": "not_ready",
    "invoice_email": None,
    "normalized_number": "61255500198",
    "patient_phone_numbers": [{"number": "0491 570 157", "phone_type": "Mobile"}],
    "phone_numbers": [{"number": "0491 570 157", "phone_type": "Mobile"}],
    "pronouns": None,
    "recall_at": "2024-10-11",
    "referral_type": "dva",
    "referrer_type": "Patient",
    "repeat_rule": {"repeat_type": "Daily", "number_of_repeats": 2, "repeating_interval": 3},
    "status": 30,
    "time_zone_identifier": "Australia/Perth",
}

CASES = [(resource, field) for resource in RECORDS for field in RECORDS[resource] if field not in TAP_FIELDS]


@pytest.fixture(scope="module")
def everything_on(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return a mapping that moves all there is."""
    path: Path = tmp_path_factory.mktemp("mapping") / "mapping.yml"
    path.write_text("move: {communications: true, confidential_communications: true}")
    return str(path)


def _another(resource: str, field: str, value: Any) -> Any:
    if field == "content" and resource != "treatment_notes":
        return "Other words"
    if field in OTHERS:
        return OTHERS[field]
    if isinstance(value, (bool, int)):
        return not value if isinstance(value, bool) else value + 1
    if field.endswith("_at"):
        return "2024-05-06T07:08:09Z"
    return _by_name(field, value)


def _by_name(field: str, value: Any) -> Any:
    if field.endswith("_date") or field == "date_of_birth":
        return "2001-02-03"
    if isinstance(value, list):
        return ["other"]
    return "999" if field.endswith("_id") or isinstance(value, dict) else _other_text(value)


def _other_text(value: Any) -> str:
    try:
        return str(float(value) + 1)
    except (TypeError, ValueError):
        return "Changed"


def _runs(mapping: str, resource: str, field: str) -> tuple[Any, Any]:
    before = record(resource, **FALLBACKS.get((resource, field), {}))
    after = {**before, field: _another(resource, field, before[field])}
    assert after != before, f"the test does not change {resource}.{field}"
    return whole_run(mapping, (resource, before)), whole_run(mapping, (resource, after))


@pytest.mark.parametrize(("resource", "field"), CASES)
def test_each_field_arrives_or_is_listed(everything_on: str, resource: str, field: str) -> None:
    """A change of a field changes what arrives, unless it is listed as not moved: then it changes nothing."""
    before, after = _runs(everything_on, resource, field)
    assert (before == after) is (reason(resource, field) is not None)


def test_the_list_holds_only_known_fields_with_reasons() -> None:
    """Each listed field is a field of its resource and has a reason in words."""
    assert set(NOT_MOVED) == set(ROUTES)
    for resource, fields in NOT_MOVED.items():
        assert set(fields) <= set(RECORDS[resource]), resource
        assert all(len(text) > 10 for text in fields.values())
    assert all(EVERYWHERE.values())


def test_the_sample_records_have_every_field_of_the_tap() -> None:
    """No field of the tap's sources is missing from these tests."""
    if not importlib.util.find_spec("tap_cliniko"):
        pytest.skip("tap-cliniko is not installed")
    streams = (
        importlib.import_module("tap_cliniko.tap")
        .TapCliniko(config={"api_key": "k-au1", "contact_email": "a@example.org"}, validate_config=False)
        .streams
    )
    unknown = {
        f"{name}.{field}"
        for name in RECORDS
        for field, declared in streams[name].schema["properties"].items()
        if field not in RECORDS[name]
        and field not in EVERYWHERE
        and not _is_link(field, declared, RECORDS[name])
    }
    assert not unknown


def _is_link(field: str, declared: dict[str, Any], known: dict[str, Any]) -> bool:
    """Return whether a field is a link: to a list, or to a record whose id stands beside it."""
    to_a_list = {"object", "array"} <= set(declared["type"])
    return field.startswith("_sdc_") or f"{field}_id" in known or to_a_list
