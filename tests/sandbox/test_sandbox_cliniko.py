"""How the emulated Cliniko answers: keys, roles, limits, lists, paging, sorting, records."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from cliniko_server import NOW, ClinikoServer

from sandbox.clinic import build_clinic, fill_patients
from sandbox.cliniko.catalogue import RESOURCES

if TYPE_CHECKING:
    from collections.abc import Iterator

LISTS = sorted(set(RESOURCES) - {"signatures", "recalls", "recall_types"})


@pytest.fixture(scope="module")
def server() -> Iterator[ClinikoServer]:
    """Serve one clinic that no test of this module changes."""
    with ClinikoServer() as running:
        yield running


def test_a_wrong_key_is_refused(server: ClinikoServer) -> None:
    """Without the key, with another one, or with a password beside it, the answer is 401."""
    url = f"{server.origin}/v1/patients"
    assert requests.get(url, timeout=10).status_code == 401
    assert server.get("patients", key="MS0wrong-au1").status_code == 401
    assert requests.get(url, auth=(server.key, "password"), timeout=10).status_code == 401


def test_the_key_works_without_its_suffix(server: ClinikoServer) -> None:
    """The shard at the end of the key is only a hint for the client."""
    key, dash, shard = server.key.rpartition("-")
    assert (dash, shard) == ("-", "au1")
    assert server.get("user", key=key).json() == server.get("user").json()


def test_the_user_behind_the_key_says_its_role(server: ClinikoServer) -> None:
    """`/user` is the key's owner, readable by everybody."""
    assert server.get("user").json()["role"] == "administrator"
    assert server.get("user", key=server.account.api_key("scheduler")).json()["role"] == "scheduler"


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("scheduler", "patients", 200),
        ("scheduler", "invoices", 403),
        ("scheduler", "treatment_notes", 403),
        ("receptionist", "invoices", 200),
        ("receptionist", "medical_alerts", 403),
        ("practitioner", "treatment_notes", 200),
        ("practitioner", "users", 403),
        ("practitioner", "settings", 403),
        ("scheduler", "settings/public", 200),
        ("power receptionist", "settings", 200),
        ("bookkeeper", "individual_appointments", 403),
        ("administrator", "users", 200),
    ],
)
def test_a_role_reads_what_the_web_app_shows_it(
    server: ClinikoServer, role: str, path: str, status: int
) -> None:
    """What a role may not read answers 403 with an empty body."""
    answer = server.get(path, key=server.account.api_key(role))
    assert answer.status_code == status
    assert status == 200 or answer.content == b""


def test_the_budget_is_a_sliding_minute() -> None:
    """Over the limit the answer is 429 with the second at which a request is free again."""
    with ClinikoServer(patients=0, requests_per_minute=5) as server:
        answers = [server.get("user") for _ in range(7)]
        assert [answer.status_code for answer in answers] == [200] * 5 + [429] * 2
        reset = int(answers[-1].headers["X-RateLimit-Reset"])
        assert 55 <= reset - server.control.requests[0].at <= 62
        server.control.advance(61)
        assert server.get("user").status_code == 200


def test_a_user_agent_without_an_address_is_noted_and_refused_on_request() -> None:
    """The API wants NAME (EMAIL); what it does without is unknown, so refusing is a switch."""
    with ClinikoServer(patients=0, require_user_agent=403) as server:
        assert server.get("user").status_code == 200
        server.session.headers["User-Agent"] = "python"
        assert server.get("user").status_code == 403
        assert [one["kind"] for one in server.control.violations] == ["user_agent"]


def test_writing_is_a_violation(server: ClinikoServer) -> None:
    """Nothing may ever be written to Cliniko."""
    answer = requests.post(
        f"{server.origin}/v1/patients",
        json={},
        auth=(server.key, ""),
        headers={"User-Agent": "t (a@example.org)"},
        timeout=10,
    )
    assert answer.status_code == 405
    assert server.control.violations[-1]["kind"] == "write_to_cliniko"


