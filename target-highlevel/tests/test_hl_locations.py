"""Clinics that run their businesses apart: one run feeds every sub-account, each with what belongs to it."""

from __future__ import annotations

import io
import json
import random
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import after_state, tap_lines

from sandbox.highlevel.oracle import doubles, sources
from target_highlevel.descriptor import Incoming, stream_spec
from target_highlevel.endings import Ended, together
from target_highlevel.engine.state import StateOutput
from target_highlevel.errors import CredentialsRefused
from target_highlevel.routing import Routing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hl_loading import Clinic, Loaded, Loader

    from sandbox.cliniko.account import Account

INVOICES, ITEMS = "custom_objects.cliniko_invoice", "custom_objects.cliniko_invoice_line_item"
PROFILES = "custom_objects.cliniko_patient_profile"


@dataclass
class Divided:
    """A clinic whose second and third business have sub-accounts of their own."""

    loader: Loader

    @property
    def tables(self) -> Any:
        """What Cliniko holds."""
        return self.loader.sandbox.cliniko.account.tables

    @property
    def places(self) -> list[str]:
        """The sub-accounts, the main one first."""
        return list(self.loader.sandbox.highlevel.state.accounts)

    @property
    def locations(self) -> dict[str, str]:
        """The sub-account of each business that has its own."""
        return dict(zip(list(self.tables["businesses"])[1:3], self.places[1:], strict=True))

    def settings(self) -> dict[str, str]:
        """The settings that divide the clinic."""
        tokens = self.loader.sandbox.highlevel.state.location_tokens
        own = {place: tokens[place].value for place in self.places[1:]}
        return {"LOCATIONS": json.dumps(self.locations), "ACCESS_TOKENS": json.dumps(own)}

    def load(self, lines: list[str], **more: str) -> Loaded:
        """Load into all of them."""
        return self.loader.load(lines, **{**self.settings(), **more})

    def sources(self) -> dict[str, dict[str, set[str]]]:
        """The source ids in each sub-account, by kind of object."""
        accounts = self.loader.sandbox.highlevel.state.accounts
        return {
            place: defaultdict(set, {kind: set(found) for kind, found in sources(account).items()})
            for place, account in accounts.items()
        }

    def place_of(self, business: str | None) -> str:
        """The sub-account of a business."""
        return self.locations.get(str(business), self.places[0])

    def expected(self) -> dict[str, dict[str, str]]:
        """Where each booking, invoice and item belongs, read off Cliniko's tables."""
        tables = self.tables
        group = {row["id"]: row["business_id"] for row in tables["group_appointments"].rows()}
        bookings = {
            f"individual_appointments/{row['id']}": self.place_of(row["business_id"])
            for row in tables["individual_appointments"].rows()
        }
        bookings |= {
            f"attendees/{row['id']}": self.place_of(group[row["booking_id"]])
            for row in tables["attendees"].rows()
            if row.get("booking_id") in group
        }
        invoices = {row["id"]: self.place_of(row["business_id"]) for row in tables["invoices"].rows()}
        items = {
            f"invoice_items/{row['id']}": invoices[row["invoice_id"]]
            for row in tables["invoice_items"].rows()
        }
        return {
            "tasks": bookings,
            INVOICES: {f"invoices/{key}": at for key, at in invoices.items()},
            ITEMS: items,
        }

    def check(self) -> None:
        """Make sure that everything is where it belongs, once, and every patient wherever they have anything."""
        found, expected = self.sources(), self.expected()
        for account in self.loader.sandbox.highlevel.state.accounts.values():
            assert not set(doubles(account)) - {"files"}  # a file stays with a patient who was merged, too
        patients: defaultdict[str, set[str]] = defaultdict(set)
        for kind, belongs in expected.items():
            for place in self.places:
                wrong = {source for source in found[place][kind] if belongs.get(source, place) != place}
                assert not wrong, (kind, place, wrong)
        for resource in ("individual_appointments", "invoices", "patient_forms"):
            for row in self.tables[resource].rows():
                if row.get("patient_id") and (resource != "patient_forms" or row.get("completed_at")):
                    patients[f"patients/{row['patient_id']}"].add(self.place_of(row.get("business_id")))
        for source in {source for place in self.places for source in found[place]["contacts"]}:
            if not source.startswith("patients/"):
                assert all(source in found[place]["contacts"] for place in self.places), source
            else:
                for place in patients[source] or {self.places[0]}:
                    assert source in found[place]["contacts"], (source, place)
                    assert source in found[place][PROFILES], (source, place)

    def reports(self) -> dict[str, dict[str, Any]]:
        """The newest report of each sub-account."""
        read = [
            json.loads(path.read_text())
            for path in sorted((self.loader.folder / "reports").glob("*/report.json"))
        ]
        return {report["location_id"]: report for report in read}


