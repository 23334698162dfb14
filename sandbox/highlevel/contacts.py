"""Contacts: create, read, change, delete, upsert and the look-up of duplicates."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.highlevel import duplicates
from sandbox.highlevel.answers import refuse, refuse_request
from sandbox.highlevel.contact_body import CHANGED_CONTACT, NEW_CONTACT, UPSERTED_CONTACT, merged
from sandbox.highlevel.naming import iso
from sandbox.highlevel.relations import drop_relations_of
from sandbox.highlevel.routes import Call, route

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

READ, WRITE = "contacts.readonly", "contacts.write"
_PLAIN = (
    "lastActivity",
    "id",
    "locationId",
    "firstName",
    "lastName",
    "email",
    "phone",
    "timezone",
    "companyName",
    "dnd",
    "dndSettings",
    "inboundDndSettings",
    "type",
    "source",
    "assignedTo",
    "address1",
    "city",
    "state",
    "country",
    "postalCode",
    "website",
    "tags",
    "gender",
    "dateAdded",
    "dateUpdated",
    "additionalEmails",
    "additionalPhones",
)


def shown(contact: Document) -> Document:
    """Return a contact as the API shows it; definitions of the custom fields are read elsewhere."""
    first, last = contact.get("firstName", ""), contact.get("lastName", "")
    answer = {name: contact[name] for name in _PLAIN if name in contact}
    answer["firstNameLowerCase"], answer["lastNameLowerCase"] = first.lower(), last.lower()
    answer["fullNameLowerCase"] = f"{first} {last}".strip().lower()
    if "email" in contact:
        answer["emailLowerCase"] = contact["email"].lower()
    if "dateOfBirth" in contact:
        answer["dateOfBirth"] = f"{contact['dateOfBirth']}T00:00:00.000Z"
    answer["customFields"] = [{"id": key, "value": value} for key, value in contact["customFields"].items()]
    return answer


def full_name(contact: Document) -> str:
    """Return the names of a contact as one text."""
    return " ".join(filter(None, (contact.get("firstName"), contact.get("lastName"))))


def wanted(call: Call, name: str = "contactId") -> Document:
    """Return the contact of the path."""
    identity = call.path[name]
    contact = call.account.contacts.get(identity)
    if contact is None:
        refuse(call.state.options.missing_status, f"Contact with id {identity} not found")
    return contact


def new_contact(account: Account, body: dict[str, Any], at: float) -> Document:
    """Return a contact made of a body; it is not stored yet."""
    bare: Document = {
        "id": account.next_id("contact"),
        "locationId": account.id,
        "type": "lead",
        "dnd": False,
        "tags": [],
        "customFields": {},
        **account.stamp(at),
    }
    return merged(account, bare, body)


def store_new(account: Account, contact: Document, at: float) -> None:
    """Store a new contact and count it."""
    account.put_contact(contact, at)
    account.created["contacts"] += 1


def remove_contact(account: Account, identity: str, at: float) -> None:
    """Remove a contact with everything that hangs on it."""
    for kind in ("notes", "tasks", "appointments", "opportunities"):
        table: dict[str, Document] = getattr(account, kind)
        for child in account.children_of(kind, identity):
            del table[child]
        account.children.pop((kind, identity), None)
    if not account.options.relations_outlive:
        drop_relations_of(account, identity)
    account.drop_contact(identity, at)


@route("POST", "/contacts/", WRITE, status=201, body=NEW_CONTACT)
def create_contact(call: Call) -> dict[str, Any]:
    """Make a contact, unless another one holds its address and the location allows no duplicates."""
    account, body = call.account, call.body
    if call.state.options.require_address and not (body.get("email") or body.get("phone")):
        refuse_request("Pass at least one of number, email query parameter")
    duplicates.refuse_duplicate(account, body.get("email"), body.get("phone"))
    contact = new_contact(account, body, call.at)
    if call.state.options.country_fill:
        contact = {"country": call.state.options.country_fill, **contact}
    store_new(account, contact, call.at)
    return {"contact": shown(contact)}


@route("GET", "/contacts/{contactId}", READ)
def read_contact(call: Call) -> dict[str, Any]:
    """Return a contact as it is now, without lag."""
    return {"contact": shown(wanted(call))}


@route("PUT", "/contacts/{contactId}", WRITE, body=CHANGED_CONTACT)
def change_contact(call: Call) -> dict[str, Any]:
    """Change a contact; absent fields stay, tags are replaced as a whole."""
    contact = _changed(call, wanted(call), call.body)
    return {"succeded": True, "contact": shown(contact)}


def _changed(call: Call, before: Document, body: dict[str, Any]) -> Document:
    account = call.account
    duplicates.refuse_duplicate(account, body.get("email"), body.get("phone"), except_for=before["id"])
    after = {**merged(account, before, body), "dateUpdated": iso(call.at)}
    account.put_contact(after, call.at)
    account.updated["contacts"] += 1
    return after


@route("DELETE", "/contacts/{contactId}", WRITE)
def delete_contact(call: Call) -> dict[str, Any]:
    """Delete a contact with its notes, tasks, appointments and relations; a migration hardly ever may."""
    identity = wanted(call)["id"]
    remove_contact(call.account, identity, call.at)
    call.account.deleted["contacts"] += 1
    call.account.deleted_contacts.append(identity)
    return {"succeded": True}


@route("POST", "/contacts/upsert", WRITE, body=UPSERTED_CONTACT)
def upsert_contact(call: Call) -> dict[str, Any]:
    """Merge into whoever holds the address, as the platform does; calling this at all is a violation."""
    call.violation("upsert", "POST /contacts/upsert merges people who share an address")
    account, body = call.account, dict(call.body)
    always_new = body.pop("createNewIfDuplicateAllowed", False) and account.options.allow_duplicates
    if not (body.get("email") or body.get("phone")):
        refuse_request("Pass at least one of number, email query parameter")
    found = None if always_new else duplicates.holder(account, body.get("email"), body.get("phone"))
    if found is None:
        contact = new_contact(account, body, call.at)
        store_new(account, contact, call.at)
        return {"new": True, "contact": shown(contact)}
    before, field = found
    body = {name: value for name, value in body.items() if name not in {"gender", "locationId"}}
    other = "phone" if field == "email" else "email"
    theirs = duplicates.holder(
        account,
        body.get("email") if other == "email" else None,
        body.get("phone") if other == "phone" else None,
        except_for=before["id"],
    )
    if theirs:
        # Seen in issue 37: the first match is updated, the address that belongs to someone else is ignored.
        body.pop(other)
    after = {**merged(account, before, body), "dateUpdated": iso(call.at)}
    account.put_contact(after, call.at)
    account.updated["contacts"] += 1
    return {"new": False, "contact": shown(after)}


@route("GET", "/contacts/search/duplicate", READ, query=("locationId",), optional_query=("number", "email"))
def find_duplicate(call: Call) -> dict[str, Any]:
    """Return who holds an address, or null."""
    email, phone = call.query.get("email"), call.query.get("number")
    if not (email or phone):
        refuse_request("Pass at least one of number, email query parameter")
    found = duplicates.holder(call.account, email, phone)
    return {"contact": shown(found[0]) if found else None}
