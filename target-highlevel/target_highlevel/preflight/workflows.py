"""Automations of the sub-account: one that starts when a contact appears may write to a patient."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.errors import CredentialsRefused, Refused, Unavailable, Unknown

if TYPE_CHECKING:
    from target_highlevel.api.account import Account

_PUBLISHED = "published"
NONE = f"0 {_PUBLISHED}"
ADVICE = (
    "Pause every workflow that starts when a contact, tag, task, note or appointment appears, until the"
    " load and all later ones are over: it could write to patients."
)


def number_published(found: str) -> int | None:
    """Return how many are published, of what was found in words; None where nobody could look."""
    number, _, state = found.partition(" ")
    return int(number) if state == _PUBLISHED and number.isdigit() else None


def look_for_workflows(account: Account) -> str:
    """Return in words how many are published, or why that is not known: a load does not depend on it."""
    try:
        number = account.published_workflows()
    except CredentialsRefused as refused:
        return f"not read: the token may not ({refused.missing})"
    except (Refused, Unavailable, Unknown) as error:
        return f"not read ({error.status or 'no answer'}); look them up in HighLevel"
    return f"{number} {_PUBLISHED}"
