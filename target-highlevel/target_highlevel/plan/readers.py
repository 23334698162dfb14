"""Who in HighLevel would be able to read the clinical notes: what stands on a contact, everybody who sees the contact reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from target_highlevel.api.account import User


def note_readers(logins: Iterable[User], *, show_values: bool = False) -> dict[str, Any]:
    """Return the users who read everybody's notes, those who read the notes of their own patients, and those nobody knows of.

    People are named by their ids, and by their e-mail when asked for.
    """
    told: dict[bool | None, list[dict[str, str | None]]] = {False: [], True: [], None: []}
    for user in logins:
        email = user.email or None if show_values else None
        told[user.assigned_only].append({"user": user.id, "email": email})
    return {"everybody": told[False], "own_patients": told[True], "not_known": told[None]}
