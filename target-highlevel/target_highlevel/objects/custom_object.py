"""Records of custom objects: identity is the property ``source_system_id``."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from target_highlevel.objects.base import Created, Existing, ObjectKind, Rejected, present
from target_highlevel.values import amount_text, day, listed_options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.setup.catalogue import Field

_LISTS = {"MULTIPLE_OPTIONS", "CHECKBOX"}
_NUMBERS = {"NUMERICAL", "MONETORY"}
_CHOICES = {"SINGLE_OPTIONS", "RADIO"}


class CustomObject(ObjectKind):
    """A record of one of the clinic's custom objects: profile, invoice, line item, service, insurance provider."""

    witness_lags = True
    create_route = "/objects/{key}/records"
    update_route = "/objects/{key}/records/{id}"
    remove_route = "/objects/{key}/records/{id}"

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted properties; lists sorted, so that their order never counts as a change."""
        return {
            name: sorted(value) if declared.data_type in _LISTS and value else value
            for name, declared in spec.fields.items()
            if (value := fields.get(name)) is not None or declared.fold
        }

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the record with all its properties in one request."""
        properties = {name: self._encode(spec, name, value) for name, value in present(wanted).items()}
        answer = self.around.client.request(
            "POST",
            f"/objects/{spec.object}/records",
            route=self.create_route,
            json={"locationId": self.around.location, "properties": properties},
        )
        return Created(answer["record"]["id"])

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the record's properties."""
        return self.decode(spec, self.properties(row, spec))

    def properties(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return the record's properties as the API has them, those of others among them."""
        answer = self.around.client.request(
            "GET", f"/objects/{spec.object}/records/{row.hl_id}", route=self.update_route
        )
        return dict(answer["record"]["properties"])

    def decode(self, spec: StreamSpec, properties: Mapping[str, Any]) -> dict[str, Any]:
        """Return properties of the API in our shape."""
        return {name: self._decode(spec, name, properties.get(name)) for name in spec.fields}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Write the changed properties; a list is changed by what to add and what to remove."""
        properties = {}
        for name, value in changes.items():
            if spec.fields[name].data_type in _LISTS:
                properties[name] = self._difference(spec, name, value or [], current.get(name) or [])
            else:
                properties[name] = self._encode(spec, name, value)
        self.around.client.request(
            "PUT",
            f"/objects/{spec.object}/records/{row.hl_id}",
            route=self.update_route,
            params={"locationId": self.around.location},
            json={"properties": properties},
        )
        return {}

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Search for the record that carries our id."""
        answer = self.around.client.request(
            "POST",
            f"/objects/{spec.object}/records/search",
            route="/objects/{key}/records/search",
            json={
                "locationId": self.around.location,
                "page": 1,
                "pageLimit": 20,
                "query": "",
                "filters": [
                    {
                        "group": "AND",
                        "filters": [
                            {"field": "properties.source_system_id", "operator": "eq", "value": row.source_id}
                        ],
                    }
                ],
            },
        )
        found = (
            item["id"]
            for item in answer["records"]
            if item["properties"].get("source_system_id") == row.source_id
        )
        return next(found, None)

    def remove(self, row: Row) -> None:
        """Delete the record."""
        self.around.client.request(
            "DELETE", f"/objects/{row.object}/records/{row.hl_id}", route=self.remove_route
        )

    def _field(self, spec: StreamSpec, name: str) -> Field:
        return self.around.catalogue.object_field(spec.object, name)

    def _encode(self, spec: StreamSpec, name: str, value: Any) -> Any:
        declared = spec.fields[name]
        if value is None:
            return None
        if declared.data_type == "MONETORY":
            return {"currency": "default", "value": Decimal(value)}
        if declared.data_type == "NUMERICAL":
            return Decimal(value)
        if declared.data_type in _CHOICES:
            return self._key(spec, declared, value)
        if declared.data_type in _LISTS:
            return [self._key(spec, declared, item) for item in value]
        return value

    def _key(self, spec: StreamSpec, declared: FieldSpec, label: str) -> str:
        """Records take an option's key where contacts take its text."""
        try:
            return self._field(spec, declared.name).options[label]
        except KeyError:
            raise Rejected("unknown_option", declared.name) from None

    def _difference(
        self, spec: StreamSpec, name: str, wanted: list[str], there: list[str]
    ) -> dict[str, list[str]]:
        declared = spec.fields[name]
        return {
            "add": [self._key(spec, declared, item) for item in sorted(set(wanted) - set(there))],
            "remove": [self._key(spec, declared, item) for item in sorted(set(there) - set(wanted))],
        }

    def _decode(self, spec: StreamSpec, name: str, value: Any) -> Any:
        declared = spec.fields[name]
        if value in (None, "", []):
            return None
        if declared.data_type in _NUMBERS:
            return amount_text(value)
        if declared.data_type == "DATE":
            return day(value)
        labels = {key: label for label, key in self._field(spec, name).options.items()}
        if declared.data_type in _CHOICES:
            return _label(labels, value)
        if declared.data_type in _LISTS:
            return sorted(_label(labels, item) for item in listed_options(value, {*labels, *labels.values()}))
        return value


def _label(labels: Mapping[str, str], option: Any) -> str:
    """Return an option's label; it comes as its key, as its label, or as an object with both."""
    key = option
    if isinstance(option, dict):
        key = option.get("key") or option.get("label")
    return labels.get(str(key), str(key))
