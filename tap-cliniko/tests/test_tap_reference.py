"""The document on what has to be rebuilt by hand."""

from __future__ import annotations

import stat
from collections import defaultdict
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest
from tap_runs import client_for

from sandbox import Sandbox
from tap_cliniko import tools
from tap_cliniko.document import as_html, as_markdown
from tap_cliniko.rebuild import Reference, Section, Table

if TYPE_CHECKING:
    from pathlib import Path


def sections_of(sandbox: Sandbox) -> dict[str, Section]:
    """Write the document of a clinic."""
    client = client_for(sandbox)
    found = {each.title: each for each in Reference(client).sections()}
    client.close()
    return found


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


def test_the_command_writes_both_forms_for_their_owner_only(
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
    assert {path.name for path in folder.iterdir()} == {"rebuild-reference.html", "rebuild-reference.md"}
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in folder.iterdir())
    assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
    assert str(folder / "rebuild-reference.html") in capsys.readouterr().out
    _Balanced().feed((folder / "rebuild-reference.html").read_text())


def test_a_command_without_settings_says_which(capsys: pytest.CaptureFixture[str]) -> None:
    """One line and exit code 2."""
    with pytest.raises(SystemExit) as caught:
        tools.main(["rebuild-reference"])
    assert caught.value.code == 2
    assert "TAP_CLINIKO_API_KEY" in capsys.readouterr().err


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