@pytest.mark.parametrize("resource", LISTS)
def test_every_list_holds_the_account(server: ClinikoServer, resource: str) -> None:
    """With the hidden rows revealed a list holds exactly the rows of the account, each readable alone."""
    if resource == "practitioners":
        held = server.rows("practitioners") + server.rows("practitioners/inactive")
    else:
        held = server.every(resource)
    assert {one["id"] for one in held} == set(server.account.tables[resource])
    one = held[0]
    reveal = [f"{column}:*" for column in RESOURCES[resource].hidden]
    assert server.get(f"{resource}/{one['id']}", *reveal).json() == one


@pytest.mark.parametrize("resource", LISTS)
def test_hidden_rows_are_left_out(server: ClinikoServer, resource: str) -> None:
    """A list without filters shows no archived, cancelled or deleted row, and alone they answer 404."""
    columns = RESOURCES[resource].hidden
    total = server.get(resource, per_page=1).json()["total_entries"]
    rows = server.account.tables[resource].rows()
    hidden = [row for row in rows if any(column in row for column in columns)]
    if resource != "practitioners":
        assert total == len(rows) - len(hidden)
    if hidden:
        assert server.get(f"{resource}/{hidden[0]['id']}").status_code == 404
    else:
        assert columns == ()


def test_pages_are_linked_and_counted(server: ClinikoServer) -> None:
    """Following `next` from the first page reads every row once; the ends lack a link."""
    first = server.get("attendees", "cancelled_at:*", per_page=30, sort="id").json()
    assert set(first["links"]) == {"self", "next"}
    seen, url = [one["id"] for one in first["attendees"]], first["links"]["next"]
    body: dict[str, Any] = {}
    while url:
        assert urlsplit(url).netloc == urlsplit(server.origin).netloc
        assert parse_qs(urlsplit(url).query)["q[]"] == ["cancelled_at:*"]
        body = server.session.get(url, auth=(server.key, ""), timeout=10).json()
        seen += [one["id"] for one in body["attendees"]]
        url = body["links"].get("next")
    assert set(body["links"]) == {"self", "previous"}
    assert len(seen) == len(set(seen)) == first["total_entries"] > 100


def test_page_sizes_are_kept_within_bounds(server: ClinikoServer) -> None:
    """Fifty by default, a hundred at most, nothing past the end."""
    assert len(server.get("attendees").json()["attendees"]) == 50
    assert len(server.get("attendees", per_page=1000).json()["attendees"]) == 100
    assert server.rows("attendees", page=99) == []


def test_lists_sort_by_columns(server: ClinikoServer) -> None:
    """Ids sort as numbers, further columns break ties, and the default is the order of creation."""
    by_id = [int(one["id"]) for one in server.rows("patients", sort="id:desc")]
    assert by_id == sorted(by_id, reverse=True)
    assert min(by_id) < 10**9 < 10**17 < max(by_id)
    by_name = [
        (one["last_name"].casefold(), int(one["id"])) for one in server.rows("patients", sort="last_name,id")
    ]
    assert by_name == sorted(by_name)
    created = [one["created_at"] for one in server.rows("patients")]
    assert created == sorted(created)


@pytest.mark.parametrize("sort", ["-id", "nonsense", "id:up", "medical_alerts"])
def test_an_unknown_sort_is_refused(server: ClinikoServer, sort: str) -> None:
    """A leading minus and what is no column answer 400 with a message."""
    answer = server.get("patients", sort=sort)
    assert (answer.status_code, answer.json()) == (
        400,
        {"message": "Sort parameter must be a valid column name"},
    )


def test_sorting_by_id_can_be_refused_or_ignored() -> None:
    """Nobody has seen `sort=id` at work, so a client must live without it."""
    with ClinikoServer(sort_by_id="refuse") as server:
        assert server.get("patients", sort="id:asc").status_code == 400
    with ClinikoServer(sort_by_id="ignore") as server:
        created = [one["created_at"] for one in server.rows("patients", sort="id:desc")]
        assert created == sorted(created)


def test_equal_sort_keys_have_no_order_of_their_own() -> None:
    """Rows with equal seconds change places when the table changes, as a database may do."""
    with ClinikoServer() as server:
        imported = [
            one
            for one in server.rows("patients")
            if one["created_at"] == server.rows("patients")[0]["created_at"]
        ]
        server.account.update("patients", imported[0]["id"], {"notes": "changed"})
        before = [[one["id"] for one in server.rows("patients", sort="country_code")]]
        for number in range(5):
            server.account.update("patients", imported[0]["id"], {"notes": f"changed {number}"})
            before.append([one["id"] for one in server.rows("patients", sort="country_code")])
        assert len({tuple(order) for order in before}) > 1
        assert len({tuple(sorted(order)) for order in before}) == 1


