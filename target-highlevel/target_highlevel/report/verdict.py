"""What matters first: did it work, in one sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.exit_codes import DIFFERENCES, LOADED, TO_THE_END, end_of
from target_highlevel.report.outcome import undone_sentence, verified_sentence
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_GOOD, _ATTENTION, _BAD = "good", "attention", "bad"


def ending(exit_code: int | None, *, ended_early: bool = False) -> dict[str, str]:
    """Return what an exit code means and what to do next."""
    end = end_of(exit_code, ended_early=ended_early)
    return {"exit_meaning": end.meaning, "next_step": end.next_step}


def verdict(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the one sentence at the top, and its tone."""
    if not content["closes_to_zero"]:
        return _say(_BAD, "No: the counts do not add up, so some records are unaccounted for.")
    if not content["audit"]["intact"]:
        return _say(_BAD, "Warning: the audit trail was altered after it was written.")
    if content["rollback"]:
        return _say(*undone_sentence(content["rollback"]))
    checked = content["verification"]
    found = (
        _of_changes(*verified_sentence(checked, accepted=content["rejects_accepted"]), content)
        if checked
        else _ended(content)
    )
    return _of_sample(found, content["sample"]) if content["exit_code"] in TO_THE_END else found


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
    named = "one patient" if number == 1 else counted(number, "patient")
    first, stop, more = found["sentence"].removesuffix(".").partition(". ")
    return {**found, "sentence": f"{first}, in this sample of {named}{stop}{more}."}


def _ended(content: Mapping[str, Any]) -> dict[str, str]:
    code = content["exit_code"]
    if code in LOADED and not content["ended_early"]:
        return _complete(content)
    if code == DIFFERENCES:
        return _say(_ATTENTION, "Not quite: HighLevel differs from Cliniko in the fields listed below.")
    return _broken_off(content)


def _broken_off(content: Mapping[str, Any]) -> dict[str, str]:
    code, writes = content["exit_code"], content["mode"] not in {"plan", "verify"}
    if content["ended_early"] and content["mode"] == "load":
        return _say(
            _ATTENTION,
            "Not finished yet: the tap stopped before it had read everything. What it had sent is kept.",
        )
    end = end_of(code)
    if end.stopped_by:
        what_now = (
            "What was written stays and will not be written again." if writes else "Nothing was written."
        )
        return _say(_BAD, f"No: {end.stopped_by} {what_now}")
    if not writes:
        return _say(
            _BAD, "No: the run ended early. It writes nothing to HighLevel, so it can simply be run again."
        )
    if end.goes_on:
        return _say(
            _ATTENTION,
            "Not finished yet. What was done is kept, and the next run continues with the rest.",
        )
    return _say(_BAD, "No: the run ended early. What was written stays and will not be written again.")


def _complete(content: Mapping[str, Any]) -> dict[str, str]:
    totals = content["totals"]
    if content["mode"] == "plan":
        return _planned(len((content["plan"] or {}).get("blockers", ())))
    if content["mode"] == "retry":
        return _retried(totals, accepted=content["rejects_accepted"])
    if content["undone"] and content["mode"] == "load":
        number = content["undone"]
        which = "that an undone run had brought, or that {} found missing, {}"
        gone = counted(number, "record", which.format("was", "is"), which.format("were", "are"))
        return _say(
            _ATTENTION, f"Not all of it: {gone} not back in HighLevel yet. A full read restores them."
        )
    if content["mode"] == "load" and (
        content["begun_in_the_middle"] or content["to_compare"] or content["mapped_anew"]
    ):
        return _full_read_due(content)
    changed, accepted = totals["created"] + totals["updated"], content["rejects_accepted"]
    said = _moved(totals, accepted=accepted, changed=bool(changed))
    cut = content["not_taken"]["count"]
    if cut and said["tone"] == _GOOD:
        values = f"{counted(cut, 'value')} that HighLevel did not take whole"
        return _say(_GOOD if accepted else _ATTENTION, f"{said['sentence'][:-1]}; look at {values}.")
    return said


