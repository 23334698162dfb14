"""Contacts of the emulated HighLevel: bodies, duplicates in both regimes, tags, search."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from highlevel_server import HighLevelServer

if TYPE_CHECKING:
    from collections.abc import Iterator

MOTHER = {"firstName": "Ada", "lastName": "Fenwick", "email": "Family@Example.org", "phone": "+61491570006"}


@pytest.fixture
def highlevel() -> Iterator[HighLevelServer]:
    """A server without lag and with a limit that no test reaches."""
    with HighLevelServer() as server:
        yield server


def test_a_contact_comes_back_as_it_was_written(highlevel: HighLevelServer) -> None:
    """Every kind of field is kept; a birth date reads as a date-time, tags in lower case."""
    owner = next(iter(highlevel.state.users))
    number, several = (
        highlevel.field("Visits", "NUMERICAL"),
        highlevel.field("Cliniko location", "MULTIPLE_OPTIONS", options=["North", "South"]),
    )
    made = highlevel.contact(
        **MOTHER,
        gender="female",
        dateOfBirth="1980-02-29",
        country="AU",
        assignedTo=owner,
        tags=["Cliniko", "VIP"],
        dndSettings={"Email": {"status": "active"}},
        customFields=[{"id": number, "field_value": 3}, {"id": several, "field_value": ["North"]}],
    )
    read = highlevel.call("GET", f"/contacts/{made['id']}")["contact"]
    assert read == made
    assert read["dateOfBirth"] == "1980-02-29T00:00:00.000Z"
    assert read["tags"] == ["cliniko", "vip"]
    assert read["dndSettings"] == {"Email": {"status": "active"}}
    assert read["customFields"] == [{"id": number, "value": 3}, {"id": several, "value": ["North"]}]
    assert (read["assignedTo"], read["gender"]) == (owner, "female")


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"email": "no address"}, "email must be an email"),
        ({"phone": "0491 570 006"}, "phone must be a valid phone number in E.164 format"),
        ({"country": "Australia"}, "country must be a valid enum value"),
        ({"dateOfBirth": "1981-02-29"}, "dateOfBirth must be a valid date"),
        ({"assignedTo": "nobody"}, "assignedTo must be a user of the location"),
        ({"tags": "one"}, "tags must be an array"),
        ({"dndSettings": {"Fax": {}}}, "property dndSettings.Fax should not exist"),
        ({"customFields": [{"key": "x", "field_value": 1}]}, "customFields.0.id should not be empty"),
        ({"customFields": [{"id": "x", "value": 1}]}, "property customFields.0.value should not exist"),
    ],
)
def test_what_a_new_contact_may_not_say(
    highlevel: HighLevelServer, fields: dict[str, Any], said: str
) -> None:
    """A value outside its format answers 422 with a reason, and nothing is created."""
    body = highlevel.call("POST", "/contacts/", {"locationId": highlevel.location, **fields}, status=422)
    assert said in body["message"]
    assert not highlevel.state.contacts


@pytest.mark.parametrize("name", ["gender", "locationId", "companyName", "additionalEmails"])
def test_what_a_change_may_not_name(highlevel: HighLevelServer, name: str) -> None:
    """Gender, location and company name can be written on creation only."""
    contact = highlevel.contact(firstName="Ada")
    body = highlevel.call("PUT", f"/contacts/{contact['id']}", {name: "x"}, status=422)
    assert body["message"] == [f"property {name} should not exist"]


def test_a_change_leaves_absent_fields_and_clears_null_ones(highlevel: HighLevelServer) -> None:
    """PUT is partial: null clears, a list of tags replaces the former one."""
    field = highlevel.field("Source System ID")
    made = highlevel.contact(
        **MOTHER, tags=["a", "b"], customFields=[{"id": field, "field_value": "patients/1"}]
    )
    highlevel.clock.at += 60
    changed = highlevel.call("PUT", f"/contacts/{made['id']}", {"email": None, "tags": ["c"]})
    assert changed["succeded"] is True
    read = highlevel.call("GET", f"/contacts/{made['id']}")["contact"]
    assert "email" not in read
    assert (read["phone"], read["tags"]) == (MOTHER["phone"], ["c"])
    assert read["customFields"] == [{"id": field, "value": "patients/1"}]
    assert read["dateUpdated"] > read["dateAdded"]


@pytest.mark.parametrize(
    ("address", "field"), [({"email": "FAMILY@example.org"}, "email"), ({"phone": MOTHER["phone"]}, "phone")]
)
def test_a_second_person_at_an_address_is_refused(
    highlevel: HighLevelServer, address: dict[str, str], field: str
) -> None:
    """Without duplicates allowed the answer is a 400 that names the holder and the field."""
    mother = highlevel.contact(**MOTHER)
    body = highlevel.call("POST", "/contacts/", {"locationId": highlevel.location, **address}, status=400)
    assert body["message"] == "This location does not allow duplicated contacts."
    assert body["meta"] == {"contactId": mother["id"], "contactName": "Ada Fenwick", "matchingField": field}
    assert len(highlevel.state.contacts) == 1


@pytest.mark.parametrize("first", ["email", "phone"])
def test_the_location_decides_which_address_matches_first(first: str) -> None:
    """With both addresses taken the error names the preferred one."""
    with HighLevelServer(match_first=first) as highlevel:
        highlevel.contact(**MOTHER)
        body = highlevel.call("POST", "/contacts/", {"locationId": highlevel.location, **MOTHER}, status=400)
        assert body["meta"]["matchingField"] == first


def test_the_duplicate_error_can_lack_its_meta() -> None:
    """Some locations answer without saying who the holder is; the look-up finds them."""
    with HighLevelServer(duplicate_meta=False) as highlevel:
        mother = highlevel.contact(**MOTHER)
        body = highlevel.call("POST", "/contacts/", {"locationId": highlevel.location, **MOTHER}, status=400)
        assert "meta" not in body
        path = f"/contacts/search/duplicate?locationId={highlevel.location}&number=%2B61491570006"
        assert highlevel.call("GET", path)["contact"]["id"] == mother["id"]
        nobody = f"/contacts/search/duplicate?locationId={highlevel.location}&email=nobody@example.org"
        assert highlevel.call("GET", nobody)["contact"] is None


def test_an_additional_address_counts_as_taken(highlevel: HighLevelServer) -> None:
    """An address that a person added in the interface blocks as the first one does."""
    mother = highlevel.contact(**MOTHER)
    highlevel.state.damage.edit_contact(mother["id"], additionalEmails=["work@example.org"])
    body = {"locationId": highlevel.location, "email": "work@example.org"}
    assert highlevel.call("POST", "/contacts/", body, status=400)["meta"]["contactId"] == mother["id"]


def test_a_change_to_a_taken_address_is_refused(highlevel: HighLevelServer) -> None:
    """PUT answers the same 400; a contact's own address is no hindrance."""
    mother, child = highlevel.contact(**MOTHER), highlevel.contact(firstName="Ben", phone="+61491570156")
    taken = highlevel.call("PUT", f"/contacts/{child['id']}", {"email": MOTHER["email"]}, status=400)
    assert taken["meta"] == {
        "contactId": mother["id"],
        "contactName": "Ada Fenwick",
        "matchingField": "email",
    }
    highlevel.call("PUT", f"/contacts/{mother['id']}", {"email": MOTHER["email"], "firstName": "Adah"})


