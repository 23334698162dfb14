"""What a form may put behind a command: checked here, so that a page can start nothing that is not documented."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from migration_console.reports import RUN_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from migration_console.commands import Command
    from migration_console.console import Clinic

_IDS = re.compile(r"\d{1,20}(?:,\d{1,20})*")
_MOST_SAMPLE = 10_000


class Refused(Exception):  # noqa: N818 - an answer to a request, not a failure of the program
    """The request cannot be met; the sentence says why and what to do."""

    def __init__(self, status: int, sentence: str) -> None:
        """Answer with this status and sentence."""
        super().__init__(sentence)
        self.status = status
        self.sentence = sentence


@dataclass(frozen=True)
class Options:
    """What a start adds to a command.

    Attributes:
        arguments: what is put behind it
        variables: settings of this start alone
    """

    arguments: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, command: Command, fields: Mapping[str, str], clinic: Clinic) -> Options:
        """Read the options of a command from a form.

        Raises:
            Refused: something is missing or not of its kind.
        """
        if command.key == "approve":
            return cls(("--run", _plan_shown(fields, clinic)))
        if command.key in {"undo", "undo-plan"}:
            return cls(_run(fields, clinic, typed=command.key == "undo"))
        if command.key == "handover":
            return cls(("--since", _first_day(fields, clinic)))
        if command.key in {"sample", "preview"}:
            return cls(variables={**_patients(fields), **_values(fields)})
        if command.key in {"plan", "verify"}:
            return cls(variables=_values(fields))
        if command.key == "full-refresh" and fields.get("sure") != "yes":
            raise Refused(400, "Tick the box first: reading everything once more takes a long time.")
        return cls()


def _known_run(fields: Mapping[str, str], clinic: Clinic) -> str:
    run = fields.get("run", "")
    if not RUN_ID.fullmatch(run) or run not in {item.id for item in clinic.reports.all()}:
        raise Refused(400, "There is no such run.")
    return run


def _first_day(fields: Mapping[str, str], clinic: Clinic) -> str:
    """Return the day on which a run began: in every sub-account a run has another id."""
    run = _known_run(fields, clinic)
    return next(item.started[:10] for item in clinic.reports.all() if item.id == run)


def _plan_shown(fields: Mapping[str, str], clinic: Clinic) -> str:
    """Return the run of the plan that the page showed: somebody approves what is before their eyes."""
    newest = clinic.reports.newest("plan", sample=False)
    shown = fields.get("what", "").partition("plan/")[2]
    if newest is None or shown.partition("-")[0] != newest.together:
        raise Refused(
            409, "Another plan has come since this page was shown. Look at that one, then approve it."
        )
    return newest.id


def _run(fields: Mapping[str, str], clinic: Clinic, *, typed: bool) -> tuple[str, ...]:
    run = _known_run(fields, clinic)
    if typed and fields.get("typed", "").strip() != clinic.name:
        raise Refused(400, f"To undo a run, type the name of the clinic: {clinic.name}.")
    return ("--run", run)


def _patients(fields: Mapping[str, str]) -> dict[str, str]:
    chosen = re.sub(r"[\s;]+", ",", fields.get("ids", "").strip()).strip(",")
    if chosen:
        if not _IDS.fullmatch(chosen):
            raise Refused(400, "Patients are named by their Cliniko numbers, separated by commas.")
        return {"TAP_CLINIKO_SAMPLE_IDS": chosen}
    number = fields.get("patients", "").strip() or "100"
    if not number.isdecimal() or not 1 <= int(number) <= _MOST_SAMPLE:
        raise Refused(400, f"A sample has between 1 and {_MOST_SAMPLE} patients.")
    return {"TAP_CLINIKO_SAMPLE_PATIENTS": number}


def _values(fields: Mapping[str, str]) -> dict[str, str]:
    return {"TARGET_HIGHLEVEL_SHOW_VALUES": "true"} if fields.get("show_values") == "yes" else {}
