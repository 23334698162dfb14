"""What shows that somebody works with a contact: conversations, submitted forms, payments, orders, invoices.

A migration may only look at these. Nothing here can be made through the API; `sandbox.highlevel.staff` plants it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import refuse_body
from sandbox.highlevel.contacts import full_name
from sandbox.highlevel.routes import CALENDAR_VERSION, Access, Call, route

if TYPE_CHECKING:
    from sandbox.highlevel.search_index import Document

MOST_PER_PAGE = 100
_CONVERSATION_QUERY = (
    "contactId",
    "assignedTo",
    "followers",
    "mentions",
    "query",
    "sort",
    "startAfterDate",
    "id",
    "limit",
    "lastMessageType",
    "lastMessageAction",
    "lastMessageDirection",
    "status",
    "sortBy",
    "sortScoreProfile",
    "scoreProfile",
    "scoreProfileMin",
    "scoreProfileMax",
    "startDate",
    "endDate",
)
_PAYMENT_QUERY = ("locationId", "paymentMode", "startAt", "endAt", "search", "contactId", "limit", "offset")
_ORDER_QUERY = (*_PAYMENT_QUERY, "status", "paymentStatus", "funnelProductIds", "sourceId")
_TRANSACTION_QUERY = (
    *_PAYMENT_QUERY,
    "entitySourceType",
    "entitySourceSubType",
    "subscriptionId",
    "entityId",
)
_INVOICE_QUERY = (
    "status",
    "startAt",
    "endAt",
    "search",
    "paymentMode",
    "contactId",
    "sortField",
    "sortOrder",
)


def _of_contact(call: Call, table: dict[str, Document]) -> list[Document]:
    """Return the rows of the contact that was asked for, newest first; without one, all of them."""
    wanted = call.query.get("contactId")
    return [row for row in reversed(table.values()) if wanted in {None, row["contactId"]}]


def _number(call: Call, name: str, default: int) -> int:
    given = call.query.get(name, str(default))
    if not given.isdigit():
        refuse_body(f"{name} must be a number")
    return int(given)


def _cut(call: Call, rows: list[Document], default: int) -> list[Document]:
    start = _number(call, "offset", 0)
    return rows[start : start + min(_number(call, "limit", default), MOST_PER_PAGE)]


@route(
    "GET",
    "/conversations/search",
    "conversations.readonly",
    version=CALENDAR_VERSION,
    query=("locationId",),
    optional_query=_CONVERSATION_QUERY,
)
def search_conversations(call: Call) -> dict[str, Any]:
    """Answer the conversations of the location, those of one contact with `contactId`."""
    account = call.account
    rows = _of_contact(call, account.conversations)
    shown = []
    for row in rows[: min(_number(call, "limit", 20), MOST_PER_PAGE)]:
        contact = account.contacts.get(row["contactId"], {})
        name = full_name(contact)
        addresses = {key: contact.get(key, "") for key in ("email", "phone")}
        shown.append({**row, "fullName": name, "contactName": name, **addresses})
    return {"conversations": shown, "total": len(rows)}


@route(
    "GET",
    "/forms/submissions",
    "forms.readonly",
    query=("locationId",),
    optional_query=("page", "limit", "formId", "q", "startAt", "endAt"),
)
def list_submissions(call: Call) -> dict[str, Any]:
    """Answer a page of the submitted forms; `q` finds a contact by its id, its name or its e-mail."""
    account, asked = call.account, call.query.get("q", "").casefold()
    rows = [
        row
        for row in reversed(account.submissions.values())
        if call.query.get("formId") in {None, row["formId"]}
        and asked in f"{row['contactId']} {row['name']} {row['email']}".casefold()
    ]
    page, limit = _number(call, "page", 1), min(_number(call, "limit", 20), MOST_PER_PAGE)
    meta: dict[str, Any] = {"total": len(rows), "currentPage": page}
    if len(rows) > page * limit:
        meta["nextPage"] = page + 1
    if page > 1:
        meta["prevPage"] = page - 1
    return {"submissions": rows[(page - 1) * limit : page * limit], "meta": meta}


@route(
    "GET",
    "/payments/transactions",
    "payments/transactions.readonly",
    query=("altId", "altType"),
    optional_query=_TRANSACTION_QUERY,
)
def list_transactions(call: Call) -> dict[str, Any]:
    """Answer the payments of the location, those of one contact with `contactId`."""
    rows = _of_contact(call, call.account.transactions)
    return {"data": _cut(call, rows, 10), "totalCount": len(rows)}


@route("GET", "/payments/orders", "payments/orders.readonly", query=("altId",), optional_query=_ORDER_QUERY)
def list_orders(call: Call) -> dict[str, Any]:
    """Answer the orders of the location, those of one contact with `contactId`."""
    rows = _of_contact(call, call.account.orders)
    return {"data": _cut(call, rows, 10), "totalCount": len(rows)}


@route(
    "GET",
    "/invoices/",
    "invoices.readonly",
    access=Access.BOTH,
    query=("altId", "altType", "limit", "offset"),
    optional_query=_INVOICE_QUERY,
)
def list_invoices(call: Call) -> dict[str, Any]:
    """Answer HighLevel's own invoices, those of one contact with `contactId`."""
    rows = _of_contact(call, call.account.invoices)
    bare = [{key: row[key] for key in row if key != "contactId"} for row in _cut(call, rows, 10)]
    return {"invoices": bare, "total": len(rows)}
