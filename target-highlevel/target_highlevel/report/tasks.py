"""What needs a person, the most urgent first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.endings import tap_of
from target_highlevel.exit_codes import COMPLETE, TO_THE_END
from target_highlevel.report.outcome import Task, undone_tasks, verified_tasks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_READ_EVERYTHING = (
    "This ledger does not cover earlier runs. Owners, medical alerts and appointment types of contacts will not be updated"
    " until `meltano run --full-refresh tap-cliniko target-highlevel` has finished."
)
_MAPPED_ANEW = (
    "The mapping has changed since everything was read. Records that have not changed in Cliniko will not be updated until"
    " `meltano run --full-refresh {tap} target-highlevel` has finished."
)
_UNMARKED = (
    "Give the token the scopes locations/customValues.readonly and .write: without them nobody can tell whether another ledger or"
    " another machine writes here too."
)
_READ_AGAIN = "Only `meltano run --full-refresh tap-cliniko target-highlevel` loads them again."
_COMPARE = (
    "The ledger is from a backup: run once with `meltano run --full-refresh tap-cliniko target-highlevel`."
)
_ACCEPT = "to leave refused records behind, set `TARGET_HIGHLEVEL_ACCEPT_REJECTS=true`"
_REFUSED = f"Read the reasons, fix what you can and run `meltano invoke target-highlevel:retry`; {_ACCEPT}."


def things_to_do(content: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what needs a person, the most urgent first."""
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


def _things(content: Mapping[str, Any]) -> Iterator[Task]:
    plan = content["plan"]
    yield from _stopped(content)
    if plan:
        yield "thing{s} would stop the load", len(plan["blockers"]), "Fix them, then plan again.", "blockers"
    yield from _broken(content)
    if content["rollback"]:
        yield from undone_tasks(content["rollback"])
        return  # what a load left to a person is no concern of its undoing
    if plan:
        yield from _planned(content, plan)
    yield from _money(content["money"])
    if content["mode"] == "plan":
        return
    if content["verification"]:
        yield from verified_tasks(content["verification"], accepted=content["rejects_accepted"])
    mapped_anew = _MAPPED_ANEW.format(tap=tap_of(sample=content["sample"] is not None))
    yield "full read due", int(content["begun_in_the_middle"]), _READ_EVERYTHING, "records"
    yield "full read due", int(content["mapped_anew"]), mapped_anew, "records"
    yield "sub-account that cannot keep a mark", int(content["unmarked"]), _UNMARKED, "course"
    yield "record{s} brought by an undone run or found missing", content["undone"], _READ_AGAIN, "records"
    yield "record{s} to compare with HighLevel", content["to_compare"], _COMPARE, "records"
    if not content["rejects_accepted"]:
        yield "record{s} refused", content["totals"]["rejected"], _REFUSED, "rejects"
    yield (
        "record{s} waiting",
        content["totals"]["held"],
        "See what they wait for; most go with the next run.",
        "held",
    )
    yield (
        "field{s} changed by a person in HighLevel",
        content["conflicts"]["count"],
        "Decide which side is right.",
        "conflicts",
    )
    yield (
        "e-mail{s} or phone{s} not given to a contact",
        content["withheld"]["count"],
        "Decide which contact should have them. In HighLevel, filter by the tags `shared-email` and `shared-phone`.",
        "withheld",
    )
    yield (
        "value{s} not taken whole by HighLevel",
        content["not_taken"]["count"],
        "Check whether the missing part matters; Cliniko still has it.",
        "not_taken",
    )
    yield from _without_user(content)


def _stopped(content: Mapping[str, Any]) -> Iterator[Task]:
    """Say of a run that did not come to its end how to go on; a rollback says so itself."""
    if content["rollback"] or (content["exit_code"] in TO_THE_END and not content["ended_early"]):
        return
    yield "run that did not come to its end", 1, content["next_step"], "course"


