"""E-mails and phones that several people share: HighLevel may allow each on one contact only."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from target_highlevel.values import fingerprint

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import StreamSpec

_ADDRESSES = ("email", "phone")


class SharedAddresses:
    """Counts addresses by a keyed hash, so that none of them is kept."""

    def __init__(self, salt: bytes) -> None:
        """Hash with this key."""
        self._salt = salt
        self._holders: defaultdict[tuple[str, str], set[str]] = defaultdict(set)

    def see(self, spec: StreamSpec, record: Mapping[str, Any]) -> None:
        """Take the addresses of a contact's main record."""
        if spec.kind != "contact" or record.get("part") or record.get("filtered") or record.get("rejected"):
            return
        for declared in spec.fields.values():
            value = record.get(declared.name)
            if declared.kind == "standard" and declared.api_name in _ADDRESSES and value:
                mark = fingerprint(str(value).casefold(), self._salt)
                self._holders[declared.api_name, mark].add(str(record["source_id"]))

    def content(self) -> dict[str, Any]:
        """Return for each kind of address how many are shared, and by how many people."""
        found = {}
        for name in _ADDRESSES:
            shared = [
                people for (kind, _), people in self._holders.items() if kind == name and len(people) > 1
            ]
            found[name] = {"addresses": len(shared), "people": sum(map(len, shared))}
        return found
