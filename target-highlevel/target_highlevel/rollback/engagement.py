"""Whether somebody works with a contact: then it stays, whatever run made it."""

from __future__ import annotations

import logging
import threading
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import CredentialsRefused, NotFound, Refused, Unavailable, Unknown
from target_highlevel.values import date_time, from_epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.undo import Undo

logger = logging.getLogger(__name__)

#: Seconds after which the lists of the whole sub-account are asked for again.
_FRESH = 300.0
#: How far the two clocks may be apart before a change of a contact is taken for a person's.
_APART = timedelta(seconds=5)
#: What a contact may call its last change.
_CHANGES = ("dateUpdated", "lastActivity", "lastActivityDate", "lastUpdated")


class Engagement:
    """Asks HighLevel what is known of people's work with contacts. Threads may share it.

    Of each kind of sign one page is read for the whole sub-account; where there may be more, each contact is asked for. A kind
    that the token may not see is made up for by what the contact itself tells of its last changes.
    """

    def __init__(self, session: Session, undo: Undo) -> None:
        """Ask for one rollback."""
        self._api = session.highlevel.engagement
        self._undo = undo
        self._mutex = threading.Lock()
        self._asked: float | None = None
        #: kind → contacts with such a sign; None where they were not all listed at once.
        self._listed: dict[str, set[str] | None] = {}
        #: kind → ids of those that are ours, which a rollback does not add to.
        self._ours: dict[str, set[str]] = {}
        #: Contact → from when to when we have written it; read when it is first needed.
        self._touches: Mapping[str, list[tuple[str, str]]] | None = None
        #: Kinds of signs that could not be asked for.
        self.unseen: set[str] = set()

    def reason(self, hl_id: str, contact: Mapping[str, Any]) -> str | None:
        """Return by what sign somebody works with a contact; nothing if nobody does."""
        with self._mutex:
            self._refresh()
            listed = dict(self._listed)
        for kind, contacts in listed.items():
            engaged = hl_id in contacts if contacts is not None else self._has(kind, hl_id)
            if engaged:
                return f"engaged_{kind}"
        if self.unseen and self._changed_since(hl_id, contact):
            return "activity_since"
        return None

    def _refresh(self) -> None:
        now = time.monotonic()
        if self._asked is not None and now - self._asked < _FRESH:
            return
        self._asked = now
        for kind in self._api.kinds:
            if kind not in self.unseen:
                self._listed[kind] = self._contacts(kind)

    def _contacts(self, kind: str, hl_id: str | None = None) -> set[str] | None:
        try:
            found = self._api.listed(kind, hl_id)
        except (CredentialsRefused, Refused, Unavailable, Unknown) as error:
            # the contact is gone; a list of everybody that is not there says nothing of anybody
            if hl_id is not None and isinstance(error, NotFound):
                return set()
            logger.warning("highlevel.not_shown kind=%s status=%s", kind, error.status)
            self.unseen.add(kind)
            return set()
        return None if found is None else self._of_others(kind, found)

    def _of_others(self, kind: str, found: Iterable[Any]) -> set[str]:
        if kind not in self._ours:
            self._ours[kind] = self._undo.ids(kind)
        return {sign.contact for sign in found if sign.id not in self._ours[kind]}

    def _has(self, kind: str, hl_id: str) -> bool:
        found = self._contacts(kind, hl_id)
        return found is None or hl_id in found  # there are more than it shows

    def _changed_since(self, hl_id: str, contact: Mapping[str, Any]) -> bool:
        """Return whether a contact tells of a moment at which we did not write it; one that tells of none may have been changed.

        Each is looked at: our own last write sets one of them, and another still tells when the patient wrote before.
        """
        with self._mutex:
            if self._touches is None:
                self._touches = self._undo.touches()
        ours = [(_moment(begun), _moment(ended)) for begun, ended in self._touches.get(hl_id, ())]
        told = [moment for name in _CHANGES if (moment := _moment(contact.get(name)))]
        return not told or not all(
            any(begun and ended and begun - _APART <= moment <= ended + _APART for begun, ended in ours)
            for moment in told
        )


def _moment(value: Any) -> datetime | None:
    found = from_epoch(value) or (date_time(value) if isinstance(value, str) else None)
    return found if found is not None and found.tzinfo else None
