"""Where the client gets its token: a private integration token, which never changes, or an OAuth pair."""

from __future__ import annotations

import re
from typing import Protocol, TypeGuard

from target_highlevel.errors import SettingsError

_TOKEN = re.compile(r"[\x21-\x7e]+")


def is_token(value: object) -> TypeGuard[str]:
    """Whether a value can be sent as a token."""
    return isinstance(value, str) and _TOKEN.fullmatch(value) is not None


class TokenProvider(Protocol):
    """Gives the token for the next request."""

    def token(self) -> str:
        """The token to send now."""
        ...

    def refresh(self, refused: str) -> bool:
        """HighLevel refused this token: whether `token()` now gives another one."""
        ...


class PrivateToken:
    """A private integration token of a sub-account or of the agency: fixed until rotated by hand."""

    def __init__(self, token: str, setting: str = "access_token") -> None:
        """Check that it can be sent at all.

        Raises:
            SettingsError: it is empty, or holds characters no header can carry (a pasted line break, say).
        """
        self._token = token.strip()
        self._setting = setting
        if not is_token(self._token):
            message = f"the setting {setting} is not a token: copy it again, it is one word without spaces"
            raise SettingsError(message)

    def __repr__(self) -> str:
        """Name the setting, never the token."""
        return f"PrivateToken({self._setting})"

    def token(self) -> str:
        """The token."""
        return self._token

    def refresh(self, refused: str) -> bool:
        """There is never another one."""
        return refused != self._token
