"""The `q[]` filters of the emulated Cliniko: every class of field, every operator, every refusal."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cliniko_server import ClinikoServer
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.cliniko.catalogue import RESOURCES, FilterClass
from sandbox.cliniko.filters import OPERATORS, BadRequestError, parse_condition
from sandbox.cliniko.table import Row

if TYPE_CHECKING:
    from collections.abc import Iterator

VALUES = {
    FilterClass.DATE_TIME: "2020-01-01T00:00:00Z",
    FilterClass.DATE: "2020-01-01",
    FilterClass.INT64: "5",
    FilterClass.INTEGER: "5",
    FilterClass.STRING: "a",
    FilterClass.BOOLEAN: "true",
    FilterClass.ARRAY: "5",
}
ROW = Row(
    id="1500",
    updated_at="2024-03-01T10:00:00Z",
    date_of_birth="1980-02-29",
    email="Ada@Example.org",
    last_name="O'Neil",
    patient_ids=["7", "8"],
    draft=True,
    status=20,
)
CLASSES = {
    "id": FilterClass.INT64,
    "updated_at": FilterClass.DATE_TIME,
    "archived_at": FilterClass.DATE_TIME,
    "date_of_birth": FilterClass.DATE,
    "email": FilterClass.STRING,
    "last_name": FilterClass.STRING,
    "title": FilterClass.STRING,
    "patient_ids": FilterClass.ARRAY,
    "draft": FilterClass.BOOLEAN,
    "status": FilterClass.INTEGER,
}


@pytest.fixture(scope="module")
def server() -> Iterator[ClinikoServer]:
    """Serve one clinic that nothing changes."""
    with ClinikoServer() as running:
        yield running


def keeps(text: str) -> bool:
    """Tell whether a filter keeps the row above."""
    return parse_condition("any", CLASSES, text).test(ROW)


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("id:=1500", True),
        ("id:=1,1500,2", True),
        ("id:!=1500", False),
        ("id:>1499", True),
        ("id:>1500", False),
        ("id:>=1500", True),
        ("id:<99", False),
        ("id:<=1500", True),
        ("id:?", True),
        ("id:!?", False),
        ("status:=20", True),
        ("status:!=20", False),
        ("updated_at:>=2024-03-01T10:00:00Z", True),
        ("updated_at:>2024-03-01T10:00:00Z", False),
        ("updated_at:>2024-03-01T09:59:59.999Z", True),
        ("updated_at:>=2024-03-01T10:00:00.001Z", False),
        ("updated_at:<=2024-03-01T10:00:00.000Z", True),
        ("updated_at:<2024-03-01T10:00:00.001Z", True),
        ("updated_at:?", True),
        ("updated_at:*", True),
        ("archived_at:*", True),
        ("archived_at:?", False),
        ("archived_at:!?", True),
        ("archived_at:>=2000-01-01T00:00:00Z", False),
        ("date_of_birth:=1980-02-29", True),
        ("date_of_birth:=****-02-**", True),
        ("date_of_birth:=****-03-**", False),
        ("date_of_birth:<1980-03-01", True),
        ("date_of_birth:!?", False),
        ("email:=Ada@Example.org", True),
        ("email:!=Ada@Example.org", False),
        ("email:~example", True),
        ("email:~~ada%org", True),
        ("email:~~ada%com", False),
        ("last_name:=O'Neil", True),
        ("title:!?", True),
        ("title:=Ms", False),
        ("draft:=true", True),
        ("draft:=false", False),
        ("draft:!=false", True),
        ("patient_ids:~8", True),
        ("patient_ids:~9", False),
    ],
)
def test_an_operator_keeps_what_it_says(text: str, *, kept: bool) -> None:
    """Each operator of each class of field decides on one row as documented."""
    assert keeps(text) is kept


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nonsense:=1", "nonsense is not filterable"),
        ("id:1500", "id needs one of the operators"),
        ("id", "id needs one of the operators"),
        ("id:~15", "id needs one of the operators"),
        ("id:=abc", "Filter value for id must be a number"),
        ("id:=", "Filter value for id must be a number"),
        ("id:>1,2", "Filter value for id must be a number"),
        ("status:=open", "Filter value for status must be a number"),
        ("updated_at:=2024-03-01T10:00:00Z", "updated_at needs one of the operators"),
        ("updated_at:>=2024-03-01", "must be a UTC time"),
        ("updated_at:>=2024-03-01T10:00:00+10:00", "must be a UTC time"),
        ("archived_at:*2024", "takes no value"),
        ("date_of_birth:=1980", "must be a date"),
        ("date_of_birth:>****-02-**", "must be a date"),
        ("draft:=yes", "must be true or false"),
        ("draft:?", "draft needs one of the operators"),
        ("email:like:ada", "email needs one of the operators"),
        ("patient_ids:=8", "patient_ids needs one of the operators"),
    ],
)
def test_a_bad_filter_is_refused(text: str, message: str) -> None:
    """An unlisted field, a missing or foreign operator and a value of the wrong kind are errors."""
    with pytest.raises(BadRequestError, match=message):
        keeps(text)


@pytest.mark.parametrize("resource", sorted(set(RESOURCES) - {"signatures", "recalls", "recall_types"}))
def test_every_documented_filter_is_accepted(server: ClinikoServer, resource: str) -> None:
    """A list takes each of its fields with each operator of the class, several at once."""
    for field, kind in RESOURCES[resource].filters.items():
        texts = [
            f"{field}:{operator}" + ("" if operator in {"?", "!?", "*"} else VALUES[kind])
            for operator in OPERATORS[kind]
        ]
        for text in texts:
            assert server.get(resource, text, per_page=1).status_code == 200, text
        assert server.get(resource, *texts[:2], per_page=1).status_code == 200


def test_a_refused_filter_answers_400_with_a_message(server: ClinikoServer) -> None:
    """The body is JSON with a message, for lists and for the bare form of one filter."""
    answer = server.get("patients", "phone:=1")
    assert (answer.status_code, answer.json()) == (400, {"message": "phone is not filterable"})
    assert server.get("patients", q="phone:=1").status_code == 400


def test_filters_are_joined_by_and(server: ClinikoServer) -> None:
    """Two filters keep the rows that both keep."""
    twins = server.rows("patients", "last_name:=Winterbourne", "date_of_birth:=1980-02-29")
    assert [one["first_name"] for one in twins] == ["Alex", "Alex"]
    assert server.rows("patients", "last_name:=Winterbourne", "first_name:=Nobody") == []


@pytest.mark.parametrize("operator", ["*", "?", "!?", ">=2000-01-01T00:00:00Z"])
def test_naming_a_hiding_column_lifts_the_default(server: ClinikoServer, operator: str) -> None:
    """`*` shows live and archived rows, `?` the archived ones, `!?` the live ones."""
    rows = server.account.tables["patients"].rows()
    archived = {row["id"] for row in rows if "archived_at" in row}
    everybody = {row["id"] for row in rows}
    expected = {"*": everybody, "!?": everybody - archived}.get(operator, archived)
    assert {one["id"] for one in server.rows("patients", f"archived_at:{operator}")} == expected


def test_each_hiding_column_is_lifted_alone(server: ClinikoServer) -> None:
    """Revealing cancelled rows does not reveal archived ones."""
    shown = server.rows("individual_appointments", "cancelled_at:?")
    assert shown
    assert {one["archived_at"] for one in shown} == {None}


def test_attendees_are_found_by_either_name_of_their_booking(server: ClinikoServer) -> None:
    """`appointment_id` is a filter without being a field; it means the booking."""
    group = next(one for one in server.rows("group_appointments") if one["patient_ids"])
    by_booking = server.rows("attendees", f"booking_id:={group['id']}", "cancelled_at:*", "archived_at:*")
    by_appointment = server.rows(
        "attendees", f"appointment_id:={group['id']}", "cancelled_at:*", "archived_at:*"
    )
    assert by_booking == by_appointment
    assert len(by_booking) == len(group["patient_ids"])
    assert server.rows("group_appointments", f"patient_ids:~{group['patient_ids'][0]}")


def test_a_single_record_takes_only_revealing_filters(server: ClinikoServer) -> None:
    """An archived record answers when archived_at is filtered; another filter is refused."""
    archived = next(row["id"] for row in server.account.tables["patients"].rows() if "archived_at" in row)
    assert server.get(f"patients/{archived}").status_code == 404
    assert server.get(f"patients/{archived}", "archived_at:*").status_code == 200
    assert server.get(f"patients/{archived}", "archived_at:!?").status_code == 404
    assert server.get(f"patients/{archived}", "email:?").status_code == 400


_FIELDS = ("id", "updated_at", "status", "email", "draft", "date_of_birth")


@settings(max_examples=200, deadline=None)
@given(field=st.sampled_from(_FIELDS), rest=st.text(alphabet="=!<>~?*0123456789-TZ:.,abc%", max_size=24))
def test_no_filter_text_breaks_the_parser(field: str, rest: str) -> None:
    """Whatever stands behind the colon is understood or refused, never a crash."""
    try:
        condition = parse_condition("any", CLASSES, f"{field}:{rest}")
    except BadRequestError:
        return
    outcome: Any = condition.test(ROW)
    assert outcome in {True, False}
