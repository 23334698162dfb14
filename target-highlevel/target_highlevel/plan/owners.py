"""Whose patients would be whose: every practitioner, and the user or contact that stands for them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import sqlalchemy as sa

from target_highlevel.ledger.tables import record

if TYPE_CHECKING:
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.setup.catalogue import Catalogue


def owners(ledger: Ledger, catalogue: Catalogue, *, show_values: bool = False) -> dict[str, Any]:
    """Return for each practitioner who owns their patients; people are named by their ids, and by their e-mail when asked for."""
    emails: dict[str | None, str] = (
        {user.id: email for email, user in catalogue.users.items()} if show_values else {}
    )
    columns = (record.c.source_id, record.c.hl_id, record.c.reason)
    query = (
        sa.select(*columns)
        .where(record.c.location == ledger.location, record.c.object == "user")
        .order_by(record.c.source_id)
    )
    with ledger.transaction() as connection:
        rows = connection.execute(query).all()
    practitioners = [
        {
            "source": row.source_id,
            "match": "user" if row.hl_id else "contact",
            "user": row.hl_id,
            "email": emails.get(row.hl_id),
            "because": None if row.hl_id else row.reason or "no_user",
        }
        for row in rows
    ]
    fallback = catalogue.fallback_owner
    return {
        "practitioners": practitioners,
        "fallback_user": fallback,
        "fallback_email": emails.get(fallback),
    }
