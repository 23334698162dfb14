"""The emulated HighLevel beside the vendor's own description of the API, where that is at hand."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import UUID

import pytest
from highlevel_server import HighLevelServer

from sandbox.highlevel.routes import ROUTES, Access, Route

if TYPE_CHECKING:
    from collections.abc import Iterator

APPS = Path(__file__).resolve().parents[3] / "shared" / "openapi" / "highlevel" / "apps"
pytestmark = pytest.mark.skipif(not APPS.is_dir(), reason="the vendor's description is not at hand")

# Served by the platform and not in the descriptions at hand: the URL that an upload answers, the workflows.
UNDESCRIBED = {"/documents/download/{documentId}", "/workflows/"}
# The description leaves these bodies empty; they are known from elsewhere.
EMPTY_IN_DESCRIPTION = {
    "/contacts/search",
    "/objects/{schemaKey}/records",
    "/objects/{schemaKey}/records/{id}",
}
# Body properties that work without being described (options of contact fields: issue 300), or search filters.
MORE_PROPERTIES = {
    "/locations/{locationId}/customFields": {"options", "fieldKey", "parentId", "description", "showInForms"},
    "/locations/{locationId}/customFields/{id}": {
        "options",
        "fieldKey",
        "parentId",
        "description",
        "showInForms",
    },
    "/objects/{schemaKey}/records/search": {"filters", "sort"},
}
# The description demands what a first page cannot have.
LESS_REQUIRED = {
    "/objects/{schemaKey}/records/search": {"page", "query", "searchAfter"},
    # and a calendar, though a user may take its place
    "/calendars/events/block-slots": {"calendarId"},
    "/calendars/events/block-slots/{eventId}": {"calendarId"},
}
# Described as one association though every client reads a list, or the relation itself.
OTHER_ANSWERS = {
    ("GET", "/associations/"),
    ("GET", "/associations/relations/{recordId}"),
    ("POST", "/associations/relations"),
    ("DELETE", "/associations/relations/{relationId}"),
}
# Folders are described with the shape of fields, which they do not have, and stages as lists of nothing.
MISDESCRIBED = (
    "GET /custom-fields/object-key/{objectKey}.folders[]",
    "GET /opportunities/pipelines.pipelines[].stages[]",
)
# Properties that answers carry beyond their description.
MORE_ANSWERED = {
    "additionalEmails",
    "additionalPhones",
    "emailLowerCase",
    "firstNameLowerCase",
    "fullNameLowerCase",
    "gender",
    "inboundDndSettings",
    "lastNameLowerCase",
    "name",
    "owners",
    "phone",
    "searchableProperties",
    "status",
    "tagsAdded",
    "tagsRemoved",
    "timezone",
    "description",
    "acceptedFormat",
    "companyName",
    "objectKey",
    "dateAdded",
    "dateUpdated",
    "total",
}
# Described as a text, an object or not at all, though other types come.
LOOSELY_TYPED = {
    "value",
    "properties",
    "scopes",
    "lcPhone",
    "searchAfter",
    "permissions",
    "type",
    "createdBy",
}
AGENCY_KINDS = {"Agency-Access", "Agency-Access-Only"}
TYPES: dict[Any, Any] = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "number": (int, float),
}


@functools.cache
def described() -> dict[tuple[str, str], tuple[dict[str, Any], dict[str, Any]]]:
    """Return every described operation and its document by method and path without parameter names."""
    found = {}
    for file in sorted(APPS.glob("*.json")):
        document = json.loads(file.read_text(encoding="utf-8"))
        for path, operations in document["paths"].items():
            for method, operation in operations.items():
                found[method.upper(), bare(path)] = operation, document
    return found


def bare(path: str) -> str:
    """Return a path without the names of its parameters."""
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def resolved(schema: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Follow a reference inside the document; wrappers with one part count as that part."""
    if "$ref" in schema:
        return resolved(document["components"]["schemas"][schema["$ref"].rpartition("/")[2]], document)
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return resolved(schema["allOf"][0], document)
    return schema


