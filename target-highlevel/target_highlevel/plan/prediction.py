"""The plan as a whole: what the report shows of it, and the files beside the report."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from target_highlevel.fields import is_empty
from target_highlevel.http.governor import Limits
from target_highlevel.ledger.counts import practitioners_without_user
from target_highlevel.plan.account import checks, measurements
from target_highlevel.plan.owners import owners
from target_highlevel.plan.quality import NO_USER, SURVEYED
from target_highlevel.plan.schema_plan import schema_plan
from target_highlevel.plan.sizes import downloads
from target_highlevel.preflight import admission
from target_highlevel.report.differences import Difference, Kind
from target_highlevel.report.tables import write_table

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from target_highlevel.api.account import User
    from target_highlevel.api.opportunities import Pipeline
    from target_highlevel.api.planned import PlannedHighLevel
    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.claims import Claims
    from target_highlevel.plan.quality import Quality
    from target_highlevel.plan.sizes import NoteSizes
    from target_highlevel.settings import Settings

PROPOSED = "mapping.proposed.yml"
#: The field of contacts whose options are the appointment types: the stages of a pipeline are named so.
_TYPES = "cliniko_appointment_type"


class Prediction:
    """What a plan has found, once everything was read."""

    def __init__(
        self,
        session: Session,
        highlevel: PlannedHighLevel,
        survey: Any,
        quality: Quality,
        notes: NoteSizes,
    ) -> None:
        """Look at the last settings, while the client is open, and take what was counted while records went by.

        Args:
            session: the plan's.
            highlevel: HighLevel as the load would leave it.
            survey: the mapper's count of the account; None when a mapper was a stage of its own.
            quality: what the clinic can put right in Cliniko.
            notes: how long the notes are.
        """
        self._session = session
        self._survey = survey
        self._quality = quality
        self._families = Families(session.work.claims)
        account = survey.content() if survey else None
        for name, sources in (survey.findings() if survey else {}).items():
            quality.note(SURVEYED[name], sources)
        quality.note(NO_USER, (source for source, _ in practitioners_without_user(session.ledger)))
        places = [item["source"].partition("/")[2] for item in account["locations"]] if account else []
        session.blockers += admission.unknown_businesses(session.settings, places)
        spent = session.governor.statistics().requests
        catalogue = session.catalogue()
        #: The plan's part of ``report.json``.
        self.content: dict[str, Any] = {
            "blockers": sorted(set(session.blockers)),
            "approval": self._approval(),
            "account": account,
            "schema": schema_plan(session.specs.values(), session.schema, session.catalogue()),
            "owners": owners(
                session.ledger,
                catalogue.users,
                catalogue.fallback_owner,
                quality.practitioners,
                show_values=session.settings.show_values,
            ),
            "stages": stages((account or {}).get("appointment_types", ()), catalogue.pipeline),
            "shared_addresses": self._families.shared,
            "families": self._families.content(),
            "quality": quality.content(),
            "note_sizes": notes.content(),
            "note_readers": note_readers(
                session.catalogue().logins, show_values=session.settings.show_values
            ),
            "downloads": downloads(account, session.settings.report_dir),
            "bookings_to_come": {
                "as_events": session.bookings_to_come["event"],
                "as_tasks_only": session.bookings_to_come["task"],
            },
            "cost": cost(highlevel.requests, session.settings, spent),
            "settings_to_check": [
                *checks(session.catalogue(), session.preflight.workflows, account or {}),
                measurements(session.known, session.ledger.now()),
                *_lacking_stages(session),
            ],
        }

    def differences(self) -> Iterator[Difference]:
        """Yield every field that the load would change in a record that is there already."""
        for source, object_, name, wanted, there in sorted(
            self._session.differences, key=lambda item: item[:3]
        ):
            kind = Kind.MISSING if is_empty(there) else Kind.DIFFERENT
            yield Difference(source, object_, name, kind, wanted, there)

    def line(self) -> str:
        """Return the last line of the plan: what stops the load, or what comes next."""
        blockers = "; ".join(sorted(set(self._session.blockers)))
        if blockers:
            return f"planned, nothing was written; a load would refuse to start: {blockers}"
        required = self._session.settings.require_approved_plan
        then = ", then `meltano invoke target-highlevel:approve`" if required else ""
        return f"planned, nothing was written; read report.html in the report folder{then}"

    def _approval(self) -> dict[str, Any]:
        settings, ledger = self._session.settings, self._session.ledger
        digest = admission.mapping_digest(settings)
        approved = ledger.fact(f"approved:{ledger.location}") == digest
        return {"required": settings.require_approved_plan, "approved": approved, "digest": digest}

    def write_files(self, folder: Path) -> None:
        """Write what the clinic works through: the mapping to confirm, findings and possible duplicates."""
        self._quality.write(folder)
        self._families.write(folder)
        if self._survey is not None:
            (folder / PROPOSED).write_text(self._survey.proposed_mapping(), encoding="utf-8")


def _lacking_stages(session: Session) -> Iterator[dict[str, Any]]:
    """Yield what to do about the stages that the pipeline lacks: opportunities that need one would be rejected.

    Asked when everything has come: the pipeline is read before any type of appointment is known.
    """
    pipeline = session.catalogue().pipeline
    types = {option for spec in session.specs.values() for option in spec.field(_TYPES).options}
    missing = sorted(types - set(pipeline.stages)) if pipeline else []
    if missing:
        yield {
            "setting": "pipeline",
            "found": f"the pipeline lacks the stages {', '.join(missing)}",
            "advice": "Add them in HighLevel (Opportunities, Pipelines), or the opportunities that need one are rejected.",
            "task": "stage{s} that the pipeline lacks",
            "look": len(missing),
        }


def note_readers(logins: Iterable[User], *, show_values: bool = False) -> dict[str, Any]:
    """Return the users who read everybody's notes, those who read the notes of their own patients, and those nobody knows of.

    People are named by their ids, and by their e-mail when asked for.
    """
    told: dict[bool | None, list[dict[str, str | None]]] = {False: [], True: [], None: []}
    for user in logins:
        email = user.email or None if show_values else None
        told[user.assigned_only].append({"user": user.id, "email": email})
    return {"everybody": told[False], "own_patients": told[True], "not_known": told[None]}


_ALIKE = 0.7


def stages(types: Iterable[Mapping[str, Any]], pipeline: Pipeline | None) -> list[dict[str, Any]]:
    """Return each appointment type with its stage, or with a stage to be confirmed; nothing where no pipeline is set.

    Stages are told by their exact name, so that one which may be meant has to be renamed in HighLevel.
    """
    if pipeline is None:
        return []
    folded = {" ".join(name.casefold().split()): name for name in pipeline.stages}
    found = []
    for item in types:
        name = str(item["name"])
        close = get_close_matches(" ".join(name.casefold().split()), folded, n=1, cutoff=_ALIKE)
        there = name if name in pipeline.stages else None
        suggested = folded[close[0]] if close and not there else None
        found.append({"source": item["source"], "name": name, "stage": there, "suggested": suggested})
    return found


FAMILIES = "families.csv"
_COLUMNS = ("field", "keeper", "source", "because")


class Families:
    """What was decided of the shared addresses, as a load would go by it."""

    def __init__(self, claims: Claims) -> None:
        """Take what was decided when everybody had come."""
        self.shared = claims.shared()
        self._rows = [
            {"field": decision.field, "keeper": decision.keeper, "source": source, "because": reason}
            for decision in claims.decisions()
            for source, reason in sorted(decision.others.items())
        ]

    def content(self) -> list[dict[str, Any]]:
        """Return one entry for each person who gives an address up."""
        return self._rows

    def write(self, folder: Path) -> None:
        """Write the same as a table."""
        write_table(folder / FAMILIES, _COLUMNS, ([row[name] for name in _COLUMNS] for row in self._rows))


_HOUR = 3600


def cost(requests: Mapping[str, int], settings: Settings, reads: int) -> dict[str, Any]:
    """Return the cost of the load; ``reads`` is what the plan itself has spent."""
    total = sum(requests.values())
    limits = Limits(requests=settings.requests_per_10s, per_day=settings.requests_per_day)
    pace = limits.requests * limits.share / limits.seconds
    return {
        "requests": total,
        "by_route": [
            {"route": route, "requests": number}
            for route, number in sorted(requests.items(), key=lambda item: (-item[1], item[0]))
        ],
        "hours": round(total / pace / _HOUR, 2),
        "days": round(total / settings.requests_per_day, 2),
        "requests_per_10s": settings.requests_per_10s,
        "share_of_pace": limits.share,
        "requests_per_day": settings.requests_per_day,
        "spent_by_the_plan": reads,
    }
