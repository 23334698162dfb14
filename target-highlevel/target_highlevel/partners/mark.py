"""What a sub-account keeps of the ledger that writes to it: two custom values of the location, each a short JSON text.

``MARK`` says which ledger has written last and how far it was then. ``LEASE`` is there while a run is under way; one that was
killed leaves it behind. Neither holds anything of a patient.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import datetime

#: Names of the custom values; HighLevel refuses a second value of one name.
MARK = "Cliniko migration: last run (do not change)"
LEASE = "Cliniko migration: run under way (do not change)"


@dataclass(frozen=True, slots=True)
class Mark:
    """How far a ledger was when it wrote to the sub-account."""

    #: Identity of the ledger; all copies of one ledger share it.
    ledger: str
    #: How many runs of this ledger have claimed the sub-account.
    counter: int
    #: Number of entries in the ledger's audit trail: it grows before every write.
    entries: int
    #: Id of the Cliniko account, where the tap has named it.
    account: str | None = None
    #: Digest of machine and path of the ledger: a copy of it in another place is another writer.
    place: str = ""
    #: Id of the run.
    run: str = ""
    #: Of a lease: the moment at which it expires unless it is renewed, in ISO 8601.
    until: str = ""

    def text(self) -> str:
        """Return the value of the custom value."""
        return json.dumps({name: value for name, value in asdict(self).items() if value not in (None, "")})

    def expired(self, now: datetime) -> bool:
        """Return whether a lease has not been renewed in time, by this clock."""
        try:
            return datetime.fromisoformat(self.until) < now
        except (TypeError, ValueError):
            return True


def mark_from(text: object) -> Mark | None:
    """Return the mark in the value of a custom value, or None when somebody has put something else there."""
    try:
        said = json.loads(str(text))
        mark = Mark(
            ledger=str(said["ledger"]),
            counter=int(said["counter"]),
            entries=int(said["entries"]),
            account=str(said["account"]) if said.get("account") else None,
            place=str(said.get("place", "")),
            run=str(said.get("run", "")),
            until=str(said.get("until", "")),
        )
    except (KeyError, TypeError, ValueError):
        return None
    return mark
