"""What can go wrong between us and HighLevel, grouped by what to do about it.

    HighLevelError
    ├── Refused                 definite: nothing was done; reject this record (or mend the payload)
    │   ├── NotFound            the thing is not there (any more)
    │   └── DuplicateContact    its e-mail or phone belongs to another contact
    ├── Unknown                 it may or may not have happened: find out before sending anything again
    ├── NotOffered              part of HighLevel does not answer: leave out what needs it, go on with the rest
    ├── Unavailable             still failing after every repeat that was safe: stop, run again later
    ├── CredentialsRefused      stop; a token, scope or location has to be mended
    ├── DayBudgetSpent          stop cleanly; run again when the day has turned
    ├── LedgerLost              stop; what is done now could not be remembered
    ├── SourceEnded             stop; the tap has to be mended, its own last line says how
    ├── Unforeseen              stop; it says what is wrong and where, as far as that can be told
    ├── SettingsError           stop; a setting has to be mended
    └── Interrupted             somebody asked us to stop before this request was sent (or repeated)

No text or attribute here ever holds a payload, a value from one, or a sentence of the vendor's: their
messages arrive as stable codes, fixed phrases and names of properties, because a refused value is usually a
patient's.
"""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus
from typing import ClassVar

from target_highlevel.exit_codes import BUDGET_SPENT, FAILED, INTERRUPTED, NO_ACCESS, WRONG_SETTINGS

__all__ = [
    "CredentialsRefused",
    "DayBudgetSpent",
    "DuplicateContact",
    "Findings",
    "HighLevelError",
    "Interrupted",
    "LedgerLost",
    "NotFound",
    "NotOffered",
    "Refused",
    "SettingsError",
    "SourceEnded",
    "Unavailable",
    "Unforeseen",
    "Unknown",
]


@dataclass(frozen=True, slots=True)
class Findings:
    """What may be repeated of an answer: never a value, never a sentence of the vendor's."""

    code: str = ""
    messages: tuple[str, ...] = ()
    properties: tuple[str, ...] = ()
    contact_id: str | None = None
    matching_field: str | None = None
    existing_id: str | None = None
    trace_id: str | None = None
    #: Numbers that a message about a length names.
    numbers: tuple[int, ...] = ()

    @property
    def meta(self) -> dict[str, str]:
        """The three facts worth keeping of the vendor's `meta`; the contact's name is not among them."""
        pairs = {
            "contactId": self.contact_id,
            "matchingField": self.matching_field,
            "existingId": self.existing_id,
        }
        return {name: value for name, value in pairs.items() if value is not None}


class HighLevelError(Exception):
    """Root of everything raised here; the class says what to do, the attributes say about what."""

    exit_code: ClassVar[int] = FAILED

    def __init__(
        self,
        hint: str = "",
        *,
        route: str = "",
        status: int | None = None,
        findings: Findings | None = None,
    ) -> None:
        """Keep the facts; `hint` is a sentence of ours that says what to do or what is missing."""
        super().__init__(hint)
        self.hint = hint
        self.route = route
        self.status = status
        self.findings = findings or Findings()

    @property
    def code(self) -> str:
        """A stable slug for the reason, e.g. `unknown_property`."""
        return self.findings.code

    @property
    def messages(self) -> tuple[str, ...]:
        """The vendor's messages, each reduced to a known phrase."""
        return self.findings.messages

    @property
    def properties(self) -> tuple[str, ...]:
        """Names of the properties the messages complain about."""
        return self.findings.properties

    @property
    def meta(self) -> dict[str, str]:
        """`contactId`, `matchingField` and `existingId`, where given."""
        return self.findings.meta

    @property
    def trace_id(self) -> str | None:
        """HighLevel's own number for the request; their support asks for it."""
        return self.findings.trace_id

    def __str__(self) -> str:
        """One line, fit for a public screen."""
        status = "" if self.status is None else f"HTTP {self.status}"
        trace = f"(trace {self.trace_id})" if self.trace_id else ""
        facts = " ".join(part for part in (self.route, status, self.code, trace) if part)
        return ": ".join(part for part in (facts, "; ".join(self.messages), self.hint) if part)


