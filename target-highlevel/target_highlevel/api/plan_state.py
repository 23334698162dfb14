"""What the parts of a planned HighLevel share: the cost so far, what a load would be refused, and what it would have made."""

from __future__ import annotations

import itertools
import threading
from collections import Counter, defaultdict
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar

from target_highlevel.errors import CredentialsRefused, DuplicateContact, Findings, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from target_highlevel.api.contacts import Contacts
    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.api.relations import RelationItem, Relations
    from target_highlevel.api.resource import Transport

_MARK = "planned-"
#: HighLevel's limit for one record under one label (docs/api-facts.md, Limits).
_MOST_RELATIONS = 1000

_Found = TypeVar("_Found")


def is_planned(identity: str) -> bool:
    """Return whether an id is of something that is only planned: HighLevel would never give such a one."""
    return identity.startswith(_MARK)


class PlanState:
    """Shared by all threads of a plan."""

    def __init__(self, blockers: list[str]) -> None:
        """Put what a load would be refused among these blockers; the plan goes on."""
        self.mutex = threading.RLock()
        self.blockers = blockers
        #: Requests the load would make, by endpoint.
        self.requests: Counter[str] = Counter()
        self._numbers = itertools.count(1)

    def count(self, endpoint: Endpoint) -> None:
        """Count a request of the load that is answered here."""
        with self.mutex:
            self.requests[str(endpoint)] += 1

    def identity(self) -> str:
        """Return an id for something that is only planned."""
        return f"{_MARK}{next(self._numbers)}"

    @contextmanager
    def noting(self) -> Iterator[None]:
        """List a refusal to read, which would stop the load, among the blockers, and pass it on.

        A token that is refused altogether is no blocker: nothing at all can be read, and there is nothing to plan from.
        """
        try:
            yield
        except CredentialsRefused as refused:
            if refused.missing != "token":
                self.blockers.append(str(refused))
            raise

    def read(self, read: Callable[[], _Found], otherwise: _Found) -> _Found:
        """Read something; where that is refused, it is listed and counts as empty."""
        try:
            with self.noting():
                return read()
        except CredentialsRefused as refused:
            if refused.missing == "token":
                raise
            return otherwise

    def read_all(self, found: Iterable[_Found]) -> Iterator[_Found]:
        """Yield what a list has up to where a refusal ends it, which is listed."""
        try:
            with self.noting():
                yield from found
        except CredentialsRefused as refused:
            if refused.missing == "token":
                raise


class Counted:
    """Carries requests out, and counts them as those of the load."""

    def __init__(self, transport: Transport, state: PlanState) -> None:
        """Send requests this way."""
        self._transport = transport
        self._state = state

    def request(self, method: str, path: str, *, route: str = "", **more: Any) -> Any:
        """Do one request and return the parsed answer."""
        with self._state.mutex:
            self._state.requests[f"{method} {route}"] += 1
        return self._transport.request(method, path, route=route, **more)


class Addresses:
    """Who has which e-mail and phone, there or planned: refuses what a sub-account without duplicates would refuse."""

    def __init__(self, contacts: Contacts, state: PlanState) -> None:
        """Page once, when the first address is planned, through all contacts: the plan's own cost, not the load's."""
        self._contacts = contacts
        self._state = state
        self._holders: dict[tuple[str, str], str] | None = None
        #: The addresses of each contact.
        self._of: defaultdict[str, set[tuple[str, str]]] = defaultdict(set)
        self.duplicates_allowed = False

    def claim(self, fields: Mapping[str, Any], contact_id: str) -> None:
        """Give a contact the addresses among these fields; the one that it had before comes free.

        Raises:
            DuplicateContact: another contact has one.
        """
        if self.duplicates_allowed:
            return
        if self._holders is None:
            self._holders = dict(self._taken())
            for key, owner in self._holders.items():
                self._of[owner].add(key)
        wanted = [(name, str(fields[name]).casefold()) for name in ("email", "phone") if fields.get(name)]
        for name, value in wanted:
            holder = self._holders.get((name, value))
            if holder not in {None, contact_id}:
                raise DuplicateContact(
                    status=400,
                    findings=Findings(code="duplicate_contact", contact_id=holder, matching_field=name),
                )
        given_up = {key for key in self._of[contact_id] if key[0] in fields}
        for key in given_up:
            self._holders.pop(key, None)
        self._of[contact_id] = self._of[contact_id] - given_up | set(wanted)
        self._holders.update(dict.fromkeys(wanted, contact_id))

    def _taken(self) -> Iterator[tuple[tuple[str, str], str]]:
        for page in self._state.read_all(self._contacts.pages()):
            for contact in page:
                yield from _addresses(contact)


def _addresses(contact: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], str]]:
    for name in ("email", "phone"):
        if contact.get(name):
            yield (name, str(contact[name]).casefold()), contact["id"]
    for email in contact.get("additionalEmails") or ():
        address = email.get("email") if isinstance(email, dict) else email
        yield ("email", str(address).casefold()), contact["id"]


class PlannedLinks:
    """Relations that are there and those that would be made; refuses what HighLevel would refuse."""

    def __init__(self, relations: Relations, state: PlanState) -> None:
        """Read the relations of each record once: the plan's own cost, not the load's."""
        self._relations = relations
        self._state = state
        self._there: dict[str, list[RelationItem]] = {}
        self._made: dict[str, list[RelationItem]] = {}
        self._links: set[tuple[str, str, str]] = set()
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, made: RelationItem) -> None:
        """Make a relation.

        Raises:
            Refused: there is one already, or the label is full for one of the records.
        """
        if not is_planned(made.first) and not is_planned(made.second):
            self.of(made.second)
        if _link(made) in self._links:
            raise Refused(status=400, findings=Findings(code="duplicate_relation"))
        sides = (("first", made.first), ("second", made.second))
        if max(self._counts[(made.association_id, *side)] for side in sides) >= _MOST_RELATIONS:
            raise Refused(status=400, findings=Findings(code="limit_reached"))
        self._count(made)
        for record in {made.first, made.second}:
            self._made.setdefault(record, []).append(made)

    def of(self, record: str) -> list[RelationItem]:
        """Return all relations of a record, there or planned."""
        if record not in self._there:
            listed = [] if is_planned(record) else self._state.read_all(self._relations.listed(record))
            self._there[record] = list(listed)
            for item in self._there[record]:
                self._count(item)
        return [*self._there[record], *self._made.get(record, ())]

    def remove(self, identity: str) -> None:
        """Take a relation away."""
        for items in (*self._there.values(), *self._made.values()):
            for item in [each for each in items if each.id == identity]:
                items.remove(item)
                self._links.discard(_link(item))

    def _count(self, item: RelationItem) -> None:
        if _link(item) not in self._links:
            self._links.add(_link(item))
            self._counts[item.association_id, "first", item.first] += 1
            self._counts[item.association_id, "second", item.second] += 1


def _link(item: RelationItem) -> tuple[str, str, str]:
    return item.association_id, item.first, item.second
