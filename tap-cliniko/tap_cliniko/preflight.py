"""Finds out before anything is read what the key may read: one small request for each stream."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from tap_cliniko.client import Query
from tap_cliniko.errors import ContractChanged, NotFound, RoleRefused, SettingsError, Unavailable
from tap_cliniko.filters import with_archived
from tap_cliniko.resources import BY_NAME, Resource, Role, Shape
from tap_cliniko.resources.account import PUBLIC_SETTINGS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tap_cliniko.client import ClinikoClient, Row


class Outcome(StrEnum):
    """What the key may see of one stream."""

    FULL = "full"
    HIDDEN = "hidden by role"
    REFUSED = "refused"
    ABSENT = "absent"

    @property
    def readable(self) -> bool:
        """Whether there is anything to read."""
        return self in {Outcome.FULL, Outcome.HIDDEN}


@dataclass(frozen=True, slots=True)
class Access:
    """The outcome for one stream; `below` when it is only found below each of its parents."""

    resource: Resource
    outcome: Outcome
    rows: int | None = None
    below: bool = False

    def dump(self) -> str:
        """Write it into the state."""
        return f"{self.outcome.value}{', below' if self.below else ''}"

    @staticmethod
    def reads(text: Any) -> bool:
        """Whether a text of a state is what this version writes."""
        outcome, _, below = str(text).partition(", ")
        return outcome in set(Outcome) and below in {"", "below"}

    def remark(self, role: str) -> str:
        """Say in a few words what the outcome means for the key's role."""
        if self.outcome in {Outcome.REFUSED, Outcome.HIDDEN}:
            return f"needs the role {needed_role(self.resource, role)}"
        if self.outcome is Outcome.ABSENT:
            return "this account does not have it"
        return "one request for each parent" if self.below else ""


def needed_role(resource: Resource, role: str) -> str:
    """Name the roles that see a resource completely.

    When the key's own role should but does not, only an administrator certainly does.
    """
    readers = {each.value for each in resource.readers}
    return Role.ADMINISTRATOR.value if role in readers else " or ".join(sorted(readers))


class Preflight:
    """Asks for the key's owner and for one row of each stream."""

    def __init__(self, client: ClinikoClient) -> None:
        """Ask who the key belongs to; a wrong key ends here."""
        self._client = client
        try:
            owner = client.object("/user")
        except NotFound:
            msg = "there is no Cliniko API at this address; check api_url (TAP_CLINIKO_API_URL), which ends in /v1"
            raise SettingsError(msg) from None
        self.role = str(owner.get("role") or "unknown")
        self.reader = f"{self.role} {owner.get('id')}"

    def public_settings(self) -> Row:
        """Return the account's public settings, empty when the key may not read them."""
        try:
            return self._client.object(PUBLIC_SETTINGS.url_path)
        except (ContractChanged, NotFound, RoleRefused):
            return {}

    def check(self, selected: Iterable[Resource]) -> dict[str, Access]:
        """Return what the key may see of each stream."""
        return {resource.name: self._check(resource) for resource in selected}

    def _check(self, resource: Resource) -> Access:
        never_listed = resource.shape is Shape.UNDER_PARENT
        asked = BY_NAME[resource.below[0]] if never_listed and resource.below else resource
        try:
            rows = self._count(asked)
        except RoleRefused:
            return Access(resource, Outcome.REFUSED)
        except NotFound:
            # an account without a list of its own still has the rows below their parents
            if resource.below and not never_listed:
                return Access(resource, self._seen_by_role(resource), below=True)
            return Access(resource, Outcome.ABSENT)
        except (ContractChanged, Unavailable):
            if resource.optional:  # nothing promises how an undocumented list behaves
                return Access(resource, Outcome.ABSENT)
            raise
        # what was counted are the parents
        return Access(
            resource, self._seen_by_role(resource), None if never_listed else rows, below=never_listed
        )

    def _count(self, resource: Resource) -> int | None:
        if resource.shape is Shape.OBJECT:
            self._client.object(resource.url_path)
            return 1
        query = Query(with_archived(resource), size=1)
        return self._client.page(resource.url_path, resource.name, query).total

    def _seen_by_role(self, resource: Resource) -> Outcome:
        known = self.role in {role.value for role in Role}
        hidden = known and Role(self.role) not in resource.readers
        return Outcome.HIDDEN if hidden else Outcome.FULL

    def refuse(self, access: Mapping[str, Access], *, skip: bool) -> None:
        """Stop when a stream is refused, unless the settings say to go on without it, or absent, unless it is optional."""
        needed = [each for each in access.values() if not each.resource.optional]
        refused = [each.resource for each in needed if each.outcome is Outcome.REFUSED]
        if refused and not skip:
            needs = "; ".join(
                f"{resource.name} needs {needed_role(resource, self.role)}" for resource in refused
            )
            msg = (
                f"the key's role ({self.role}) may not read {len(refused)} of the selected streams: {needs}. "
                "Use the key of such a user, deselect the streams, or set skip_refused_streams "
                "(TAP_CLINIKO_SKIP_REFUSED_STREAMS) to true"
            )
            raise RoleRefused(msg)
        absent = [each.resource.name for each in needed if each.outcome is Outcome.ABSENT]
        if absent:
            msg = (
                f"Cliniko does not find what every account has (404): {', '.join(absent)}. The API has changed; "
                "deselect the streams to go on without them"
            )
            raise ContractChanged(msg)


def account_of(settings: Row) -> str | None:
    """Return the account's id, which tells two clinics apart, None when the settings do not hold it."""
    account = settings.get("account")
    found = account.get("id") if isinstance(account, dict) else None
    return str(found) if found else None


def remembered_access(outcomes: Mapping[str, str]) -> dict[str, Access]:
    """Return what an earlier preflight found; `below` stands where only the rows below each parent were found."""
    found = {}
    for name, text in outcomes.items():
        outcome, _, below = text.partition(", ")
        found[name] = Access(BY_NAME[name], Outcome(outcome), below=bool(below))
    return found


def access_table(role: str, access: Mapping[str, Access]) -> list[str]:
    """Write the outcomes as lines of a table."""
    lines = [f"role of the key's owner: {role}", f"{'stream':<32} {'access':<15} {'rows':>9}  remark"]
    for name, each in access.items():
        rows = "" if each.rows is None else f"{each.rows}"
        lines.append(f"{name:<32} {each.outcome.value:<15} {rows:>9}  {each.remark(role)}".rstrip())
    return lines