class Refused(HighLevelError):  # noqa: N818 - named for what to do
    """HighLevel said no, and nothing was done (unless `maybe_created`)."""

    def __init__(
        self,
        hint: str = "",
        *,
        route: str = "",
        status: int | None = None,
        findings: Findings | None = None,
        maybe_created: bool = False,
    ) -> None:
        """Mark a refused create that may have been carried out all the same.

        A create has been seen to answer 422 and create the contact (issue 64 of the vendor's documentation).
        """
        super().__init__(hint, route=route, status=status, findings=findings)
        self.maybe_created = maybe_created


class NotFound(Refused):
    """The thing asked for or written to is not there."""


class DuplicateContact(Refused):
    """The sub-account allows no duplicates, and the e-mail or phone belongs to another contact."""

    @property
    def contact_id(self) -> str | None:
        """The contact that has the address; absent from some answers."""
        return self.findings.contact_id

    @property
    def matching_field(self) -> str | None:
        """`email` or `phone`; absent from some answers."""
        return self.findings.matching_field


class Unknown(HighLevelError):  # noqa: N818 - named for what to do
    """The request was sent and must not be repeated blindly; whether it was carried out is not known."""


class NotOffered(HighLevelError):  # noqa: N818 - named for what to do
    """A part of HighLevel that only some records need does not answer as it should, while others do."""

    def __init__(self, error: HighLevelError) -> None:
        """Keep what it answered; `is_definite` says whether that was a no, and not a failure that may pass."""
        super().__init__(error.hint, route=error.route, status=error.status, findings=error.findings)
        self.is_definite = not isinstance(error, Unavailable) or error.status == HTTPStatus.NOT_IMPLEMENTED


class Unavailable(HighLevelError):  # noqa: N818 - named for what to do
    """HighLevel cannot be reached or keeps failing; repeating was safe and did not help."""


class CredentialsRefused(HighLevelError):  # noqa: N818 - named for what to do
    """The token is dead, or lacks a scope or the location; `missing` names what this call needs.

    With `allowed_before` others of its kind were allowed with the same token: it may be about this one thing only.
    """

    exit_code: ClassVar[int] = NO_ACCESS

    def __init__(
        self,
        hint: str = "",
        *,
        route: str = "",
        status: int | None = None,
        findings: Findings | None = None,
        missing: str = "",
        allowed_before: bool = False,
    ) -> None:
        """Keep what is missing: `token`, `scope <name>` or `location`."""
        super().__init__(hint, route=route, status=status, findings=findings)
        self.missing = missing
        self.allowed_before = allowed_before


class DayBudgetSpent(HighLevelError):  # noqa: N818 - named for what to do
    """The requests of the day are used up, ours or everybody's."""

    exit_code: ClassVar[int] = BUDGET_SPENT


class SettingsError(HighLevelError):
    """A setting is absent or cannot be right."""

    exit_code: ClassVar[int] = WRONG_SETTINGS


class LedgerLost(HighLevelError):  # noqa: N818 - named for what happened
    """The ledger cannot be written any more: what is done now could not be remembered."""


class SourceEnded(HighLevelError):  # noqa: N818 - named for what happened
    """Our input ended before the source had read everything, and half of it would tell nothing."""


class Unforeseen(HighLevelError):  # noqa: N818 - named for what happened
    """Something outside HighLevel failed (a disk, the ledger, this program); its own text is never repeated."""


class Interrupted(HighLevelError):  # noqa: N818 - named for what to do
    """The run was asked to stop; a request that was already in flight is never cut short by this."""

    exit_code: ClassVar[int] = INTERRUPTED
