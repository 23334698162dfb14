"""What matters first: did it work, in one sentence, and what needs a human."""

# ruff: noqa: E501 - a sentence of a table stays on its line

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.report.outcome import undone_sentence, undone_tasks, verified_sentence, verified_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Exit code -> (what it means, what to do next).
ENDINGS = {
    0: ("Complete.", "Nothing."),
    1: ("The run failed before its end.", "Run it again: it goes on where it stopped. If it fails again, the last line of its log says why."),
    2: ("A setting is missing or cannot be right.", "Mend the settings named in the last line of the log, then run again."),
    3: ("HighLevel refused the credentials.", "Mend the token, its scopes or the location, then run again."),
    4: ("Complete, with refused records.", "Mend the causes listed below, then `meltano invoke target-highlevel:retry`."),
    5: ("The read-back found differences.", "They are counted below, and `differences.csv` lists every one."),
    75: ("The day's requests are spent; the rest is kept.", "Run again tomorrow: the run begins with what is left."),
    130: ("The run was interrupted.", "Run again: nothing is lost."),
    143: ("The run was interrupted.", "Run again: nothing is lost."),
}  # fmt: skip
_KILLED = (
    "The run did not come to its end: it was killed, or it is still going on.",
    "Run again: nothing is lost.",
)

_ENDED_EARLY = (
    "What came was dealt with, but the tap ended before it had read everything.",
    "Its own last line says why. Run again: it goes on where it stopped.",
)

_READ_EVERYTHING = (
    "This ledger does not know what came before it. Owners, medical alerts and appointment types of contacts stay as they are"
    " until `meltano run --full-refresh tap-cliniko target-highlevel` has come to its end."
)

#: Exit codes of a run that has looked at all it was given.
_TO_THE_END = frozenset({0, 4, 5})
_GOOD, _ATTENTION, _BAD = "good", "attention", "bad"


def ending(exit_code: int | None, ended_early: bool = False) -> dict[str, str]:  # noqa: FBT001, FBT002 - a fact of the run
    """Return what an exit code means and what to do next."""
    meaning, next_step = _KILLED if exit_code is None else ENDINGS.get(exit_code, ENDINGS[1])
    if ended_early and exit_code == 1:
        meaning, next_step = _ENDED_EARLY
    return {"exit_meaning": meaning, "next_step": next_step}