def test_a_relation_without_target_is_missing(server: ClinikoServer) -> None:
    """A link is a key with a URL that ends in the id, and no key at all when there is nothing to link."""
    tables = server.account.tables
    for record in server.every("individual_appointments"):
        row = tables["individual_appointments"][record["id"]]
        assert urlsplit(record["patient"]["links"]["self"]).path.endswith(f"/patients/{row['patient_id']}")
        assert ("patient_case" in record) == ("patient_case_id" in row)
        assert "repeated_from" not in record
        assert record["repeat_rule"] == {}


def test_some_links_are_spelt_differently(server: ClinikoServer) -> None:
    """Relation links name other hosts and an internal path, as documented samples do; page links never."""
    links = {one["patient"]["links"]["self"] for one in server.every("attendees")}
    hosts = {urlsplit(link).netloc for link in links}
    assert hosts == {urlsplit(server.origin).netloc, "api.cliniko.com"}
    assert any("/v1/internal/" in link for link in links)
    assert any(link.endswith("?page=1") for link in links)


def test_practitioners_are_two_lists(server: ClinikoServer) -> None:
    """The inactive ones stand in a list of their own; alone each is readable."""
    active, inactive = server.rows("practitioners"), server.rows("practitioners/inactive")
    assert {one["active"] for one in active} == {True}
    assert {one["active"] for one in inactive} == {False}
    assert server.get(f"practitioners/{inactive[0]['id']}").status_code == 200
    kind = server.rows("appointment_types")[0]["id"]
    offering = {one["id"] for one in server.rows(f"appointment_types/{kind}/practitioners")}
    assert offering <= {one["id"] for one in active}
    assert offering


def test_a_booking_link_resolves_in_any_of_three(server: ClinikoServer) -> None:
    """`/bookings/{id}` answers with the individual appointment, the group or the block of that id."""
    for kind in ("individual_appointments", "group_appointments", "unavailable_blocks"):
        record = server.rows(kind)[0]
        assert server.get(f"bookings/{record['id']}").json() == record
    assert server.rows("bookings", "did_not_arrive:=true")


def test_an_invoice_names_its_appointment_by_the_old_path(server: ClinikoServer) -> None:
    """The link reads /appointments/{id}; the id is the individual appointment's."""
    links = [one["appointment"]["links"]["self"] for one in server.every("invoices") if "appointment" in one]
    path = urlsplit(links[0]).path
    assert path.startswith("/v1/appointments/")
    number = path.rpartition("/")[2]
    hidden = ("archived_at:*", "cancelled_at:*", "deleted_at:*")
    assert server.get(f"appointments/{number}", *hidden).json()["id"] == number


def test_what_hangs_below_a_record_is_listed_there(server: ClinikoServer) -> None:
    """Nested lists hold the parent's rows; an unknown parent answers 404."""
    note = next(one for one in server.every("treatment_notes") if one["archived_at"] is None)
    patient = note["patient"]["links"]["self"].partition("?")[0].rpartition("/")[2]
    below = server.rows(f"patients/{patient}/treatment_notes")
    assert {one["id"] for one in below} == {
        one["id"] for one in server.rows("treatment_notes", f"patient_id:={patient}")
    }
    assert server.get("patients/1/treatment_notes").status_code == 404
    assert server.get(
        f"individual_appointments/{server.rows('individual_appointments')[0]['id']}/conflicts"
    ).json() == {"conflicts": {"exist": False}}


def test_who_offers_what_comes_in_pages(server: ClinikoServer) -> None:
    """Services have no ids and no filters, but pages like any other list."""
    whole = server.get("services", per_page=100).json()
    second = server.get("services", per_page=2, page=2).json()
    assert second["services"] == whole["services"][2:4]
    assert second["total_entries"] == whole["total_entries"]
    assert {"next", "previous"} <= second["links"].keys()


