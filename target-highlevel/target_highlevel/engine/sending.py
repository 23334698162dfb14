"""What of a record is sent to make it: less after every refusal, for what HighLevel does not take never costs the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.objects.refused_fields import leaner, names_nothing
from target_highlevel.withheld import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.errors import Refused
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectKind


class Sending:
    """The fields of one create.

    What a refusal names is left out, or cut. Where it names nothing, more and more is left out: a few attempts for any record,
    and what was left out in vain is sent again.
    """

    def __init__(self, row: Row, spec: StreamSpec, kind: ObjectKind, wanted: dict[str, Any]) -> None:
        """Begin with all that is wanted; what has to be cut is cut in there."""
        self._row, self._spec, self._kind, self._wanted = row, spec, kind, wanted
        self._named = row.gives_up
        self._spared: set[str] = set()
        self._tried = [self._spared]
        self._steps: Iterator[set[str]] | None = None
        #: How many refusals have led to another attempt.
        self.refusals = 0
        #: The refusal that stands where nothing helps, if another than the last one: the first of those that named nothing.
        self.verdict: Refused | None = None

    @property
    def withheld(self) -> dict[str, str]:
        """Return what is left out, each with the reason."""
        return {**dict.fromkeys(self._spared, REFUSED), **self._named}

    @property
    def fields(self) -> dict[str, Any]:
        """Return what is sent."""
        return self._kind.without(self._spec, self._wanted, self.withheld)

    def heeds(self, refused: Refused) -> bool:
        """Send less the next time; return whether there is anything to leave out."""
        heeded = self._heeds_what_it_names(refused) or self._heeds_nothing_named(refused)
        self.refusals += heeded
        return heeded

    def _heeds_what_it_names(self, refused: Refused) -> bool:
        spec, kind, sent = self._spec, self._kind, self.fields
        name = kind.refused_field(refused, spec, sent)
        if name is not None:
            self._named[name] = REFUSED
            return True
        if kind.learn(refused, spec, sent):
            self._wanted.update(kind.fit(self._row, spec, self._wanted))
            return True
        return False

    def _heeds_nothing_named(self, refused: Refused) -> bool:
        kind, sent = self._kind, self.fields
        if self._steps is None:
            refused = self.verdict = kind.explained(refused, self._spec, sent)
        # a contact may have been left without the address that it needs
        in_vain = bool(self._spared) and refused.code == "address_required"
        if not in_vain and not names_nothing(refused, kind.named_by(refused, self._spec, sent)):
            self.verdict = self.verdict if self._steps is None else None
            return False
        if self._steps is None:
            self._steps = leaner(self._spec, sent) if kind.grows_leaner else iter(())
        for names in self._steps:
            if names not in self._tried:
                self._spared = names
                self._tried.append(names)
                return True
        return False
