"""HighLevel over HTTP: inside the budget, repeated where that is safe, with errors that say what to do."""

from __future__ import annotations

from target_highlevel.http.client import Bounds, HighLevelClient
from target_highlevel.http.day import DayCounter, InMemoryDayCounter
from target_highlevel.http.governor import Governor, Limits, Statistics
from target_highlevel.http.oauth import OAuthApp, OAuthTokens, TokenPair
from target_highlevel.http.tokens import PrivateToken, TokenProvider
from target_highlevel.http.uploads import Upload

__all__ = [
    "Bounds",
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
