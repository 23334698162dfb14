"""Rows that are found only below the rows of another resource, one request for each parent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tap_cliniko.client import Query
from tap_cliniko.errors import NotFound, TapClinikoError
from tap_cliniko.filters import with_archived
from tap_cliniko.reading import IdRange, ListReader
from tap_cliniko.records import Normaliser
from tap_cliniko.resources.clinical import PATIENT_FORMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tap_cliniko.client import ClinikoClient, Row
    from tap_cliniko.resources import Resource

    Finish = Callable[[Row], Row]
    Expansion = Callable[[Row], Iterator[Row]]

#: What a signature tells of the form it is on: a run that comes back to a signature does not read the form again.
_OF_THE_FORM = ("id", "name", "patient_id", "completed_at", "archived_at")


def expansion_of(resource: Resource, client: ClinikoClient, finish: Finish) -> Expansion:
    """Return how a parent row becomes records of the resource."""
    return _Below(resource, client, finish).expand


class _Below:
    """Reads what lies below one parent row."""

    def __init__(self, resource: Resource, client: ClinikoClient, finish: Finish) -> None:
        assert resource.below is not None  # noqa: S101 - a declaration without it never comes here
        self._resource = resource
        self._path = resource.below[1]
        self._client = client
        self._finish = finish

    def expand(self, parent: Row) -> Iterator[Row]:
        """Yield the records below a parent; one that is gone or hidden has none."""
        read = {
            "signatures": self._signatures,
            "practitioner_appointment_types": self._offered_types,
            "referral_sources": self._single,
        }.get(self._resource.name, self._listed)
        try:
            yield from read(parent)
        except NotFound:
            return

    def _signatures(self, row: Row) -> Iterator[Row]:
        failure = None
        form = Normaliser(PATIENT_FORMS)(row)
        told = {name: form.get(name) for name in _OF_THE_FORM}
        for child in form["signature_ids"]:
            try:
                signature = self._client.object(self._path.format(id=form["id"], child=child))
            except NotFound:  # one that is gone says nothing about the others
                continue
            except TapClinikoError as error:  # neither does one that cannot be had
                failure = error
                continue
            yield self._finish({**signature, "patient_form_id": form["id"], "patient_form": told})
        if failure is not None:
            raise failure

    def _offered_types(self, practitioner: Row) -> Iterator[Row]:
        for row in self._rows(practitioner, "appointment_types"):
            yield self._finish(
                {"practitioner_id": str(practitioner["id"]), "appointment_type_id": str(row["id"])}
            )

    def _single(self, patient: Row) -> Iterator[Row]:
        path = self._path.format(id=patient["id"])
        yield self._finish(self._client.object(path, Query(with_archived(self._resource))))

    def _listed(self, patient: Row) -> Iterator[Row]:
        for row in self._rows(patient, self._resource.name):
            yield self._finish(row)

    def _rows(self, parent: Row, key: str) -> Iterator[Row]:
        """Read a list below a parent, hidden rows included."""
        reader = ListReader(self._client, self._path.format(id=parent["id"]), key)
        for chunk in reader.chunks(with_archived(self._resource), [IdRange()]):
            yield from chunk.rows
