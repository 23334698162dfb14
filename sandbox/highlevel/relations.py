"""Associations between objects, and the relations between records that belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse, refuse_body, refuse_request
from sandbox.highlevel.naming import KEY
from sandbox.highlevel.objects import object_row
from sandbox.highlevel.routes import Call, route
from sandbox.highlevel.shapes import Shape, text

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

READ, WRITE = "associations.readonly", "associations.write"
READ_RELATION, WRITE_RELATION = "associations/relation.readonly", "associations/relation.write"
MOST_PER_PAGE = 100
_LABELS = {"firstObjectLabel": text(filled=True), "secondObjectLabel": text(filled=True)}
NEW_ASSOCIATION = Shape(
    {
        "locationId": text(filled=True),
        "key": text(filled=True),
        "firstObjectKey": text(filled=True),
        "secondObjectKey": text(filled=True),
        **_LABELS,
    },
    required=(
        "locationId",
        "key",
        "firstObjectLabel",
        "firstObjectKey",
        "secondObjectLabel",
        "secondObjectKey",
    ),
)
NEW_RELATION = Shape(
    dict.fromkeys(("locationId", "associationId", "firstRecordId", "secondRecordId"), text(filled=True)),
    required=("locationId", "associationId", "firstRecordId", "secondRecordId"),
)
_PAGED = ("locationId", "skip", "limit")


def _pair(row: Document) -> frozenset[str]:
    return frozenset({row["firstObjectKey"], row["secondObjectKey"]})


def _check_labels(body: dict[str, Any]) -> None:
    if body["firstObjectLabel"] == body["secondObjectLabel"]:
        refuse_body("Both object labels can not be same")


@route("POST", "/associations/", WRITE, status=201, body=NEW_ASSOCIATION)
def create_association(call: Call) -> dict[str, Any]:
    """Make an association between two objects: ten labels at most for a pair."""
    account, body = call.account, call.body
    _check_labels(body)
    if not KEY.fullmatch(body["key"]):
        refuse_body("key must be lowercase and underscore_separated")
    if any(row["key"] == body["key"] for row in account.associations.values()):
        refuse_request(f"Association with key {body['key']} already exists")
    for name in ("firstObjectKey", "secondObjectKey"):
        if object_row(account, body[name])["key"] != body[name]:
            refuse_request(f"{name} must be the key of an object")
    used = sum(_pair(row) == _pair(body) for row in account.associations.values())
    if used >= call.state.options.association_limit:
        refuse_request("Maximum number of associations reached for this pair of objects")
    row = {"id": account.next_id("association"), "associationType": "USER_DEFINED", **body}
    account.associations[row["id"]] = row
    account.created["associations"] += 1
    return dict(row)


def _paging(call: Call) -> slice:
    try:
        skip, limit = int(call.query["skip"]), int(call.query["limit"])
    except ValueError:
        refuse_body("skip and limit must be numbers")
    if skip < 0 or not 0 < limit <= MOST_PER_PAGE:
        refuse_body(f"limit must be between 1 and {MOST_PER_PAGE}")
    return slice(skip, skip + limit)


@route("GET", "/associations/", READ, query=_PAGED)
def list_associations(call: Call) -> dict[str, Any]:
    """List the associations of the location."""
    rows = list(call.account.associations.values())
    return {"associations": rows[_paging(call)], "total": len(rows)}


@route("DELETE", "/associations/{associationId}", WRITE)
def delete_association(call: Call) -> dict[str, Any]:
    """Delete an association with its relations."""
    account = call.account
    identity = _association(account, call.path["associationId"])["id"]
    for relation in [row for row in account.relations.values() if row["associationId"] == identity]:
        drop_relation(account, relation["id"])
    del account.associations[identity]
    account.deleted["associations"] += 1
    return {"deleted": True, "id": identity, "message": "Association deleted successfully"}


def _association(account: Account, identity: str) -> Document:
    row = account.associations.get(identity)
    if row is None:
        refuse(account.options.missing_status, f"Association {identity} not found")
    return row


def _belongs(account: Account, identity: str, object_key: str) -> bool:
    if object_key == "contact":
        return identity in account.contacts
    return account.records.get(identity, {}).get("objectKey") == object_key


@route("POST", "/associations/relations", WRITE_RELATION, status=201, body=NEW_RELATION)
def create_relation(call: Call) -> dict[str, Any]:
    """Relate two records in the order of the association, once, and 1,000 at most for each."""
    account, body = call.account, call.body
    association = _association(account, body["associationId"])
    first, second = _ends(account, association, body)
    for side, identity in (("first", first), ("second", second)):
        if not _belongs(account, identity, association[f"{side}ObjectKey"]):
            refuse_request(f"{side}RecordId {identity} is no record of {association[f'{side}ObjectKey']}")
    same = account.relation_pairs.get((association["id"], first, second))
    if same and call.state.options.relation_again == "same":
        return dict(account.relations[same])
    if same:
        refuse_request(
            "Could not create relation: duplicate relation of object Ids "
            f"for given association {association['id']}"
        )
    for place, identity in enumerate((first, second)):
        if account.relation_counts[association["id"], identity, place] >= call.state.options.relation_limit:
            refuse_request(f"Maximum number of relations reached for record {identity}")
    return dict(add_relation(account, association, first, second))


def _ends(account: Account, association: Document, body: dict[str, Any]) -> tuple[str, str]:
    """Return both ends in the association's order, put right where an option lets them come the other way."""
    first, second = body["firstRecordId"], body["secondRecordId"]
    swapped = not _belongs(account, first, association["firstObjectKey"])
    if swapped and account.options.swapped_relation == "accept":
        return second, first
    return first, second


