"""All parts of one run against one sub-account, put together in one place."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.client.client import HighLevelClient
from target_highlevel.client.governor import Governor, Limits
from target_highlevel.credentials import agency_tokens, sub_account_tokens
from target_highlevel.descriptor import stream_spec
from target_highlevel.engine.admission import refuse_unready, remember_plan
from target_highlevel.engine.budget import LedgerDayCounter
from target_highlevel.engine.directory import Directory
from target_highlevel.engine.planning import PlanningClient
from target_highlevel.engine.state import StateGate
from target_highlevel.engine.writer import Writer
from target_highlevel.errors import SettingsError
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.ledger import Ledger, utc_now
from target_highlevel.ledger.publish import publish_run
from target_highlevel.ledger.rows import Status
from target_highlevel.ledger.scratch import count_requests, scratch_copy
from target_highlevel.ledger.undo import WRITING_MODES
from target_highlevel.ledger.work import Work
from target_highlevel.objects.base import Surroundings
from target_highlevel.objects.contact import IDENTITY, Contact
from target_highlevel.objects.custom_object import CustomObject
from target_highlevel.objects.event import Event
from target_highlevel.objects.file import File
from target_highlevel.objects.on_contact import Note, Task
from target_highlevel.objects.relation import Relation
from target_highlevel.report.run_report import private
from target_highlevel.setup.catalogue import Catalogue
from target_highlevel.setup.rebuild import Rebuild
from target_highlevel.setup.schema import SchemaSetup
from target_highlevel.setup.workflows import ADVICE, NONE, look_for_workflows
from target_highlevel.values import canonical_json
from target_highlevel.verify.reading import ReadingClient

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from tempfile import TemporaryDirectory

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectKind
    from target_highlevel.settings import Settings


logger = logging.getLogger(__name__)

_SCHEMA = "schema:"
#: Name of the fact that says from where on a ledger knows what the source has said, and what it may say.
_BEGUN = "begun:"
_AT_THE_START, _UNPROVEN, _IN_THE_MIDDLE = "", "unproven", "in the middle"
_ADVICE = "run once with --full-refresh, which reads everything"
#: Exit codes of a plan that was gone through to its end.
_PLANNED = frozenset({0, 4})


class Session:
    """Client, ledger, catalogue and kinds of objects of one run."""

    def __init__(self, settings: Settings, mode: str = "load") -> None:
        """Open the ledger and the client; nothing is sent yet. A plan works on a scratch copy and sends no write at all."""
        self.settings = settings
        self.mode = mode
        private(Path(settings.report_dir))  # said now, not when hours of work are to be reported
        self.stop = threading.Event()
        self.ledger, self._scratch = _ledger(settings, mode)
        self.governor = Governor(
            Limits(requests=settings.requests_per_10s, per_day=settings.requests_per_day),
            day=LedgerDayCounter(self.ledger),
            stop_event=self.stop,
        )
        client = HighLevelClient(
            settings.api_url,
            sub_account_tokens(settings),
            self.governor,
            agency_tokens=agency_tokens(settings),
            stop_event=self.stop,
        )
        self.run = self.ledger.begin_run(mode)  # what the client would not take has begun no run
        self.work = Work(self.ledger, self.run)
        self.intake = Intake(self.ledger, self.run, wait_for_relations=bool(settings.locations))
        self.states = StateGate(self.work, silent=mode != "load")
        self.blockers: list[str] = []
        self.plan = PlanningClient(client, settings.location_id, self.blockers) if mode == "plan" else None
        reading = ReadingClient(client) if mode == "verify" else client
        self.client: HighLevelClient | PlanningClient | ReadingClient = self.plan or reading
        #: Streams that a mapper may still send: what they need is asked for before anything is written.
        self.expected: dict[str, StreamSpec] = {}
        lenient = self.blockers if mode == "plan" else None
        self._catalogue = Catalogue(
            self.client, settings.location_id, settings.fallback_owner, blockers=self.blockers
        )
        self._catalogue_read = False
        #: What was found of the sub-account's automations, in words; empty when nobody looked.
        self.workflows = ""
        self._mutex = threading.RLock()
        self.specs: dict[str, StreamSpec] = {}
        #: Whether the source was asked for a sample only.
        self.sample = False
        #: Whether the source ended before it had read everything.
        self.ended_early = False
        #: Whether the source read only what has changed since an earlier run of it.
        self.changes_only = False
        agency = bool(settings.agency_token)
        self.schema = SchemaSetup(self.client, self._catalogue, agency=agency, blockers=lenient)
        self.differences: list[tuple[str, str, str, Any, Any]] = []
        self.directory = Directory(self.work, self.catalogue, self.ledger.salt)
        around = Surroundings(self.client, self._catalogue, self.schema, self.work, settings, utc_now)
        self.kinds: dict[str, ObjectKind] = {
            "contact": Contact(around),
            "custom_object": CustomObject(around),
            "relation": Relation(around),
            "appointment": Task(around)
            if settings.appointments_as == "task"
            else Event(around, makes_calendars=mode not in {"verify", "rollback"}),
            "note": Note(around),
            "file": File(around),
        }
        self.rebuild = Rebuild(
            self.client,
            self._catalogue,
            self.work,
            self.ledger,
            self.kinds,
            settle=lambda: self.stop.wait(settings.search_lag_seconds),
        )
        self.writer = Writer(
            self.work,
            salt=self.ledger.salt,
            overwrite=settings.overwrite,
            search_lag=settings.search_lag_seconds,
            now=utc_now,
            sleep=self.stop.wait,
            locations=settings.locations,
            on_update=self._note_differences if mode == "plan" else None,
        )
        #: Whether everything is read once more, into a ledger that had begun in the middle.
        self.reads_anew = False
        self._begin(self.ledger.fact(f"{_BEGUN}{self.ledger.location}") or _AT_THE_START)
        self._prepared: set[str] = set()
        self.recall()

    def declare(self, message: Mapping[str, Any]) -> StreamSpec | None:
        """Take the SCHEMA of a stream; what it needs in HighLevel is made when the first record of it is written.

        The schema is kept in the ledger too: records of an earlier run may be waiting, and the commands have no tap.
        """
        spec = stream_spec(message)
        if spec is not None:
            self.sample = self.sample or bool(message["schema"]["x-highlevel"].get("sample"))
            with self._mutex:
                if self.specs.get(spec.stream) != spec:
                    self._prepared -= {spec.stream, f"{spec.stream} relations"}
                    kept = {name: message[name] for name in ("stream", "schema")}
                    self.ledger.remember(f"{_SCHEMA}{spec.stream}", canonical_json(kept))
                self.specs[spec.stream] = spec
        return spec

    def expect(self, messages: Iterable[Mapping[str, Any]]) -> None:
        """Take the schemas of all streams that may come: what they need is asked for before the first write."""
        for spec in filter(None, map(stream_spec, messages)):
            self.expected[spec.stream] = spec

    def goes_on_from(self, state: Mapping[str, Any]) -> None:
        """Take the state that the tap starts from: a ledger that never received anything begins in the middle then.

        Only what has changed since comes. Where an earlier ledger was lost, all else is in HighLevel already; what other lists
        say of a record (medical alerts, appointment types, the owner) is not known, and left as it stands there until
        everything is read anew. Where nothing of ours is there, most records would be missing: see ``catalogue``.
        """
        if self.mode == "verify":
            return
        goes_on = _goes_on(state.get("bookmarks"))
        if goes_on and not self.intake.seq:
            self._begin(_UNPROVEN)
        if not goes_on and self.begun != _AT_THE_START:
            self.work.forget_received()
            self.work.knows_all = True  # of what comes in this run; of all, when it has come to its end
            self.reads_anew = True
        elif self.begun == _IN_THE_MIDDLE:
            logger.warning("highlevel.ledger_lost advice=%s", _ADVICE)

    def _begin(self, where: str) -> None:
        """Know, and remember, from where on the ledger has received what the source said."""
        self.begun, name = where, f"{_BEGUN}{self.ledger.location}"
        self.work.knows_all = where == _AT_THE_START
        if where != (self.ledger.fact(name) or _AT_THE_START):
            self.ledger.remember(name, where)

    @property
    def begun_in_the_middle(self) -> bool:
        """Whether the ledger does not know what the source said before it was begun: an older one was lost."""
        return self.begun == _IN_THE_MIDDLE

    def _prove(self) -> None:
        """Find out whether a ledger that begins in the middle was lost, or is the first of this sub-account."""
        if self.begun != _UNPROVEN or self.reads_anew:
            return
        if IDENTITY in self._catalogue.contact_fields:
            self._begin(_IN_THE_MIDDLE)
            logger.warning("highlevel.ledger_lost advice=%s", _ADVICE)
            return
        self.blockers.append(
            "the tap goes on from bookmarks, but neither this ledger nor the sub-account has anything of Cliniko so far"
            " (was another one used before?): run once with `meltano run --full-refresh`"
        )

    def finish(self) -> None:
        """Take note that everything came, or find out what no record has asked for: nobody shall be told that all is there.

        A reading anew that was broken off goes on from bookmarks, some of them older than it: then not everything came.
        """
        if self.reads_anew and not self.ended_early:
            self._begin(_AT_THE_START)
        elif self.begun == _UNPROVEN:
            self.catalogue()

    def recall(self) -> None:
        """Take up the schemas that earlier runs declared."""
        declared = (stream_spec(json.loads(text)) for text in self.ledger.facts(_SCHEMA))
        self.specs.update({spec.stream: spec for spec in declared if spec is not None})

    def catalogue(self) -> Catalogue:
        """Return the sub-account's definitions, read once a run and only when something is to be written.

        Raises:
            SettingsError: a load cannot do what it has to; nothing was written, and all that is missing is named.
        """
        with self._mutex:
            if not self._catalogue_read:
                self._catalogue.read()
                self._prove()
                if self.mode in {*WRITING_MODES, "plan"}:
                    self._look_for_workflows()
                    if self.settings.calendar_id and self.settings.appointments_as == "calendar_event":
                        self._catalogue.expect_calendar(self.settings.calendar_id)
                    self.blockers += self.schema.obstacles({**self.expected, **self.specs}.values())
                if self.blockers and self.mode != "plan":
                    raise SettingsError("; ".join(dict.fromkeys(self.blockers)))
                self._catalogue_read = True
                logger.info(
                    "highlevel.preflight location=reachable duplicates=%s users=%d contact_fields=%d objects=%d"
                    " workflows=%s",
                    "allowed" if self._catalogue.allows_duplicates() else "refused",
                    len(self._catalogue.users),
                    len(self._catalogue.contact_fields),
                    len(self._catalogue.object_keys),
                    self.workflows,
                )
                if self.workflows and self.workflows != NONE:
                    logger.warning("highlevel.workflows found=%s advice=%s", self.workflows, ADVICE)
            self.directory.match_again(self._catalogue)
            return self._catalogue

    def _look_for_workflows(self) -> None:
        """Look past the plan's stand-in, to which a refusal is a blocker: that these cannot be read stops no load."""
        if self.plan is not None:
            self.plan.requests["GET /workflows/"] += 1
        client = self.plan.reading if self.plan is not None else self.client
        self.workflows = look_for_workflows(client, self.settings.location_id)

    def write(self, row: Row) -> None:
        """Write one record.

        Its contributions are read before the schema is looked at for the last time: whatever they use was declared before they
        came in, so the schema is never behind them.
        """
        spec = self._prepare(row)
        kind = self.kinds["relation" if row.object == "relation" else spec.kind]
        if kind.on_contact and row.hl_id is None and row.contact:
            self.rebuild.list_contact(row.contact, spec)
        current = self.work.row(row.ref)
        # it may have been left out meanwhile
        if current is not None and current.status == Status.READY.value:
            contributions = self.work.contributions(current)
            self.writer.write(current, self._prepare(row), kind, contributions)

    def places(self, row: Row) -> frozenset[str]:
        """Return what only one record at a time may work on: a contact's files, an address that a family shares."""
        if row.object == "file":  # two uploads into one field could lose one
            return frozenset({str(row.contact)})
        if row.object != "contact":
            return frozenset()
        declared = self.specs[row.stream].fields
        named = [
            name
            for name, item in declared.items()
            if item.api_name in {"email", "phone"} and item.kind == "standard"
        ]
        return frozenset(str(row.fields[name]).casefold() for name in named if row.fields.get(name))

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
                self._lay_ground()
                self.rebuild.once(spec)
                self.schema.ensure(spec)
                self._prepared.add(spec.stream)
            if row.object == "relation" and f"{spec.stream} relations" not in self._prepared:
                self.schema.associate(spec)
                self._prepared.add(f"{spec.stream} relations")
            return spec

    def _lay_ground(self) -> None:
        """Make what a fresh sub-account lacks of all streams that may come before anything is written there."""
        coming = {**self.expected, **self.specs}.values()
        for spec in coming:
            if self.schema.is_missing(spec):
                self.rebuild.once(spec)
        self.schema.ensure_missing(coming)

    def _note_differences(self, row: Row, before: Mapping[str, Any], after: Mapping[str, Any]) -> None:
        for name, value in after.items():
            self.differences.append((row.source_id, row.object, name, value, before.get(name)))

    def close(self, exit_code: int, facts: dict[str, object]) -> None:
        """End the run in the ledger and close everything."""
        self.governor.close()
        if self.plan is not None and exit_code in _PLANNED:
            remember_plan(self.settings, self.run, sorted(self.blockers), sample=self.sample)
        self.ledger.end_run(self.run, exit_code, facts)
        ended = self.ledger.runs()[-1:] if self._scratch else []
        self.client.close()
        self.ledger.close()
        if self._scratch is not None:
            self._scratch.cleanup()
            publish_run(self.settings.ledger_url, self.settings.location_id, ended[0])
            count_requests(
                self.settings.ledger_url, self.settings.location_id, self.governor.statistics().requests
            )


def _goes_on(bookmarks: Any) -> bool:
    """Return whether a source has passed records on before; which patients a sample takes is no sign of it."""
    if not isinstance(bookmarks, dict):
        return False
    return any(set(each) - {"sample"} if isinstance(each, dict) else each for each in bookmarks.values())


def _ledger(settings: Settings, mode: str) -> tuple[Ledger, TemporaryDirectory[str] | None]:
    if mode in {"plan", "verify"}:
        return scratch_copy(settings.ledger_url, settings.location_id, crosswalk_only=mode == "verify")
    ledger = Ledger(settings.ledger_url, settings.location_id)
    if mode in WRITING_MODES:
        try:
            refuse_unready(ledger, settings)
        except BaseException:
            ledger.close()
            raise
    return ledger, None
