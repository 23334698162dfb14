"""What can go wrong, named by what to do about it.

TapClinikoError
├── SettingsError           exit 2: mend the settings
├── AccessRefused           exit 3: another key, or another role
│   ├── CredentialsRefused
│   └── RoleRefused
└── everything else         exit 1
    ├── NotFound            the row or the endpoint is absent
    ├── ContractChanged     the API no longer behaves as documented
    ├── Unavailable         still failing after the retries: run again later
    ├── StorageFailed       a place of our own cannot be written to
    ├── TargetGone          nobody reads what is written
    └── TryAgain            one failed attempt; whoever asked tries again, it ends no run

No message ever holds a response body, a field's value or the key.
"""

from __future__ import annotations


class TapClinikoError(Exception):
    """Ends the run with one line on stderr."""

    exit_code = 1


class SettingsError(TapClinikoError):
    """A setting is missing or wrong."""

    exit_code = 2


class AccessRefused(TapClinikoError):  # noqa: N818 - the refusal is the news
    """Cliniko does not let this key in, or not there."""

    exit_code = 3


class CredentialsRefused(AccessRefused):
    """The key is wrong or was revoked (401)."""


class RoleRefused(AccessRefused):
    """The role of the key's owner may not read this (403)."""


class NotFound(TapClinikoError):  # noqa: N818
    """The row or the endpoint does not exist, or is hidden (404)."""


class ContractChanged(TapClinikoError):  # noqa: N818
    """The API refused or ignored something its documents promise."""


class Unavailable(TapClinikoError):  # noqa: N818
    """The API kept failing through every retry."""


class StorageFailed(TapClinikoError):  # noqa: N818
    """The folder of files or the file of ids cannot be written to, such as when the disk is full."""


class TargetGone(TapClinikoError):  # noqa: N818
    """Whoever reads our lines has ended."""


class TryAgain(TapClinikoError):  # noqa: N818
    """One attempt failed in a way that passes.

    Attributes:
        wait: seconds the server asked to wait, or None when it named none.
        limited: whether the request budget was refused (429), which is no failure of the service.
    """

    def __init__(self, message: str, *, wait: float | None = None, limited: bool = False) -> None:
        """Keep what the server said about waiting."""
        super().__init__(message)
        self.wait = wait
        self.limited = limited
