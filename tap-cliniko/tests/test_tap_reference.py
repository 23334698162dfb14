"""The document on what has to be rebuilt by hand."""

from __future__ import annotations

import json
import stat
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema
import pytest
from tap_runs import client_for

from sandbox import Sandbox
from tap_cliniko import tools
from tap_cliniko.document import as_html, as_markdown
from tap_cliniko.rebuild.parts import Section, Table
from tap_cliniko.rebuild.reference import reference
from tap_cliniko.rebuild.sections import sections
from tap_cliniko.timestamps import from_epoch

if TYPE_CHECKING:
    from sandbox.cliniko.account import Account

SCHEMA = Path(__file__).resolve().parents[2] / "docs" / "rebuild-reference.schema.json"


def reference_of(sandbox: Sandbox) -> dict[str, Any]:
    """Read the reference of a clinic; its JSON is what the schema promises."""
    client = client_for(sandbox)
    found = reference(client, from_epoch(client.now()))
    client.close()
    jsonschema.validate(json.loads(json.dumps(found)), json.loads(SCHEMA.read_text()))
    return found


def sections_of(sandbox: Sandbox) -> dict[str, Section]:
    """Write the document of a clinic."""
    return {each.title: each for each in sections(reference_of(sandbox))}


def test_it_names_everything_that_must_be_built_again(quiet_clinic: Sandbox) -> None:
    """Every type, template, field, price and user of the account is in its table."""
    sections, tables = sections_of(quiet_clinic), quiet_clinic.cliniko.account.tables

    def column(title: str, place: int = 0) -> set[str]:
        return {row[place] for row in sections[title].tables[0].rows}

    assert column("Appointment types") == {row["name"] for row in tables["appointment_types"].rows()}
    assert len(sections["Concession prices"].tables[0].rows) == len(tables["concession_prices"])
    assert column("Users and roles", 1) == {row["email"] for row in tables["users"].rows()}
    assert len(sections["Weekly availability"].tables[0].rows) == len(tables["daily_availabilities"])
    counted = sum(int(row[3]) for row in sections["Messages sent so far"].tables[0].rows)
    assert counted == len(tables["communications"])
    for title in ("Treatment note templates", "Patient form templates", "Patient custom fields"):
        assert sections[title].tables[0].rows, title
    assert sections["Online booking, payment, reminders"].tables[0].rows
    assert "Not readable with this key" not in sections


def test_what_the_key_may_not_read_is_said() -> None:
    """A receptionist's document names the lists that are missing in it."""
    with Sandbox(seed=3, patients=10, cliniko={"requests_per_minute": 0, "role": "receptionist"}) as sandbox:
        refused = sections_of(sandbox)["Not readable with this key"]
        assert ("users",) in refused.tables[0].rows


