"""From where on the ledger knows what the source has said, and whether this run may go on from its bookmarks."""

from __future__ import annotations

import json
import logging
import re
from typing import TYPE_CHECKING, Any

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.identity import is_of_a_sample
from target_highlevel.ledger.recovery import let_go
from target_highlevel.routing import UNDIVIDED
from target_highlevel.values import canonical_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.identity import Identity
    from target_highlevel.ledger.intake import Intake
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.work import Work
    from target_highlevel.routing import Routing
    from target_highlevel.source import Source

logger = logging.getLogger(__name__)

#: Name of the fact that says from where on a ledger knows what the source has said, and what it may say.
_BEGUN = "begun:"
_AT_THE_START, _UNPROVEN, _IN_THE_MIDDLE = "", "unproven", "in the middle"
#: Name of the fact from which run on a ledger that had fallen behind knows what the source has said.
_SINCE = "since:"
#: Name of the fact that says by which ``locations`` the last full read was divided.
_ROUTING = "routing:"
#: Name of the fact that a command found the ledger behind: the next load finds out what is there, if nothing else.
_BEHIND = "behind:"
#: Name of the fact that tells the folded fields of which the ledger knows only what came of late, by their streams (JSON).
_UNTOLD = "untold:"
#: Names of the facts that tell the mapping (a digest) by which everything was read last: of the clinic, of a sample.
_MAPPING, _MAPPING_OF_SAMPLE = "mapping:", "mapping_of_sample:"
#: Value of such a fact, or of that of the division, once a part was read by another one: going back to the first mends nothing.
_MIXED = "mixed"
_ADVICE = "run once with --full-refresh, which reads everything"


