"""Settings of the sub-account that a person should look at before a load."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.setup.workflows import ADVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.setup.catalogue import Catalogue


def checks(catalogue: Catalogue, workflows: str, account: Mapping[str, Any]) -> list[dict[str, str]]:
    """Return what was found of each setting, and what to do about it.

    Args:
        catalogue: what was read for the load.
        workflows: what was found of them, in words.
        account: what is known of the Cliniko account; empty when nothing is.
    """
    return [
        _duplicates(catalogue),
        {"setting": "workflows", "found": workflows, "advice": ADVICE},
        _zone(catalogue, account.get("time_zone")),
        _hipaa(account.get("requires_hipaa")),
    ]


_CLINIKO_SAYS = {True: "Cliniko says it is required", False: "Cliniko says it is not required"}


def _hipaa(required: bool | None) -> dict[str, str]:  # noqa: FBT001 - Cliniko's answer, or none
    """HighLevel's API does not tell whether it is on, so a person must look."""
    says = _CLINIKO_SAYS[required] if required is not None else "Cliniko does not say whether it is required"
    return {
        "setting": "hipaa",
        "found": f"{says}; HighLevel's API does not tell whether it is on",
        "advice": "Where the clinic falls under it, switch HIPAA on for the agency and the sub-account before"
        " any record goes in.",
    }


def _duplicates(catalogue: Catalogue) -> dict[str, str]:
    if not catalogue.settings:
        found, advice = "not read", "Mend what stops the load, then plan again."
    elif catalogue.allows_duplicates():
        found = "two contacts may have the same e-mail or phone"
        advice = "Nothing: everybody keeps their address."
    else:
        found = "an e-mail or a phone may stand on one contact only"
        advice = (
            "Allow duplicate contacts (Settings, Business profile) before the load, or shared addresses stay"
            " with whoever is first; the others are tagged."
        )
    return {"setting": "duplicates", "found": found, "advice": advice}


def _zone(catalogue: Catalogue, clinic_zone: str | None) -> dict[str, str]:
    zone = catalogue.settings.get("timezone")
    found = f"{zone or 'not read'}; in Cliniko {clinic_zone or 'not read'}"
    same = zone and zone == clinic_zone
    advice = "Nothing: they agree." if same else "Set the clinic's zone, or appointments show at other hours."
    return {"setting": "time_zone", "found": found, "advice": advice}
