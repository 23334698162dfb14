"""The documented commands that the console starts. It adds no rule of its own: each can be typed in a terminal."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from target_highlevel.exit_codes import COMPLETE, DIFFERENCES

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command of Meltano.

    Attributes:
        key: how pages and jobs name it
        title: what it does, as a button says it
        arguments: what follows `meltano --environment=…`
        writes: whether it may write to HighLevel or to the ledger; only one such job runs at a time
        mode: `mode` of the report that it leaves; none where it leaves no report
        sample: whether that report is of a sample of the patients
        environment: variables that belong to the command
        undo: how to take back what it did, in a sentence
        fine: exit codes with which it has done what it is for
    """

    key: str
    title: str
    arguments: tuple[str, ...]
    writes: bool = False
    mode: str | None = None
    sample: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    undo: str = ""
    fine: tuple[int, ...] = (COMPLETE,)

    @property
    def changes_agreement(self) -> bool:
        """Return whether the two sides may agree, or be known to agree, otherwise after it than before."""
        return self.mode == "verify" or (self.writes and self.key != "approve")

    def line(
        self, environment: str, options: tuple[str, ...] = (), extra: Mapping[str, str] | None = None
    ) -> str:
        """Return the command as somebody would type it."""
        variables = [
            f"{name}={shlex.quote(value)}" for name, value in {**self.environment, **(extra or {})}.items()
        ]
        words = ["meltano", *([f"--environment={environment}"] if environment != "live" else [])]
        return " ".join([*variables, *words, *map(shlex.quote, (*self.arguments, *options))])


_UNDO = "Use the page Undo; whatever somebody has worked on since stays."

COMMANDS: dict[str, Command] = {
    command.key: command
    for command in (
        Command(
            key="probe-cliniko",
            title="Try Cliniko",
            arguments=("invoke", "tap-cliniko:probe"),
        ),
        Command(
            key="try-highlevel",
            title="Try HighLevel",
            arguments=("invoke", "target-highlevel:probe"),
        ),
        Command(
            key="probe-highlevel",
            title="Probe HighLevel",
            arguments=("invoke", "target-highlevel:probe", "--yes"),
            writes=True,
            undo="Nothing to do: it removes everything it made before it ends.",
        ),
        Command(
            key="plan",
            title="Make the plan",
            arguments=("run", "tap-cliniko", "target-highlevel-plan"),
            mode="plan",
        ),
        Command(
            key="preview",
            title="Preview these patients",
            arguments=("run", "tap-cliniko-sample", "target-highlevel-plan"),
            mode="plan",
            sample=True,
        ),
        Command(
            key="approve",
            title="Approve this plan",
            arguments=("invoke", "target-highlevel:approve"),
            writes=True,
            undo="Make a new plan: the approval is of one plan only.",
        ),
        Command(
            key="sample",
            title="Load the sample",
            arguments=("run", "tap-cliniko-sample", "target-highlevel"),
            writes=True,
            mode="load",
            sample=True,
            undo=_UNDO,
        ),
        Command(
            key="load",
            title="Load everything",
            arguments=("run", "tap-cliniko", "target-highlevel"),
            writes=True,
            mode="load",
            undo=_UNDO,
        ),
        Command(
            key="retry",
            title="Send refused records again",
            arguments=("invoke", "target-highlevel:retry"),
            writes=True,
            mode="retry",
            undo=_UNDO,
        ),
        Command(
            key="verify",
            title="Compare both sides",
            arguments=("run", "tap-cliniko", "target-highlevel-verify"),
            mode="verify",
        ),
        Command(
            key="repair",
            title="Bring back what is missing",
            arguments=("invoke", "target-highlevel:repair", "--yes"),
            writes=True,
            undo="The next full load brings the records; undo that load to take them back.",
        ),
        Command(
            key="full-refresh",
            title="Read everything once more",
            arguments=("run", "--full-refresh", "tap-cliniko", "target-highlevel"),
            writes=True,
            mode="load",
            undo=_UNDO,
        ),
        Command(
            key="go-live",
            title="Ask whether both sides agree",
            arguments=("invoke", "target-highlevel:go-live"),
            fine=(COMPLETE, DIFFERENCES),  # a no is an answer
        ),
        Command(
            key="undo-plan",
            title="Show what undoing would do",
            arguments=("invoke", "target-highlevel:rollback"),
        ),
        Command(
            key="undo",
            title="Undo this run",
            arguments=("invoke", "target-highlevel:rollback", "--yes"),
            writes=True,
            mode="rollback",
            undo="Load again with everything read anew.",
        ),
        Command(
            key="handover",
            title="Write the handover",
            arguments=("invoke", "target-highlevel:report"),
        ),
        Command(
            key="rebuild-reference",
            title="Write the reference for rebuilding",
            arguments=("invoke", "tap-cliniko:rebuild-reference"),
        ),
    )
}
