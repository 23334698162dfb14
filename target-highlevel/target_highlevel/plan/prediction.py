"""The plan as a whole: what the report shows of it, and the files beside the report."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.engine import admission
from target_highlevel.plan.account import checks
from target_highlevel.plan.cost import cost
from target_highlevel.plan.owners import owners
from target_highlevel.plan.schema_plan import schema_plan
from target_highlevel.report.differences import Difference, Kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from target_highlevel.engine.planning import PlanningClient
    from target_highlevel.engine.session import Session
    from target_highlevel.plan.addresses import SharedAddresses

PROPOSED = "mapping.proposed.yml"


class Prediction:
    """What a plan has found, once everything was read."""

    def __init__(
        self, session: Session, client: PlanningClient, survey: Any, addresses: SharedAddresses
    ) -> None:
        """Look at the last settings, while the client is open, and take what was counted while records went by.

        Args:
            session: the plan's.
            client: its stand-in for the client.
            survey: the mapper's count of the account; None when a mapper was a stage of its own.
            addresses: the shared addresses.
        """
        self._session = session
        self._survey = survey
        account = survey.content() if survey else None
        spent = session.governor.statistics().requests
        #: The plan's part of ``report.json``.
        self.content: dict[str, Any] = {
            "blockers": sorted(set(session.blockers)),
            "approval": self._approval(),
            "account": account,
            "schema": schema_plan(session.specs.values(), session.schema, session.catalogue()),
            "owners": owners(session.ledger, session.catalogue(), show_values=session.settings.show_values),
            "shared_addresses": addresses.content(),
            "cost": cost(client.requests, session.settings, spent),
            "settings_to_check": checks(session.catalogue(), session.workflows, account or {}),
        }

    def differences(self) -> Iterator[Difference]:
        """Yield every field that the load would change in a record that is there already."""
        for source, object_, name, wanted, there in sorted(
            self._session.differences, key=lambda item: item[:3]
        ):
            kind = Kind.MISSING if there in (None, "", []) else Kind.DIFFERENT
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

    def write_mapping(self, folder: Path) -> None:
        """Write the mapping file that a person confirms."""
        if self._survey is not None:
            (folder / PROPOSED).write_text(self._survey.proposed_mapping(), encoding="utf-8")
