"""Whether a location already has a contact with an e-mail address or a phone number."""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

from sandbox.highlevel.account import email_key, phone_key
from sandbox.highlevel.answers import refuse_request

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document


def holder(
    account: Account, email: str | None, phone: str | None, *, except_for: str | None = None
) -> tuple[Document, str] | None:
    """Return who holds an address, and whether `email` or `phone`, in the location's order of matching."""
    found = {
        "email": _first(account, account.email_holders, email_key(email) if email else None, except_for),
        "phone": _first(account, account.phone_holders, phone_key(phone) if phone else None, except_for),
    }
    first = account.options.match_first
    second = "phone" if first == "email" else "email"
    for field in (first, second) if account.options.match_second else (first,):
        contact = found[field]
        if contact is not None:
            return contact, field
    return None


def _first(
    account: Account, holders: dict[str, dict[str, None]], key: str | None, except_for: str | None
) -> Document | None:
    if not key:
        return None
    for identity in holders.get(key, ()):
        if identity != except_for:
            return account.contacts[identity]
    return None


def refuse_duplicate(
    account: Account, email: str | None, phone: str | None, *, except_for: str | None = None
) -> None:
    """Refuse an address that another contact holds, unless the location allows duplicates."""
    if account.options.allow_duplicates:
        return
    if found := holder(account, email, phone, except_for=except_for):
        _refuse_for(account, *found)


def _refuse_for(account: Account, contact: Document, field: str) -> NoReturn:
    meta = {
        "contactId": contact["id"],
        "contactName": " ".join(filter(None, (contact.get("firstName"), contact.get("lastName")))),
        "matchingField": field,
    }
    extra = {"meta": meta} if account.options.duplicate_meta else {}
    refuse_request("This location does not allow duplicated contacts.", **extra)
