"""One probe from its start to its proof: measure with things of its own, remove them, see that they are gone."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.resource import Unparsed
from target_highlevel.assumptions import REGISTER
from target_highlevel.probe import account, calendar, contacts, files, links, texts
from target_highlevel.probe.asking import Asker
from target_highlevel.probe.belongings import Belongings, Leftovers
from target_highlevel.probe.documents import Documents
from target_highlevel.probe.own import Found, Own

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable
    from datetime import datetime

    from target_highlevel.api.resource import Transport
    from target_highlevel.http.governor import Governor
    from target_highlevel.http.tokens import TokenProvider
    from target_highlevel.settings import Settings

#: What a probe does, in the order in which it does it.
STEPS = (
    "look for what an earlier probe may have left, and remove it",
    "read the sub-account's settings, its users, its associations; search a custom object that is there, if any",
    "make a custom value, read it back",
    "make eight custom fields of contacts, some with options, one for a file",
    "make a contact without e-mail and phone, do-not-disturb on for every channel; ask the search until it shows",
    "write names, a day, options, countries and empty values on it, and read each back",
    "make notes and tasks on it: with markup, with a title, of up to 20,001 characters; all tasks are done ones",
    "make a calendar with a user in its team, open before dawn for a moment, ask what it offers, and delete it",
    "make a calendar without a team, a cancelled appointment of 2010 in it with toNotify: false, and a blocked hour of 2010",
    "make an association and a second such contact, relate the two, delete the second",
    "upload two small text files into the field that takes one, read the first back, take it off and put it back",
    "delete all of it, and look until nothing of it is found",
)
#: The most requests that a probe sends.
MOST_REQUESTS = 150


@dataclass
class Outcome:
    """How a probe ended."""

    found: Found
    left: Leftovers
    requests: int


class Probe:
    """Probes one sub-account."""

    def __init__(
        self,
        settings: Settings,
        transport: Transport,
        tokens: TokenProvider,
        governor: Governor,
        *,
        stop: threading.Event,
        now: Callable[[], datetime],
        search_lag: float,
    ) -> None:
        """Take the parts; nothing is sent yet.

        Args:
            settings: which sub-account.
            transport: carries requests out.
            tokens: opens documents.
            governor: keeps the budget.
            stop: ends waiting.
            now: dates the answers.
            search_lag: seconds the search lags behind at most, as far as is known.
        """
        self._asker = Asker(Unparsed(transport, settings.location_id))
        self._documents = Documents(settings.api_url, tokens, governor)
        self._belongings = Belongings(self._asker, stop.wait)
        self._lag = search_lag
        self._own = Own(self._asker, Found(now), stop.wait, time.monotonic)

    @property
    def found(self) -> Found:
        """What was found out so far."""
        return self._own.found

    def look(self) -> Leftovers:
        """Return what an earlier probe left, without changing anything.

        Raises:
            HighLevelError: the sub-account cannot be read.
        """
        self._read_location()
        return self._belongings.find()

    def act(self) -> Outcome:
        """Measure, and leave nothing behind; where something of an earlier probe is left, or may be, nothing is measured.

        Raises:
            HighLevelError: the sub-account cannot be read, or HighLevel keeps failing; what was made may still be there then.
        """
        self._read_location()
        before = self._belongings.find()
        left = self._belongings.remove(before, settle=self._lag) if before else Leftovers()
        if left.nothing:
            self._measure()
            settle = max(self._own.search_lag * 1.5 + 0.5, 0.5) if self._own.search_lag else self._lag
            left = self._belongings.remove(self._with_contact(self._belongings.look()), settle=settle)
        self._leave_nothing_open()
        requests = self._asker.requests + self._documents.requests
        return Outcome(self.found, left, requests)

    def close(self) -> None:
        """Close the connections."""
        self._documents.close()

    def _read_location(self) -> None:
        said = self._asker.ask(endpoints.GET_LOCATION, self._asker.location)
        said.given()
        account.shapes(self._own, said)
        country: Any = said.part("location").get("country")
        self._own.country = str(country or "").upper()

    def _measure(self) -> None:
        account.measure(self._own)
        if not contacts.measure(self._own):
            return
        texts.measure(self._own)
        calendar.measure(self._own)
        links.measure(self._own)
        files.measure(self._own, self._documents)

    def _with_contact(self, found: Leftovers) -> Leftovers:
        """Add the contact whose id is known: the search may not show it yet."""
        if self._own.contact and self._own.contact not in found.contacts:
            found.contacts.append(self._own.contact)
        return found

    def _leave_nothing_open(self) -> None:
        """Say of every question that is not in the findings why it is not."""
        found = self._own.found
        for name, item in REGISTER.items():
            if name not in found.measurements and name not in found.unanswered:
                found.unknown(name, item.unmeasured or "the contact it takes could not be made")
