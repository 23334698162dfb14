"""Every schema says which tap and which clinic it comes from, and a state belongs to one clinic."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from tap_runs import Said

STREAMS = ["businesses", "taxes"]


def origins(said: Said) -> list[Any]:
    """Return what the schemas say of their origin."""
    return [each["schema"]["x-cliniko"] for each in said.messages if each["type"] == "SCHEMA"]


def test_each_schema_names_the_tap_and_the_account(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """The account is the one of the public settings, the same in every run."""
    said = run_tap(config_for(quiet_clinic, tmp_path), None, [*STREAMS, "public_settings"])
    (settings,) = said.records("public_settings")
    assert origins(said) == [{"origin": "tap-cliniko", "account": settings["account_id"]}] * 3
    assert settings["account_id"].isdigit()


def test_an_account_that_cannot_be_read_is_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says that no target can tell the clinic from another; the run goes on."""
    with Sandbox(seed=2, patients=1, cliniko={"requests_per_minute": 0}) as sandbox:
        sandbox.cliniko.control.add_fault(
            {"match": {"path_regex": "/settings/public"}, "action": "status", "status": 403}
        )
        with caplog.at_level(logging.WARNING):
            said = run_tap(config_for(sandbox, tmp_path), None, STREAMS)
    assert origins(said) == [{"origin": "tap-cliniko"}] * 2
    assert "names no account" in caplog.text


def test_the_state_of_another_clinic_is_refused(quiet_clinic: Sandbox, tmp_path: Path) -> None:
    """Its bookmarks would leave out whatever is older; the message names the variable and the way out."""
    state = run_tap(config_for(quiet_clinic, tmp_path), None, ["patients"]).state
    assert run_tap(config_for(quiet_clinic, tmp_path), state, ["patients"]).state["complete"]
    with Sandbox(seed=4, patients=1, cliniko={"requests_per_minute": 0}) as other:
        with pytest.raises(SettingsError, match="TAP_CLINIKO_API_KEY") as caught:
            run_tap(config_for(other, tmp_path), state, ["patients"])
        assert "--state-id-suffix" in str(caught.value)
