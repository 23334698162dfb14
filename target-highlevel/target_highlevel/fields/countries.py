"""How HighLevel may spell a country: by its two letters (ISO 3166), its three, or its English name."""

from __future__ import annotations

#: Of the countries in which Cliniko is used most, and of their neighbours.
_SPELLINGS = {
    "AE": ("ARE", "United Arab Emirates"),
    "AT": ("AUT", "Austria"),
    "AU": ("AUS", "Australia"),
    "BE": ("BEL", "Belgium"),
    "CA": ("CAN", "Canada"),
    "CH": ("CHE", "Switzerland"),
    "CY": ("CYP", "Cyprus"),
    "DE": ("DEU", "Germany"),
    "DK": ("DNK", "Denmark"),
    "EE": ("EST", "Estonia"),
    "ES": ("ESP", "Spain"),
    "FI": ("FIN", "Finland"),
    "FR": ("FRA", "France"),
    "GB": (
        "GBR",
        "United Kingdom",
        "UK",
        "Great Britain",
        "United Kingdom of Great Britain and Northern Ireland",
    ),
    "GR": ("GRC", "Greece"),
    "HK": ("HKG", "Hong Kong"),
    "HR": ("HRV", "Croatia"),
    "IE": ("IRL", "Ireland"),
    "IN": ("IND", "India"),
    "IT": ("ITA", "Italy"),
    "JP": ("JPN", "Japan"),
    "LT": ("LTU", "Lithuania"),
    "LU": ("LUX", "Luxembourg"),
    "LV": ("LVA", "Latvia"),
    "MT": ("MLT", "Malta"),
    "MY": ("MYS", "Malaysia"),
    "NL": ("NLD", "Netherlands", "The Netherlands"),
    "NO": ("NOR", "Norway"),
    "NZ": ("NZL", "New Zealand"),
    "PT": ("PRT", "Portugal"),
    "SE": ("SWE", "Sweden"),
    "SG": ("SGP", "Singapore"),
    "SI": ("SVN", "Slovenia"),
    "SK": ("SVK", "Slovakia"),
    "US": ("USA", "United States", "United States of America"),
    "ZA": ("ZAF", "South Africa"),
}
_CODES = {
    spelling.casefold(): code for code, spellings in _SPELLINGS.items() for spelling in (code, *spellings)
}


def country_code(text: str) -> str | None:
    """Return the two letters of a country, however it is spelled; none of one that is not known here."""
    return _CODES.get(" ".join(text.split()).casefold())


def is_same_country(one: str, other: str) -> bool:
    """Return whether two texts spell one country that is known here."""
    code = country_code(one)
    return code is not None and code == country_code(other)