def change(account: Account, rng: random.Random) -> None:
    """Make 57 changes: bookings, a class and invoices move; others are edited, cancelled, archived or new."""
    tables = account.tables
    businesses, patients = list(tables["businesses"])[:3], list(tables["patients"])
    for resource, number in (("individual_appointments", 12), ("group_appointments", 2), ("invoices", 12)):
        for key in rng.sample(list(tables[resource]), number):
            account.update(resource, key, {"business_id": rng.choice(businesses)})
    for resource in ("patients", "treatment_notes", "invoices"):
        for key in rng.sample(list(tables[resource]), 4):
            account.update(
                resource, key, {"title" if resource == "treatment_notes" else "notes": f"{rng.random()}"}
            )
    for key in rng.sample(list(tables["individual_appointments"]), 5):
        if "cancelled_at" not in tables["individual_appointments"][key]:
            account.cancel("individual_appointments", key, reason=30)
    for key in rng.sample(list(tables["invoice_items"]), 4):
        account.update("invoice_items", key, {"name": f"Item {rng.random()}"})
    for number in range(4):
        account.insert("patients", {"first_name": "New", "last_name": f"Patient {rng.random()}"})
        account.insert("medical_alerts", {"name": f"Alert {number}", "patient_id": rng.choice(patients)})
    for _ in range(2):
        row = {"patient_id": rng.choice(patients), "business_id": rng.choice(businesses)}
        times = {"starts_at": "2027-03-01T00:00:00Z", "ends_at": "2027-03-01T00:30:00Z"}
        account.insert("individual_appointments", {**row, **times})


@pytest.fixture
def divided(highlevel: Callable[..., Loader]) -> Divided:
    """A clinic of five patients, and three empty sub-accounts."""
    return Divided(highlevel(extra_locations=2))


