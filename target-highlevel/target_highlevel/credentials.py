"""Which tokens a run uses: the settings turned into token providers."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from target_highlevel.client.oauth import OAuthApp, OAuthTokens
from target_highlevel.client.tokens import PrivateToken
from target_highlevel.errors import SettingsError

if TYPE_CHECKING:
    from target_highlevel.client.tokens import TokenProvider
    from target_highlevel.settings import Settings


def sub_account_tokens(settings: Settings) -> TokenProvider:
    """Return the sub-account's token: of the OAuth app where one is named, else the private one.

    Raises:
        SettingsError: what is set cannot be a token, or there is none.
    """
    app = (settings.oauth_client_id, settings.oauth_client_secret)
    if settings.oauth_file and app[0] and app[1]:
        return OAuthTokens(Path(settings.oauth_file), OAuthApp(app[0], app[1]), settings.api_url)
    if not settings.access_token:
        msg = "set TARGET_HIGHLEVEL_ACCESS_TOKEN"
        raise SettingsError(msg)
    return PrivateToken(settings.access_token)


def agency_tokens(settings: Settings) -> PrivateToken | None:
    """Return the agency's token, if there is one.

    Raises:
        SettingsError: what is set cannot be a token.
    """
    return PrivateToken(settings.agency_token, "agency_token") if settings.agency_token else None
