"""All parts of one run against one sub-account, put together in one place."""

from __future__ import annotations

import json
import logging
import threading
from collections import Counter
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.api.live import LiveHighLevel
from target_highlevel.api.planned import PlannedHighLevel
from target_highlevel.api.read_only import ReadOnlyHighLevel
from target_highlevel.assumptions.known import known
from target_highlevel.connection import connect
from target_highlevel.descriptor import stream_spec
from target_highlevel.desired import Desired, is_clocked
from target_highlevel.engine.directory import Directory
from target_highlevel.engine.division import Division
from target_highlevel.engine.places import Places
from target_highlevel.engine.state import StateGate
from target_highlevel.engine.writer import Writer
from target_highlevel.errors import HighLevelError, NotFound, NotOffered, Refused
from target_highlevel.exit_codes import LOADED
from target_highlevel.fields import own_currency
from target_highlevel.ledger.budget import Day, LedgerDayCounter
from target_highlevel.ledger.clock import mind_the_clock
from target_highlevel.ledger.identity import Identity
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.ledger import Ledger, utc_now
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.scratch import COPIED_AT, publish_run, scratch_copy
from target_highlevel.ledger.undo import WRITING_MODES
from target_highlevel.ledger.work import Work
from target_highlevel.money import in_highlevel
from target_highlevel.objects.base import ObjectContext
from target_highlevel.objects.event import EVENT_ONLY
from target_highlevel.objects.kinds import Kinds
from target_highlevel.partners import Partners
from target_highlevel.partners.partners import Ourselves
from target_highlevel.preflight.admission import (
    mapper_digest,
    refuse_unapproved_account,
    refuse_unready,
    remember_plan,
)
from target_highlevel.preflight.continuity import Continuity
from target_highlevel.preflight.preflight import Preflight
from target_highlevel.reasons import reason_for
from target_highlevel.recovery.rebuild import Rebuild
from target_highlevel.report.run_report import private
from target_highlevel.routing import Routing
from target_highlevel.setup.catalogue import Catalogue
from target_highlevel.setup.schema import SchemaSetup
from target_highlevel.source import Source

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from contextlib import AbstractContextManager
    from datetime import datetime
    from tempfile import TemporaryDirectory

    from target_highlevel.api.protocol import HighLevel
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.state import StateOutput
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.settings import Settings


logger = logging.getLogger(__name__)

_SCHEMA = "schema:"
#: Modes that a mapper may feed.
_MAPPING_MODES = frozenset({"load", "plan", "verify"})
#: Name of the fact that says whether the sub-account allowed duplicates when it was asked last.
_DUPLICATES, _ALLOWED = "duplicates:", "allowed"


