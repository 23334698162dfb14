"""How one emulated HighLevel account behaves; tests may change the options while the server runs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MEBIBYTE = 1024 * 1024


@dataclass(slots=True)
class Options:
    """The switches of the emulator; unknown behaviour of the vendor defaults to the stricter guess.

    Attributes:
        seed: makes every id and every pre-existing person.
        users: people with a login, each `{email, first_name, last_name}`; a front desk is always added.
        extra_locations: how many further sub-accounts of the same agency exist.
        scopes: scopes of the sub-account token; None grants all.
        agency_scopes: scopes of the agency token; None grants all.
        allow_duplicates: the location's setting `allowDuplicateContact`.
        match_first: which address decides first whether a contact is a duplicate, `email` or `phone`.
        match_second: whether the other address decides as well.
        duplicate_meta: whether the duplicate error carries `meta`.
        require_address: refuse a new contact with neither e-mail nor phone.
        lowercase_tags: store tags in lower case.
        burst_limit: requests allowed in `burst_seconds`.
        daily_limit: requests allowed in a UTC day.
        retry_after: `none`, `seconds` or `date`: the form of the header of a 429.
        search_lag: seconds until a write shows in the searches.
        schema_cache: seconds during which reading an object may show an older list of its fields.
        subaccount_creates_objects: let a sub-account token create object schemas.
        unique_fields: object properties that must be unique, as `custom_objects.x.property`.
        missing_status: status for a contact, note, task… that does not exist, 404 or 400.
        unknown_field: `refuse` or `ignore` a contact's custom field that does not exist.
        wrong_option: `refuse` or `blank` a text that is no option of a contact's field.
        note_limit: characters of a note.
        max_file_bytes: bytes of an uploaded file.
        shapes: other shapes of the same answers, as `other_shapes.py` lists them.
        largest_page: rows that a page has at most, whatever was asked for.
        users_by_search: answer 404 to the deprecated list of users; the search is there.
        strict_relations: answer `missing_status` when the relations of a record are asked for that is not there.
        open_documents: serve uploaded files without a token.
        workflows: status of each workflow of a location, `published` or `draft`, by name.
    """

    seed: int = 1
    users: list[Mapping[str, Any]] = field(default_factory=list)
    extra_locations: int = 0
    scopes: frozenset[str] | None = None
    agency_scopes: frozenset[str] | None = None
    client_id: str = "sandbox-client"
    client_secret: str = "sandbox-client-secret"  # noqa: S105 - opens nothing but this emulator
    country: str = "AU"
    timezone: str = "Australia/Sydney"
    allow_duplicates: bool = False
    match_first: str = "email"
    match_second: bool = True
    duplicate_meta: bool = True
    require_address: bool = False
    lowercase_tags: bool = True
    burst_limit: int = 100
    burst_seconds: float = 10.0
    daily_limit: int = 200_000
    retry_after: str = "none"
    search_lag: float = 3.0
    schema_cache: float = 3.0
    subaccount_creates_objects: bool = False
    unique_fields: list[str] = field(default_factory=list)
    missing_status: int = 404
    unknown_field: str = "refuse"
    wrong_option: str = "refuse"
    note_limit: int = 5_000
    object_limit: int = 10
    association_limit: int = 10
    relation_limit: int = 1_000
    max_file_bytes: int = 50 * MEBIBYTE
    open_documents: bool = False
    shapes: frozenset[str] = frozenset()
    largest_page: int | None = None
    users_by_search: bool = False
    strict_relations: bool = False
    workflows: dict[str, str] = field(
        default_factory=lambda: {"Welcome new contacts": "published", "Win back": "draft"}
    )

    @classmethod
    def parse(cls, given: Options | Mapping[str, Any] | None) -> Options:
        """Read options from a mapping; an unknown name is an error."""
        if isinstance(given, Options):
            return given
        values = dict(given or {})
        unknown = set(values) - {item.name for item in fields(cls)}
        if unknown:
            message = f"unknown HighLevel sandbox options: {', '.join(sorted(unknown))}"
            raise ValueError(message)
        for name in ("scopes", "agency_scopes", "shapes"):
            if values.get(name) is not None:
                values[name] = frozenset(values[name])
        return cls(**values)
