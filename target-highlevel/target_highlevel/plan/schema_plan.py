"""What a load needs in the sub-account: which of it is there already, and which it would create."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.setup.schema import MOST_OBJECTS, defined_fields

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from target_highlevel.descriptor import FieldSpec, StreamSpec
    from target_highlevel.setup.catalogue import Catalogue
    from target_highlevel.setup.schema import SchemaSetup

_CUSTOM = "custom_objects."


def schema_plan(specs: Iterable[StreamSpec], schema: SchemaSetup, catalogue: Catalogue) -> dict[str, Any]:
    """Return every field, object and association of these streams that the load touches, with its state."""
    created = set(schema.created)
    items = [
        {
            "kind": kind,
            "name": name,
            "state": _state(name, created, schema),
            "options": options,
            "new_options": len(schema.extended.get(name, ())),
        }
        for kind, name, options in dict.fromkeys(_wanted(specs, catalogue))
    ]
    own = [key for key in catalogue.object_keys if key.startswith(_CUSTOM)]
    new = [item for item in items if item["kind"] == "object" and item["state"] == "create"]
    return {"items": items, "objects": {"after": len(own), "new": len(new), "limit": MOST_OBJECTS}}


def _state(name: str, created: set[str], schema: SchemaSetup) -> str:
    if name in created:
        return "create"
    return "extend" if name in schema.extended else "there"


def _wanted(specs: Iterable[StreamSpec], catalogue: Catalogue) -> Iterator[tuple[str, str, int]]:
    for spec in specs:
        if spec.kind == "contact":
            yield from _fields(defined_fields(spec), "contact", set(catalogue.contact_fields))
        if spec.kind == "custom_object" and spec.object in catalogue.object_keys:
            yield "object", spec.object, 0
            for folder in dict.fromkeys(declared.folder for declared in defined_fields(spec)):
                if folder in catalogue.folders.get(spec.object, ()):
                    yield "folder", f"folder {folder} of {spec.object}", 0
            yield from _fields(
                defined_fields(spec), spec.object, set(catalogue.object_fields.get(spec.object, ()))
            )
        for association in spec.associations:
            for key, _, _ in association.labels():
                if key in catalogue.associations:
                    yield "association", f"association {key}", 0


def _fields(wanted: Iterable[FieldSpec], owner: str, there: set[str]) -> Iterator[tuple[str, str, int]]:
    for declared in wanted:
        if declared.name in there:
            yield "field", f"{owner}.{declared.name}", len(declared.options)