def left_out(report: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Return how many records of each kind a run has looked at, and how many of them it left out."""
    return {row["label"]: (row["source"], row["filtered"]) for row in report["objects"]}


def test_each_sub_account_gets_what_is_its_own(small_clinic: Clinic, divided: Divided) -> None:
    """One run loads all; together they hold what one sub-account would, and nothing costs a request again."""
    loaded = divided.load(small_clinic.lines, ACCEPT_REJECTS="true")
    assert loaded.code == 0, loaded.log[-2000:]
    divided.check()
    found = divided.sources()
    for kind, whole in small_clinic.sources.items():
        assert set().union(*(found[place][kind] for place in divided.places)) == set(whole), kind
    counts = {}
    for place, report in divided.reports().items():
        assert report["closes_to_zero"]
        assert not report["totals"]["held"]
        counts[place] = left_out(report)

    checked = divided.load(small_clinic.lines, MODE="verify", ACCEPT_REJECTS="true")
    assert checked.code == 0, checked.log[-2000:]
    assert [report["verification"]["closes_to_zero"] for report in divided.reports().values()] == [True] * 3
    assert {place: left_out(report) for place, report in divided.reports().items()} == counts
    before = len(divided.loader.sandbox.highlevel.control.requests)
    assert divided.load(small_clinic.lines, ACCEPT_REJECTS="true").code == 0
    assert len(divided.loader.sandbox.highlevel.control.requests) == before


def test_each_change_goes_where_it_belongs(divided: Divided) -> None:
    """After deltas with bookings, a class and invoices that moved every sub-account holds its own, and verifies."""
    loader, folder = divided.loader, divided.loader.folder / "tap"
    folder.mkdir()
    account = loader.sandbox.cliniko.account
    loaded = divided.load(tap_lines(loader.sandbox, folder), ACCEPT_REJECTS="true")
    assert loaded.code == 0, loaded.log[-2000:]
    divided.check()

    rng = random.Random(57)  # noqa: S311 - a test's
    for _ in range(2):
        change(account, rng)
        time.sleep(1.1)  # the tap reads up to the second before this one
        delta = tap_lines(loader.sandbox, folder, loaded.states[-1])
        loaded = divided.load(delta, ACCEPT_REJECTS="true")
        assert loaded.code == 0, loaded.log[-2000:]
        divided.check()

    whole = tap_lines(loader.sandbox, folder)
    checked = divided.load(whole, MODE="verify", ACCEPT_REJECTS="true")
    assert checked.code == 0, checked.log[-2000:]
    assert {report["verification"]["missing"] for report in divided.reports().values()} == {0}


@pytest.mark.soak
def test_a_business_is_given_a_sub_account_later(small_clinic: Clinic, divided: Divided) -> None:
    """A full read moves what is now another sub-account's; without one the run says that it needs it."""
    loader = divided.loader
    before = loader.load(small_clinic.lines, ACCEPT_REJECTS="true")
    assert before.code == 0, before.log[-2000:]
    resumed = [json.dumps({"type": "STATE", "value": json.loads(before.states[-1])}), *small_clinic.lines]
    refused = divided.load(resumed)
    assert refused.code == 2, refused.log[-2000:]
    assert "--full-refresh" in refused.log.splitlines()[-1]
    moved = divided.load(small_clinic.lines, ACCEPT_REJECTS="true")
    assert moved.code == 0, moved.log[-2000:]
    divided.check()
    checked = divided.load(small_clinic.lines, MODE="verify", ACCEPT_REJECTS="true")
    assert checked.code == 0, checked.log[-2000:]


@pytest.mark.soak
def test_what_ends_one_sub_account_ends_no_other(small_clinic: Clinic, divided: Divided) -> None:
    """The others are loaded, the last line names the one, and no bookmark passes what it has not got."""
    broken = json.loads(divided.settings()["ACCESS_TOKENS"]) | {divided.places[2]: "pit-revoked"}
    loaded = divided.load(small_clinic.lines, ACCEPT_REJECTS="true", ACCESS_TOKENS=json.dumps(broken))
    assert loaded.code == CredentialsRefused.exit_code, loaded.log[-2000:]
    line = loaded.log.splitlines()[-1]
    assert f"sub-account {divided.places[2]}: credentials refused" in line
    assert "is in HighLevel" in line
    found = divided.sources()
    assert found[divided.places[0]]["contacts"]
    assert found[divided.places[1]][INVOICES]
    assert not found[divided.places[2]]["contacts"]
    read = [json.loads(state) for state in loaded.states]
    assert all(
        not any("replication_key_value" in each for each in state["bookmarks"].values()) for state in read
    )
    again = divided.load(small_clinic.lines, ACCEPT_REJECTS="true")
    assert again.code == 0, again.log[-2000:]
    divided.check()


@pytest.mark.parametrize("crash", ["after_send:25", "after_state:2"])
def test_a_kill_doubles_nothing_in_any(tiny_clinic: Clinic, divided: Divided, crash: str) -> None:
    """The next run goes on in each where it was."""
    killed = divided.load(tiny_clinic.lines, CRASH_AT=crash, ACCEPT_REJECTS="true")
    assert killed.code not in {0, 4}
    resumed = after_state(tiny_clinic.lines, killed.states[-1] if killed.states else None)
    assert divided.load(resumed, ACCEPT_REJECTS="true").code == 0
    found = divided.sources()
    for account in divided.loader.sandbox.highlevel.state.accounts.values():
        assert doubles(account) == {}
    for kind, whole in tiny_clinic.sources.items():
        assert set().union(*(found[place][kind] for place in divided.places)) == set(whole), kind


def test_a_sub_account_without_a_token_is_named(divided: Divided) -> None:
    """A business whose records could go nowhere stops the run before anything is read."""
    refused = divided.load([], ACCESS_TOKENS="{}")
    assert refused.code == 2
    assert f"TARGET_HIGHLEVEL_ACCESS_TOKENS has no token for sub-account {divided.places[1]}" in refused.log


def test_the_commands_work_on_each_sub_account(tiny_clinic: Clinic, divided: Divided) -> None:
    """Plan, approve, go-live and the lists speak of every sub-account; a rollback undoes what one run did in all."""

    def tool(*arguments: str) -> tuple[int, list[str], str]:
        done = divided.loader.tool(*arguments, **divided.settings(), ACCEPT_REJECTS="true")
        return done.returncode, done.stdout.splitlines(), done.stderr.splitlines()[-1]

    planned = divided.load(tiny_clinic.lines, MODE="plan")
    assert planned.code == 0, planned.log[-2000:]
    assert not any(found["contacts"] for found in divided.sources().values())
    code, _, line = tool("approve")
    assert code == 0
    assert all(f"sub-account {place}" in line for place in divided.places)
    loaded = divided.load(tiny_clinic.lines, ACCEPT_REJECTS="true", REQUIRE_APPROVED_PLAN="true")
    assert loaded.code == 0, loaded.log[-2000:]
    assert all(found[PROFILES] for found in divided.sources().values())
    assert divided.load(tiny_clinic.lines, MODE="verify", ACCEPT_REJECTS="true").code == 0
    code, shown, line = tool("go-live")
    assert code == 0, line
    assert [text for text in shown if text.startswith("Sub-account ")] == [
        f"Sub-account {place}" for place in divided.places
    ]
    code, listed, _ = tool("runs", "--json")
    told = [json.loads(text) for text in listed]
    assert {run["location"]: run["mode"] for run in told if run["mode"] == "load"} == dict.fromkeys(
        divided.places, "load"
    )
    code, shown, _ = tool(
        "report", "--run", next(run["id"] for run in told if run["location"] == divided.places[1])
    )
    assert (code, len(shown)) == (0, 1)

    code, _, line = tool("rollback", "--yes")
    assert code == 0, line
    assert line.count("is undone") == len(divided.places)
    assert not any(found["contacts"] or found["tasks"] for found in divided.sources().values())


def test_a_plan_names_a_business_that_is_none(tiny_clinic: Clinic, divided: Divided) -> None:
    """A slip in the setting would send its records to the main sub-account."""
    slip = json.dumps({"999": divided.places[1]})
    planned = divided.load(tiny_clinic.lines, MODE="plan", LOCATIONS=slip)
    assert planned.code == 0, planned.log[-2000:]
    found = divided.reports()[divided.places[0]]["plan"]["blockers"]
    assert [text for text in found if "names business 999" in text]


def test_a_load_refuses_a_business_that_is_none(tiny_clinic: Clinic, divided: Divided) -> None:
    """What stops a load in the plan stops it without a plan, too, before its first write."""
    slip = json.dumps({"999": divided.places[1]})
    loaded = divided.load(tiny_clinic.lines, LOCATIONS=slip)
    assert loaded.code == 2, loaded.log[-2000:]
    assert "names business 999, which the Cliniko account does not have" in loaded.log
    assert not any(found for place in divided.sources().values() for found in place.values())


# Without a process

SPEC = stream_spec(
    {
        "stream": "people",
        "schema": {
            "properties": {
                "source_id": {},
                "name": {"x-highlevel": {"field": "standard", "name": "firstName"}},
                "businesses": {"x-highlevel": {"field": "routing", "fold": "union"}},
            },
            "x-highlevel": {"object": "contact"},
        },
    }
)


@pytest.mark.parametrize(
    ("fields", "main", "own"),
    [
        ({}, True, True),
        ({"businesses": None}, True, True),
        ({"businesses": []}, True, False),
        ({"businesses": ["2"]}, False, True),
        ({"businesses": ["1"]}, True, False),
        ({"businesses": ["1", "2"]}, True, True),
    ],
)
def test_who_takes_a_record(fields: Mapping[str, Any], main: bool, own: bool) -> None:  # noqa: FBT001
    """By its businesses; what could have some and has none is the main one's, what knows of none everybody's."""
    assert SPEC
    taken = [Routing(here, "main", {"2": "own"}).takes(SPEC, fields) for here in ("main", "own")]
    assert taken == [main, own]
    assert Routing("main", "main").takes(SPEC, fields)


def test_a_contribution_counts_where_it_belongs_only() -> None:
    """Another sub-account learns of it, because the patient's place depends on it, and nothing else."""
    assert SPEC
    item = Incoming(SPEC, "patients/1", {"name": "x", "businesses": ["2"]}, part="invoices/7")
    assert Routing("own", "main", {"2": "own"}).share(item) == item
    assert Routing("main", "main", {"2": "own"}).share(item).fields == {"businesses": ["2"]}


def test_a_state_passes_when_all_have_settled_it() -> None:
    """The one that is behind decides, whichever that is."""
    said = io.StringIO()
    output = StateOutput(said)
    one, other = output.gate(), output.gate()
    first, second, third = (output.came({"at": number}) for number in (1, 2, 3))
    one(third)
    assert not said.getvalue()
    other(first)
    assert json.loads(said.getvalue().splitlines()[-1]) == {"at": 1}
    other(second)
    other(third)
    assert [json.loads(line)["at"] for line in said.getvalue().splitlines()] == [1, 2, 3]


def test_the_worst_end_is_the_run_s() -> None:
    """What needs a person comes first; what is alike is said once."""
    ended = together([Ended(0, location="a"), Ended(4, location="b"), Ended(0, location="c")])
    assert ended.code == 4
    assert ended.line.startswith("sub-account b: complete with rejects")
    assert ended.line.endswith("; sub-accounts a, c: complete: everything is in HighLevel")
    assert together([Ended(0, line="done", location="a")]) == Ended(0, line="done", location="a")
    assert "in each of 2" in together([Ended(0, location="a"), Ended(0, location="b")]).line