def add_relation(account: Account, association: Document, first: str, second: str) -> Document:
    """Store a relation."""
    row = {
        "id": account.next_id("relation"),
        "associationId": association["id"],
        "firstObjectKey": association["firstObjectKey"],
        "firstRecordId": first,
        "secondObjectKey": association["secondObjectKey"],
        "secondRecordId": second,
        "locationId": account.id,
    }
    account.relations[row["id"]] = row
    account.relation_pairs[association["id"], first, second] = row["id"]
    for place, identity in enumerate((first, second)):
        account.relation_counts[association["id"], identity, place] += 1
        account.add_child("relations", identity, row["id"])
    account.created["relations"] += 1
    return row


def drop_relation(account: Account, identity: str) -> Document:
    """Remove a relation from the table and its indexes."""
    row = account.relations.pop(identity)
    first, second = row["firstRecordId"], row["secondRecordId"]
    account.relation_pairs.pop((row["associationId"], first, second), None)
    for place, record in enumerate((first, second)):
        account.relation_counts[row["associationId"], record, place] -= 1
        account.drop_child("relations", record, identity)
    return row


def drop_relations_of(account: Account, record: str) -> None:
    """Remove the relations of a record that goes away."""
    for identity in account.children_of("relations", record):
        if identity in account.relations:
            drop_relation(account, identity)


@route(
    "GET",
    "/associations/relations/{recordId}",
    READ_RELATION,
    query=_PAGED,
    optional_query=("associationIds",),
)
def list_relations(call: Call) -> dict[str, Any]:
    """List the relations of a record."""
    account, record = call.account, call.path["recordId"]
    if call.state.options.strict_relations and record not in {*account.contacts, *account.records}:
        refuse(call.state.options.missing_status, f"Record with id {record} not found")
    rows = [account.relations[identity] for identity in account.children_of("relations", record)]
    if wanted := call.query.get("associationIds"):
        rows = [row for row in rows if row["associationId"] in wanted.split(",")]
    return {"relations": rows[_paging(call)], "total": len(rows)}


@route("DELETE", "/associations/relations/{relationId}", WRITE_RELATION, query=("locationId",))
def delete_relation(call: Call) -> dict[str, Any]:
    """Remove a relation."""
    if call.path["relationId"] not in call.account.relations:
        refuse(call.state.options.missing_status, f"Relation {call.path['relationId']} not found")
    row = drop_relation(call.account, call.path["relationId"])
    call.account.deleted["relations"] += 1
    return dict(row)
