"""Opportunities: where each patient stands in the clinic's pipeline, by the type of appointment.

The target takes them only where it is told a pipeline.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cliniko_to_highlevel.contacts import CONTACTS, is_merged
from cliniko_to_highlevel.errors import Filter
from cliniko_to_highlevel.formats import joined
from cliniko_to_highlevel.people import given_names
from cliniko_to_highlevel.streams import OF_CONTACT, STRING, Output, Property, Stream, plain

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

OPPORTUNITIES = Stream(
    name="hl_opportunities",
    kind="opportunity",
    description="One opportunity for each patient who has visits, where the target is told a pipeline.",
    steering=("contact", "follows"),
    properties={
        "name": plain("The patient's name."),
        "stage": Property(
            STRING,
            "Type of the next visit, else of the latest: the stage is named so.",
            {"field": "stage", "fold": "stage", "of": "visit", "always_of": ["patients"]},
        ),
        "owner": OF_CONTACT,
    },
)


def from_patient(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield a patient's opportunity; one who was merged away or left out has none."""
    record = OPPORTUNITIES.blank(row.source_id)
    reason = Filter.MERGED if is_merged(row) else None
    reason = Filter.ARCHIVED if row.source_id in reference.left_out_patients else reason
    if reason:
        yield Output(OPPORTUNITIES.name, {**record, "filtered": reason.value})
        return
    name = joined(" ", *given_names(row)) or row.source_id
    told = {"contact": row.source_id, "follows": CONTACTS.ref(row.source_id), "name": name}
    yield Output(OPPORTUNITIES.name, record | told)