class Session:
    """Client, ledger, catalogue and kinds of objects of one run."""

    #: Whether all contacts of this run have come, so that it is known who shares an address.
    everybody_came = False

    def __init__(
        self,
        settings: Settings,
        mode: str = "load",
        *,
        states: StateOutput | None = None,
        source: Source | None = None,
        beside: Ledger | None = None,
        began: datetime | None = None,
    ) -> None:
        """Open the ledger and the client; nothing is sent yet. A plan works on a scratch copy and sends no write at all.

        Args:
            settings: of this sub-account.
            mode: what the run does.
            states: where states go that this sub-account has settled; by default to standard output.
            source: what the source says of itself, where the run has one.
            beside: the ledger of another sub-account of the same load.
            began: when the run began that this is a part of; by default now.
        """
        self.settings = settings
        self.routing = Routing(settings.location_id, settings.main_location, settings.locations)
        self.mode = mode
        self.source = source or Source()
        private(Path(settings.report_dir))  # said now, not when hours of work are to be reported
        self.stop = threading.Event()
        self.ledger, self._scratch = _ledger(settings, mode, beside)
        #: What a probe has measured of this sub-account, and what is assumed of the rest.
        self.known = known(self.ledger)
        self.governor, self.client = connect(settings, self.ledger, self.stop)
        self.run = self.ledger.begin_run(mode, began)  # what the client would not take has begun no run
        self.work = Work(self.ledger, self.run)
        self.identity = Identity(self.ledger)
        self.partners = Partners(
            LiveHighLevel(self.client, settings.location_id).custom_values,
            self.identity,
            Ourselves(
                self.run,
                self.ledger.identity,
                self.ledger.place,
                settings.location_id,
                take_over=settings.take_over,
            ),
            wait=self.stop.wait,
        )
        self.intake = Intake(self.ledger, self.run, wait_for_relations=self.routing.is_divided)
        self.continuity = Continuity(
            self.ledger,
            mode=mode,
            mapping=mapper_digest(settings) if mode in _MAPPING_MODES else "",
            work=self.work,
            intake=self.intake,
            identity=self.identity,
            routing=self.routing,
            source=self.source,
        )
        self.states = StateGate(self.work, self.identity, states, silent=mode != "load")
        self.blockers: list[str] = []
        location = settings.location_id
        self.plan = PlannedHighLevel(self.client, location, self.blockers) if mode == "plan" else None
        self.highlevel: HighLevel = self.plan or (
            ReadOnlyHighLevel(self.client, location)
            if mode == "verify"
            else LiveHighLevel(self.client, location)
        )
        #: Streams that a mapper may still send: what they need is asked for before anything is written.
        self.expected: dict[str, StreamSpec] = {}
        lenient = self.blockers if mode == "plan" else None
        self._catalogue = Catalogue(
            self.highlevel, settings.fallback_owner, blockers=self.blockers, known=self.known
        )
        self._mutex = threading.RLock()
        self.specs: dict[str, StreamSpec] = {}
        self.schema = SchemaSetup(
            self.highlevel, self._catalogue, agency=self.client.has_agency, blockers=lenient
        )
        self.preflight = Preflight(self, self._catalogue, self._mutex)
        self.differences: list[tuple[str, str, str, Any, Any]] = []
        #: Bookings to come that a plan would make: those that would be tasks, and those that would be events.
        self.bookings_to_come: Counter[str] = Counter()
        self._made: tuple[bool, bool] | None = None
        self.directory = Directory(self.work, self.catalogue, self.ledger.salt)
        ctx = ObjectContext(
            self.highlevel, self._catalogue, self.schema, self.work, settings, utc_now, self.ledger.salt
        )
        self.kinds = Kinds.of_run(
            ctx,
            loading_runs=self._loading_runs(),
            makes_calendars=mode not in {"verify", "rollback"},
            made_before=self._appointments_made,
        )
        self.division = Division(self.ledger, self.work, self.known)
        self.rebuild = Rebuild(
            self._catalogue,
            self.work,
            self.ledger,
            self.kinds,
            settle=lambda: self.stop.wait(self.search_lag),
        )
        self.writer = Writer(
            self.work,
            salt=self.ledger.salt,
            overwrite=settings.overwrite,
            search_lag=self.search_lag,
            now=utc_now,
            sleep=self.stop.wait,
            money=self.money,
            keeps_related=self.routing.is_divided,
            anew=self.kinds.anew,
            on_update=self._note_differences if mode == "plan" else None,
        )
        self._places = Places(
            self.routing,
            self.ledger,
            self.run,
            kinds=self.kinds,
            writer=self.writer,
            specs=self.specs,
            prepare=self._prepare,
            find_again=self._find_again,
        )
        self._prepared: set[str] = set()
        #: Kinds of which it is known what hangs on all contacts.
        self._sought: set[str] = set()
        #: Streams of which nothing is here that this ledger does not know.
        self._whole: set[str] = set()
        declared = (stream_spec(json.loads(text)) for text in self.ledger.facts(_SCHEMA))
        self.specs.update({spec.stream: spec for spec in declared if spec is not None})

    @property
    def coming(self) -> Iterable[StreamSpec]:
        """The streams that were declared, in this run or an earlier one, and those that may still come."""
        return {**self.expected, **self.specs}.values()

    @property
    def search_lag(self) -> float:
        """Seconds that HighLevel's search may be behind: the longer one of what is set and what was measured."""
        measured = self.known.number("search_lag") if self.known.is_measured("search_lag") else None
        return max(self.settings.search_lag_seconds, measured or 0)

    def day(self) -> Day:
        """Return what is left of the day's requests."""
        return LedgerDayCounter(self.ledger).day(self.settings.requests_per_day)

    def money(self, spec: StreamSpec, values: Mapping[str, Any]) -> dict[str, str]:
        """Return what these values of a record come to in HighLevel, by what they are summed."""
        return in_highlevel(spec, values, own_currency(self._catalogue.settings))

    def declare(self, message: Mapping[str, Any]) -> StreamSpec | None:
        """Take the SCHEMA of a stream; what it needs in HighLevel is made when the first record of it is written.

        The schema is kept in the ledger too: records of an earlier run may be waiting, and the commands have no tap.
        """
        spec = stream_spec(message)
        if spec is not None:
            described = message["schema"]["x-highlevel"]
            self.source.sample = self.source.sample or bool(described.get("sample"))
            self.everybody_came = self.everybody_came or (
                spec.kind == "contact" and bool(described.get("complete"))
            )
            with self._mutex:
                if self.specs.get(spec.stream) != spec:
                    self.continuity.note_untold(self.specs.get(spec.stream), spec)
                    self._prepared -= {spec.stream, f"{spec.stream} relations"}
                    # not sorted: fields stand in HighLevel in the order in which they are described
                    kept = json.dumps({name: message[name] for name in ("stream", "schema")})
                    self.ledger.remember(f"{_SCHEMA}{spec.stream}", kept)
                self.specs[spec.stream] = spec
        return spec

    def check_account(self, account: str | None) -> None:
        """Make sure that the Cliniko account a tap names is the one of ledger, sub-account and approved plan.

        Raises:
            SettingsError: it is another one.
        """
        if self.mode == "load":
            refuse_unapproved_account(self.ledger, self.settings, account)
        self.partners.check_account(account)

    def begin(self) -> None:
        """Have put right what earlier runs knew wrongly: by a clock that was ahead, or from a backup."""
        clocked = {stream for stream, spec in self.specs.items() if any(map(is_clocked, spec.folded))}
        mind_the_clock(self.ledger, self.run, clocked)
        self.preflight.begin()

    def expect(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Take the schemas of all streams that may come: what they need is asked for before the first write."""
        for spec in filter(None, map(stream_spec, messages)):
            self.expected[spec.stream] = spec

    def catalogue(self) -> Catalogue:
        """Return the sub-account's definitions; see ``Preflight.catalogue``."""
        return self.preflight.catalogue()

    def resume_from(self, state: Mapping[str, Any]) -> None:
        """Take the state that the tap starts from."""
        self.continuity.resume_from(state, self.preflight.explain_state)

    def finish(self) -> None:
        """Take note that everything came, or find out what no record has asked for: nobody shall be told that all is there.

        A reading anew that was broken off goes on from bookmarks, some of them older than it: then not everything came.
        """
        if self.mode == "verify":
            self._places.set_all_aside(self._now())
        continuity = self.continuity
        if not (continuity.goes_on or self.source.ended_early):
            continuity.keep_mapping()
        if self.all_came:
            continuity.all_came()
            if continuity.is_full_reread:
                return
        if (
            continuity.is_unproven
            or (self.intake.held and continuity.received_before)
            or (self.mode == "load" and continuity.was_behind)
        ):
            self.catalogue()  # what is held may wait for a record that an older copy of this ledger does not know

    def refuses_all(self) -> bool:
        """Ask whether nothing at all is answered: then a refusal is not about one record."""
        try:
            self.highlevel.account.location()
        except HighLevelError:
            return True
        return False

    @property
    def all_came(self) -> bool:
        """Whether the source has read everything it has; known when it has ended."""
        source = self.source
        return not (self.continuity.goes_on or source.ended_early or source.sample or source.changes_only)

    def write(self, row: Row) -> None:
        """Write one record.

        Its contributions are read before the schema is looked at for the last time: whatever they use was declared before they
        came in, so the schema is never behind them.
        """
        if self._places.leaves(row.ref, self._now()):
            return
        spec = self._prepare(row)
        kind = self.kinds.of(row, spec)
        if kind.on_contact and row.hl_id is None and row.contact and not self._listed(row, row.contact, spec):
            return
        current = self.work.row(row.ref)
        # it may have been left out meanwhile
        if current is not None and current.status == Status.READY.value:
            if kind.on_contact and current.hl_id is None and self._is_elsewhere(current, spec):
                return  # to be taken up again, now that it is known where it is
            contributions = self.work.contributions(current)
            kind, current_id = self.kinds.of(current, spec, contributions), current.hl_id
            if (
                self.mode == "plan"
                and spec.kind == "appointment"
                and current.hl_id is None
                and not spec.always_task
            ):
                self._count_booking(current, kind, contributions)
            self.writer.write(current, self._prepare(row), kind, contributions)
            if current.object == "schedule" and self.work.hl_id(current.ref) != current_id:
                self.work.came_or_went(current.ref)

    def _listed(self, row: Row, contact: str, spec: StreamSpec) -> bool:
        """Have what hangs on a contact listed before more is added to it; return whether it can be."""
        try:
            with self._asked(spec):
                self.rebuild.list_contact(contact, spec)
        except NotFound:
            self.work.reject(row, "not_found")
        except Refused as refused:
            self.work.reject(row, reason_for(refused.code))
        else:
            return True
        return False

    def _is_elsewhere(self, row: Row, spec: StreamSpec) -> bool:
        """Return whether a record that is about to be created turns out to hang on a contact that it belonged to before."""
        if spec.kind not in self._sought:
            with self._mutex:
                for each in list(self.specs.values()):
                    if each.kind == "contact":
                        self.rebuild.once(each)
            with self._asked(spec):
                self.rebuild.list_others(spec)
            self._sought.add(spec.kind)
        found = self.work.row(row.ref)
        return found is not None and found.hl_id is not None

    def _find_again(self, row: Row) -> None:
        """Have all found that an earlier ledger wrote of a stream, before what belongs elsewhere now is taken for not here.

        It asks nothing where this ledger has written everything itself.
        """
        spec = self.specs[row.stream]
        if spec.stream in self._whole:
            return
        with suppress(NotOffered):  # then there is none
            with self._mutex:
                if not self.rebuild.is_whole(spec):
                    self.catalogue()
                    for each in list(self.specs.values()):
                        if each is spec or each.kind == "contact":
                            self.rebuild.once(each)
            if self.kinds.of(row, spec).on_contact and not self.rebuild.is_whole(spec):
                self._is_elsewhere(row, self._prepare(row))
        self._whole.add(spec.stream)

    def _asked(self, spec: StreamSpec) -> AbstractContextManager[object]:
        """Return what notes it when a part of HighLevel is not there that only some records need."""
        return self._catalogue.offered.asked(spec.kind) if spec.kind == "opportunity" else nullcontext()

    def _loading_runs(self) -> frozenset[str]:
        """Return the runs whose new calendars are not opened yet: this one, or those since a verification's newest load."""
        return self.ledger.since_newest("load") if self.mode == "verify" else frozenset({self.run})

    def _count_booking(
        self, row: Row, kind: ObjectKind, contributions: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> None:
        """Count, for the plan, a booking to come that takes place as far as is known."""
        parts = [row.fields, *(fields for _, fields in contributions)]
        gone = any(part.get("completed") for part in parts)
        if not gone and self.kinds.is_to_come(row, parts):
            with self._mutex:
                self.bookings_to_come["task" if kind is self.kinds.task else "event"] += 1

    def _appointments_made(self) -> tuple[bool, bool]:
        """Return whether this ledger has appointments that were made as events, and as tasks; known once it is asked for."""
        if self._made is None:
            self._made = self.work.made_with("appointment", EVENT_ONLY)
        return self._made

    def _now(self) -> str:
        return f"{self.ledger.now():%Y-%m-%dT%H:%M:%SZ}"

    def exclusive_keys(self, row: Row) -> frozenset[str]:
        """Return what only one record at a time may work on: a contact's notes or files, an address of a family, an invoice.

        Of an address that changes hands, both: who gives it up and who takes it.
        """
        if row.object == "file":  # two changes of one field could lose one; a file that moves changes two
            before = self.work.holder("contact", row.parent_id) if row.parent_id else None
            return frozenset({str(row.contact), *filter(None, [before])})
        if row.object == "note":  # they stand in the order in which they are written
            return frozenset({f"notes of {row.contact or row.parent_id}"})
        if self.routing.is_divided and row.object == "relation":  # it may have to leave with one of them
            return frozenset(end for end in row.source_id.split("|")[1:] if not end.startswith("contact:"))
        if self.routing.is_divided and "." in row.object:  # what hangs on a record may have to leave with it
            return frozenset({row.ref, *(ref for _, ref in row.content.relations)})
        if row.object != "contact":
            return frozenset()
        keys = {key for claim in row.claims.values() for key in (claim.key, claim.held)}
        return frozenset(filter(None, keys))

    def share_out(self) -> bool:
        """Decide who keeps each address that several people share; return whether that leaves anything to write.

        The sub-account may have come to allow duplicates, or to refuse them: it is asked when something is to be written anyhow.
        """
        name = f"{_DUPLICATES}{self.ledger.location}"
        if self.preflight.passed or (self.everybody_came and self.work.waits_for_everybody()):
            allowed = self.catalogue().allows_duplicates()
            self.ledger.remember(name, _ALLOWED if allowed else "")
        if self.mode == "verify" and self.source.changes_only:
            self.work.claims.go_on()  # of those who did not come nobody knows enough to decide anew
            return False
        guardians = {spec.standing.get("guardians") for spec in self.specs.values()}
        return self.work.claims.share_out(
            self.ledger.now().date(),
            guardians=sorted(filter(None, guardians)),
            duplicates_allowed=self.ledger.fact(name) == _ALLOWED,
            everybody_came=self.everybody_came,
            belongs=self._belongs_here,
        )

    def _belongs_here(self, ref: str) -> bool:
        """Return whether a contact that is not made yet belongs to this sub-account."""
        row = self.work.row(ref) if self.routing.is_divided else None
        if row is None:
            return True
        spec = self.specs[row.stream]
        return self.routing.takes(
            spec, Desired.of(row, spec, self.work.contributions(row), self._now()).fields
        )

    def is_prepared(self, row: Row) -> bool:
        """Return whether everything that a record needs was set up in HighLevel."""
        needs = {row.stream} | ({f"{row.stream} relations"} if row.object == "relation" else set())
        return needs <= self._prepared

    def _prepare(self, row: Row) -> StreamSpec:
        """Set up the schema of a stream before its first record, and both ends of an association before its first relation."""
        with self._mutex:
            spec = self.specs[row.stream]
            if spec.stream not in self._prepared:
                self.catalogue()
                self._create_missing_schema()
                self.rebuild.once(spec)
                self.schema.ensure(spec)
                self._prepared.add(spec.stream)
            if row.object == "relation" and f"{spec.stream} relations" not in self._prepared:
                self.schema.associate(spec)
                self._prepared.add(f"{spec.stream} relations")
            return spec

    def _create_missing_schema(self) -> None:
        """Make what a fresh sub-account lacks of all streams that may come before anything is written there."""
        for spec in self.coming:
            if self.schema.is_missing(spec):
                self.rebuild.once(spec)
        self.schema.ensure_missing(self.coming)

    def _note_differences(self, row: Row, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        for name, value in after.items():
            self.differences.append((row.source_id, row.object, name, value, before.get(name)))

    def close(self, exit_code: int, facts: dict[str, object]) -> None:
        """End the run in the ledger and close everything."""
        self.stop.clear()  # all workers have ended; what is sent now says so to the sub-account
        self.partners.release()
        self.governor.close()
        if self.plan is not None and exit_code in LOADED:
            remember_plan(
                self.settings,
                self.run,
                sorted(self.blockers),
                sample=self.source.sample,
                account=self.partners.account,
            )
        if self._scratch is not None:
            facts = {**facts, COPIED_AT: int(self.ledger.fact(COPIED_AT) or 0)}
        self.ledger.end_run(self.run, exit_code, facts)
        ended = self.ledger.runs(1) if self._scratch else []
        self.client.close()
        self.ledger.close()
        if self._scratch is not None:
            self._scratch.cleanup()
            publish_run(self.settings.ledger_url, self.settings.location_id, ended[0])


def _ledger(
    settings: Settings, mode: str, beside: Ledger | None
) -> tuple[Ledger, TemporaryDirectory[str] | None]:
    if mode in {"plan", "verify"}:
        return scratch_copy(settings.ledger_url, settings.location_id, crosswalk_only=mode == "verify")
    location = settings.location_id
    ledger = beside.beside(location) if beside else Ledger(settings.ledger_url, location)
    if mode in WRITING_MODES:
        try:
            refuse_unready(ledger, settings)
        except BaseException:
            ledger.close()
            raise
    return ledger, None