class Continuity:
    """What a run may take as known, of one sub-account."""

    def __init__(
        self,
        ledger: Ledger,
        *,
        mode: str,
        mapping: str,
        work: Work,
        intake: Intake,
        identity: Identity,
        routing: Routing,
        source: Source,
    ) -> None:
        """Recall what earlier runs knew; ``mapping`` is the digest of the present one."""
        self._ledger = ledger
        self._mode = mode
        self._mapping = mapping
        self._work = work
        self._intake = intake
        self._identity = identity
        self._routing = routing
        self._source = source
        #: Whether the ledger had received anything before this run.
        self.received_before = bool(intake.seq)
        self._seq = intake.seq
        #: Whether the tap goes on from bookmarks; None until it has said so.
        self.goes_on: bool | None = None
        #: Whether everything is read once more, into a ledger that had begun in the middle.
        self.is_full_reread = False
        self._begin(self._fact(_BEGUN))
        untold = json.loads(self._fact(_UNTOLD) or "{}")
        work.untold = {stream: set(names) for stream, names in untold.items()}

    def _fact(self, name: str) -> str:
        return self._ledger.fact(f"{name}{self._ledger.location}") or ""

    def _remember(self, name: str, value: str) -> None:
        self._ledger.remember(f"{name}{self._ledger.location}", value)

    def _begin(self, where: str) -> None:
        """Know, and remember, from where on the ledger has received what the source said."""
        self._begun = where
        self._work.knows_all = where == _AT_THE_START
        self._work.knows_since = int(self._fact(_SINCE) or 0)
        if where != self._fact(_BEGUN):
            self._remember(_BEGUN, where)

    @property
    def is_partial(self) -> bool:
        """Whether the ledger does not know what the source said before it was begun: an older one was lost."""
        return self._begun == _IN_THE_MIDDLE

    @property
    def is_mapped_anew(self) -> bool:
        """Whether records that have not changed are still as another mapping made them, and do not come in this run."""
        return bool(self.goes_on and self.received_before and self._fact(self._mapped_by) != self._mapping)

    @property
    def _mapped_by(self) -> str:
        return _MAPPING_OF_SAMPLE if self._source.sample else _MAPPING

    @property
    def is_unproven(self) -> bool:
        """Whether the ledger begins in the middle, and nobody has looked yet whether one was lost."""
        return self._begun == _UNPROVEN

    def lost(self) -> None:
        """Take note that an older ledger was lost: the sub-account has records of ours that this one does not know."""
        self._begin(_IN_THE_MIDDLE)
        self._advise()

    def fall_behind(self, run: str) -> None:
        """Take note that this ledger knows only from this run on what the source says, until everything was read.

        Where all comes anew in this run, it knows everything when that has come to its end, unless something was taken for
        unchanged before this was found.
        """
        comes_anew = not self.goes_on and self._intake.seq == self._seq
        self._remember(_SINCE, str(self._ledger.run_number(run)))
        self._begin(_IN_THE_MIDDLE)
        if comes_anew:
            self._work.knows_all = True
            self.is_full_reread = True

    @property
    def was_behind(self) -> bool:
        """Whether a command found the ledger behind, and no load has found out since what is there."""
        return bool(self._fact(_BEHIND))

    def note_behind(self, *, behind: bool) -> None:
        """Keep whether the next load has to find out what is there."""
        if behind or self.was_behind:
            self._remember(_BEHIND, "yes" if behind else "")

    def resume_from(self, state: Mapping[str, Any], explain: Callable[[], None]) -> None:
        """Take the state that the tap starts from: a ledger that never received anything begins in the middle then.

        Only what has changed since comes. Where an earlier ledger was lost, all else is in HighLevel already; what other lists
        say of a record (medical alerts, appointment types, the owner) is not known, and left as it stands there until
        everything is read anew. Where nothing of ours is there, most records would be missing: see ``Preflight.catalogue``.

        Args:
            state: the first that came.
            explain: finds out why a state is ahead of this ledger, or raises.

        Raises:
            SettingsError: the run must not go on from there.
        """
        bookmarks = state.get("bookmarks")
        bookmarks = bookmarks if isinstance(bookmarks, dict) else {}
        goes_on = self.goes_on = self._work.goes_on = _goes_on(bookmarks)
        self._source.sample = self._source.sample or is_of_a_sample(bookmarks)
        if self._mode == "verify":
            return
        self._check_routing()
        self._check_mapping()
        if self._mode == "load":
            self._check_passed(bookmarks, explain)
        if goes_on and not self._intake.seq:
            self._begin(_UNPROVEN)
        if self._source.sample:  # it says nothing of all the others
            return
        if state.get("from_start") is False and not goes_on and not self.received_before:
            self._begin(_IN_THE_MIDDLE)  # the tap's start_date: nobody has read what is older
        if not goes_on and (self._begun != _AT_THE_START or self._is_divided_anew()):
            self._work.reset_digests()
            self._work.knows_all = True  # of what comes in this run; of all, when it has come to its end
            self.is_full_reread = True
        elif self.is_partial:
            self._advise()

    def _check_passed(self, bookmarks: Mapping[str, Any], explain: Callable[[], None]) -> None:
        """Make sure that the tap does not go on from where this ledger has never come to."""
        passed = self._identity.passed(bookmarks)
        if self.goes_on and is_ahead(bookmarks, passed):
            explain()
        elif not self.goes_on and (passed is None or self.is_unproven):
            self._identity.forget_passed(bookmarks)

    def _advise(self) -> None:
        logger.warning("highlevel.ledger_lost advice=%s", _ADVICE)

    def _check_routing(self) -> None:
        """Make sure that what earlier runs received was sent where it belongs by the setting of now.

        Raises:
            SettingsError: the setting has changed, and only what has changed in Cliniko would come.
        """
        if not self._intake.seq:
            self._keep_routing()
        elif self.goes_on and self._is_divided_anew():
            msg = (
                "TARGET_HIGHLEVEL_LOCATIONS has changed since the last full read: run once with"
                " `meltano run --full-refresh tap-cliniko target-highlevel`, which moves what belongs elsewhere now"
            )
            raise SettingsError(msg)
        elif self._is_divided_anew() and self._mode == "load":
            self._remember(_ROUTING, _MIXED)  # until everything was read

    def _is_divided_anew(self) -> bool:
        """Return whether the last full read was divided among sub-accounts in another way."""
        return self._routing.text() != (self._fact(_ROUTING) or UNDIVIDED)

    def _keep_routing(self) -> None:
        if self._mode == "load":
            self._remember(_ROUTING, self._routing.text())

    def _check_mapping(self) -> None:
        """Note that a part of what was read by another mapping is about to be read by this one."""
        kept = self._fact(self._mapped_by)
        only_a_sample_came = not self.goes_on and self._fact(_MAPPING_OF_SAMPLE)
        if not kept and (only_a_sample_came or not self.received_before):
            self.keep_mapping()
        elif kept != self._mapping and self._mode == "load":
            self._remember(self._mapped_by, _MIXED)

    def keep_mapping(self) -> None:
        """Take note that everything was read by the present mapping, be it all of a sample."""
        if self._mode == "load":
            self._remember(self._mapped_by, self._mapping)

    def note_untold(self, before: StreamSpec | None, spec: StreamSpec) -> None:
        """Note which folded fields are new to a ledger that has received records: it knows a part of what others say of them."""
        if before is None or not self.received_before or self._mode == "verify":
            return
        new = {each.name for each in spec.folded} - {each.name for each in before.folded}
        if new:
            logger.warning("highlevel.fields_untold stream=%s advice=%s", spec.stream, _ADVICE)
            self._work.untold[spec.stream] = {*self._work.untold.get(spec.stream, ()), *new}
            self._keep_untold()

    def _keep_untold(self) -> None:
        kept = {stream: sorted(names) for stream, names in self._work.untold.items()}
        self._remember(_UNTOLD, canonical_json(kept))

    def all_came(self) -> None:
        """Take note that the source has read everything it has: now the ledger knows all of it."""
        self._keep_routing()
        if self._mode != "verify":
            let_go(self._ledger, self._work.run)
        if self._work.untold:
            self._work.untold = {}
            self._keep_untold()
        if self.is_full_reread:
            self._begin(_AT_THE_START)


def _goes_on(bookmarks: Mapping[str, Any]) -> bool:
    """Return whether a source has passed records on before; which patients a sample takes is no sign of it."""
    return any(set(each) - {"sample"} if isinstance(each, dict) else each for each in bookmarks.values())


_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d")


def is_ahead(bookmarks: Mapping[str, Any], passed: Mapping[str, Any] | None) -> bool:
    """Return whether a stream goes on from a later moment than the one that was let pass, or from any where none was.

    Where nobody has kept what passed, nobody can tell. An earlier state does no harm: what it brings again is known.
    """
    if passed is None:
        return False
    known = dict(_moments(passed))
    return any(moment > known.get(path, "") for path, moment in _moments(bookmarks))


def _moments(value: object, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield (path, moment) of every replication key in a state."""
    if isinstance(value, dict):
        for name, item in value.items():
            yield from _moments(item, f"{path}/{name}")
    elif isinstance(value, str) and path.endswith("/replication_key_value") and _MOMENT.match(value):
        yield path, value
