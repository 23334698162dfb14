"""Of which values of a Cliniko row each field in HighLevel is made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cliniko_records import messages, record

from cliniko_to_highlevel.core import MessageMapper
from cliniko_to_highlevel.not_moved import NOT_MOVED

if TYPE_CHECKING:
    from cliniko_to_highlevel.tracing import Traced, Tracer


@pytest.fixture(scope="module")
def tracer() -> Tracer:
    """The tracer of a run over one record of each resource."""
    mapper = MessageMapper()
    for line in messages():
        list(mapper.schema(line) if line["type"] == "SCHEMA" else mapper.record(line))
    return mapper.tracer()


def traced(tracer: Tracer, resource: str, **changes: Any) -> Traced:
    """Return what became of one record."""
    found = tracer.of({"stream": resource, "record": record(resource, **changes)})
    assert found is not None
    return found


def made_of(found: Traced, stream: str, name: str) -> list[tuple[str, str]]:
    """Return the pieces that a property is made of."""
    [properties] = [made for key, made in found.made.items() if key[0] == stream]
    return [(piece.field, piece.value) for piece in properties.get(name, ())]


def test_a_property_leads_to_its_values(tracer: Tracer) -> None:
    """Of a patient: a plain field, one of a list, an answer of the clinic's own fields."""
    patient = traced(tracer, "patients")
    assert patient.owner == "patients/7"
    assert made_of(patient, "hl_contacts", "firstName") == [("first_name", "Juniper")]
    assert made_of(patient, "hl_contacts", "phone") == [
        ("patient_phone_numbers 2", "0491 570 156 · 61491570156 · Mobile")
    ]
    assert made_of(patient, "hl_patient_profiles", "ndis_number") == [
        ("custom_fields / Funding / NDIS number", "430000000")
    ]
    assert made_of(patient, "hl_patient_profiles", "patient_name") == [
        ("first_name", "Juniper"),
        ("last_name", "Quillfeather"),
    ]
    assert tracer.rule("hl_contacts", "phone").startswith("First valid phone number")


def test_values_that_say_the_same_are_both_named(tracer: Tracer) -> None:
    """Without the code the words speak, and without the words the code: a status is made of either."""
    invoice = traced(tracer, "invoices")
    assert made_of(invoice, "hl_invoices", "invoice_status") == [
        ("status", "20"),
        ("status_description", "Paid"),
    ]
    assert made_of(invoice, "hl_invoices", "location") == [("business_id", "30 (North clinic)")]


def test_an_appointment_speaks_of_its_patient_too(tracer: Tracer) -> None:
    """What a booking contributes to the contact leads back to the booking."""
    booking = traced(tracer, "individual_appointments")
    assert booking.owner == "patients/7"
    assert made_of(booking, "hl_contacts", "cliniko_location") == [("business_id", "30 (North clinic)")]
    assert ("starts_at", "2024-03-11T03:15:00Z") in made_of(booking, "hl_contacts", "owner")


def test_what_does_not_move_has_its_reason_and_no_value(tracer: Tracer) -> None:
    """A link that opens without a password is named, and never shown."""
    booking = traced(tracer, "individual_appointments")
    told = dict(booking.unused)
    assert told["telehealth_url"] == NOT_MOVED["individual_appointments"]["telehealth_url"]
    assert "secret" not in str(booking.unused).replace(told["telehealth_url"], "")


def test_a_record_that_is_left_out_as_a_whole(tracer: Tracer) -> None:
    """Of a row that is left out no field is blamed; one that is no patient's is not traced."""
    assert traced(tracer, "communications").unused == []
    assert tracer.of({"stream": "products", "record": record("products")}) is None


def test_tracing_leaves_the_run_as_it_is() -> None:
    """Taking pieces away must not teach the mapping anything: the next record becomes what it would have become."""
    mapper = MessageMapper()
    for line in messages():
        list(mapper.schema(line) if line["type"] == "SCHEMA" else mapper.record(line))
    invoice = {"type": "RECORD", "stream": "invoices", "record": record("invoices")}
    before = list(mapper.record(invoice))
    for resource in ("patients", "invoices", "patient_forms"):
        mapper.tracer().of({"stream": resource, "record": record(resource)})
    assert list(mapper.record(invoice)) == before
