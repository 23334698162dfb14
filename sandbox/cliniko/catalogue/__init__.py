"""Every resource of the emulated Cliniko API, declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.cliniko.catalogue import billing, people, records, scheduling
from sandbox.cliniko.catalogue.resource import ALLOWED, Area, FilterClass, Resource

if TYPE_CHECKING:
    from collections.abc import Mapping

RESOURCES: Mapping[str, Resource] = {
    resource.name: resource
    for resource in (*people.RESOURCES, *scheduling.RESOURCES, *billing.RESOURCES, *records.RESOURCES)
}

BOOKINGS = ("individual_appointments", "group_appointments", "unavailable_blocks")
"""The three kinds of booking; they share one space of ids."""

__all__ = ["ALLOWED", "BOOKINGS", "RESOURCES", "Area", "FilterClass", "Resource"]
