"""The client of a sub-account: its tokens, and a pace by what its ledger has counted and other runs of this machine send."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from target_highlevel.errors import SettingsError
from target_highlevel.http.client import HighLevelClient
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.http.oauth import LocationTokens, OAuthApp, OAuthTokens
from target_highlevel.http.shared_window import SharedWindow
from target_highlevel.http.tokens import PrivateToken
from target_highlevel.ledger.budget import LedgerDayCounter

if TYPE_CHECKING:
    import threading

    from target_highlevel.http.tokens import TokenProvider
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.settings import Settings


def connect(settings: Settings, ledger: Ledger, stop: threading.Event) -> tuple[Governor, HighLevelClient]:
    """Return governor and client of a sub-account, both to be closed; nothing is sent yet."""
    limits = Limits(requests=settings.requests_per_10s, per_day=settings.requests_per_day)
    governor = Governor(
        limits,
        day=LedgerDayCounter(ledger),
        shared=SharedWindow.of(settings.api_url, settings.location_id, limits),
        stop_event=stop,
    )
    client = HighLevelClient(
        settings.api_url,
        sub_account_tokens(settings, stop),
        governor,
        agency_tokens=agency_tokens(settings, stop),
        stop_event=stop,
    )
    return governor, client


def sub_account_tokens(settings: Settings, stop_event: threading.Event | None = None) -> TokenProvider:
    """Return the sub-account's token: of the OAuth app where one is named, else the private one.

    Where an agency has installed the app for several sub-accounts, each has a token of its own by the agency's.

    Args:
        settings: what names the token
        stop_event: when set, no new token is asked for any more

    Raises:
        SettingsError: what is set cannot be a token, or there is none.
    """
    tokens = _app_tokens(settings, stop_event)
    if tokens is not None:
        if tokens.company:
            return LocationTokens(tokens, settings.location_id)
        if settings.location_id == settings.main_location:
            return tokens
        msg = (
            f"TARGET_HIGHLEVEL_ACCESS_TOKENS has no token for sub-account {settings.location_id}, and the app's tokens are"
            " for one sub-account only: install it for the agency, or name a token"
        )
        raise SettingsError(msg)
    if not settings.access_token:
        msg = "set TARGET_HIGHLEVEL_ACCESS_TOKEN"
        raise SettingsError(msg)
    return PrivateToken(settings.access_token.get_secret_value())


def agency_tokens(settings: Settings, stop_event: threading.Event | None = None) -> TokenProvider | None:
    """Return the agency's token, if there is one: the private one, else that of an app that the agency has installed.

    Args:
        settings: what names the token
        stop_event: when set, no new token is asked for any more

    Raises:
        SettingsError: what is set cannot be a token.
    """
    if settings.agency_token:
        return PrivateToken(settings.agency_token.get_secret_value(), "agency_token")
    tokens = _app_tokens(settings, stop_event)
    return tokens if tokens is not None and tokens.company else None


def _app_tokens(settings: Settings, stop_event: threading.Event | None) -> OAuthTokens | None:
    """Return the tokens of the marketplace app, where one is named."""
    client_id, client_secret = settings.oauth_client_id, settings.oauth_client_secret
    if not (settings.oauth_file and client_id and client_secret):
        return None
    app = OAuthApp(client_id, client_secret.get_secret_value())
    return OAuthTokens(Path(settings.oauth_file), app, settings.api_url, stop_event=stop_event)
