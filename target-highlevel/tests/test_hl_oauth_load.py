"""A load with the tokens of a marketplace app: exchanged when they end, kept before they are used."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING

from target_highlevel.settings import OAUTH

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Clinic, Loader


def installed(loader: Loader) -> Path:
    """Return a file with the answer HighLevel gave when the app was installed."""
    state = loader.sandbox.highlevel.state
    access, refresh = state.tokens.pair(loader.sandbox.highlevel.location_id, time.time())
    file = loader.folder / "oauth.json"
    file.write_text(json.dumps({"access_token": access, "refresh_token": refresh, "expires_in": 86_399}))
    loader.settings |= {
        "ACCESS_TOKEN": "",
        "OAUTH_FILE": str(file),
        "OAUTH_CLIENT_ID": state.options.client_id,
        "OAUTH_CLIENT_SECRET": state.options.client_secret,
    }
    return file


def test_a_load_with_an_app_survives_a_token_that_ends_in_the_middle(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """One refused token costs one exchange; the pair in the file is the newest, and nobody else can read it."""
    loader = highlevel()
    file = installed(loader)
    control = loader.sandbox.highlevel.control
    control.add_fault(
        {"match": {"method": "POST", "path_regex": "/notes$", "nth": 3}, "action": "status", "status": 401}
    )
    loaded = loader.load(small_clinic.lines)
    assert loaded.code in {0, 4}, loaded.log[-2000:]
    assert {
        kind: set(found) for kind, found in loader.sandbox.highlevel.state.sources().items()
    } == small_clinic.sources
    exchanges = [item for item in control.requests if item.path == "/oauth/token"]
    assert [item.status for item in exchanges] == [
        200,
        200,
    ]  # at the start, whose end nobody knew, and after the 401
    assert file.stat().st_mode & 0o777 == 0o600
    kept = json.loads(file.read_text())
    assert kept["refresh_token"] in loader.sandbox.highlevel.state.tokens.refresh_tokens
    for secret in (kept["access_token"], kept["refresh_token"], loader.settings["OAUTH_CLIENT_SECRET"]):
        assert secret not in loaded.log
    control.reset_log()
    assert loader.load(small_clinic.lines).code in {0, 4}
    assert control.requests == []


def test_a_used_refresh_token_ends_the_run_as_refused(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """A pair that somebody else has exchanged ends with 3 and says what to do; nothing is written."""
    loader = highlevel()
    file = installed(loader)
    pair = json.loads(file.read_text())
    loader.sandbox.highlevel.state.tokens.refresh(pair["refresh_token"], time.time() - 3600)
    loaded = loader.load(small_clinic.lines)
    assert loaded.code == 3, loaded.log[-2000:]
    assert "install the app again" in loaded.log
    assert not [
        item for item in loader.sandbox.highlevel.control.requests if item.write and "oauth" not in item.path
    ]


def test_half_of_an_app_is_a_wrong_setting(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """Whoever names an app is told everything that is missing of it, not to set a token."""
    loader = highlevel()
    loader.settings |= {"ACCESS_TOKEN": "", "OAUTH_FILE": "pair.json"}
    loaded = loader.load(small_clinic.lines)
    assert loaded.code == 2
    missing = [name for name in OAUTH if f"set TARGET_HIGHLEVEL_{name.upper()}" in loaded.log]
    assert missing == ["oauth_client_id", "oauth_client_secret"]


def test_an_agencys_app_serves_every_sub_account(
    tiny_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Two businesses with sub-accounts of their own, and no token but the pair of the agency: it makes the objects, too."""
    loader = highlevel(empty=True, extra_locations=2)
    loader.settings["AGENCY_TOKEN"] = ""
    file = installed(loader)
    state = loader.sandbox.highlevel.state
    access, refresh = state.tokens.pair(None, time.time())
    pair = {"access_token": access, "refresh_token": refresh, "expires_in": 86_399}
    file.write_text(json.dumps({**pair, "userType": "Company", "companyId": state.company_id}))
    businesses = list(loader.sandbox.cliniko.account.tables["businesses"])[1:3]
    places = list(state.accounts)
    loader.settings["LOCATIONS"] = json.dumps(dict(zip(businesses, places[1:], strict=True)))
    loaded = loader.load(tiny_clinic.lines, ACCEPT_REJECTS="true")
    assert loaded.code == 0, loaded.log[-2000:]
    assert all(account.contacts for account in state.accounts.values())
    installed(loader)  # a pair of one sub-account does for that one only
    refused = loader.load(tiny_clinic.lines)
    assert refused.code == 2, refused.log[-2000:]
    assert places[1] in refused.log.splitlines()[-1]