def test_signatures_are_found_only_through_their_form(server: ClinikoServer) -> None:
    """There is no list of signatures; a form links its own."""
    form = next(one for one in server.every("patient_forms") if "signatures" in one)
    path = urlsplit(form["signatures"]["links"]["self"]).path.removeprefix("/v1/")
    assert server.get(path).json()["image"].startswith("data:image/svg+xml;base64,")
    other = next(one for one in server.every("patient_forms") if "signatures" not in one)
    assert server.get(f"patient_forms/{other['id']}/signatures/{path.rpartition('/')[2]}").status_code == 404
    assert server.get("signatures").status_code == 404


def test_unknown_paths_and_old_ones_are_not_found(server: ClinikoServer) -> None:
    """What is no resource, no longer documented, or computed for online booking answers 404."""
    business, who = server.rows("businesses")[0]["id"], server.rows("practitioners")[0]["id"]
    kind = server.rows("appointment_types")[0]["id"]
    times = f"businesses/{business}/practitioners/{who}/appointment_types/{kind}/available_times"
    for path in ("payments", "patients/abc", "patients/archived", "appointments", "recalls", times):
        answer = server.get(path)
        assert (answer.status_code, answer.json()["status"]) == (404, "404"), path


def test_old_paths_can_be_switched_on() -> None:
    """The older documents' paths by state and the legacy appointments answer when a test wants them."""
    with ClinikoServer(legacy_paths=True, recalls=True) as server:
        assert {bool(one["archived_at"]) for one in server.rows("patients/archived")} == {True}
        assert {bool(one["cancelled_at"]) for one in server.rows("individual_appointments/cancelled")} == {
            True
        }
        assert server.get("invoices/deleted", "updated_at:>2020-01-01T00:00:00Z").status_code == 400
        assert server.get("appointments").json()["appointments"]
        assert server.rows("recalls")


def test_unknown_fields_can_be_mixed_in() -> None:
    """A later version of the API may send more than any document says."""
    with ClinikoServer(extra_fields=True) as server:
        record = server.rows("patients")[0]
        assert {"sandbox_unknown_text", "sandbox_unknown_tree"} <= set(record)


def test_settings_hide_the_owner_from_the_public(server: ClinikoServer) -> None:
    """Both describe the custom fields; the owner's name and address are only in the full settings."""
    full, public = server.get("settings").json(), server.get("settings/public").json()
    assert full["patient_custom_fields_definition"] == public["patient_custom_fields_definition"]
    assert "email_from" in full["account"]
    assert "email_from" not in public["account"]


def test_rows_can_be_hidden_by_role_without_a_word() -> None:
    """Below administrator, confidential memos and drafts may be missing without any 403."""
    with ClinikoServer(patients=80, hide_rows_by_role=True, role="practitioner") as server:
        drafts = [row for row in server.account.tables["treatment_notes"].rows() if row.get("draft")]
        assert drafts
        assert not [one for one in server.every("treatment_notes") if one["draft"]]


def test_derived_fields_may_lag() -> None:
    """The state of an appointment's invoice is shown late when answers come from a cache."""
    with ClinikoServer(stale_seconds=30) as server:
        row = server.account.tables["individual_appointments"].rows()[0]
        server.account.update("individual_appointments", row["id"], {"invoice_status": 40, "notes": "new"})
        path, reveal = (
            f"individual_appointments/{row['id']}",
            ("archived_at:*", "cancelled_at:*", "deleted_at:*"),
        )
        shown = server.get(path, *reveal).json()
        assert (shown["notes"], shown["invoice_status"]) != ("new", 40)
        server.control.advance(31)
        assert server.get(path, *reveal).json()["invoice_status"] == 40


def test_long_lists_are_read_by_id() -> None:
    """Ten thousand rows by id: each page begins behind the one before."""
    account = build_clinic(1, 0, NOW)
    fill_patients(account, 10_000, first_created=NOW - timedelta(days=300))
    with ClinikoServer(account) as server:
        filters = ("archived_at:*", "updated_at:>=2020-01-01T00:00:00Z", "updated_at:<2030-01-01T00:00:00Z")
        ids = list(account.tables["patients"])
        for number in range(0, 9_000, 1000):
            page = server.rows("patients", *filters, f"id:>{ids[number]}", sort="id:asc")
            assert [one["id"] for one in page] == ids[number + 1 : number + 101]
