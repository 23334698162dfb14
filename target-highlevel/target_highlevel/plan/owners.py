"""Whose patients would be whose: every practitioner, and the user or contact that stands for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.counts import practitioners

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.account import User
    from target_highlevel.ledger.ledger import Ledger

_TITLES = frozenset({"dr", "mr", "mrs", "ms", "miss", "mx", "prof"})


def owners(
    ledger: Ledger,
    users: Mapping[str, User],
    fallback: str | None,
    names: Mapping[str, str],
    *,
    show_values: bool = False,
) -> dict[str, Any]:
    """Return for each practitioner who owns their patients; people are told by ids, by name and e-mail when asked for.

    Of one whom no e-mail tells, the only user of that name who stands for nobody else is suggested: the clinic confirms it
    under ``owners`` of its mapping, because two people may have one name.

    Args:
        ledger: knows who was matched by e-mail.
        users: of the sub-account, by e-mail.
        fallback: id of the user who owns the patients of the others.
        names: of practitioners, by source id.
        show_values: whether names and e-mails are shown.
    """
    emails: dict[str | None, str] = {user.id: email for email, user in users.items()} if show_values else {}
    known = list(practitioners(ledger))
    taken = {user for _, user, _ in known}
    free = [user for user in users.values() if user.id not in taken]
    matched = []
    for source_id, user, reason in known:
        suggested = None if user or reason == "inactive" else _named(names.get(source_id, ""), free)
        matched.append(
            {
                "source": source_id,
                "match": "user" if user else "contact",
                "user": user,
                "email": emails.get(user or suggested),
                "because": None if user else reason,
                "suggested": suggested,
                **({"name": names.get(source_id, "")} if show_values else {}),
            }
        )
    return {
        "practitioners": matched,
        "fallback_user": fallback,
        "fallback_email": emails.get(fallback),
    }


def _named(name: str, users: Iterable[User]) -> str | None:
    """Return the one user of that name, whatever its order and title."""
    words = _words(name)
    found = [user.id for user in users if words and _words(user.name) == words]
    return found[0] if len(found) == 1 else None


def _words(name: str) -> frozenset[str]:
    return frozenset(word for text in name.casefold().split() if (word := text.strip(".,"))) - _TITLES
