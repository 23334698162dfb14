"""The whole emulated agency: its locations, users and tokens; the first location shows through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.account import Account
from sandbox.highlevel.damage import Damage
from sandbox.highlevel.dump import dump
from sandbox.highlevel.files import stored_bytes
from sandbox.highlevel.limits import Bucket
from sandbox.highlevel.naming import Ids
from sandbox.highlevel.objects import standard_objects
from sandbox.highlevel.oracle import doubles, sources
from sandbox.highlevel.population import Population
from sandbox.highlevel.staff import VERBS, Staff
from sandbox.highlevel.tokens import TokenBook

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.control import Control
    from sandbox.highlevel.options import Options
    from sandbox.highlevel.search_index import Document

SETTLED_SECONDS = 30 * 86_400
FRONT_DESK = {"email": "frontdesk@example.org", "first_name": "Front", "last_name": "Desk"}


class State:
    """What the emulator knows; tests look at it and damage it.

    Every attribute of the first location's account can be read here directly: `state.contacts[id]`.
    """

    def __init__(self, options: Options, control: Control) -> None:
        """Make the locations, the users and one token of each kind."""
        self.options = options
        self.control = control
        self.ids = Ids(options.seed)
        self.company_id = self.ids.short("company")
        self.tokens = TokenBook(self.ids, options.scopes, options.agency_scopes)
        self.buckets: dict[str, Bucket] = {}
        self.accounts: dict[str, Account] = {}
        for number in range(1 + options.extra_locations):
            self._add_location(number)
        self.main = next(iter(self.accounts.values()))
        self.damage = Damage(self.main, control)
        self.staff = Staff(self.main, control)
        control.mutate = self.mutate
        control.dump = self.dump
        self.location_tokens = {key: self.tokens.private(key) for key in self.accounts}
        self.agency = self.tokens.private(None)

    def __getattr__(self, name: str) -> Any:
        """Read from the first location what the agency itself does not have."""
        if name.startswith("_") or name == "main":
            raise AttributeError(name)
        return getattr(self.main, name)

    @property
    def location_id(self) -> str:
        """The id of the first location."""
        return self.main.id

    @property
    def access_token(self) -> str:
        """The private integration token of the first location."""
        return self.location_tokens[self.main.id].value

    @property
    def agency_token(self) -> str:
        """The private integration token of the agency."""
        return self.agency.value

    def dump(self, *, schema: bool = True) -> dict[str, Any]:
        """Return all that a client can write, comparable before and after; see `sandbox.highlevel.dump`."""
        content = dump(self.main, schema=schema)
        others = [
            dump(account, schema=schema) for account in self.accounts.values() if account is not self.main
        ]
        return {**content, "other_locations": others} if others else content

    def mutate(self, change: Mapping[str, Any]) -> Any:
        """Do what another process orders: a damage, `set_option` (id, value) or `populate` (count)."""
        order = dict(change)
        verb = order.pop("do")
        if verb == "set_option":
            return self._set_option(order["id"], order["value"])
        if verb == "populate":
            return self.populate(**order)
        if verb in VERBS:
            return self.staff.apply(change)
        return self.damage.apply(change)

    def _set_option(self, name: str, value: Any) -> dict[str, Any]:
        if not hasattr(self.options, name):
            message = f"no option {name}"
            raise LookupError(message)
        setattr(self.options, name, value)
        return {name: value}

    def sources(self) -> dict[str, dict[str, list[str]]]:
        """Return which objects of the first location carry which source id."""
        return sources(self.main)

    def doubles(self) -> dict[str, list[str]]:
        """Return the source ids that are there more than once."""
        return doubles(self.main)

    def populate(self, count: int = 200, patients: Sequence[Mapping[str, Any]] = (), **mix: int) -> list[str]:
        """Put people into the first location who were there before; see `Population.fill`."""
        at = self.control.now() - SETTLED_SECONDS
        return Population(self.main, at, self.options.seed).fill(count, patients, **mix)

    def file_bytes(self, identity: str) -> bytes:
        """Return the bytes of an uploaded document."""
        return stored_bytes(self.main, identity)

    def bucket(self, name: str) -> Bucket:
        """Return the rate limits of a location or of the agency."""
        if name not in self.buckets:
            self.buckets[name] = Bucket(self.options)
        return self.buckets[name]

    def account(self, location_id: str) -> Account | None:
        """Return a location's account."""
        return self.accounts.get(location_id)

    def _add_location(self, number: int) -> None:
        identity = self.ids.short("location")
        name = "Sandbox Clinic" if number == 0 else f"Sandbox Clinic {number + 1}"
        account = Account(identity, name, self.company_id, self.options, self.ids)
        account.objects.update(standard_objects(account, self.control.now()))
        self.accounts[identity] = account
        for person in [*self.options.users, FRONT_DESK]:
            user = self._user(person, identity)
            account.users[user["id"]] = user

    def _user(self, person: Mapping[str, Any], location_id: str) -> Document:
        first, last = person.get("first_name") or "", person.get("last_name") or ""
        return {
            "id": self.ids.short("user"),
            "name": f"{first} {last}".strip(),
            "firstName": first,
            "lastName": last,
            "email": person["email"],
            "phone": "",
            "extension": "",
            "permissions": dict(person.get("permissions") or {}),
            "roles": {"type": "account", "role": "user", "locationIds": [location_id]},
            "deleted": bool(person.get("deleted")),
        }
