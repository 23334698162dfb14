"""What a test can choose about the emulated Cliniko."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True)
class ClinikoOptions:
    """The switches, each for a behaviour of the real API that is documented, seen or feared.

    requests_per_minute: the sliding window per user; more answers 429 (0: no limit).
    role: role of the user whose key `api_key` is.
    sort_by_id: `sort=id` is accepted, refused with 400, or ignored.
    hiding_bumps_updated_at: archiving, cancelling and deleting moves updated_at.
    unhiding_bumps_updated_at: bringing a row back, or taking a cancellation back, moves updated_at.
    paying_bumps_updated_at: settling an invoice moves its updated_at.
    merging_bumps_children: a merge moves updated_at of the children that change patients.
    legacy_paths: /patients/archived, /individual_appointments/cancelled, /appointments and the like answer.
    recalls: the undocumented /recalls and /recall_types answer.
    extra_fields: records carry fields that no document names.
    mixed_link_hosts: some relation links name other hosts and older paths, as documented samples do.
    unstable_ties: rows with equal sort keys change their order whenever the table changes.
    stale_seconds: derived fields of appointments and attendees lag by this long.
    require_user_agent: status answered when the User-Agent is not `NAME (EMAIL)`.
    hide_rows_by_role: roles below administrator do not see confidential memos and others' drafts.
    late_seconds: a row shows in lists only so long after it was written, with the updated_at of when it was.
    inactive_practitioners: the list of inactive practitioners answers.
    invoice_detail: an invoice that is read alone carries keys that the list does not have.
    total_entries: lists say how many rows match.
    public_account_id: the public settings hold the account's id.
    fractional_seconds: moments are written with fractions of a second.
    odd_moment: what every moment is written as, whatever it is.
    file_url_seconds: how long the URL of a file's bytes is valid.
    """

    requests_per_minute: int = 200
    role: str = "administrator"
    sort_by_id: Literal["accept", "refuse", "ignore"] = "accept"
    hiding_bumps_updated_at: bool = True
    unhiding_bumps_updated_at: bool = True
    paying_bumps_updated_at: bool = True
    merging_bumps_children: bool = False
    legacy_paths: bool = False
    recalls: bool = False
    extra_fields: bool = False
    mixed_link_hosts: bool = True
    unstable_ties: bool = True
    stale_seconds: float = 0.0
    require_user_agent: int | None = None
    hide_rows_by_role: bool = False
    late_seconds: float = 0.0
    inactive_practitioners: bool = True
    invoice_detail: bool = False
    total_entries: bool = True
    public_account_id: bool = True
    fractional_seconds: bool = False
    odd_moment: str | None = None
    file_url_seconds: float = 60.0

    @classmethod
    def parse(cls, given: Mapping[str, Any] | None) -> ClinikoOptions:
        """Read options by name and refuse an unknown one."""
        known = {option.name for option in fields(cls)}
        unknown = set(given or {}) - known
        if unknown:
            message = f"unknown Cliniko options {sorted(unknown)}; known are {sorted(known)}"
            raise ValueError(message)
        return cls(**dict(given or {}))
