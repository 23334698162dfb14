"""Which sub-account takes what, where a clinic runs some of its businesses in sub-accounts of their own.

Every sub-account of a run receives every record, so that its part of the ledger holds what it may need one day: the patient who
comes to it next year, with all that was written about them before. What it takes is decided from the record alone:

- one that says nothing of businesses (a doctor, a service) goes to every sub-account;
- one of businesses goes to theirs; a business without a sub-account of its own is the main one's;
- one that could belong to a business and belongs to none (a patient without a booking) goes to the main one;
- what hangs on another record follows it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from target_highlevel.fields import kind_of
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from target_highlevel.descriptor import Incoming, StreamSpec

#: The choice of a clinic that has one sub-account.
UNDIVIDED = "[]"


@dataclass(frozen=True)
class Routing:
    """The choice of one sub-account among those of a run."""

    #: Id of this sub-account.
    here: str
    #: Id of the one that takes what no other does.
    main: str
    #: Business id → id of its own sub-account.
    locations: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_divided(self) -> bool:
        """Return whether anything has a place of its own."""
        return bool(self.locations)

    def text(self) -> str:
        """Return what is compared with an earlier run's: another choice needs everything read anew."""
        return canonical_json([self.main, dict(self.locations)]) if self.is_divided else UNDIVIDED

    def takes(self, spec: StreamSpec, fields: Mapping[str, Any]) -> bool:
        """Return whether a record belongs here, by its fields as they are folded."""
        if not self.is_divided:
            return True
        said = [fields[name] for name in _routing_fields(spec) if fields.get(name) is not None]
        return not said or self._are_here([business for businesses in said for business in businesses])

    def share(self, item: Incoming) -> Incoming:
        """Return what of a mapped record is received here: of a partial one of another sub-account, only where it belongs.

        So a patient's visits and sums are those of this sub-account, and nothing is counted in two of them.
        """
        if item.part is None or self.takes(item.spec, item.fields):
            return item
        kept = {name: item.fields[name] for name in _routing_fields(item.spec) if name in item.fields}
        return replace(item, fields=kept)

    def _are_here(self, businesses: Collection[str]) -> bool:
        return self.here in ({self.locations.get(str(item), self.main) for item in businesses} or {self.main})


def _routing_fields(spec: StreamSpec) -> list[str]:
    return [name for name, declared in spec.fields.items() if kind_of(declared).routes]
