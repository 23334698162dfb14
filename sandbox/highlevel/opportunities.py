"""Pipelines and the opportunities in them: one of a contact in each pipeline, unless the location allows more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body, refuse_request
from sandbox.highlevel.contacts import full_name
from sandbox.highlevel.naming import epoch_ms, iso
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, anything, list_of, number, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

READ, WRITE = "opportunities.readonly", "opportunities.write"
STATUSES = ("open", "won", "lost", "abandoned", "all")
MOST_PER_PAGE = 100
_CHANGE = {
    "pipelineId": text(filled=True),
    "name": text(filled=True),
    "pipelineStageId": text(filled=True),
    "status": text(choices=STATUSES),
    "monetaryValue": number(),
    "assignedTo": text(),
    "customFields": list_of(anything()),
}
NEW_OPPORTUNITY = Shape(
    {**_CHANGE, "locationId": text(filled=True), "contactId": text(filled=True)},
    required=("pipelineId", "locationId", "name", "status", "contactId"),
)
CHANGED_OPPORTUNITY = Shape(_CHANGE)
_SEARCH = (
    "q",
    "pipeline_id",
    "pipeline_stage_id",
    "contact_id",
    "status",
    "assigned_to",
    "campaignId",
    "id",
    "order",
    "endDate",
    "startAfter",
    "startAfterId",
    "date",
    "country",
    "page",
    "limit",
    "getTasks",
    "getNotes",
    "getCalendarEvents",
)
_FILTERS = {
    "pipeline_id": "pipelineId",
    "pipeline_stage_id": "pipelineStageId",
    "contact_id": "contactId",
    "status": "status",
    "assigned_to": "assignedTo",
    "id": "id",
}


@route("GET", "/opportunities/pipelines", READ, query=("locationId",))
def list_pipelines(call: Call) -> dict[str, Any]:
    """List the pipelines with their stages."""
    return {"pipelines": list(call.account.pipelines.values())}


def store_opportunity(account: Account, fields: Document, at: float, *, visible_at: float) -> Document:
    """Store a new opportunity; the search shows it from `visible_at` on."""
    stamp = iso(at)
    row = {
        "id": account.next_id("opportunity"),
        "source": "",
        "lastStatusChangeAt": stamp,
        "lastStageChangeAt": stamp,
        "createdAt": stamp,
        "updatedAt": stamp,
        "locationId": account.id,
        "customFields": [],
        "followers": [],
        **fields,
    }
    account.opportunities[row["id"]] = row
    account.opportunities_visible_at[row["id"]] = visible_at
    account.add_child("opportunities", row["contactId"], row["id"])
    return row


def _shown(account: Account, row: Document) -> Document:
    contact = account.contacts.get(row["contactId"], {})
    short = {"id": row["contactId"], "name": full_name(contact), "tags": contact.get("tags", [])}
    return {
        **row,
        "contact": {**short, **{key: contact[key] for key in ("email", "phone") if key in contact}},
    }


def _check_stage(account: Account, row: Document) -> None:
    pipeline = account.pipelines.get(row["pipelineId"])
    if pipeline is None:
        refuse(account.options.missing_status, f"Pipeline with id {row['pipelineId']} not found")
    if row["pipelineStageId"] not in {stage["id"] for stage in pipeline["stages"]}:
        refuse_request("The pipeline stage does not belong to the pipeline")
    owner = row.get("assignedTo")
    if owner and account.user(owner) is None:
        refuse_body("assignedTo must be a user of the location")


@route("POST", "/opportunities/", WRITE, status=201, body=NEW_OPPORTUNITY)
def create_opportunity(call: Call) -> dict[str, Any]:
    """Make an opportunity; without a stage it begins in the first one of its pipeline."""
    account, body = call.account, call.body
    if body["contactId"] not in account.contacts:
        refuse_request(f"Contact with id {body['contactId']} not found")
    stages = account.pipelines.get(body["pipelineId"], {}).get("stages", [])
    fields = {"pipelineStageId": stages[0]["id"] if stages else "", **body}
    _check_stage(account, fields)
    if not account.options.allow_duplicate_opportunities:
        for identity in account.children_of("opportunities", body["contactId"]):
            if account.opportunities[identity]["pipelineId"] == body["pipelineId"]:
                refuse_request("OPPORTUNITY_NO_DUPLICATE", meta={"existingId": identity})
    row = store_opportunity(account, fields, call.at, visible_at=call.at + account.options.search_lag)
    account.created["opportunities"] += 1
    return {"opportunity": _shown(account, row)}


def _wanted(call: Call) -> Document:
    row = call.account.opportunities.get(call.path["id"])
    if row is None:
        refuse(call.state.options.missing_status, f"Opportunity with id {call.path['id']} not found")
    return row


@route("GET", "/opportunities/{id}", READ)
def read_opportunity(call: Call) -> dict[str, Any]:
    """Return one opportunity."""
    return {"opportunity": _shown(call.account, _wanted(call))}


@route("PUT", "/opportunities/{id}", WRITE, body=CHANGED_OPPORTUNITY)
def change_opportunity(call: Call) -> dict[str, Any]:
    """Change an opportunity; absent fields stay."""
    account, before, stamp = call.account, _wanted(call), iso(call.at)
    after = {**before, **call.body, "updatedAt": stamp}
    _check_stage(account, after)
    for name, moment in (("status", "lastStatusChangeAt"), ("pipelineStageId", "lastStageChangeAt")):
        if after[name] != before[name]:
            after[moment] = stamp
    account.opportunities[after["id"]] = after
    account.updated["opportunities"] += 1
    return {"opportunity": _shown(account, after)}


def remove_opportunity(account: Account, identity: str) -> None:
    """Remove an opportunity from the table and its indexes."""
    row = account.opportunities.pop(identity)
    account.opportunities_visible_at.pop(identity, None)
    account.drop_child("opportunities", row["contactId"], identity)


@route("DELETE", "/opportunities/{id}", WRITE)
def delete_opportunity(call: Call) -> dict[str, Any]:
    """Delete an opportunity."""
    remove_opportunity(call.account, _wanted(call)["id"])
    call.account.deleted["opportunities"] += 1
    return {"succeded": True}


@route("GET", "/opportunities/search", READ, query=("location_id",), optional_query=_SEARCH)
def search_opportunities(call: Call) -> dict[str, Any]:
    """Answer a page of the opportunities, newest first, some seconds behind the writes."""
    account, query = call.account, call.query
    try:
        page, limit = int(query.get("page", 1)), int(query.get("limit", 20))
    except ValueError:
        refuse_body("page and limit must be numbers")
    if page < 1 or not 0 < limit <= MOST_PER_PAGE:
        refuse_body(f"limit must be between 1 and {MOST_PER_PAGE}")
    rows = [
        row
        for identity, row in reversed(account.opportunities.items())
        if account.opportunities_visible_at.get(identity, 0) <= call.at and _matches(query, row)
    ]
    chosen = [_shown(account, row) for row in rows[(page - 1) * limit : page * limit]]
    meta: dict[str, Any] = {"total": len(rows), "currentPage": page}
    if page > 1:
        meta["prevPage"] = page - 1
    if len(rows) > page * limit:
        meta["nextPage"] = page + 1
    if chosen:
        meta |= {"startAfterId": chosen[-1]["id"], "startAfter": epoch_ms(chosen[-1]["createdAt"])}
    return {"opportunities": chosen, "meta": meta}


def _matches(query: dict[str, str], row: Document) -> bool:
    if any(
        query[asked] != row.get(name, "")
        for asked, name in _FILTERS.items()
        if asked in query and not (asked == "status" and query[asked] == "all")
    ):
        return False
    return query.get("q", "").casefold() in row["name"].casefold()
