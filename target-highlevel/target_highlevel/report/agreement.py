"""Whether the two sides agree now: what a clinic asks on the day it goes live."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from target_highlevel.endings import BEGUN_IN_THE_MIDDLE, MAPPED_ANEW, tap_of, to_compare_words, undone_words
from target_highlevel.exit_codes import DIFFERENCES, LOADED, UNREADABLE, VERIFIED
from target_highlevel.ledger.counts import records_to_compare, standing_records, undone_records, wrote_since
from target_highlevel.report.moments import clinic_zone, moment
from target_highlevel.report.money import sum_line
from target_highlevel.report.outcome import unreadable_words
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from target_highlevel.ledger.ledger import Ledger

_HOUR = 3600
_MOMENT = "%Y-%m-%dT%H:%M:%SZ"
_AGAIN = "run `meltano run tap-cliniko target-highlevel`"
_VERIFY = "run `meltano run tap-cliniko target-highlevel-verify`"


@dataclass(frozen=True)
class Agreement:
    """What is known of both sides, and what speaks against going live."""

    #: Newest completed load and verification, each None when there is none.
    load: Mapping[str, Any] | None
    verification: Mapping[str, Any] | None
    hours_since_load: float | None
    held: int
    rejected: int
    reasons: tuple[str, ...]
    #: The clinic's time zone, where it is known.
    zone: str | None = None

    @property
    def agrees(self) -> bool:
        """Return whether both sides agree as far as anybody can know."""
        return not self.reasons

    @property
    def money(self) -> list[str]:
        """Return the sums that the verification read back, a line each, or nothing."""
        found = (self.verification or {}).get("facts", {}).get("report", {}).get("money")
        return [sum_line(item) for item in (found or {}).get("totals", ())]

    @property
    def sentence(self) -> str:
        """Return the one line for the page and the screen."""
        if self.agrees:
            assert self.load is not None  # noqa: S101 - without a load there is a reason
            at = self.load["facts"].get("read_until") or self.load["started_at"]
            return (
                f"Both sides agree as of {moment(at, self.zone)}: the clinic can go live, if nothing was changed in Cliniko"
                " since then."
            )
        return f"Not yet: {'; '.join(self.reasons)}."


def agreement(ledger: Ledger, *, within_hours: float, accept_rejects: bool) -> Agreement:
    """Return whether both sides agree, from the ledger alone.

    Args:
        ledger: the ledger of the sub-account.
        within_hours: how long ago the newest load may have begun.
        accept_rejects: refused records were looked at and are left behind on purpose.
    """
    runs = ledger.runs()
    load = newest_of_everything(runs, "load", LOADED)
    verification = newest_of_everything(runs, "verify", VERIFIED)
    standing = standing_records(ledger)
    held, rejected = (sum(getattr(item, name) for item in standing) for name in ("held", "rejected"))
    hours = _hours_since(load, ledger.now()) if load else None
    reasons = [
        *_about_load(hours, within_hours),
        *_about_verification(ledger, runs, verification, accepted=accept_rejects),
    ]
    if load and verification and load["number"] > verification["number"]:
        reasons += _full_read_due(load["facts"].get("report", {}))
    undone = undone_records(ledger)
    if undone:
        reasons.append(undone_words(undone))
    to_compare = records_to_compare(ledger)
    if to_compare:
        reasons.append(to_compare_words(to_compare))
    if held:
        reasons.append(f"{counted(held, 'record', 'waits', 'wait')}: {_AGAIN}")
    if rejected and not accept_rejects:
        them = _them(rejected)
        reasons.append(
            f"{counted(rejected, 'record', 'was', 'were')} refused: fix {them} and run"
            f" `meltano invoke target-highlevel:retry`, or set TARGET_HIGHLEVEL_ACCEPT_REJECTS to leave {them} behind"
        )
    return Agreement(load, verification, hours, held, rejected, tuple(reasons), clinic_zone(ledger))


def newest_of_everything(
    runs: list[dict[str, Any]], mode: str, ended_with: tuple[int, ...]
) -> dict[str, Any] | None:
    """Return the newest run that looked at everything: a sample, or what came before a tap failed, is not the clinic."""
    ended = (item for item in reversed(runs) if item["mode"] == mode and item["exit_code"] in ended_with)
    return next((item for item in ended if _saw_everything(item["facts"].get("report", {}))), None)


def _saw_everything(report: Mapping[str, Any]) -> bool:
    checked_changes = report.get("verification") and report.get("changes_only")
    return not report.get("sample") and not report.get("ended_early") and not checked_changes


def _hours_since(run: Mapping[str, Any], now: datetime) -> float:
    began = datetime.strptime(run["started_at"], _MOMENT).replace(tzinfo=UTC)
    return (now - began).total_seconds() / _HOUR


def _about_load(hours: float | None, within_hours: float) -> Iterator[str]:
    if hours is None:
        yield f"no load of everything has come to its end: {_AGAIN}"
    elif hours > within_hours:
        yield f"the newest load began {hours:.1f} hours ago, more than {within_hours:g}: {_AGAIN}"


def _full_read_due(load: Mapping[str, Any]) -> Iterator[str]:
    """Tell what a load after the verification knew not to be as Cliniko and the mapping have it, although it wrote nothing."""
    if load.get("begun_in_the_middle"):
        yield f"{BEGUN_IN_THE_MIDDLE}, then {_VERIFY}"
    elif load.get("mapped_anew"):
        yield f"{MAPPED_ANEW.format(tap=tap_of(sample=False))}; then {_VERIFY}"


def _about_findings(verification: Mapping[str, Any], *, accepted: bool) -> Iterator[str]:
    """Tell differences from what people entered and from what could not be read: the latter two may be accepted.

    Sums of money are not accepted with what people entered: they agree to the cent, or somebody puts them right.
    """
    name, code = verification["id"], verification["exit_code"]
    said = {"totals": {}, **(verification["facts"].get("report", {}).get("verification") or {})}
    totals = said["totals"]
    kept = totals.get("kept", 0)
    differs = sum(totals.get(kind, 0) for kind in ("different", "missing", "extra"))
    money = (verification["facts"].get("report", {}).get("money")) or {}
    if code == DIFFERENCES and (differs or not kept):
        yield f"verification {name} found differences: fix them, then {_VERIFY}"
    elif not money.get("agrees", True):
        number = counted(money["differing"]["count"], "record")
        yield f"sums of money differ in {number} of verification {name}: put right what its money.csv lists, then {_VERIFY}"
    if accepted:
        return
    if kept:
        found = f"{counted(kept, 'record')} with what people entered, which `overwrite` leaves standing"
        yield f"verification {name} found {found}: {_accept(kept)}"
    unread = unreadable_words(said)
    if unread or code == UNREADABLE:  # an earlier version did not count the lists
        number = totals.get("unreadable", 0) + said.get("unreadable_lists", 0)
        yield f"verification {name} could not read {unread or 'a list of records'} back: {_accept(number or 1)}"


def _accept(number: int) -> str:
    them = _them(number)
    return f"look at {them}, then set TARGET_HIGHLEVEL_ACCEPT_REJECTS to leave {them} so"


def _them(number: int) -> str:
    return "it" if number == 1 else "them"


def _about_verification(
    ledger: Ledger, runs: list[dict[str, Any]], verification: Mapping[str, Any] | None, *, accepted: bool
) -> Iterator[str]:
    if verification is None:
        yield f"nothing was read back in full: {_VERIFY}"
        return
    yield from _about_findings(verification, accepted=accepted)
    later = [item for item in runs if item["number"] > verification["number"]]
    found = [item["id"] for item in later if item["mode"] == "verify" and item["exit_code"] == DIFFERENCES]
    if found:
        yield f"verification {found[-1]}, of a part, found differences since: fix them, then {_VERIFY}"
    wrote = wrote_since(ledger, verification)
    if wrote:
        yield f"run {wrote[-1]} has written since the newest verification: {_VERIFY}"
