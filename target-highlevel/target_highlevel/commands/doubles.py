"""What ``repair`` does about records that HighLevel holds twice: which copy is kept, and why the other may go or has to stay."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from target_highlevel.commands.ending import begun
from target_highlevel.commands.twins import Twins
from target_highlevel.connection import sub_account_tokens
from target_highlevel.crashpoints import reach
from target_highlevel.engine.session import Session
from target_highlevel.errors import NotFound, Refused
from target_highlevel.ledger.repair import Repair
from target_highlevel.objects.base import Rejected
from target_highlevel.verify.downloads import Downloads

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from target_highlevel.ledger.rows import Row
    from target_highlevel.settings import Settings


@dataclass
class Double:
    """A record's second copy: its HighLevel id, and why it stays; without a reason it may be removed."""

    row: Row
    hl_id: str
    stays: str = ""
    #: Ids of other second copies that it is linked with.
    linked: set[str] = field(default_factory=set)

    def line(self) -> str:
        """Return what is shown of it."""
        kept = f"{self.row.source_id}: {self.row.hl_id} is kept, the ledger leads to it"
        return (
            f"{kept}; {self.hl_id} {f'stays, {self.stays}' if self.stays else 'is the same and is removed'}"
        )


class Doubles:
    """Judges and removes second copies. Nothing is merged: what only the second one has keeps it where it is."""

    def __init__(self, settings: Settings, verification: str) -> None:
        """Open a session; nothing is sent yet."""
        self._session = Session(settings, mode="repair")
        begun(self._session.run)
        self._work = Repair(self._session.ledger, self._session.run)
        self._verification = verification
        stop = self._session.stop
        self._downloads = Downloads(
            settings.api_url, sub_account_tokens(settings, stop), self._session.governor, stop_event=stop
        )

    def close(self, code: int) -> None:
        """End the session."""
        self._downloads.close()
        self._session.close(code, {"repairs": self._verification})

    def judged(self, found: Iterable[tuple[str, str]]) -> Sequence[Double]:
        """Return the second copies, named by (ref, HighLevel id), as they are now, calendars after what is in them."""
        self._read_definitions()
        rows = ((self._work.known(ref), hl_id) for ref, hl_id in dict.fromkeys(found))
        doubles = [Double(row, hl_id) for row, hl_id in rows if row is not None and row.hl_id != hl_id]
        kept = {each.hl_id: str(each.row.hl_id) for each in doubles}
        twins = Twins(self._session, self._work, self._downloads, kept)
        for each in doubles:
            self._judge(each, twins)
        _keep_what_is_linked(doubles)
        return sorted(doubles, key=lambda each: each.row.object == "calendar")

    def _judge(self, double: Double, twins: Twins) -> None:
        try:
            double.stays = twins.why_it_stays(double.row, double.hl_id)
            if "." in double.row.object:
                double.linked = twins.linked(double.hl_id)
        except NotFound:
            double.stays = (
                "one of the two is gone, or is on another contact than the ledger says: delete in HighLevel the one that is"
                " not wanted, and verify again"
            )
        except (Refused, Rejected):
            double.stays = "it could not be read"

    def claim(self) -> None:
        """Make sure that no run writes to the sub-account meanwhile."""
        self._session.partners.claim()

    def remove(self, double: Double) -> None:
        """Delete a copy, with its intent and its outcome in the audit trail; the ledger's record stays as it is.

        Links may outlive what they link: they are removed as well.
        """
        relation = self._session.kinds.relation
        links = list(relation.all_of(double.hl_id)) if "." in double.row.object else []
        try:
            self._remove(replace(double.row, hl_id=double.hl_id))
        except (Refused, Rejected):
            double.stays = "HighLevel does not let it be removed"
            return
        for link in links:
            relation.take_away(link.id)

    def _remove(self, copy: Row) -> None:
        kind = self._session.kinds.of(copy, self._session.specs[copy.stream])
        self._work.removing(copy, kind.api)
        reach("after_intent", copy.object)
        try:
            kind.remove(copy)
        except NotFound:
            self._work.removed_copy(copy, kind.api, "gone_already")
        except (Refused, Rejected):
            self._work.removed_copy(copy, kind.api, "refused")
            raise
        else:
            self._work.removed_copy(copy, kind.api, "removed")

    def _read_definitions(self) -> None:
        catalogue = self._session.catalogue()
        for spec in self._session.specs.values():
            if spec.kind == "custom_object" and spec.object in catalogue.object_keys:
                catalogue.read_object(spec.object)


def _keep_what_is_linked(doubles: Sequence[Double]) -> None:
    """Have a copy stay that is linked with one that stays, and so on: somebody may work with the link."""
    staying = {each.hl_id for each in doubles if each.stays}
    while new := [each for each in doubles if not each.stays and each.linked & staying]:
        for each in new:
            each.stays = "it is linked with a second copy that stays: verify again when that one is gone"
        staying |= {each.hl_id for each in new}
