"""The streams beside the vendor's own description of the API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tap_cliniko.records import Normaliser
from tap_cliniko.resources import BY_NAME

DESCRIPTION = Path(__file__).parents[2].parent / "shared" / "openapi" / "cliniko" / "openapi.yaml"
#: Lists of the API that are no streams; the README says why.
LEFT_OUT = {"bookings", "available_times", "user"}
_DEEP = 6


@pytest.fixture(scope="module")
def api() -> dict[str, Any]:
    """The description, where it lies beside the repository."""
    yaml = pytest.importorskip("yaml")
    if not DESCRIPTION.exists():
        pytest.skip("the vendor's description is not beside this repository")
    return dict(yaml.safe_load(DESCRIPTION.read_text()))


def resolved(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Follow references."""
    while "$ref" in schema:
        schema = api["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def properties(api: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    """Name the properties of a schema, those it is composed of included."""
    schema = resolved(api, schema)
    found = {name: each for part in schema.get("allOf", []) for name, each in properties(api, part).items()}
    return {**found, **schema.get("properties", {})}


def example(api: dict[str, Any], schema: dict[str, Any], depth: int = 0) -> Any:
    """Make the example of a schema out of those of its properties."""
    schema = resolved(api, schema)
    if "example" in schema:
        return schema["example"]
    if schema.get("type") == "array":
        return [example(api, schema["items"], depth + 1)]
    inner = properties(api, schema) if depth < _DEEP else {}
    if inner:
        return {name: example(api, each, depth + 1) for name, each in inner.items()}
    return {"string": "a text", "integer": 1, "number": 1.5, "boolean": True}.get(schema.get("type", ""))


def lists(api: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the schema of a row of each list, by the name under which its answer holds the rows."""
    found: dict[str, dict[str, Any]] = {}
    for path in api["paths"].values():
        answer = path.get("get", {}).get("responses", {}).get("200", {})
        for content in answer.get("content", {}).values():
            for name, each in properties(api, content["schema"]).items():
                rows = resolved(api, each)
                if rows.get("type") == "array" and properties(api, rows["items"]):
                    found.setdefault(name, rows["items"])
    return found


def test_every_list_is_a_stream(api: dict[str, Any]) -> None:
    """Nothing the vendor describes is left out without a reason."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    at_the_top = {path.strip("/") for path in api["paths"] if "{" not in path and "get" in api["paths"][path]}
    roots = {each.partition("/")[0] for each in at_the_top} - BY_NAME.keys() - {"settings"}
    assert roots <= LEFT_OUT
    assert all(f"`{name}`" in readme for name in LEFT_OUT)


def test_every_field_is_known_and_its_example_fits(api: dict[str, Any]) -> None:
    """A row made of the vendor's examples becomes a record that fits; decimals are text there, never numbers."""
    described = {name: row for name, row in lists(api).items() if name in BY_NAME}
    assert len(described) >= 35
    for name, row in described.items():
        schema = BY_NAME[name].schema()
        assert properties(api, row).keys() <= schema["properties"].keys(), name
        keys = dict.fromkeys((*BY_NAME[name].keys, "patient_form_id"), "1")
        record = Normaliser(BY_NAME[name], access_links=True)({**keys, **example(api, row)})
        plain = json.loads(json.dumps(record))
        assert [error.message for error in Draft7Validator(schema).iter_errors(plain)] == [], name
        assert "number" not in json.dumps([each["type"] for each in schema["properties"].values()]), name