def _broken(content: Mapping[str, Any]) -> Iterator[Task]:
    open_rows = sum(1 for row in content["objects"] if row["difference"])
    private = ", after taking the patients' data out of it." if content["shows_values"] else None
    yield (
        "kind{s} of records whose counts do not add up",
        open_rows,
        f"Report it with report.json{private or ': it holds no personal data.'}",
        "records",
    )
    yield (
        "broken place{s} in the audit trail",
        len(content["audit"]["broken"]),
        "Find out who changed the ledger.",
        "audit",
    )


def _money(money: Mapping[str, Any] | None) -> Iterator[Task]:
    yield (
        "record{s} with other sums than Cliniko",
        money["differing"]["count"] if money else 0,
        "See which; `money.csv` lists every one.",
        "money",
    )


def _without_user(content: Mapping[str, Any]) -> Iterator[Task]:
    yield (
        "practitioner{s} without a user",
        len(content["practitioners_without_user"]),
        "Add them as users in HighLevel, or leave the fallback owner in charge.",
        "practitioners",
    )


def _planned(content: Mapping[str, Any], plan: Mapping[str, Any]) -> Iterator[Task]:
    """Yield what a plan asks of a person before the load, which has not happened yet."""
    for item in plan["settings_to_check"]:
        yield item["task"], item["look"], f"Found: {item['found']}. {item['advice']}", "settings"
    yield (
        "disk too small for the attachments",
        int(bool(plan["downloads"]) and not plan["downloads"]["enough"]),
        "Make room, or set TAP_CLINIKO_ATTACHMENTS_DIR to a larger disk.",
        "account",
    )
    readers = plan["note_readers"]
    yield (
        "user{s} of HighLevel who would read every patient's notes",
        len(readers["everybody"]) + len(readers["not_known"]) if plan["note_sizes"]["notes"] else 0,
        "Go through them with the clinic, and narrow their rights before the load.",
        "readers",
    )
    yield (
        "record{s} would be refused",
        content["totals"]["rejected"],
        "Read the reasons. Whatever you fix in Cliniko before the load will be loaded with the rest.",
        "rejects",
    )
    yield (
        "value{s} would change in records that are in HighLevel already",
        _differing(content["differences"]),
        "Look through differences.csv.",
        "differences",
    )
    yield "record{s} would wait", content["totals"]["held"], "See what they would wait for.", "held"
    yield (
        "field{s} changed by a person in HighLevel",
        content["conflicts"]["count"],
        "Decide which side is right.",
        "conflicts",
    )
    yield (
        "e-mail{s} or phone{s} would not be given to a contact",
        content["withheld"]["count"],
        "Decide whether HighLevel is to allow duplicate contacts (Settings, Business profile).",
        "withheld",
    )
    yield (
        "value{s} that HighLevel would not take whole",
        content["not_taken"]["count"],
        "Check whether the missing part matters; Cliniko still has it.",
        "not_taken",
    )
    yield from _without_user(content)
    if not plan["blockers"] and content["exit_code"] == COMPLETE:
        yield _go_on(content, plan["approval"])


def _go_on(content: Mapping[str, Any], approval: Mapping[str, Any]) -> Task:
    """Return the last step, to be taken when all the others are."""
    if content["sample"]:
        again = "This plan is of a sample. The plan of everything: `meltano run tap-cliniko target-highlevel-plan`."
        return "plan of everything to make", 1, again, "records"
    if approval["approved"]:
        load = "The plan is approved. Load a sample: `meltano run tap-cliniko-sample target-highlevel`."
        return "load to start, if all is right", 1, load, "records"
    needed = ": no load starts without it." if approval["required"] else ", and load a sample."
    return (
        "plan to approve, if all is right",
        1,
        (
            "Look at where the clinic's own fields go and who keeps a shared e-mail or phone; then"
            f" `meltano invoke target-highlevel:approve`{needed}"
        ),
        "records",
    )


def _differing(differences: list[dict[str, Any]] | None) -> int:
    kinds = ("different", "missing", "extra")
    return sum(item["counts"][kind] for item in differences or () for kind in kinds)
