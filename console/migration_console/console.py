"""One clinic as the console sees it: its project, jobs, reports, mapping and the state of every step."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from migration_console.jobs import Jobs
from migration_console.live import Watcher
from migration_console.mapping_file import MappingFile
from migration_console.reports import Reports
from migration_console.signatures import Signatures
from migration_console.steps import Facts, Step, steps

if TYPE_CHECKING:
    from migration_console.live import Live
    from migration_console.project import Project

#: Requests that HighLevel allows a sub-account in 24 hours, unless the settings say less.
_REQUESTS_PER_DAY = 200_000


@dataclass
class Clinic:
    """Everything about one clinic that pages show or change."""

    project: Project
    jobs: Jobs = field(init=False)
    reports: Reports = field(init=False)
    mapping: MappingFile = field(init=False)
    watcher: Watcher = field(init=False)
    signatures: Signatures = field(init=False)

    def __post_init__(self) -> None:
        """Open what belongs to the project."""
        self.jobs = Jobs(self.project)
        self.reports = Reports(self.project.reports)
        self.mapping = MappingFile(self.project.mapping, self.project.data / "console" / "mapping")
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

    @property
    def approved(self) -> bool:
        """Return whether the newest plan was approved after it was made."""
        plan = self.reports.newest("plan", sample=False)
        job = self.jobs.newest("approve")
        if plan is None:
            return False
        if job is not None and job.state == "done":
            return f"{job.began:%Y-%m-%dT%H:%M:%SZ}" >= plan.started
        return bool((plan.content["plan"] or {}).get("approval", {}).get("approved"))

    def probe(self) -> dict[str, Any]:
        """Return what the newest probe of the sub-account measured; empty when there was none."""
        try:
            found = json.loads((self.project.data / "probe.json").read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return {}
        return found if isinstance(found, dict) else {}

    def steps(self) -> list[Step]:
        """Return the steps of the migration and where each is."""
        jobs = self.jobs.all()
        newest: dict[str, str] = {}
        for job in jobs:
            newest.setdefault(job.command.key, job.state)
        return steps(
            Facts(
                missing=len(self.project.missing()),
                probed=str(self.probe().get("at", "")),
                reports=tuple(self.reports.all()),
                running=frozenset(job.command.key for job in jobs if job.is_running),
                mapping_changed=self.mapping.changed,
                approved=self.approved,
                failed=frozenset(key for key, state in newest.items() if state in {"failed", "killed"}),
            )
        )
