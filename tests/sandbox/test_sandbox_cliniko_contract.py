"""The emulated Cliniko against the vendor's own description, where that is at hand."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cliniko_server import REVEALING, ClinikoServer
from jsonschema import Draft4Validator

from sandbox.cliniko.catalogue import RESOURCES
from sandbox.cliniko.listing import filters_of, hidden_of

if TYPE_CHECKING:
    from collections.abc import Iterator

DESCRIPTION = Path(__file__).parents[3] / "shared" / "openapi" / "cliniko" / "openapi.yaml"
NOT_SERVED = re.compile(r"available_times?$|attachment_presigned_post$")
"""Computed for online booking, and for uploads only."""
PARENTS = {"appointment": "individual_appointments", "business": "businesses"}
IGNORED = {"example", "nullable", "pattern", "minLength"}
IGNORED = {"example", "nullable", "pattern", "minLength"}
ABSENT_FROM_DESCRIPTION = {"recalls", "recall_types"}

pytestmark = pytest.mark.skipif(not DESCRIPTION.exists(), reason="the vendor's description is not at hand")


@cache
def description() -> dict[str, Any]:
    """Read the description as JSON schemas: `nullable` becomes a type."""
    with DESCRIPTION.open(encoding="utf-8") as file:
        read: dict[str, Any] = nullable_as_type(yaml.safe_load(file))
    return read


def nullable_as_type(node: Any) -> Any:
    """Turn OpenAPI's `nullable` into what JSON Schema understands.

    Patterns are Ruby's, written for capitals only, and go; so do least lengths, because samples of old
    records have empty texts.
    """
    if isinstance(node, list):
        return [nullable_as_type(item) for item in node]
    if not isinstance(node, dict):
        return node
    turned = {key: nullable_as_type(value) for key, value in node.items() if key not in IGNORED}
    if node.get("nullable") is not True:
        return turned
    if isinstance(turned.get("type"), str):
        turned["type"] = [turned["type"], "null"]
        if "enum" in turned:
            turned["enum"] = [*turned["enum"], None]
        return turned
    return {"anyOf": [turned, {"type": "null"}]}


def reads() -> list[str]:
    """Return the paths of the description that can be read."""
    if not DESCRIPTION.exists():
        return []
    paths = description()["paths"]
    return [path for path, methods in paths.items() if "get" in methods and not NOT_SERVED.search(path)]


@pytest.fixture(scope="module")
def server() -> Iterator[ClinikoServer]:
    """Serve a clinic with every awkward case; its links all name this server."""
    with ClinikoServer(patients=60, mixed_link_hosts=False) as running:
        yield running


def described(path: str) -> dict[str, Any]:
    """Return the schema of a path's answer, with what it refers to."""
    content = description()["paths"][path]["get"]["responses"]["200"]["content"]
    return {**content["application/json"]["schema"], "components": description()["components"]}


def problems(schema: dict[str, Any], answer: Any) -> list[str]:
    """Return what is wrong with an answer, by place."""
    errors = Draft4Validator(schema).iter_errors(answer)
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:200]}" for error in errors]


def filled(server: ClinikoServer, path: str) -> str:
    """Put ids of existing records into a path."""
    if path == "/patient_forms/{patient_form_id}/signatures/{id}":
        form = next(row for row in server.account.tables["patient_forms"].rows() if "signatures_id" in row)
        return f"/patient_forms/{form['id']}/signatures/{form['signatures_id']}"
    if path.endswith("/referral_source"):
        return path.replace("{patient_id}", server.account.tables["referral_sources"].rows()[0]["patient_id"])

    def identity(found: re.Match[str]) -> str:
        name = found.group(1).removesuffix("_id")
        resource = path.split("/")[1] if name == "id" else PARENTS.get(name, f"{name}s")
        kind = "individual_appointments" if resource == "bookings" else resource
        return str(server.account.tables[kind].rows()[0]["id"])

    return re.sub(r"\{(\w+)\}", identity, path)


@pytest.mark.parametrize("path", reads())
def test_an_answer_is_as_described(server: ClinikoServer, path: str) -> None:
    """Each path answers with what its description says, with every hidden row shown."""
    resource = path.split("/")[1]
    hidden = hidden_of(resource) if resource in {*RESOURCES, "bookings"} else ()
    plain = re.fullmatch(r"/\w+(/\{id\})?", path)
    reveal = [one for one in REVEALING if plain and one.partition(":")[0] in hidden]
    answer = server.get(filled(server, path).lstrip("/"), *reveal, per_page=100)
    assert answer.status_code == 200, answer.text
    assert problems(described(path), answer.json()) == []


@pytest.mark.parametrize(
    "resource", sorted({*RESOURCES, "bookings"} - {"signatures"} - ABSENT_FROM_DESCRIPTION)
)
def test_all_rows_of_a_list_are_as_described(server: ClinikoServer, resource: str) -> None:
    """Not only the first page: every record, and none with a field that is not described."""
    schema = described(f"/{resource}")
    records = server.every(resource)
    assert problems(schema, {resource: records, "total_entries": len(records), "links": {}}) == []
    known = properties(schema["properties"][resource]["items"])
    assert {key for one in records for key in one} <= known


@pytest.mark.parametrize(
    "resource", sorted({*RESOURCES, "bookings"} - {"signatures"} - ABSENT_FROM_DESCRIPTION)
)
def test_the_filters_of_a_list_are_those_described(resource: str) -> None:
    """The table of filters in a path's description names the same fields and classes."""
    (text,) = [
        one["description"]
        for one in description()["paths"][f"/{resource}"]["get"]["parameters"]
        if one.get("name") == "q[]"
    ]
    table = dict(re.findall(r"^\| (\w+) \| \[([\w-]+)\]", text, re.MULTILINE))
    assert {name: kind.value.replace("_", "-") for name, kind in filters_of(resource).items()} == table


def properties(schema: dict[str, Any]) -> set[str]:
    """Return the names of the fields a schema describes, through references and unions."""
    if "$ref" in schema:
        return properties(description()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    names = set(schema.get("properties", ()))
    for union in ("oneOf", "anyOf", "allOf"):
        for member in schema.get(union, ()):
            names |= properties(member)
    return names