def test_the_command_writes_every_form_for_their_owner_only(
    quiet_clinic: Sandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As Meltano starts it: settings from the environment, files below the project's data folder."""
    monkeypatch.setenv("TAP_CLINIKO_API_KEY", quiet_clinic.cliniko.api_key)
    monkeypatch.setenv("TAP_CLINIKO_API_URL", quiet_clinic.cliniko.url)
    monkeypatch.setenv("TAP_CLINIKO_CONTACT_EMAIL", "data@example.org")
    monkeypatch.setenv("MELTANO_PROJECT_ROOT", str(tmp_path))
    monkeypatch.setenv("MELTANO_ENVIRONMENT", "sandbox")
    tools.main(["rebuild-reference"])
    folder = tmp_path / "data" / "sandbox" / "reports"
    forms = {f"rebuild-reference.{ending}" for ending in ("html", "md", "json")}
    assert {path.name for path in folder.iterdir()} == forms
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    told = capsys.readouterr()
    assert str(folder / "rebuild-reference.html") in told.out
    assert told.err.splitlines()[-1].startswith("tap-cliniko: the reference for rebuilding is written")
    assert told.err.endswith(" (exit 0)\n")
    _Balanced().feed((folder / "rebuild-reference.html").read_text())
    assert json.loads((folder / "rebuild-reference.json").read_text())["automations"]


def test_a_command_without_settings_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 2."""
    with pytest.raises(SystemExit) as caught:
        tools.main(["rebuild-reference"])
    assert caught.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert last.startswith("tap-cliniko: ")
    assert "TAP_CLINIKO_API_KEY" in last
    assert last.endswith("(exit 2)")


def test_a_command_whose_file_cannot_be_read_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 2, as the tap does."""
    with pytest.raises(SystemExit) as caught:
        tools.main(["rebuild-reference", "--config", "/nowhere/config.json"])
    assert caught.value.code == 2
    assert "--config" in capsys.readouterr().err


def test_names_cannot_break_the_document() -> None:
    """What a clinic typed is text, in both forms."""
    odd = Section("A & B", "how", [Table(("name",), [('<script>alert("x")</script> | pipe\nline',)])])
    page, text = as_html("T", [odd]), as_markdown("T", [odd])
    assert "<script>" not in page
    assert "<script>" not in text
    assert r"\| pipe line" in text
    assert "Nothing of this kind" in as_markdown("T", [Section("empty", "how", [Table(("a",), [])])])


class _Balanced(HTMLParser):
    """Fails on a tag that is closed in the wrong place."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Remember what is open."""
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        """Close the innermost."""
        assert self.open.pop() == tag


def test_a_week_is_in_the_order_of_its_days(quiet_clinic: Sandbox) -> None:
    """Whoever copies opening hours goes from Monday to Sunday."""
    section = sections_of(quiet_clinic)["Weekly availability"]
    week = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    days = defaultdict[tuple[str, ...], list[str]](list)
    for row in section.tables[0].rows:
        days[tuple(row[:2])].append(row[2])
    assert any(len(each) > 3 for each in days.values())
    assert all(each == [day for day in week if day in each] for each in days.values())


def test_who_offers_what_where_with_prices_hours_and_numbers(quiet_clinic: Sandbox) -> None:
    """What the account holds of each practitioner and each service is in the reference."""
    found, tables = reference_of(quiet_clinic), quiet_clinic.cliniko.account.tables
    offered = {
        (place["location"], service["id"], one)
        for service in found["services"]
        for place in service["offered"]
        for one in place["practitioner_ids"]
    }
    assert offered == {
        (tables["businesses"][each["business_id"]]["label"], each["appointment_type_id"], one)
        for each in quiet_clinic.cliniko.account.services
        for one in each["practitioner_ids"]
    }
    assert sum(len(each["provider_numbers"]) for each in found["practitioners"]) == len(
        tables["practitioner_reference_numbers"]
    )
    prices = {each["id"]: each["price"] for each in found["prices"]}
    assert prices == {row["id"]: row["price"] for row in tables["billable_items"].rows()}
    of_type = {
        (row["appointment_type_id"], tables["billable_items"][row["billable_item_id"]]["price"])
        for row in tables["appointment_type_billable_items"].rows()
    }
    charged = {(each["id"], one["price"]) for each in found["services"] for one in each["charges"]}
    assert of_type <= charged
    lower = [one for each in found["services"] for charge in each["charges"] for one in charge["concessions"]]
    assert {"concession": "Pensioner", "price": "70.00"} in lower
    now = found["written_at"]
    coming = [
        row
        for row in tables["unavailable_blocks"].rows()
        if row["ends_at"] >= now and not row.get("archived_at") and not row.get("deleted_at")
    ]
    assert coming
    assert sum(len(each["absences"]) for each in found["practitioners"]) == len(coming)
    assert "Dentist" not in json.dumps(found)  # what was noted on an absence concerns nobody
    asked = [each for template in found["form_templates"] for each in template["questions"]]
    assert {each["build_as"] for each in asked} >= {"Multi line", "Radio", "Signature"}


def write(account: Account, code: int, category: str, kind: int, **row: Any) -> None:
    """Add a message that was sent."""
    channel = {1: "SMS", 2: "Email"}[kind]
    account.insert(
        "communications",
        {
            "category": category,
            "category_code": code,
            "type": channel,
            "type_code": kind,
            "direction_code": 1,
            "direction_description": "Sent",
            **row,
        },
    )


def test_recipes_say_when_messages_really_went_out() -> None:
    """Waits are measured from what was sent; a specimen holds the clinic's words and nobody's name."""
    with Sandbox(seed=5, patients=40, cliniko={"requests_per_minute": 0, "recalls": True}) as sandbox:
        account = sandbox.cliniko.account
        tables = account.tables
        for identity in list(tables["communications"]):
            tables["communications"].remove(identity)
        now = datetime.now(UTC)
        for booking in tables["individual_appointments"].rows():
            if booking["ends_at"] > f"{now - timedelta(days=1):%Y-%m-%dT%H:%M:%SZ}":
                continue  # its messages would lie in the future
            starts, ends = (datetime.fromisoformat(booking[name]) for name in ("starts_at", "ends_at"))
            patient = tables["patients"][booking["patient_id"]]
            common = {"patient_id": patient["id"], "booking_id": booking["id"]}
            text = (
                f"Hi {patient['first_name']}, see you on {starts:%A} at {starts:%H:%M}. Code Q{patient['id']}"
            )
            for days in (7, 2):
                at = f"{starts - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}"
                write(account, 1, "Appointment Reminder", 1, content=text, created_at=at, **common)
            at = f"{ends + timedelta(hours=3):%Y-%m-%dT%H:%M:%SZ}"
            write(
                account,
                48,
                "Appointment Follow Up Message",
                2,
                content="<p>How are you?</p>",
                created_at=at,
                **common,
            )
        for recall in tables["recalls"].rows():
            account.update("recalls", recall["id"], {"recall_at": f"{now + timedelta(days=10):%Y-%m-%d}"})
            at = f"{now - timedelta(days=4):%Y-%m-%dT%H:%M:%SZ}"
            write(
                account,
                7,
                "SMS Message",
                1,
                content="Time to come",
                created_at=at,
                patient_id=recall["patient_id"],
            )
        found = reference_of(sandbox)
        names = {row["first_name"].casefold() for row in tables["patients"].rows() if row["first_name"]}
    recipes = {each["key"]: each for each in found["automations"]}
    waits = {key: [wait["words"] for wait in each["waits"]] for key, each in recipes.items()}
    assert waits["appointment_reminder"] == ["7 days before the appointment", "2 days before the appointment"]
    assert waits["follow_up"] == ["3 hours after the end of the appointment"]
    assert waits["recall"] == ["14 days before the due date of the recall"]
    shown = recipes["appointment_reminder"]["specimen"]["text"]
    assert shown == "Hi {{contact.first_name}}, see you on [date] at [time]. Code [number]"
    assert recipes["follow_up"]["specimen"]["text"] == "How are you?"
    assert {"patient_form", "online_booking"} <= recipes.keys()
    assert recipes["patient_form"]["specimen_missing"]
    words = {word.strip(".,!?").casefold() for each in recipes.values() for word in json.dumps(each).split()}
    assert not names & words
