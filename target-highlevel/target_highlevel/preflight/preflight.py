"""Before a run writes its first record: its partners, the definitions, and all that would stand in the way."""

from __future__ import annotations

import logging
from contextlib import suppress
from typing import TYPE_CHECKING

from target_highlevel.errors import NotOffered, SettingsError
from target_highlevel.ledger.definitions import Definitions
from target_highlevel.ledger.recovery import Recovery
from target_highlevel.ledger.undo import WRITING_MODES
from target_highlevel.objects.contact import IDENTITY
from target_highlevel.partners.partners import COST
from target_highlevel.preflight.definitions import DefinitionCheck
from target_highlevel.preflight.workflows import ADVICE, NONE, look_for_workflows

if TYPE_CHECKING:
    import threading

    from target_highlevel.engine.session import Session
    from target_highlevel.setup.catalogue import Catalogue

logger = logging.getLogger(__name__)

#: Modes that write to the sub-account, one run at a time.
CLAIMING_MODES = (*WRITING_MODES, "rollback")


class Preflight:
    """Looks once, when something is to be written, and lets the run claim the sub-account."""

    def __init__(self, session: Session, catalogue: Catalogue, mutex: threading.RLock) -> None:
        """Look for this run; the catalogue is filled then, while nobody else holds the mutex."""
        self._session = session
        self._catalogue = catalogue
        self._definitions = DefinitionCheck(
            Definitions(session.ledger, session.run), catalogue, session.specs
        )
        self._mutex = mutex
        self._met = False
        #: Whether the run has passed: it may write.
        self.passed = False
        #: Whether the crosswalk is compared with HighLevel before anything is written.
        self.finds_again = False
        #: What was found of the sub-account's automations, in words; empty when nobody looked.
        self.workflows = ""

    def catalogue(self) -> Catalogue:
        """Return the sub-account's definitions, read once a run and only when something is to be written.

        Raises:
            SettingsError: a load cannot do what it has to; nothing was written, and all that is missing is named.
        """
        with self._mutex:
            if not self.passed:
                self._pass()
            self._session.directory.match_again(self._catalogue)
            return self._catalogue

    def _pass(self) -> None:
        session, catalogue = self._session, self._catalogue
        self._meet()
        catalogue.read()
        self._check_ledger_matches_account()
        if session.mode in {"load", "plan"}:
            self._check_definitions()
        if session.mode in {*WRITING_MODES, "plan"}:
            self.workflows = look_for_workflows(session.highlevel.account)
            if session.settings.calendar_id and session.settings.appointments_as != "task":
                catalogue.expect_calendar(session.settings.calendar_id)
            first = not session.continuity.received_before
            session.blockers += session.schema.obstacles(session.coming, first=first)
        if session.settings.pipeline:
            self._catalogue.expect_pipeline(session.settings.pipeline)
        if session.blockers and session.mode != "plan":
            raise SettingsError("; ".join(dict.fromkeys(session.blockers)))
        if session.mode in CLAIMING_MODES:
            session.partners.claim()
        if self.finds_again:
            for spec in session.coming:
                with suppress(NotOffered):  # the first record of it hears the same
                    session.rebuild.once(spec)
        self.passed = True
        logger.info(
            "highlevel.preflight location=reachable duplicates=%s users=%d contact_fields=%d objects=%d workflows=%s",
            "allowed" if catalogue.allows_duplicates() else "refused",
            len(catalogue.users),
            len(catalogue.contact_fields),
            len(catalogue.object_keys),
            self.workflows,
        )
        if self.workflows and self.workflows != NONE:
            logger.warning("highlevel.workflows found=%s advice=%s", self.workflows, ADVICE)

    def _meet(self) -> None:
        """Meet the partners of this run before its first write; what the ledger must find again is noted durably.

        A run without anything to write asks nothing: it does no harm, whoever its partners are.

        Raises:
            SettingsError: ledger, sub-account and Cliniko account do not belong together, or another run is at work.
        """
        if self._met:
            return
        self._met = True
        session, continuity = self._session, self._session.continuity
        claims = session.mode in CLAIMING_MODES
        behind = session.partners.meet(only_look=not claims)
        if session.plan is not None and session.partners.has_mark:
            session.plan.requests.update(map(str, COST))
        if not claims or not (continuity.received_before or session.identity.has_lost()):
            return
        if behind and session.mode != "load":
            continuity.note_behind(behind=True)
            msg = (
                "this ledger is older than what was written to the sub-account since: run"
                " `meltano run --full-refresh tap-cliniko target-highlevel` first, which finds out what is there"
            )
            raise SettingsError(msg)
        unmarked = session.mode == "load" and not session.partners.is_marked and not continuity.goes_on
        if behind or unmarked:
            logger.warning("highlevel.finds_again because=%s", "ledger is behind" if behind else "no mark")
            self.finds_again = True
            Recovery(session.ledger, session.run).require(is_behind=behind)
            if behind:
                continuity.fall_behind(session.run)
                session.identity.keep_come()
        continuity.note_behind(behind=False)

    def begin(self) -> None:
        """Have a ledger known to be from a backup compared with HighLevel before anything counts as unchanged."""
        session = self._session
        if session.mode == "load" and (session.continuity.was_behind or session.identity.is_put_back):
            self.catalogue()

    def explain_state(self) -> None:
        """Go on from a state that this ledger has not let pass, if it turns out to be older than what was written since.

        Raises:
            SettingsError: it is not; what changed in between went elsewhere.
        """
        self.catalogue()
        if not self.finds_again:
            msg = (
                "the state is ahead of this ledger: what changed in between went to another ledger or sub-account, or this one"
                " comes from a backup. Run once with `meltano run --full-refresh tap-cliniko target-highlevel`"
            )
            raise SettingsError(msg)

    def _check_ledger_matches_account(self) -> None:
        """Find out whether a ledger that begins in the middle was lost, or is the first of this sub-account."""
        continuity = self._session.continuity
        if not (continuity.is_unproven and continuity.goes_on):
            return
        if IDENTITY in self._catalogue.contact_fields:
            continuity.lost()
            return
        self._session.blockers.append(
            "the tap goes on from bookmarks, but neither this ledger nor the sub-account has anything of Cliniko so far"
            " (was another one used before?): run once with `meltano run --full-refresh`"
        )

    def _check_definitions(self) -> None:
        """Stop, or have the plan say what would stop, where somebody has deleted what earlier loads wrote to."""
        session = self._session
        try:
            self._definitions.check(
                goes_on=bool(session.continuity.goes_on),
                settle=lambda: session.stop.wait(session.search_lag),
            )
        except SettingsError as error:
            if session.mode != "plan":
                raise
            session.blockers.append(str(error))

    def keep_definitions(self) -> None:
        """Remember which definitions this load has used, now that all of them are made."""
        if self._session.mode == "load" and self.passed:
            self._definitions.keep(all_came=self._session.all_came)
