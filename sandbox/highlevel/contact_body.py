"""What may be written on a contact, and what the platform makes of it."""

from __future__ import annotations

import re
from datetime import date
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.answers import limit_texts, refuse_body
from sandbox.highlevel.contact_values import CUSTOM_FIELD_ITEM, merged_custom_fields
from sandbox.highlevel.countries import COUNTRIES
from sandbox.highlevel.shapes import Shape, anything, boolean, list_of, text
from sandbox.highlevel.shapes import email as email_address

if TYPE_CHECKING:
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.search_index import Document

PHONE = re.compile(r"\+[1-9]\d{6,14}")
DATE_FIRST_YEAR = re.compile(r"(?P<year>\d{4})[-/._](?P<month>\d{2})[-/._](?P<day>\d{2})(T.*)?")
DATE_FIRST_MONTH = re.compile(r"(?P<month>\d{2})[-/._](?P<day>\d{2})[-/._](?P<year>\d{4})")
CHANNELS = ("Call", "Email", "SMS", "WhatsApp", "GMB", "FB")

_DND = Shape(
    {"status": text(choices=("active", "inactive", "permanent")), "message": text(), "code": text()},
    required=("status",),
)
_INBOUND_DND = Shape(
    {"status": text(choices=("active", "inactive")), "message": text()}, required=("status",)
)
_CHANGE = {
    **dict.fromkeys(("firstName", "lastName", "name", "address1", "city", "state"), text(null=True)),
    **dict.fromkeys(("website", "timezone", "source", "assignedTo"), text(null=True)),
    "email": email_address(null=True),
    "phone": text(null=True),
    "postalCode": text(),
    "country": text(),
    "dnd": boolean(),
    "dndSettings": Shape(dict.fromkeys(CHANNELS, _DND.nested())).nested(),
    "inboundDndSettings": Shape({"all": _INBOUND_DND.nested()}).nested(),
    "tags": list_of(text(filled=True)),
    "customFields": list_of(CUSTOM_FIELD_ITEM.nested()),
    "dateOfBirth": anything(),
}
_CREATE = {
    **_CHANGE,
    "locationId": text(filled=True),
    "gender": text(),
    "companyName": text(null=True),
    "source": text(),
    "assignedTo": text(),
}
NEW_CONTACT = Shape(_CREATE, required=("locationId",))
CHANGED_CONTACT = Shape(_CHANGE)
UPSERTED_CONTACT = Shape({**_CREATE, "createNewIfDuplicateAllowed": boolean()}, required=("locationId",))

_PLAIN = (
    "firstName",
    "lastName",
    "email",
    "address1",
    "city",
    "state",
    "postalCode",
    "website",
    "timezone",
    "source",
    "companyName",
    "gender",
    "dnd",
    "inboundDndSettings",
)
#: Texts of one line.
_LINES = ("firstName", "lastName", "address1", "city", "state", "companyName")


def merged(account: Account, before: Document, body: dict[str, Any]) -> Document:
    """Return the contact after a write; null and empty texts clear their fields, absent ones stay."""
    limit_texts(body, dict.fromkeys(_LINES, account.options.line_limit), beyond=account.options.longer_texts)
    after = {**before, **{name: body[name] for name in _PLAIN if name in body}}
    if body.get("name") and not {"firstName", "lastName"} & set(body):
        after["firstName"], _, after["lastName"] = body["name"].partition(" ")
    if "phone" in body:
        after["phone"] = _phone(account, body["phone"])
    _check_addresses(account, body)
    if "country" in body:
        after["country"] = _country(account, body["country"])
    if "dateOfBirth" in body:
        after["dateOfBirth"] = _birth_date(body["dateOfBirth"])
    if "assignedTo" in body:
        after["assignedTo"] = _owner(account, body["assignedTo"])
    if "tags" in body:
        after["tags"] = cleaned_tags(account, body["tags"])
    if "dndSettings" in body:
        after["dndSettings"] = _channels(account, before.get("dndSettings", {}), body["dndSettings"])
    if "customFields" in body:
        after["customFields"] = merged_custom_fields(account, before["customFields"], body["customFields"])
    return {name: value for name, value in after.items() if value not in (None, "")}


def cleaned_tags(account: Account, tags: list[str]) -> list[str]:
    """Return the tags as the platform keeps them, without doubles, and list new ones in the location."""
    kept = list(
        dict.fromkeys(tag.strip().lower() if account.options.lowercase_tags else tag.strip() for tag in tags)
    )
    known = {row["name"] for row in account.tags.values()}
    for name in kept:
        if name not in known:
            add_location_tag(account, name)
    return kept


def add_location_tag(account: Account, name: str) -> Document:
    """Add a tag to the location's list."""
    row = {"id": account.next_id("tag"), "name": name, "locationId": account.id}
    account.tags[row["id"]] = row
    account.created["tags"] += 1
    return row


def _channels(account: Account, before: Document, given: Document) -> Document:
    """Return the channels after a write; one that the patient closed stays closed, unless an option opens it."""
    closed = {
        name: channel
        for name, channel in before.items()
        if channel["status"] == "permanent" and account.options.permanent_dnd == "keep"
    }
    return {**before, **given, **closed}


def _check_addresses(account: Account, body: dict[str, Any]) -> None:
    """Refuse what the platform takes for no address, however well it is formed."""
    for name, message in (
        ("email", "email must be an email"),
        ("phone", "phone must be a valid phone number"),
    ):
        value = body.get(name)
        if value and any(part in value for part in account.options.refused_addresses):
            refuse_body(message)


def _phone(account: Account, value: str | None) -> str | None:
    if value and account.options.national_phone == "refuse" and not PHONE.fullmatch(value):
        # What the platform makes of a national number is not documented: the emulator takes E.164 alone.
        refuse_body("phone must be a valid phone number in E.164 format")
    return value or None


def _country(account: Account, value: str) -> str | None:
    if value and value not in COUNTRIES:
        if account.options.unlisted_country == "blank":
            return None
        refuse_body("country must be a valid enum value")
    return value


def _owner(account: Account, value: str | None) -> str | None:
    if value and account.assignable(value) is None:
        refuse_body("assignedTo must be a user of the location")
    return value


def _birth_date(value: Any) -> str | None:
    if value in (None, ""):
        return None
    match = isinstance(value, str) and (DATE_FIRST_YEAR.fullmatch(value) or DATE_FIRST_MONTH.fullmatch(value))
    if not match:
        refuse_body("dateOfBirth must be a valid date")
    try:
        return date(int(match["year"]), int(match["month"]), int(match["day"])).isoformat()
    except ValueError:
        refuse_body("dateOfBirth must be a valid date")