def test_with_duplicates_allowed_both_keep_the_address() -> None:
    """The other regime makes a second contact with the same e-mail and phone."""
    with HighLevelServer(allow_duplicates=True) as highlevel:
        assert highlevel.contact(**MOTHER)["id"] != highlevel.contact(**MOTHER)["id"]
        settings = highlevel.call("GET", f"/locations/{highlevel.location}")["location"]["settings"]
        assert settings["allowDuplicateContact"] is True


def test_a_contact_without_any_address_depends_on_the_option() -> None:
    """What the platform does is unknown, so both behaviours can be switched on."""
    with HighLevelServer(require_address=True) as highlevel:
        highlevel.call("POST", "/contacts/", {"locationId": highlevel.location, "firstName": "A"}, status=400)
        highlevel.state.options.require_address = False
        highlevel.contact(firstName="A")


def test_upsert_merges_and_is_a_violation(highlevel: HighLevelServer) -> None:
    """The child's upsert overwrites the mother, which is why a migration must not call it."""
    mother = highlevel.contact(**MOTHER)
    body = {"locationId": highlevel.location, "email": MOTHER["email"], "firstName": "Ben"}
    answer = highlevel.call("POST", "/contacts/upsert", body)
    assert (answer["new"], answer["contact"]["id"]) == (False, mother["id"])
    assert highlevel.state.contacts[mother["id"]]["firstName"] == "Ben"
    assert highlevel.violations == ["upsert"]


