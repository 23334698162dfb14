"""Users: each practitioner's e-mail address, by which the target finds his HighLevel user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.reference_types import practitioner_name
from cliniko_to_highlevel.streams import BOOLEAN, Output, Stream, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

USERS = Stream(
    name="hl_users",
    kind="user",
    description="Practitioners, to be matched with HighLevel users by e-mail. No user is ever created.",
    properties={
        "email": plain(
            "E-mail address of the practitioner's HighLevel user: as the mapping says, else that of the Cliniko user."
        ),
        "name": plain("Name for reports."),
        "active": plain("Whether both the practitioner and the user are active.", BOOLEAN),
    },
)


def from_practitioner(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a practitioner to match; one who left or has no address cannot be an owner, and is counted."""
    user = reference.users.get(row.reference("user_id") or "")
    own = next(iter(emails(user.text("email"))), None) if user else None
    email = _mapped(row, own, reference) or own
    active = row.flag("active") is not False and (user is None or _may_sign_in(user))
    reason = Filter.NO_USER if active else Filter.INACTIVE
    yield Output(
        USERS.name,
        {
            **USERS.blank(row.source_id),
            "filtered": None if active and email else reason.value,
            "email": email,
            "name": practitioner_name(row),
            "active": active,
        },
    )


def _mapped(row: Row, email: str | None, reference: Reference) -> str | None:
    """Return the e-mail of the HighLevel user that the mapping names for a practitioner."""
    owners = reference.mapping.owners
    return owners.get(row.reference("id") or "") or owners.get((email or "").casefold())


def _may_sign_in(user: Row) -> bool:
    return user.flag("active") is not False and user.flag("user_active") is not False
