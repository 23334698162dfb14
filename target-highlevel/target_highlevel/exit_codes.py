"""How a run can end: each exit code with what it means and what to do next, for the last line, the report and go-live alike."""

# ruff: noqa: E501 - a sentence of a table stays on its line

from __future__ import annotations

from dataclasses import dataclass

COMPLETE = 0
FAILED = 1
WRONG_SETTINGS = 2
NO_ACCESS = 3
REJECTS = 4
DIFFERENCES = 5
UNREADABLE = 6
BUDGET_SPENT = 75
INTERRUPTED = 130
TERMINATED = 143

#: Codes of a load, or of its plan, that has dealt with all it was given.
LOADED = (COMPLETE, REJECTS)
#: Codes of a verification that has looked at all it was given.
VERIFIED = (COMPLETE, DIFFERENCES, UNREADABLE)
#: Codes of a run that has come to its end, whatever it found.
TO_THE_END = frozenset({*LOADED, *VERIFIED})


@dataclass(frozen=True)
class End:
    """One way to end.

    Attributes:
        meaning: what happened, as a sentence of the report
        next_step: what to do next, as a sentence of the report
        line: both on the last line, where the run has nothing more exact to say
        stopped_by: of one that a person has to set right, what stopped the run
        goes_on: whether the next run goes on with the rest by itself
    """

    meaning: str
    next_step: str
    line: str = ""
    stopped_by: str = ""
    goes_on: bool = False


_INTERRUPTED = End(
    "The run was interrupted.",
    "Run the same command again: nothing is lost.",
    "interrupted: run again, nothing is lost",
    goes_on=True,
)
#: From the code that needs a person most to the one that needs nobody.
ENDS = {
    TERMINATED: _INTERRUPTED,
    INTERRUPTED: _INTERRUPTED,
    WRONG_SETTINGS: End(
        "A setting is missing or cannot be right.",
        "Fix the settings named in the last line of the log, then run again.",
        "settings: {error}",
        stopped_by="a setting stopped the run.",
    ),
    NO_ACCESS: End(
        "HighLevel refused the credentials.",
        "Fix the token, its scopes or the location, then run again.",
        "credentials refused: {error}",
        stopped_by="HighLevel refused the credentials.",
    ),
    FAILED: End(
        "The run failed before its end.",
        "Run it again: it resumes where it left off. If it fails again, the last line of its log says why.",
        "failed: {error}",
    ),
    BUDGET_SPENT: End(
        "The day's requests are spent; the rest is kept.",
        "Run again tomorrow: the run begins with what is left.",
        "the day's request budget is spent; the rest is kept in the ledger: run again tomorrow",
        goes_on=True,
    ),
    DIFFERENCES: End(
        "The read-back found differences.",
        "They are counted below, and `differences.csv` lists every one.",
        "verification found differences: see differences.csv in the report; `meltano invoke target-highlevel:repair` says what can be brought back",
    ),
    REJECTS: End(
        "Complete, with refused records.",
        "Fix the causes listed below, then `meltano invoke target-highlevel:retry`; or accept them with `TARGET_HIGHLEVEL_ACCEPT_REJECTS=true`.",
        "complete with rejects: see rejects.csv in the report, fix the causes, then `meltano invoke target-highlevel:retry`; or leave those records behind with TARGET_HIGHLEVEL_ACCEPT_REJECTS=true",
    ),
    UNREADABLE: End(
        "No differences, but part of it could not be read back.",
        "`differences.csv` lists it as *unreadable*, each with its reason: look at some of it in HighLevel.",
        "verification found no differences, but could not read everything back: see `unreadable` in differences.csv",
    ),
    COMPLETE: End("Complete.", "Nothing."),
}
WORST_FIRST = tuple(ENDS)
#: Of a run that nothing was heard of again.
KILLED = End(
    "The run did not come to its end: it was killed, or it is still going on.",
    "Run the same command again: nothing is lost.",
)
#: Of a load that has dealt with all that came, where not all came.
ENDED_EARLY = End(
    "The tap stopped before it had read everything; what it had sent was processed.",
    "Its own last line says why. Run again: it resumes where it left off.",
    "the tap stopped before it had read everything: its own last line says why; run again",
)


def end_of(code: int | None, *, ended_early: bool = False) -> End:
    """Return how a run ended, by its exit code: None where there is none."""
    if ended_early and code in {*LOADED, FAILED}:
        return ENDED_EARLY
    return KILLED if code is None else ENDS.get(code, ENDS[FAILED])
