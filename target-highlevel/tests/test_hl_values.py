"""Values as HighLevel may show them, and their normal forms."""

from __future__ import annotations

import html
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from target_highlevel.descriptor import FieldSpec, incoming, stream_spec
from target_highlevel.fields import holds, is_written, mark
from target_highlevel.objects.on_contact import whole_seconds
from target_highlevel.values import (
    amount_text,
    canonical,
    canonical_json,
    day,
    listed_options,
    record_json,
)

SALT = b"salt"
EMAIL = FieldSpec("email", "standard", "email")
NOTE = FieldSpec("body")
TEXT = st.text(st.characters(exclude_categories=()))
JSON = st.recursive(
    TEXT | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
)


@given(JSON)
def test_what_came_is_spelled_as_every_ledger_has_it(value: Any) -> None:
    """However it is spelled: another spelling would make every record of every ledger a changed one."""
    assert record_json(canonical(value)) == canonical_json(canonical(value))


@pytest.mark.parametrize(
    "value",
    [
        *("2024-02-29", "2024-02-29T00:00:00.000Z", "2024-02-29 10:00", 1709164800000, "1709164800001"),
        *("29/02/2024", "02-29-2024", "2024.2.29", "2024-02-28T13:00:00.000Z", "2024-02-29T00:00:00+11:00"),
        *("2024-02-29T05:00:00Z", 1709125200000),
    ],
    ids=str,
)
def test_a_date_in_any_form(value: Any) -> None:
    """Its day counts; what is no date stays what it is."""
    assert day(value) == "2024-02-29"
    assert day("soon") == "soon"
    assert day(-86_400_000) == "1969-12-31"


def test_a_moment_may_be_a_number() -> None:
    """Milliseconds since 1970."""
    assert whole_seconds(1714557600000) == "2024-05-01T10:00:00Z"


def test_a_sum_may_have_its_currency() -> None:
    """Its amount counts; what is no number is another value, and no reason to stop."""
    assert amount_text({"currency": "default", "value": "90.50"}) == amount_text(90.5) == "90.5"
    assert (
        amount_text({"amount": 1234.5}) == amount_text("$1,234.50") == amount_text("1,234.50 AUD") == "1234.5"
    )
    assert amount_text("-A$ 5.00") != "5"
    assert amount_text("n/a") == "n/a"


def test_options_in_one_text() -> None:
    """A comma inside an option that is known does not part it."""
    known = {"Pilates, group", "Physio"}
    assert listed_options("Physio, Pilates, group, Other", known) == ["Physio", "Pilates, group", "Other"]
    assert listed_options("Other;Pilates,group", known) == ["Other", "Pilates, group"]
    assert listed_options(["Physio"], known) == ["Physio"]


@pytest.mark.parametrize(
    ("declared", "written", "there"),
    [
        (EMAIL, "Ada@Example.org", "ada@example.org"),
        (FieldSpec("phone", "standard", "phone"), "+61255500101", "+61 255 500 101"),
        (FieldSpec("country", "standard", "country"), "AU", "au"),
        (FieldSpec("day", data_type="DATE"), "2024-02-29", "2024-02-29T00:00:00Z"),
        (FieldSpec("tags", "tags"), ["patient"], ["Patient"]),
        (NOTE, "a < 2\n  & b", "<p>a &lt; 2</p><p>&amp; b</p>"),
    ],
    ids=lambda value: value.name if isinstance(value, FieldSpec) else None,
)
def test_a_value_in_another_form_is_still_held(declared: FieldSpec, written: Any, there: Any) -> None:
    """And another value is not; what was written is told from both."""
    kept = mark(declared, written, SALT)
    assert holds(kept, declared, there, SALT)
    assert not holds(kept, declared, "something else", SALT)
    assert is_written(kept, written, SALT)
    assert not is_written(kept, there, SALT)
    assert not holds(None, declared, there, SALT)


@pytest.mark.parametrize(
    ("wrote", "left"),
    [
        ("BP <80 at rest>", "BP"),
        ("penicillin <i.v. only>", "penicillin"),
        ("<a target of 100 or SpO2 > 90", "90"),
    ],
)
def test_what_a_clinician_wrote_in_angle_brackets_counts(wrote: str, left: str) -> None:
    """It is no tag: where HighLevel should have lost it, that is no other form of the text."""
    assert not holds(mark(NOTE, wrote, SALT), NOTE, left, SALT)
    assert holds(mark(NOTE, wrote, SALT), NOTE, f'<p style="margin: 0">{html.escape(wrote)}<br/></p>', SALT)


@pytest.mark.parametrize(
    ("more", "digest"),
    [
        ({}, "47145b850063c44d9b906e1e"),
        ({"filtered": "archived_left_out"}, "b70457cdd3a7220490b796f7"),
        ({"rejected": {"reason": "invalid_date", "field": "x"}}, "9c6414586d7d599911c69af5"),
    ],
)
def test_what_an_earlier_version_wrote_is_known_again(more: dict[str, Any], digest: str) -> None:
    """The digest of a record is that of the ledgers there are: an upgrade has nothing written anew."""
    fields = ("total", "name", "tags", "none", "flag")
    described = {"object": "custom_object", "key": "custom_objects.invoice"}
    schema = {"properties": {name: {} for name in ("source_id", *fields)}, "x-highlevel": described}
    record = {
        "source_id": "invoices/7",
        "skip_if_exists": ["note:notes/1"],
        "joins": ["family/9"],
        "contact": "patients/1",
        "owner_of": "contact:patients/1",
        "relations": [{"association": "of", "to": "contact:patients/1"}],
        "split_count": 2,
        "priority": "b",
        "needs": ["contact:patients/1"],
        "total": Decimal("12.50"),
        "name": 'Zoë \u2028 "q" \\ \x1f \U0001f600',
        "tags": ["b", {"at": 1.0, "ref": None}],
        "none": None,
        "flag": False,
        "unknown": 1,
    }
    spec = stream_spec({"stream": "hl_invoices", "schema": schema})
    assert spec is not None
    assert incoming(spec, {**record, **more}).digest(bytes(range(32))) == digest


def test_a_former_name_says_nothing_beside_the_present_one() -> None:
    """Whichever comes first in the line."""
    schema = {"properties": {"source_id": {}}, "x-highlevel": {"object": "contact"}}
    spec = stream_spec({"stream": "hl_contacts", "schema": schema})
    assert spec is not None
    named = {"contributor": "appointments/1", "part": "appointments/2", "pieces": 3, "split_count": None}
    for record in (named, dict(reversed(named.items()))):
        item = incoming(spec, {"source_id": "patients/1", **record})
        assert (item.part, item.pieces) == ("appointments/1", 3)
