"""Settings of the sub-account that a person should look at before a load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.preflight.workflows import ADVICE, number_published
from target_highlevel.texts import counted

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from datetime import datetime

    from target_highlevel.assumptions import Known
    from target_highlevel.setup.catalogue import Catalogue


def checks(catalogue: Catalogue, workflows: str, account: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what was found of each setting, what to do about it, and whether a person has to; the most urgent first.

    Args:
        catalogue: what was read for the load.
        workflows: what was found of them, in words.
        account: what is known of the Cliniko account; empty when nothing is.
    """
    return [
        _workflows(workflows),
        _zone(catalogue, account.get("time_zone")),
        _duplicates(catalogue),
        _hipaa(account.get("requires_hipaa")),
        *_left_out(catalogue),
    ]


def measurements(known: Known, now: datetime) -> dict[str, Any]:
    """Return whether the vendor's open questions were measured in this sub-account, and lately."""
    advice = known.advice(now)
    number = len(known.measured)
    return {
        "setting": "probe",
        "found": f"{counted(number, 'answer')} measured"
        if number
        else "nothing measured, everything assumed",
        "advice": f"{advice[0].upper()}{advice[1:]}." if advice else "Nothing: the measurements are recent.",
        "task": "probe of the sub-account to run",
        "look": int(bool(advice)),
    }


def _workflows(found: str) -> dict[str, Any]:
    published = number_published(found)
    task = "published workflow{s}: pause before the load"
    if published is None:
        published, task = 1, "list of workflows that could not be read"
    return {"setting": "workflows", "found": found, "advice": ADVICE, "task": task, "look": published}


def _left_out(catalogue: Catalogue) -> Iterator[dict[str, Any]]:
    """Yield what could not be read of the sub-account's own definitions: none of ours is among it."""
    found = sorted(catalogue.left_out.items())
    if found:
        yield {
            "setting": "left_out",
            "found": "; ".join(f"{counted(number, 'row')} of {route}" for route, number in found),
            "advice": "Nothing: HighLevel lists them without an id or a name, so they are left alone.",
            "task": "definition that cannot be read",
            "look": 0,
        }


_CLINIKO_SAYS = {True: "Cliniko says it is required", False: "Cliniko says it is not required"}


def _hipaa(required: bool | None) -> dict[str, Any]:  # noqa: FBT001 - Cliniko's answer, or none
    """HighLevel's API does not tell whether it is on, so a person must look."""
    says = _CLINIKO_SAYS[required] if required is not None else "Cliniko does not say whether it is required"
    return {
        "setting": "hipaa",
        "found": f"{says}; HighLevel's API does not tell whether it is on",
        "advice": "Where the clinic falls under it, switch HIPAA on for the agency and the sub-account before"
        " any record goes in.",
        "task": "HIPAA setting to look at",
        "look": int(bool(required)),
    }


def _duplicates(catalogue: Catalogue) -> dict[str, Any]:
    look = 0
    if not catalogue.settings:
        found, advice = "not read", "Fix what stops the load, then plan again."
    elif catalogue.allows_duplicates():
        found = "two contacts may have the same e-mail or phone"
        advice = "Nothing: everybody keeps their e-mail and phone."
    else:
        look, found = 1, "an e-mail or a phone may be on one contact only"
        advice = (
            "Allow duplicate contacts (Settings, Business profile) before the load, or only one of the people who share an"
            " e-mail or phone keeps it; the others are tagged."
        )
    told = {"found": found, "advice": advice, "task": "decision about duplicate contacts", "look": look}
    return {"setting": "duplicates", **told}


def _zone(catalogue: Catalogue, clinic_zone: str | None) -> dict[str, Any]:
    zone = catalogue.settings.get("timezone")
    found = f"{zone or 'not read'}; in Cliniko {clinic_zone or 'not read'}"
    same = zone and zone == clinic_zone
    advice = "Nothing: they agree." if same else "Set the clinic's zone, or appointments show at other hours."
    differs = int(bool(zone and clinic_zone and not same))
    told = {
        "found": found,
        "advice": advice,
        "task": "time zone that differs from Cliniko's",
        "look": differs,
    }
    return {"setting": "time_zone", **told}
