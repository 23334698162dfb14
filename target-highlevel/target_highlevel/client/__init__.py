"""HighLevel over HTTP: inside the budget, repeated where that is safe, with errors that say what to do."""

from __future__ import annotations

from target_highlevel.client.client import HighLevelClient
from target_highlevel.client.day import DayCounter, InMemoryDayCounter
from target_highlevel.client.governor import Governor, Limits, Statistics
from target_highlevel.client.oauth import OAuthApp, OAuthTokens, TokenPair
from target_highlevel.client.tokens import PrivateToken, TokenProvider
from target_highlevel.client.uploads import Upload

__all__ = [
    "DayCounter",
    "Governor",
    "HighLevelClient",
    "InMemoryDayCounter",
    "Limits",
    "OAuthApp",
    "OAuthTokens",
    "PrivateToken",
    "Statistics",
    "TokenPair",
    "TokenProvider",
    "Upload",
]
