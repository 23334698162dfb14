"""Fields that a record could not be given, addresses above all, and the tags that tell the clinic of those."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Why an address was withheld that HighLevel does not take for one; every other reason is whose it is instead.
REFUSED = "refused"
#: Of a contact: for these a tag tells why they are missing; whatever else was refused is listed only.
_ADDRESSES = frozenset({"email", "phone"})


def explained(reasons: Iterable[str]) -> str:
    """Return how a verification explains what was withheld: HighLevel refused it, or it is another contact's address, too."""
    return "withheld_refused" if set(reasons) <= {REFUSED} else "withheld_shared"


def tag(name: str, why: str) -> str:
    """Return the tag of a contact without this address: ``shared-email``, ``invalid-phone``."""
    return f"{'invalid' if why == REFUSED else 'shared'}-{name}"


def tags(withheld: Mapping[str, str]) -> set[str]:
    """Return the tags that tell of these addresses."""
    return {tag(name, why) for name, why in withheld.items() if why != REFUSED or name in _ADDRESSES}


def possible_tags(names: Iterable[str]) -> set[str]:
    """Return every tag that may tell of one of these fields."""
    return {f"{word}-{name}" for name in names for word in ("shared", "invalid")}


def untold(withheld: Mapping[str, str]) -> dict[str, str]:
    """Return those of which no tag tells: only the ledger knows that they are not there."""
    return {name: why for name, why in withheld.items() if not tags({name: why})}


def told_by(there: Iterable[str], name: str) -> str | None:
    """Return why a field was withheld, as far as the tags of a contact tell; nothing where none tells of it."""
    found = set(there)
    if f"invalid-{name}" in found:
        return REFUSED
    return "unknown" if f"shared-{name}" in found else None
