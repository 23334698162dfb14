"""The clinic itself: people who work there, places, what they offer, and the settings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sandbox.clinic.colleagues import add_colleagues, add_places
from sandbox.clinic.offers import add_price_list, add_services, add_types
from sandbox.clinic.settings import settings

if TYPE_CHECKING:
    from sandbox.clinic.builder import Builder


@dataclass
class Clinic:
    """The ids that patients and their visits refer to."""

    users: list[str] = field(default_factory=list)
    practitioners: list[str] = field(default_factory=list)
    businesses: list[str] = field(default_factory=list)
    types: list[dict[str, Any]] = field(default_factory=list)
    group_type: str = ""
    items: list[dict[str, Any]] = field(default_factory=list)
    products: list[dict[str, Any]] = field(default_factory=list)
    concessions: list[str] = field(default_factory=list)
    note_templates: list[str] = field(default_factory=list)
    contacts: dict[str, list[str]] = field(
        default_factory=lambda: {"doctor": [], "payer": [], "standard": []}
    )
    referral_types: list[dict[str, Any]] = field(default_factory=list)
    recall_types: list[str] = field(default_factory=list)


def set_up(build: Builder) -> Clinic:
    """Make everything of the clinic that is not a patient's."""
    clinic = Clinic()
    add_colleagues(build, clinic)
    add_places(build, clinic)
    add_price_list(build, clinic)
    add_types(build, clinic)
    add_services(build, clinic)
    build.account.settings = settings(build, clinic.practitioners[:4])
    return clinic
