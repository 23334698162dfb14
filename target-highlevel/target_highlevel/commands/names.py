"""Names of the contacts in HighLevel, read when a report is to show them: the ledger keeps none."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from target_highlevel.api.read_only import ReadOnlyHighLevel
from target_highlevel.connection import connect

if TYPE_CHECKING:
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.settings import Settings


def contact_names(ledger: Ledger, settings: Settings) -> dict[str, str]:
    """Return the name of every contact by its HighLevel id; a request reads 500 of them.

    Raises:
        HighLevelError: of the kind that says what to do.
    """
    governor, client = connect(settings, ledger, threading.Event())
    try:
        pages = ReadOnlyHighLevel(client, settings.location_id).contacts.pages()
        people = [(str(item["id"]), item) for page in pages for item in page]
    finally:
        governor.close()
        client.close()
    return {
        identity: " ".join(
            str(item.get(f"{name}Raw") or item.get(name) or "") for name in ("firstName", "lastName")
        ).strip()
        for identity, item in people
    }