def test_a_deleted_contact_is_logged(highlevel: HighLevelServer) -> None:
    """A deletion takes the notes along and is remembered."""
    contact = highlevel.contact(firstName="Ada")
    highlevel.call("POST", f"/contacts/{contact['id']}/notes", {"body": "x"})
    highlevel.call("DELETE", f"/contacts/{contact['id']}")
    highlevel.call("GET", f"/contacts/{contact['id']}", status=404)
    assert highlevel.state.deleted_contacts == [contact["id"]]
    assert not highlevel.state.notes


def test_the_search_lags_and_reading_by_id_does_not() -> None:
    """A write shows in the search after the lag, in GET at once."""
    with HighLevelServer(search_lag=3) as highlevel:
        contact = highlevel.contact(firstName="Ada")
        highlevel.call("GET", f"/contacts/{contact['id']}")
        assert highlevel.search()["total"] == 0
        highlevel.clock.at += 3
        assert [row["id"] for row in highlevel.search()["contacts"]] == [contact["id"]]
        highlevel.call("PUT", f"/contacts/{contact['id']}", {"firstName": "Adah"})
        assert highlevel.search()["contacts"][0]["firstName"] == "Ada"
        highlevel.call("DELETE", f"/contacts/{contact['id']}")
        assert highlevel.search()["total"] == 1
        highlevel.clock.at += 3
        assert highlevel.search()["total"] == 0


def test_a_custom_field_finds_its_contact(highlevel: HighLevelServer) -> None:
    """Filters by field id, several ids in an OR group, and whether the field is filled."""
    field = highlevel.field("Source System ID")
    made = [
        highlevel.contact(firstName="P", customFields=[{"id": field, "field_value": f"patients/{number}"}])[
            "id"
        ]
        for number in range(4)
    ]
    highlevel.contact(firstName="Else")
    name = f"customFields.{field}"

    def found(*filters: Any) -> set[str]:
        return {row["id"] for row in highlevel.search(filters=list(filters))["contacts"]}

    assert found({"field": name, "operator": "eq", "value": "patients/2"}) == {made[2]}
    either = [{"field": name, "operator": "eq", "value": f"patients/{number}"} for number in (0, 3)]
    assert found({"group": "OR", "filters": either}) == {made[0], made[3]}
    assert found({"field": name, "operator": "exists"}) == set(made)
    first_name = {"field": "firstNameLowerCase", "operator": "eq", "value": "p"}
    assert found(first_name, {"field": name, "operator": "not_eq", "value": "patients/1"}) == set(made) - {
        made[1]
    }


