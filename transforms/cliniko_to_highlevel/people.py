"""What patients, contacts, practitioners and insurers have in common: addresses, states of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.formats import joined, name_text, slug
from cliniko_to_highlevel.streams import custom

if TYPE_CHECKING:
    from cliniko_to_highlevel.row import Row

YES_NO = ("Yes", "No")
RECORD_STATES = ("Active", "Archived", "Deleted")
#: Properties of most objects: what Cliniko says of a record as such.
STATE_OF_RECORD = {
    "record_state": custom("Record state", "State in Cliniko.", kind="SINGLE_OPTIONS", options=RECORD_STATES),
    "hidden_at": custom("Archived at", "Day on which it was archived or deleted in Cliniko.", kind="DATE"),
    "created_in_cliniko": custom(
        "Created in Cliniko", "Day on which it was created in Cliniko.", kind="DATE"
    ),
}

#: Country names as Cliniko wrote them before it had codes, and as people write them, for the countries it is sold in.
_COUNTRY_CODES = {
    "aotearoa": "NZ",
    "aus": "AU",
    "aust": "AU",
    "australia": "AU",
    "austria": "AT",
    "belgium": "BE",
    "canada": "CA",
    "denmark": "DK",
    "eire": "IE",
    "éire": "IE",
    "england": "GB",
    "finland": "FI",
    "france": "FR",
    "germany": "DE",
    "great britain": "GB",
    "holland": "NL",
    "hong kong": "HK",
    "india": "IN",
    "ireland": "IE",
    "italy": "IT",
    "japan": "JP",
    "malaysia": "MY",
    "malta": "MT",
    "netherlands": "NL",
    "n z": "NZ",
    "new zealand": "NZ",
    "northern ireland": "GB",
    "norway": "NO",
    "portugal": "PT",
    "republic of ireland": "IE",
    "scotland": "GB",
    "singapore": "SG",
    "south africa": "ZA",
    "spain": "ES",
    "sweden": "SE",
    "switzerland": "CH",
    "the netherlands": "NL",
    "u k": "GB",
    "u s": "US",
    "u s a": "US",
    "uk": "GB",
    "united arab emirates": "AE",
    "united kingdom": "GB",
    "united states": "US",
    "united states of america": "US",
    "usa": "US",
    "wales": "GB",
}
#: Codes that mean a country when somebody has typed them. ``CA``, ``DE``, ``IN``, ``MT`` and ``NL`` are states of North America
#: too, ``no`` is a word; and who types ``SA`` means South Australia or South Africa, never the country with that code.
_TOLD_BY_CODE = frozenset(_COUNTRY_CODES.values()) - {"CA", "DE", "IN", "MT", "NL", "NO"}


class Address(NamedTuple):
    """A postal address in HighLevel's pieces: it has one street line only.

    HighLevel takes a country by its code; ``unknown_country`` is a name that we know none of.
    """

    street: str | None = None
    city: str | None = None
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None
    unknown_country: str | None = None

    @property
    def line(self) -> str | None:
        """Return what HighLevel's one street line holds: the street, and a country that has no other place."""
        return joined(", ", self.street, self.unknown_country)

    @property
    def lines(self) -> str | None:
        """Return the address as text, one piece a line."""
        place = joined(" ", self.city, self.state, self.postal_code)
        return joined("\n", self.street, place, self.country or self.unknown_country)


def address(row: Row, account_country: str | None) -> Address:
    """Return a record's address, its street lines joined."""
    lines = (row.text(field) or "" for field in ("address_1", "address_2", "address_3"))
    typed = name_text("\n".join(lines)) or ""
    country, named = country_code(row, account_country), row.name("country")
    return Address(
        street=joined(", ", *(line.strip(" ,") for line in typed.splitlines())),
        city=row.name("city"),
        state=row.name("state"),
        postal_code=row.text("post_code"),
        country=country,
        unknown_country=named if not country and is_name(named) else None,
    )


def country_code(row: Row, account_country: str | None) -> str | None:
    """Return the ISO code of a record's country: its code, else found by its name, which may be a code itself.

    A code that may mean something else is taken for a country only where the account is in it.
    """
    code, name = (row.text("country_code") or "").upper(), row.name("country") or ""
    if len(code) == 2 and code.isascii() and code.isalpha():  # noqa: PLR2004
        return "GB" if code == "UK" else code
    if name.upper() in _TOLD_BY_CODE or (name and name.upper() == account_country):
        return name.upper()
    return _COUNTRY_CODES.get(slug(name).replace("-", " "))


def given_names(patient: Row) -> tuple[str | None, str | None]:
    """Return a patient's first and last name; of one without either the preferred name, else ``Patient 3183194``.

    HighLevel refuses a contact that has neither a name nor an address. A dot or dash, typed where a form insists, is no name.
    """
    first, last = patient.name("first_name"), patient.name("last_name")
    if is_name(first) or is_name(last):
        return first, last
    preferred = patient.name("preferred_first_name")
    return preferred if is_name(preferred) else f"Patient {patient.reference('id')}", None


def is_name(text: str | None) -> bool:
    """Return whether a text has a letter or digit of any script."""
    return bool(text and slug(text))


def record_state(row: Row) -> str:
    """Return whether a record is still in use in Cliniko."""
    if row.instant("deleted_at"):
        return "Deleted"
    return "Archived" if row.instant("archived_at") else "Active"


def businesses(row: Row) -> list[str]:
    """Return the business that a record belongs to, if Cliniko names one."""
    business = row.reference("business_id")
    return [business] if business else []


def hidden_at(row: Row) -> str | None:
    """Return when a record was archived or deleted in Cliniko."""
    return row.instant("deleted_at") or row.instant("archived_at")


def yes_no(value: bool | None) -> str | None:  # noqa: FBT001
    """Return a boolean as an option, None for unknown: HighLevel has no boolean fields."""
    if value is None:
        return None
    return "Yes" if value else "No"