def _retried(totals: Mapping[str, int], *, accepted: bool) -> dict[str, str]:
    """Say of a retry what became of what was refused; of anything else it knows nothing."""
    still = totals["rejected"] + totals["held"]
    in_highlevel = sum(totals[name] for name in ("created", "updated", "unchanged"))
    tone = _ATTENTION if totals["held"] or (totals["rejected"] and not accepted) else _GOOD
    went = counted(in_highlevel, "record")
    return _say(
        tone,
        f"Sent again: {went} went in, {still:,} {'is' if still == 1 else 'are'} still refused or waiting.",
    )


def _full_read_due(load: Mapping[str, Any]) -> dict[str, str]:
    because = (
        "this ledger does not cover earlier runs"
        if load["begun_in_the_middle"] or load["to_compare"]
        else "the mapping has changed since everything was read"
    )
    return _say(_ATTENTION, f"What has changed is in HighLevel. A full read is due: {because}.")


def _moved(totals: Mapping[str, int], *, accepted: bool, changed: bool) -> dict[str, str]:
    refused, held = totals["rejected"], totals["held"]
    if refused and not accepted:
        return _say(
            _ATTENTION,
            f"Almost: {counted(refused, 'record', 'did not go in and needs', 'did not go in and need')} a person.",
        )
    if held:
        return _say(
            _ATTENTION, f"Yes, so far: {counted(held, 'record', 'still waits', 'still wait')} for something."
        )
    if refused:
        left = f"{counted(refused, 'record')}, which this migration is set to leave behind"
        return _say(_GOOD, f"Yes: everything is in HighLevel except {left}.")
    if not changed:
        return _say(_GOOD, "Yes: nothing had changed, HighLevel is up to date.")
    return _say(_GOOD, "Yes: everything that can move is in HighLevel.")


def _planned(blockers: int) -> dict[str, str]:
    if not blockers:
        return _say(_GOOD, "The plan is ready. Nothing was written.")
    things = "one thing" if blockers == 1 else f"{blockers} things"
    return _say(_ATTENTION, f"Nothing was written, and {things} would stop the load.")


def window_verdict(content: Mapping[str, Any]) -> dict[str, str]:
    """Return the one sentence on top of the report of several runs."""
    against = next(_against(content), None)
    if against is not None:
        return against
    found = _moved(content["standing"], accepted=content["rejects_accepted"], changed=True)
    if found["tone"] == _GOOD and not content["go_live"]["agrees"]:
        return _say(_ATTENTION, "What can move was loaded, but nobody can say yet that both sides agree.")
    return found


def _against(content: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Yield what keeps several runs from having moved everything, the worst first."""
    if not content["audit"]["intact"]:
        yield _say(_BAD, "Warning: the audit trail was altered after it was written.")
    load = _newest(content, "load", of_everything=True)
    if any(run and run["closes_to_zero"] is False for run in (load, _newest(content, "verify"))):
        yield _say(_BAD, "No: the counts do not add up, so some records are unaccounted for.")
    newest = _newest(content, "load", "rollback")
    if newest and newest["mode"] == "rollback":
        yield _say(_ATTENTION, "A run was undone. Only a run with `--full-refresh` loads its records again.")
    if content["undone"]:
        gone = f"{counted(content['undone'], 'record')} brought by an undone run or found missing"
        yield _say(_ATTENTION, f"Not all of it: only a run with `--full-refresh` loads {gone}.")
    # a sample or a retry after a load does not finish it
    for run in (load, _newest(content, "load", "retry")):
        if run and (run["exit_code"] not in LOADED or run["ended_early"]):
            unfinished = f"the newest {run['mode']} did not finish. {run['exit_meaning']}"
            yield _say(_ATTENTION, f"Not all of it yet: {unfinished}")
    loaded = content["go_live"]["loaded"]
    if loaded is None:
        yield _say(_ATTENTION, "Not all of it yet: no load of everything has come to its end.")
    elif loaded["begun_in_the_middle"] or content["to_compare"] or loaded["mapped_anew"]:
        yield _full_read_due({**loaded, "to_compare": content["to_compare"]})


def _newest(content: Mapping[str, Any], *modes: str, of_everything: bool = False) -> Mapping[str, Any] | None:
    fitting = (
        run
        for run in reversed(content["runs"])
        if run["mode"] in modes and not (of_everything and run["sample"])
    )
    return next(fitting, None)


def _say(tone: str, sentence: str) -> dict[str, str]:
    return {"tone": tone, "sentence": sentence}
