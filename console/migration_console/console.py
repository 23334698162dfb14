"""One clinic as the console sees it: its project, jobs, reports, mapping and the state of every step."""

from __future__ import annotations

import json
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration_console.decisions import POINTS
from migration_console.history import History
from migration_console.jobs import Jobs
from migration_console.live import Watcher
from migration_console.mapping_file import MappingFile
from migration_console.open_questions import fields, needs_decision, plan_of, to_look_at
from migration_console.reports import Reports
from migration_console.signatures import Signatures
from migration_console.steps import SERVICES, Facts, Step, steps
from target_highlevel.exit_codes import COMPLETE

if TYPE_CHECKING:
    from migration_console.jobs import Job
    from migration_console.live import Live
    from migration_console.project import Project
    from migration_console.reports import Report

#: Requests that HighLevel allows a sub-account in 24 hours, unless the settings say less.
_REQUESTS_PER_DAY = 200_000


@dataclass
class Clinic:
    """Everything about one clinic that pages show or change."""

    project: Project
    history: History = field(init=False, default_factory=History)
    jobs: Jobs = field(init=False)
    reports: Reports = field(init=False)
    mapping: MappingFile = field(init=False)
    watcher: Watcher = field(init=False)
    signatures: Signatures = field(init=False)
    _families: tuple[Report | None, str] = field(init=False, default=(None, ""))
    _undecided: tuple[Report | None, str, int] = field(init=False, default=(None, "", 0))

    def __post_init__(self) -> None:
        """Open what belongs to the project."""
        self.reports = Reports(self.project.reports, self.project.sub_accounts)
        self.jobs = Jobs(self.project, self.reports)
        history = self.project.data / "console" / "mapping"
        self.mapping = MappingFile(self.project.mapping, history, self.project.first_mapping)
        self.watcher = Watcher(self.project)
        self.signatures = Signatures(self.project.data / "console" / "signatures.jsonl")

    @property
    def name(self) -> str:
        """Return how the clinic is called: the name of its environment."""
        return self.project.environment

    @property
    def requests_per_day(self) -> int:
        """Return the day's budget of the sub-account."""
        given = self.project.variables.get("TARGET_HIGHLEVEL_REQUESTS_PER_DAY", "").strip()
        return int(given) if given.isdecimal() else _REQUESTS_PER_DAY

    def requests_left(self, live: Live) -> int | None:
        """Return what the day still allows in the sub-account that has used most; none when that is not known."""
        return None if live.most_spent is None else max(0, self.requests_per_day - live.most_spent)

    def look(self) -> None:
        """Look into the ledger: until the next look, all pages speak of the same moment."""
        self.history = History.of(self.project)
        ours = [job.at for job in self.jobs.running() if job.command.mode]
        self.reports.elsewhere = [
            run
            for run in self.history.told()
            if run["ended_at"]
            or not any(run["started_at"] >= began for began in ours)  # it is shown as a job
        ]

    @property
    def approved(self) -> bool:
        """Return whether the ledger holds the newest plan as approved, in every sub-account: as the load will ask it."""
        plan = self.reports.newest("plan", sample=False)
        parts = [] if plan is None else [plan, *self.reports.beside(plan)]
        return bool(parts) and all(map(self._is_approved, parts))

    def _is_approved(self, plan: Report) -> bool:
        digest = (plan.content["plan"] or {}).get("approval", {}).get("digest")
        return bool(digest) and self.history.approved.get(plan.location or self.project.location) == digest

    @property
    def answer(self) -> Job | None:
        """Return the newest answer to whether both sides agree; none when something was written or compared since."""
        job = self.jobs.newest("go-live")
        if (
            job is None
            or job.state != "done"
            or not self.history.is_known
            or self.history.changed_since(job.at)
        ):
            return None
        runs = (item for item in self.reports.all() if item.mode != "plan")
        if any(item.ended >= job.at for item in runs):
            return None
        since = (item for item in self.jobs.all() if item.started > job.started or item.is_running)
        return None if any(item.command.changes_agreement for item in since) else job

    def _failed_unsaid(self, job: Job) -> bool:
        """Return whether a job failed and no report says how: neither its own nor that of a later run of its kind."""
        if job.state not in {"failed", "killed"} or job.report is not None:
            return False
        later = (
            item.mode == job.command.mode and item.is_sample is job.command.sample and item.started >= job.at
            for item in self.reports.all()
        )
        return not any(later)

    def probe(self) -> dict[str, Any]:
        """Return what the newest probe of the sub-account measured; empty when there was none."""
        for path in sorted(self.project.reports.glob("probe-*/probe.json"), reverse=True):
            with suppress(OSError, ValueError):
                found = json.loads(path.read_text(encoding="utf-8"))
                if isinstance(found, dict) and found.get("answers"):
                    return found
        return {}

    @property
    def families(self) -> str:
        """Return how signatures name the shared addresses and possible duplicates of the newest plan; empty without any."""
        plan = self.reports.newest("plan", sample=False)
        of, found = self._families
        if of is not plan:
            name = to_look_at(plan)
            found = f"families/{name}" if name else ""
            self._families = plan, found
        return found

    @property
    def undecided(self) -> int:
        """Return how many fields of the newest plan a person has to decide about."""
        plan = self.reports.newest("plan", sample=False)
        version = self.mapping.version
        of, seen, number = self._undecided
        if of is not plan or seen != version:
            number = sum(map(needs_decision, fields(plan_of(plan), self.mapping)))
            self._undecided = plan, version, number
        return number

    @property
    def handed_over(self) -> str:
        """Return up to which moment the newest handover tells, in every sub-account; empty when there is none."""
        told: dict[str, str] = {}
        for report in self.reports.of_several():
            told.setdefault(report.location or self.project.location, str(report.content.get("to", "")))
        return min((told.get(location, "") for location in self.project.sub_accounts or ("",)), default="")

    def steps(self) -> list[Step]:
        """Return the steps of the migration and where each is, as of now."""
        self.look()
        answer = self.answer
        jobs = self.jobs.all()
        newest: dict[str, Job] = {}
        for job in jobs:
            newest.setdefault(job.command.key, job)
        signed = self.signatures.all().keys()
        tried = zip(SERVICES, map(newest.get, ("probe-cliniko", "try-highlevel")), strict=True)
        preview = self.reports.newest("plan", sample=True)
        return steps(
            Facts(
                accepted=frozenset(name for name, job in tried if job is not None and job.state == "done"),
                signed=preview is not None and f"sample/{preview.id}" in signed,
                undecided=self.undecided,
                unseen=bool(self.families) and self.families not in signed,
                handed_over=self.handed_over,
                missing=len(self.project.missing()),
                probed=bool(self.probe()),
                reports=tuple(self.reports.all()),
                running=frozenset(job.command.key for job in jobs if job.is_running),
                mapping_changed=self.mapping.changed,
                approved=self.approved,
                agrees=None if answer is None else answer.code == COMPLETE,
                asked="go-live" in newest,
                ticked={f"go-live/{point}" for point in POINTS} <= signed,
                failed=frozenset(key for key, job in newest.items() if self._failed_unsaid(job)),
            )
        )
