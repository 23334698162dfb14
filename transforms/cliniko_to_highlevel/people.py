"""What patients, contacts, practitioners and insurers have in common: addresses, states of a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from phonenumbers import SUPPORTED_REGIONS

from cliniko_to_highlevel.formats import joined

if TYPE_CHECKING:
    from cliniko_to_highlevel.row import Row

YES_NO = ("Yes", "No")
RECORD_STATES = ("Active", "Archived", "Deleted")

#: Country names as Cliniko wrote them before it had codes, for the countries it is sold in.
_COUNTRY_CODES = {
    "australia": "AU",
    "austria": "AT",
    "belgium": "BE",
    "canada": "CA",
    "denmark": "DK",
    "england": "GB",
    "finland": "FI",
    "france": "FR",
    "germany": "DE",
    "hong kong": "HK",
    "india": "IN",
    "ireland": "IE",
    "italy": "IT",
    "japan": "JP",
    "malaysia": "MY",
    "malta": "MT",
    "netherlands": "NL",
    "new zealand": "NZ",
    "northern ireland": "GB",
    "norway": "NO",
    "portugal": "PT",
    "scotland": "GB",
    "singapore": "SG",
    "south africa": "ZA",
    "spain": "ES",
    "sweden": "SE",
    "switzerland": "CH",
    "uk": "GB",
    "united arab emirates": "AE",
    "united kingdom": "GB",
    "united states": "US",
    "united states of america": "US",
    "usa": "US",
    "wales": "GB",
}


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


def address(row: Row) -> Address:
    """Return a record's address, its street lines joined."""
    typed = "\n".join(row.text(field) or "" for field in ("address_1", "address_2", "address_3"))
    country = country_code(row)
    return Address(
        street=joined(", ", *(line.strip(" ,") for line in typed.splitlines())),
        city=row.text("city"),
        state=row.text("state"),
        postal_code=row.text("post_code"),
        country=country,
        unknown_country=None if country else row.text("country"),
    )


def country_code(row: Row) -> str | None:
    """Return the ISO code of a record's country: its code, else found by its name, which may be a code itself."""
    code, name = (row.text("country_code") or "").upper(), row.text("country") or ""
    if len(code) == 2 and code.isascii() and code.isalpha():  # noqa: PLR2004
        return "GB" if code == "UK" else code
    return name if name in SUPPORTED_REGIONS else _COUNTRY_CODES.get(name.casefold())


def record_state(row: Row) -> str:
    """Return whether a record is still in use in Cliniko."""
    if row.instant("deleted_at"):
        return "Deleted"
    return "Archived" if row.instant("archived_at") else "Active"


def hidden_at(row: Row) -> str | None:
    """Return when a record was archived or deleted in Cliniko."""
    return row.instant("deleted_at") or row.instant("archived_at")


def yes_no(value: bool | None) -> str | None:  # noqa: FBT001
    """Return a boolean as an option, None for unknown: HighLevel has no boolean fields."""
    if value is None:
        return None
    return "Yes" if value else "No"
