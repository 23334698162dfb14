"""Practitioners and the users they are: matched by e-mail, kept in the ledger, asked for only when something changed."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.descriptor import Incoming
    from target_highlevel.ledger.work import Work
    from target_highlevel.setup.catalogue import Catalogue


logger = logging.getLogger(__name__)

#: Reason of a practitioner whom no user stands for.
NO_USER = "no_user"


class Directory:
    """Finds the HighLevel user of a practitioner; no user is ever created, because a user is a login."""

    def __init__(self, work: Work, catalogue: Callable[[], Catalogue], salt: bytes) -> None:
        """Read the users only when a practitioner is new or changed."""
        self._work = work
        self._catalogue = catalogue
        self._salt = salt
        self._waiting: list[Incoming] = []
        self._looked = False

    def resolve(self, item: Incoming) -> Incoming:
        """Return the practitioner with its user, or with the reason why it has none."""
        known = self._work.row(item.ref)
        if known is not None and known.digest == item.digest(self._salt):
            if known.hl_id is None:
                self._waiting.append(item)
            return replace(item, resolved=(known.hl_id, known.reason))
        if item.rejected:
            return item
        if item.filtered == NO_USER and known is not None and known.hl_id:
            # nothing is said of the user this time (a key that may not read users, say): that takes nobody away
            return replace(item, resolved=(known.hl_id, known.reason))
        if item.filtered:  # one who left stands for nobody any more, whoever it was before
            return replace(item, resolved=(None, item.filtered))
        user = self._catalogue().users.get(str(item.fields.get("email") or "").casefold())
        reason = None if user else NO_USER
        if item.fields.get("active") is False:
            user, reason = None, "inactive"
        return replace(item, resolved=(user.id if user else None, reason))

    def match_again(self, catalogue: Catalogue) -> None:
        """Look once more for practitioners who had no user, or whose user is no longer there: the clinic may have made one since.

        Called when the users have been read anyway, so that a run in which nothing changed still costs no request.
        """
        if catalogue.users and not self._looked:
            self._looked = True
            gone = self._work.unmatch({user.id for user in catalogue.users.values()})
            if gone:
                logger.warning("highlevel.users_gone practitioners=%s", ",".join(gone))
        waiting, self._waiting = self._waiting, []
        for item in waiting:
            user = catalogue.users.get(str(item.fields.get("email") or "").casefold())
            if user is not None and item.fields.get("active") is not False:
                self._work.match(item.ref, user.id)
