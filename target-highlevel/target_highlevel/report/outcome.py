"""The sentence and the tasks of runs that move nothing in: a verification and a rollback."""

# ruff: noqa: E501 - a sentence stays on its line

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.exit_codes import COMPLETE, ENDS
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

Task = tuple[str, int, str, str]


def verified_sentence(verification: Mapping[str, Any], *, accepted: bool = False) -> tuple[str, str]:
    """Return the tone and the sentence of a verification that read everything back."""
    totals = verification["totals"]
    differ, absent, extra = totals["different"], totals["missing"], totals["extra"]
    if not verification["closes_to_zero"]:
        return "bad", "No: the counts of what was read back do not add up."
    kept = totals.get("kept", 0)
    if differ or absent or extra:
        also = f", and {_of_people(kept)}" if kept else ""
        return "attention", f"Not quite: {_told(differ, absent, extra)} in HighLevel{also}."
    if kept and not accepted:
        return "attention", f"Not quite: {_of_people(kept)}, as the setting overwrite allows."
    return _agrees(verification, accepted=accepted)


def _agrees(verification: Mapping[str, Any], *, accepted: bool) -> tuple[str, str]:
    """Say of a verification without differences what is not in HighLevel, or not as in Cliniko, all the same."""
    totals = verification["totals"]
    kept = totals.get("kept", 0)
    apart = [_of_people(kept)] if kept else []
    if unread := unreadable_words(verification):
        said = f"As far as HighLevel shows it, {'all else' if kept else 'all'} agrees with Cliniko"
        return "attention", f"{said}; {', '.join([*apart, f'{unread} could not be read back'])}."
    if totals["rejected"] or totals["held"]:
        apart.append(_not_in(totals))
    if not apart:
        return "good", "Yes: HighLevel holds what Cliniko holds."
    said = f"Yes: {'all else' if kept else 'all that went in'} agrees with Cliniko; {', '.join(apart)}"
    if accepted and not totals["held"]:
        return "good", f"{said}, which this migration is set to accept."
    return "attention", f"{said}."


def unreadable_words(verification: Mapping[str, Any]) -> str:
    """Return what could not be read back: *2 records and 1 list of records*; empty if there is nothing of the kind."""
    records, lists = verification["totals"].get("unreadable", 0), verification.get("unreadable_lists", 0)
    told = [
        *([counted(records, "record")] if records else []),
        *([f"{counted(lists, 'list')} of records"] if lists else []),
    ]
    return " and ".join(told)


def _of_people(number: int) -> str:
    """Return how many records hold what a person entered: *1 record holds what a person entered*."""
    return f"{counted(number, 'record', 'holds', 'hold')} what people entered"


def _told(differ: int, absent: int, extra: int) -> str:
    """Return the counts that are not zero, as a part of a sentence: *3 records differ, 1 is missing*."""
    said = (
        (differ, "differs", "differ"),
        (absent, "is missing", "are missing"),
        (extra, "is extra", "are extra"),
    )
    parts = _each(said)
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _not_in(totals: Mapping[str, int]) -> str:
    """Return how many records were refused or wait: *1 record was refused, 2 wait*."""
    said = (("rejected", "was refused", "were refused"), ("held", "is waiting", "are waiting"))
    return ", ".join(_each((totals[name], one, more) for name, one, more in said))


def _each(said: Iterable[tuple[int, str, str]]) -> list[str]:
    """Return each (number, verb of one, verb of several) that is not zero; that they are records is said once."""
    found = (each for each in said if each[0])
    return [
        counted(number, "" if place else "record", *verbs) for place, (number, *verbs) in enumerate(found)
    ]


def verified_tasks(verification: Mapping[str, Any], *, accepted: bool = False) -> Iterator[Task]:
    """Yield what a verification asks of a person."""
    totals = verification["totals"]
    again = "`meltano invoke target-highlevel:repair` has the next full load make them again."
    values = "Most are people's work: leave it, or have Cliniko's values back with `meltano invoke target-highlevel:repair --values`."
    yield "record{s} with other values than Cliniko", totals["different"], values, "differences"
    yield "record{s} missing in HighLevel", totals["missing"], again, "differences"
    yield (
        "record{s} with what people entered",
        0 if accepted else totals.get("kept", 0),
        "Check whether it is right; accept it with `TARGET_HIGHLEVEL_ACCEPT_REJECTS=true`.",
        "differences",
    )
    yield (
        "record{s} that could not be read back",
        totals.get("unreadable", 0),
        "See why, and look at some of them in HighLevel.",
        "unreadable",
    )
    yield (
        "list{s} of records that could not be read back",
        verification.get("unreadable_lists", 0),
        "See why, and verify again.",
        "unreadable",
    )
    yield (
        "extra record{s} in HighLevel",
        totals["extra"],
        "See why, then keep or delete them there.",
        "extra",
    )


def undoing(exit_code: int | None, rollback: Mapping[str, Any]) -> dict[str, str]:
    """Return what the end of a rollback means and what to do next."""
    if exit_code == COMPLETE:
        return {"exit_meaning": ENDS[COMPLETE].meaning, "next_step": ENDS[COMPLETE].next_step}
    return {
        "exit_meaning": "Reading back found something of the run.",
        "next_step": f"Run the same command again: {_again(rollback)} resumes where it left off.",
    }


def _again(rollback: Mapping[str, Any]) -> str:
    return f"`meltano invoke target-highlevel:rollback --run {rollback['undoes']} --yes`"


def undone_sentence(rollback: Mapping[str, Any]) -> tuple[str, str]:
    """Return the tone and the sentence of a rollback."""
    if not rollback["read_back"]:
        return (
            "attention",
            "Not finished: what is undone stays undone, and the same command goes on from there.",
        )
    left, differing, spared = rollback["created_left"], rollback["fields_differing"], rollback["spared"]
    if left or differing:
        found = [counted(number, word) for number, word in ((left, "record"), (differing, "field")) if number]
        one = left + differing == 1
        return (
            "bad",
            f"Not wholly undone: {' and '.join(found)} of the run {'is' if one else 'are'} still there.",
        )
    if spared:
        return "attention", f"Undone, and {counted(spared, 'record', 'was', 'were')} left alone on purpose."
    return "good", "Undone: HighLevel is as it was before the run."


def undone_tasks(rollback: Mapping[str, Any]) -> Iterator[Task]:
    """Yield what a rollback asks of a person."""
    again = f"Run {_again(rollback)} again."
    yield "undo to finish", int(not rollback["read_back"]), again, "proof"
    yield "record{s} of the run still there", rollback["created_left"], again, "proof"
    yield "field{s} not as before the run", rollback["fields_differing"], again, "proof"
    yield (
        "record{s} left alone",
        rollback["spared"],
        "See why; keep them, or delete them in HighLevel by hand.",
        "spared",
    )
    yield (
        "thing{s} to know before the next load",
        int(bool(rollback["read_back"])),
        "What was undone comes again only with `meltano run --full-refresh tap-cliniko target-highlevel`.",
        "behind",
    )