def body_schema(operation: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of an operation's body, whatever its media type."""
    (content,) = operation["requestBody"]["content"].values()
    return resolved(content["schema"], document)


def checked_routes() -> list[Route]:
    """Return the endpoints that the description knows."""
    return [entry for entry in ROUTES if entry.pattern not in UNDESCRIBED]


@pytest.mark.parametrize("route", checked_routes(), ids=lambda entry: f"{entry.method} {entry.pattern}")
def test_an_endpoint_is_as_described(route: Route) -> None:
    """Path, method, version, scope, kind of token, query and success status agree."""
    operation, _ = described()[route.method, bare(route.pattern)]
    parameters = {entry["name"]: entry for entry in operation.get("parameters", ())}
    if route.version:
        assert route.version in parameters["Version"]["schema"]["enum"]
    query = {name for name, entry in parameters.items() if entry["in"] == "query"}
    demanded = {name for name in query if parameters[name].get("required")}
    assert set(route.query) | set(route.optional_query) == query
    assert set(route.query) == demanded
    assert str(route.status) in operation["responses"]
    security = operation.get("security") or []
    scopes = {scope for entry in security for listed in entry.values() for scope in listed}
    assert not scopes or route.scope in scopes
    kinds = {name for entry in security for name in entry}
    if kinds:
        agency, location = bool(kinds & AGENCY_KINDS), bool(kinds - AGENCY_KINDS)
        expected = {(True, True): Access.BOTH, (True, False): Access.AGENCY, (False, True): Access.LOCATION}
        assert route.access is expected[agency, location]


@pytest.mark.parametrize(
    "route",
    [entry for entry in checked_routes() if entry.body is not None],
    ids=lambda entry: f"{entry.method} {entry.pattern}",
)
def test_a_body_is_as_described(route: Route) -> None:
    """The properties that a body may have and must have agree."""
    assert route.body is not None
    schema = body_schema(*described()[route.method, bare(route.pattern)])
    if route.pattern in EMPTY_IN_DESCRIPTION:
        assert not schema.get("properties")
        return
    properties = set(schema.get("properties", ()))
    assert set(route.body.properties) - properties == MORE_PROPERTIES.get(route.pattern, set())
    assert properties <= set(route.body.properties)
    required = set(schema.get("required", ())) - LESS_REQUIRED.get(route.pattern, set())
    assert set(route.body.required) == required


def differences(schema: dict[str, Any], value: Any, document: dict[str, Any], place: str) -> Iterator[str]:
    """Name what an answer has that its description does not know, and what is of another type."""
    if place in MISDESCRIBED:
        return
    schema = resolved(schema, document)
    kind = schema.get("type")
    if kind == "object" and not schema.get("properties"):
        return  # the vendor's generator writes this for whatever it could not name
    if kind in TYPES and not isinstance(value, TYPES[kind]):
        yield f"{place} is a {type(value).__name__}, described as {kind}"
    elif kind == "array":
        for item in value:
            yield from differences(schema.get("items", {}), item, document, f"{place}[]")
    elif isinstance(value, dict) and schema.get("properties"):
        yield from _object_differences(schema, value, document, place)


def _object_differences(
    schema: dict[str, Any], value: dict[str, Any], document: dict[str, Any], place: str
) -> Iterator[str]:
    for name in set(schema.get("required", ())) - set(value):
        yield f"{place}.{name} is missing"
    for name, item in value.items():
        known = schema["properties"].get(name)
        if known is None:
            if name not in MORE_ANSWERED | {"traceId", "id", "_id"}:
                yield f"{place}.{name} is not described"
        elif name not in LOOSELY_TYPED:
            yield from differences(known, item, document, f"{place}.{name}")


class Watched(HighLevelServer):
    """Compares every answer with its description."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.seen: set[tuple[str, str]] = set()
        self.found: list[str] = []

    def send(self, method: str, path: str, **details: Any) -> Any:
        """Send a request and note how its answer differs."""
        answer = super().send(method, path, **details)
        pattern = self.control.requests[-1].route or ""
        if answer.status_code < 300 and pattern not in UNDESCRIBED:
            self._compare(method, pattern, answer)
        return answer

    def _compare(self, method: str, pattern: str, answer: Any) -> None:
        self.seen.add((method, pattern))
        operation, document = described()[method, bare(pattern)]
        content = operation["responses"][str(answer.status_code)].get("content", {})
        if (method, pattern) in OTHER_ANSWERS or not content:
            return
        schema = content["application/json"]["schema"]
        self.found += differences(schema, answer.json(), document, f"{method} {pattern}")


def walk(highlevel: Watched) -> None:
    """Call every endpoint once."""
    at = highlevel.location
    _walk_location(highlevel, at)
    contact = _walk_contacts(highlevel, at)
    _walk_activity(highlevel, at, contact)
    _walk_objects(highlevel, at, contact)
    _walk_sales(highlevel, at, contact)
    highlevel.call("DELETE", f"/contacts/{contact}")
    _walk_oauth(highlevel, at)


def _walk_location(highlevel: Watched, at: str) -> None:
    location = highlevel.call("GET", f"/locations/{at}")["location"]
    highlevel.call("GET", f"/users/?locationId={at}")
    highlevel.call("GET", f"/users/search?companyId={location['companyId']}")
    fields = f"/locations/{at}/customFields"
    field = highlevel.field("Fund", "SINGLE_OPTIONS", options=["A"])
    highlevel.call("GET", fields)
    highlevel.call("PUT", f"{fields}/{field}", {"name": "Fund", "options": ["A", "B"]})
    highlevel.call("DELETE", f"{fields}/{field}")
    values = f"/locations/{at}/customValues"
    value = highlevel.call("POST", values, {"name": "Mark", "value": "1"}, status=201)["customValue"]["id"]
    highlevel.call("GET", values)
    highlevel.call("GET", f"{values}/{value}")
    highlevel.call("PUT", f"{values}/{value}", {"name": "Mark", "value": "2"})
    highlevel.call("DELETE", f"{values}/{value}")


def _walk_contacts(highlevel: Watched, at: str) -> str:
    text, files = highlevel.field("Source System ID"), highlevel.field("Files", "FILE_UPLOAD")
    made = highlevel.contact(
        firstName="Ada",
        lastName="Fenwick",
        email="ada@example.org",
        phone="+61255501234",
        dateOfBirth="1980-01-01",
        country="AU",
        dndSettings={"Email": {"status": "active"}},
        customFields=[{"id": text, "field_value": "patients/1"}],
    )
    contact = str(made["id"])
    highlevel.call("GET", f"/contacts/{contact}")
    highlevel.call("PUT", f"/contacts/{contact}", {"city": "Hobart"})
    highlevel.call("POST", "/contacts/upsert", {"locationId": at, "email": "ada@example.org"}, status=200)
    highlevel.call("GET", f"/contacts/search/duplicate?locationId={at}&email=ada@example.org")
    highlevel.search()
    part = (f"{files}_{UUID(int=1)}", ("a.pdf", b"a", "application/pdf"))
    path = f"/forms/upload-custom-files?contactId={contact}&locationId={at}"
    assert highlevel.send("POST", path, files=[part]).status_code == 200
    return contact


def _walk_activity(highlevel: Watched, at: str, contact: str) -> None:
    notes, tasks = f"/contacts/{contact}/notes", f"/contacts/{contact}/tasks"
    note = highlevel.call("POST", notes, {"body": "x", "title": "t"})["note"]["id"]
    highlevel.call("GET", notes)
    highlevel.call("GET", f"{notes}/{note}")
    highlevel.call("PUT", f"{notes}/{note}", {"body": "y"})
    highlevel.call("DELETE", f"{notes}/{note}")
    task_body = {"title": "x", "dueDate": "2020-01-01T00:00:00Z", "completed": True}
    task = highlevel.call("POST", tasks, task_body)["task"]["id"]
    highlevel.call("GET", tasks)
    highlevel.call("GET", f"{tasks}/{task}")
    highlevel.call("PUT", f"{tasks}/{task}", {"title": "y"})
    highlevel.call("DELETE", f"{tasks}/{task}")
    _walk_calendars(highlevel, at, contact)


def _walk_calendars(highlevel: Watched, at: str, contact: str) -> None:
    calendar = highlevel.call("POST", "/calendars/", {"locationId": at, "name": "c"})["calendar"]["id"]
    highlevel.call("GET", f"/calendars/?locationId={at}")
    highlevel.call("PUT", f"/calendars/{calendar}", {"name": "d"})
    day = 86_400_000
    highlevel.call("GET", f"/calendars/{calendar}/free-slots?startDate={day}&endDate={2 * day}")
    visit = {
        "locationId": at,
        "calendarId": calendar,
        "contactId": contact,
        "startTime": "2020-01-01T00:00:00Z",
        "title": "Visit",
        "ignoreFreeSlotValidation": True,
        "toNotify": False,
    }
    made = highlevel.call("POST", "/calendars/events/appointments", visit)["id"]
    highlevel.call("PUT", f"/calendars/events/appointments/{made}", {"title": "x", "toNotify": False})
    highlevel.call("GET", f"/calendars/events/appointments/{made}")
    highlevel.call("GET", f"/contacts/{contact}/appointments")
    window = f"locationId={at}&calendarId={calendar}&startTime=0&endTime=9999999999999"
    highlevel.call("GET", f"/calendars/events?{window}")
    highlevel.call("DELETE", f"/calendars/events/{made}", {})
    _walk_hours(highlevel, at, calendar, next(iter(highlevel.state.users)))
    highlevel.call("DELETE", f"/calendars/{calendar}")


def _walk_sales(highlevel: Watched, at: str, contact: str) -> None:
    staff = highlevel.state.staff
    pipeline = staff.add_pipeline("Recalls", ("New", "Booked"))
    highlevel.call("GET", f"/opportunities/pipelines?locationId={at}")
    body = {
        "locationId": at,
        "pipelineId": pipeline["id"],
        "name": "Ada",
        "status": "open",
        "contactId": contact,
    }
    made = highlevel.call("POST", "/opportunities/", body)["opportunity"]["id"]
    path = f"/opportunities/{made}"
    highlevel.call("PUT", path, {"pipelineStageId": pipeline["stages"][1]["id"]})
    highlevel.call("GET", path)
    search = f"/opportunities/search?location_id={at}&contact_id={contact}"
    assert highlevel.call("GET", search)["opportunities"]
    highlevel.call("DELETE", path)
    for plant in (
        staff.add_conversation,
        staff.add_submission,
        staff.add_payment,
        staff.add_order,
        staff.add_invoice,
    ):
        plant(contact)
    both = f"altId={at}&altType=location&contactId={contact}"
    assert highlevel.call("GET", f"/conversations/search?locationId={at}&contactId={contact}")[
        "conversations"
    ]
    assert highlevel.call("GET", f"/forms/submissions?locationId={at}&q={contact}")["submissions"]
    assert highlevel.call("GET", f"/payments/transactions?{both}")["data"]
    assert highlevel.call("GET", f"/payments/orders?altId={at}&contactId={contact}")["data"]
    assert highlevel.call("GET", f"/invoices/?{both}&limit=10&offset=0")["invoices"]


def _walk_hours(highlevel: Watched, at: str, calendar: str, user: str) -> None:
    span = {"startTime": "2027-01-04T09:00:00+11:00", "endTime": "2027-01-08T17:00:00+11:00"}
    slot = {"locationId": at, "assignedUserId": user, "title": "Leave", **span}
    made = highlevel.call("POST", "/calendars/events/block-slots", slot, status=201)["id"]
    changed = {"locationId": at, "title": "Away"}
    highlevel.call("PUT", f"/calendars/events/block-slots/{made}", changed, status=201)
    window = f"locationId={at}&userId={user}&startTime=0&endTime=9999999999999"
    assert [
        row["title"] for row in highlevel.call("GET", f"/calendars/blocked-slots?{window}")["events"]
    ] == ["Away"]
    highlevel.call("DELETE", f"/calendars/events/{made}", {}, status=201)
    rules = [{"type": "wday", "day": "monday", "intervals": [{"from": "09:00", "to": "17:00"}]}]
    body = {
        "locationId": at,
        "userId": user,
        "name": "Usual",
        "timezone": "Australia/Sydney",
        "rules": rules,
        "calendarIds": [calendar],
    }
    path = f"/calendars/schedules/{highlevel.call('POST', '/calendars/schedules', body)['schedule']['id']}"
    highlevel.call("PUT", path, {"name": "Hours"})
    search = f"/calendars/schedules/search?locationId={at}&userId={user}&calendarId={calendar}"
    assert [row["name"] for row in highlevel.call("GET", search)["schedules"]] == ["Hours"]
    highlevel.call("DELETE", path)


def _walk_objects(highlevel: Watched, at: str, contact: str) -> None:
    key = highlevel.custom_object("invoice", ("number", "TEXT", []), ("state", "SINGLE_OPTIONS", ["paid"]))
    highlevel.call("GET", f"/objects/?locationId={at}")
    highlevel.call("GET", f"/objects/{key}?locationId={at}&fetchProperties=true")
    searchable = {"locationId": at, "searchableProperties": [f"{key}.name"]}
    highlevel.call("PUT", f"/objects/{key}", searchable)
    listed = highlevel.call("GET", f"/custom-fields/object-key/{key}?locationId={at}")
    field = f"/custom-fields/{listed['fields'][1]['id']}"
    highlevel.call("PUT", field, {"locationId": at, "showInForms": True, "name": "No."})
    highlevel.call("POST", "/custom-fields/folder", {"objectKey": key, "name": "x", "locationId": at})
    record = highlevel.record(key, name="x", state="paid")
    path = f"/objects/{key}/records"
    highlevel.call("GET", f"{path}/{record}")
    highlevel.call("PUT", f"{path}/{record}?locationId={at}", {"properties": {"name": "y"}})
    assert highlevel.call("POST", f"{path}/search", {"locationId": at, "pageLimit": 10}, status=200)[
        "records"
    ]
    _walk_associations(highlevel, at, key, (contact, record))
    highlevel.call("DELETE", f"{path}/{record}")


def _walk_associations(highlevel: Watched, at: str, key: str, ends: tuple[str, str]) -> None:
    labels = {"firstObjectLabel": "Patient", "secondObjectLabel": "Invoice"}
    body = {"locationId": at, "key": "a", "firstObjectKey": "contact", "secondObjectKey": key, **labels}
    association = highlevel.call("POST", "/associations/", body)["id"]
    highlevel.call("GET", f"/associations/?locationId={at}&skip=0&limit=10")
    pair = {
        "locationId": at,
        "associationId": association,
        "firstRecordId": ends[0],
        "secondRecordId": ends[1],
    }
    relation = highlevel.call("POST", "/associations/relations", pair)["id"]
    highlevel.call("GET", f"/associations/relations/{ends[0]}?locationId={at}&skip=0&limit=10")
    highlevel.call("DELETE", f"/associations/relations/{relation}?locationId={at}")
    highlevel.call("DELETE", f"/associations/{association}")


def _walk_oauth(highlevel: Watched, at: str) -> None:
    client = {"client_id": "sandbox-client", "client_secret": "sandbox-client-secret"}
    code = highlevel.state.tokens.issue_code(None)
    form = {**client, "grant_type": "authorization_code", "code": code}
    agency = highlevel.send("POST", "/oauth/token", data=form).json()
    named = {"companyId": agency["companyId"], "locationId": at}
    answer = highlevel.send("POST", "/oauth/locationToken", data=named, token=agency["access_token"])
    assert answer.status_code == 200


def test_every_answer_is_as_described() -> None:
    """Called once each, all endpoints answer nothing undescribed, of another type, or incomplete."""
    with Watched() as highlevel:
        walk(highlevel)
        assert highlevel.found == []
        every = {(entry.method, entry.pattern) for entry in checked_routes()}
        assert highlevel.seen == every