@pytest.mark.parametrize(
    "body",
    [
        {"pageLimit": 501},
        {"page": 101},
        {"page": 1, "searchAfter": [1, "x"]},
        {"query": "x" * 76},
        {"filters": [{"field": "additional_phones", "operator": "eq", "value": "1"}]},
        {"filters": [{"field": "email", "operator": "like", "value": "1"}]},
        {"filters": [{"field": "email", "operator": "eq", "value": "x" * 76}]},
        {"filters": [{"field": "email", "operator": "eq", "values": ["x"]}]},
    ],
)
def test_what_a_search_may_not_ask(highlevel: HighLevelServer, body: dict[str, Any]) -> None:
    """Pages over 500 rows, rows past 10,000, both ways of paging at once and unknown fields are refused."""
    wanted = {"locationId": highlevel.location, "pageLimit": 100, **body}
    highlevel.call("POST", "/contacts/search", wanted, status=422)


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_paging_by_search_after_meets_every_contact_once(highlevel: HighLevelServer, direction: str) -> None:
    """Contacts made at the same moment are neither skipped nor repeated, whichever way the list runs."""
    for number in range(23):
        highlevel.clock.at += number % 2
        highlevel.contact(firstName=f"N{number}")
    seen: list[str] = []
    body: dict[str, Any] = {"pageLimit": 5, "sort": [{"field": "dateAdded", "direction": direction}]}
    while rows := highlevel.search(**body)["contacts"]:
        seen += [row["id"] for row in rows]
        body["searchAfter"] = rows[-1]["searchAfter"]
    assert len(seen) == len(set(seen)) == 23
    by_page = [
        row["id"]
        for page in range(1, 6)
        for row in highlevel.search(pageLimit=5, page=page, sort=body["sort"])["contacts"]
    ]
    assert by_page == seen


def test_option_texts_and_number_types_are_checked(highlevel: HighLevelServer) -> None:
    """A contact's options are written by their text; a number is no text."""
    single = highlevel.field("Fund", "SINGLE_OPTIONS", options=["A fund"])
    number = highlevel.field("Visits", "NUMERICAL")
    for field, value in ((single, "a_fund"), (single, ["A fund"]), (number, "3")):
        body = {"locationId": highlevel.location, "customFields": [{"id": field, "field_value": value}]}
        highlevel.call("POST", "/contacts/", body, status=422)
    highlevel.contact(customFields=[{"id": single, "field_value": "A fund"}])


def test_contact_fields_take_options_and_never_picklist_options(highlevel: HighLevelServer) -> None:
    """The key comes from the name, options are named differently on write and read, PUT replaces the list."""
    path = f"/locations/{highlevel.location}/customFields"
    body = {"name": "Cliniko appointment type", "dataType": "MULTIPLE_OPTIONS", "picklistOptions": ["A"]}
    refused = highlevel.call("POST", path, body, status=422)
    assert refused["message"] == ["property picklistOptions should not exist"]
    identity = highlevel.field("Cliniko appointment type", "MULTIPLE_OPTIONS", options=["A"])
    highlevel.call("PUT", f"{path}/{identity}", {"name": "Cliniko appointment type", "options": ["A", "B"]})
    (field,) = highlevel.call("GET", path)["customFields"]
    assert (field["fieldKey"], field["picklistOptions"]) == ("contact.cliniko_appointment_type", ["A", "B"])
    again = {"name": "Cliniko Appointment Type", "dataType": "TEXT"}
    highlevel.call("POST", path, again, status=400)


def test_users_are_found_by_company_or_location() -> None:
    """The given users and the front desk are listed; the search wants the company."""
    with HighLevelServer(
        users=[{"email": "pia@example.org", "first_name": "Pia", "last_name": "Lund"}]
    ) as highlevel:
        listed = highlevel.call("GET", f"/users/?locationId={highlevel.location}")["users"]
        assert [user["email"] for user in listed] == ["pia@example.org", "frontdesk@example.org"]
        company = highlevel.call("GET", f"/locations/{highlevel.location}")["location"]["companyId"]
        found = highlevel.call("GET", f"/users/search?companyId={company}&query=PIA")
        assert (found["count"], found["users"][0]["name"]) == (1, "Pia Lund")
        highlevel.call("GET", "/users/search", status=422)
