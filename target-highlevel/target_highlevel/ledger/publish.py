"""Runs that worked on a copy of the ledger, made known to the real one for ``runs`` and ``report``."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.ledger import Ledger, next_number
from target_highlevel.ledger.tables import run

if TYPE_CHECKING:
    from collections.abc import Mapping


def publish_run(url: str, location: str, ended: Mapping[str, Any]) -> None:
    """Put a run as it ended into the real ledger; none of its records goes with it."""
    real = Ledger(url, location, exclusive=False)
    try:
        with real.transaction() as connection:
            number = next_number(connection, location)
            known = {**ended, "number": number, "facts": json.dumps(ended["facts"])}
            connection.execute(run.insert().values(known))
    finally:
        real.close()
