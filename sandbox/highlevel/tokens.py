"""Access tokens of both kinds, their scopes, and OAuth with refresh tokens that work once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.highlevel.naming import Ids

ACCESS_SECONDS = 86_399
REPLAY_SECONDS = 30.0


@dataclass(slots=True)
class Token:
    """An access token; `location` is None for an agency token, `scopes` None means every scope."""

    value: str
    location: str | None
    scopes: frozenset[str] | None = None
    expires: float | None = None
    revoked: bool = False

    @property
    def bucket(self) -> str:
        """The name of the rate limits that the token shares with the others of its location or agency."""
        return self.location or "agency"

    def valid(self, at: float) -> bool:
        """Say whether the token works now."""
        return not self.revoked and (self.expires is None or at < self.expires)


@dataclass(slots=True)
class RefreshToken:
    """A refresh token; used twice within 30 s it gives the same answer, later it is refused."""

    location: str | None
    used: float | None = None
    gave: tuple[str, str] | None = None


@dataclass(slots=True)
class TokenBook:
    """Every token of the agency."""

    ids: Ids
    scopes: frozenset[str] | None = None
    agency_scopes: frozenset[str] | None = None
    tokens: dict[str, Token] = field(default_factory=dict)
    refresh_tokens: dict[str, RefreshToken] = field(default_factory=dict)
    codes: dict[str, str | None] = field(default_factory=dict)

    def private(self, location: str | None) -> Token:
        """Make a private integration token, which lasts."""
        return self._keep(Token(f"pit-{self.ids.trace()}", location, self._granted(location)))

    def issue_code(self, location: str | None) -> str:
        """Make the code that a browser brings back from the consent page."""
        code = self.ids.short("code")
        self.codes[code] = location
        return code

    def pair(self, location: str | None, at: float) -> tuple[str, str]:
        """Make an access token and the refresh token that goes with it."""
        token = Token(f"oauth-{self.ids.trace()}", location, self._granted(location), at + ACCESS_SECONDS)
        access = self._keep(token)
        refresh = f"refresh-{self.ids.trace()}"
        self.refresh_tokens[refresh] = RefreshToken(location)
        return access.value, refresh

    def exchange_code(self, code: str, at: float) -> tuple[str, str] | None:
        """Trade a code, which works once, for a pair."""
        if code not in self.codes:
            return None
        return self.pair(self.codes.pop(code), at)

    def refresh(self, value: str, at: float) -> tuple[str, str] | None:
        """Trade a refresh token for a new pair; None when it was used before."""
        known = self.refresh_tokens.get(value)
        if known is None:
            return None
        if known.used is not None and known.gave is not None:
            return known.gave if at - known.used <= REPLAY_SECONDS else None
        known.used, known.gave = at, self.pair(known.location, at)
        return known.gave

    def find(self, authorization: str, at: float) -> Token | None:
        """Return the valid token of an Authorization header."""
        kind, _, value = authorization.partition(" ")
        token = self.tokens.get(value) if kind == "Bearer" else None
        return token if token is not None and token.valid(at) else None

    def _granted(self, location: str | None) -> frozenset[str] | None:
        return self.agency_scopes if location is None else self.scopes

    def _keep(self, token: Token) -> Token:
        self.tokens[token.value] = token
        return token