def verdict(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the one sentence at the top, and its tone."""
    if not content["closes_to_zero"]:
        return _say(_BAD, "No: the counts do not close. Some records are not accounted for.")
    if not content["audit"]["intact"]:
        return _say(_BAD, "Take care: the audit trail was changed after it was written.")
    if content["rollback"]:
        return _say(*undone_sentence(content["rollback"]))
    checked = content["verification"]
    found = _of_changes(*verified_sentence(checked), content) if checked else _ended(content)
    return _of_sample(found, content["sample"]) if content["exit_code"] in _TO_THE_END else found


def _of_changes(tone: str, sentence: str, content: Mapping[str, Any]) -> dict[str, str]:
    """Say of a verification that was given only what has changed lately that it saw nothing else."""
    if not content["changes_only"]:
        return _say(tone, sentence)
    return _say(
        tone, f"{sentence.removesuffix('.')}, of what has changed lately; the rest was not looked at."
    )


def _of_sample(found: dict[str, str], sample: Mapping[str, int] | None) -> dict[str, str]:
    """Say of a sample that it is one: what is true of it is not said of the clinic."""
    if not sample:
        return found
    number = sample["patients"]
    named = "one patient" if number == 1 else f"{number:,} patients"
    return {**found, "sentence": f"{found['sentence'].removesuffix('.')}, in this sample of {named}."}


def _ended(content: Mapping[str, Any]) -> dict[str, str]:
    code = content["exit_code"]
    if code in {0, 4}:
        return _complete(content)
    if code == 5:  # noqa: PLR2004 - the documented exit code
        return _say(_ATTENTION, "Not quite: HighLevel differs from Cliniko in the fields listed below.")
    if content["ended_early"] and content["mode"] == "load":
        return _say(
            _ATTENTION, "Not finished yet: the tap ended before it had read everything. What came stands."
        )
    if content["mode"] in {"plan", "verify"}:
        return _say(
            _BAD, "No: the run ended early. It writes nothing to HighLevel, so it can simply be run again."
        )
    if code in {75, 130, 143}:
        return _say(
            _ATTENTION,
            "Not finished yet. What is done stands, the rest is kept and goes on with the next run.",
        )
    return _say(_BAD, "No: the run ended early. What was written stands and is not written twice.")


def _complete(content: Mapping[str, Any]) -> dict[str, str]:
    totals = content["totals"]
    if content["mode"] == "plan":
        return _planned(len((content["plan"] or {}).get("blockers", ())))
    if totals["rejected"]:
        return _say(
            _ATTENTION,
            f"Almost: {records(totals['rejected'])} did not go in and {_need(totals['rejected'])} a person.",
        )
    if totals["held"]:
        return _say(
            _ATTENTION, f"Yes, so far: {records(totals['held'])} still {_wait(totals['held'])} for something."
        )
    if not totals["created"] + totals["updated"]:
        return _say(_GOOD, "Yes: nothing had changed, HighLevel is up to date.")
    return _say(_GOOD, "Yes: everything that can move is in HighLevel.")


def _planned(blockers: int) -> dict[str, str]:
    if not blockers:
        return _say(_GOOD, "The plan is ready. Nothing was written.")
    things = "one thing" if blockers == 1 else f"{blockers} things"
    return _say(_ATTENTION, f"Nothing was written, and {things} would stop the load.")


def window_verdict(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the one sentence on top of the report of several runs."""
    standing = content["standing"]
    if not content["audit"]["intact"]:
        return _say(_BAD, "Take care: the audit trail was changed after it was written.")
    newest = next((run for run in reversed(content["runs"]) if run["mode"] in {"load", "rollback"}), None)
    if newest and newest["mode"] == "rollback":
        return _say(
            _ATTENTION, "A run was undone: what it brought comes again with the next `--full-refresh` only."
        )
    if standing["rejected"]:
        return _say(
            _ATTENTION, f"Almost: {records(standing['rejected'])} {_need(standing['rejected'])} a person."
        )
    if standing["held"]:
        return _say(
            _ATTENTION,
            f"Yes, so far: {records(standing['held'])} still {_wait(standing['held'])} for something.",
        )
    return _say(_GOOD, "Yes: everything that can move is in HighLevel.")


def _say(tone: str, sentence: str) -> dict[str, str]:
    return {"tone": tone, "sentence": sentence}


def records(number: int) -> str:
    """Return a number of records in words."""
    return "1 record" if number == 1 else f"{number:,} records"


def _need(number: int) -> str:
    return "needs" if number == 1 else "need"


def _wait(number: int) -> str:
    return "waits" if number == 1 else "wait"


def things_to_do(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what needs a human, the most urgent first."""
    return [
        {
            "what": what.format(s="" if count == 1 else "s"),
            "count": count,
            "next_step": next_step,
            "section": section,
        }
        for what, count, next_step, section in _things(content)
        if count
    ]


def _things(content: Mapping[str, Any]) -> Iterator[tuple[str, int, str, str]]:
    totals, audit = content["totals"], content["audit"]
    yield (
        "thing{s} would stop the load",
        len((content["plan"] or {}).get("blockers", ())),
        "Mend them, then plan again.",
        "blockers",
    )
    open_rows = sum(1 for row in content["objects"] if row["difference"])
    yield (
        "kind{s} of records whose counts do not close",
        open_rows,
        "Report it with report.json"
        + (
            ", after taking the patients' data out of it."
            if content["shows_values"]
            else ": it holds no personal data."
        ),
        "records",
    )
    yield (
        "broken place{s} in the audit trail",
        len(audit["broken"]),
        "Find out who changed the ledger.",
        "audit",
    )
    if content["rollback"]:
        yield from undone_tasks(content["rollback"])
        return  # what a load left to a person is no concern of its undoing
    if content["verification"]:
        yield from verified_tasks(content["verification"])
    yield (
        "reading of everything due",
        int(content["begun_in_the_middle"]),
        _READ_EVERYTHING,
        "records",
    )
    yield (
        "record{s} refused",
        totals["rejected"],
        "See the reasons and mend them, then `meltano invoke target-highlevel:retry`.",
        "rejects",
    )
    if not content["verification"]:
        yield (
            "value{s} not the same on both sides",
            _differing(content["differences"]),
            "Look through differences.csv.",
            "differences",
        )
    yield "record{s} waiting", totals["held"], "See what they wait for; most go with the next run.", "held"
    yield (
        "field{s} changed by a person in HighLevel",
        content["conflicts"]["count"],
        "Decide which side is right.",
        "conflicts",
    )
    yield (
        "e-mail{s} or phone{s} not given to a contact",
        content["withheld"]["count"],
        "Decide which contact should have them.",
        "withheld",
    )
    without = sum(1 for item in content["practitioners_without_user"] if item["because"] == "no_user")
    yield (
        "practitioner{s} without a user",
        without,
        "Add them as users in HighLevel, or leave the fallback owner in charge.",
        "practitioners",
    )


def _differing(differences: list[dict[str, Any]] | None) -> int:
    kinds = ("different", "missing", "extra")
    return sum(item["counts"][kind] for item in differences or () for kind in kinds)
