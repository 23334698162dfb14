"""How one emulated HighLevel account behaves; tests may change the options while the server runs."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.other_shapes import SHAPES

if TYPE_CHECKING:
    from collections.abc import Mapping

MEBIBYTE = 1024 * 1024


@dataclass(slots=True)
class Options:
    """The switches of the emulator; unknown behaviour of the vendor defaults to the stricter guess.

    Attributes:
        seed: makes every id and every pre-existing person.
        users: people with a login, each `{email, first_name, last_name, deleted}`; a front desk is always added.
        extra_locations: how many further sub-accounts of the same agency exist.
        scopes: scopes of the sub-account token; None grants all.
        agency_scopes: scopes of the agency token; None grants all.
        allow_duplicates: the location's setting `allowDuplicateContact`.
        match_first: which address decides first whether a contact is a duplicate, `email` or `phone`.
        match_second: whether the other address decides as well.
        refused_creates: `undone`, or every third create is `done` and answers 422 all the same.
        most_counted: rows up to which searches count.
        duplicate_meta: whether the duplicate error carries `meta`.
        require_address: refuse a new contact with neither e-mail nor phone.
        allow_duplicate_opportunities: the location's setting `allowDuplicateOpportunity`.
        lowercase_tags: store tags in lower case.
        burst_limit: requests allowed in `burst_seconds`.
        daily_limit: requests allowed in a UTC day.
        retry_after: `none`, `seconds` or `date`: the form of the header of a 429.
        search_lag: seconds until a write shows in the searches.
        schema_cache: seconds during which reading an object may show an older list of its fields.
        subaccount_creates_objects: let a sub-account token create object schemas.
        unique_fields: object properties that must be unique, as `custom_objects.x.property`, or `*.property` for every object.
        missing_status: status for a contact, note, task… that does not exist, 404 or 400.
        unknown_field: `refuse` or `ignore` a contact's custom field that does not exist.
        wrong_option: `refuse` or `blank` a text that is no option of a contact's field.
        note_limit: characters of a note.
        max_file_bytes: bytes of an uploaded file.
        shapes: other shapes of the same answers, as `other_shapes.py` lists them.
        largest_page: rows that a page has at most, whatever was asked for.
        users_by_search: answer 404 to the deprecated list of users; the search is there.
        strict_relations: answer `missing_status` when the relations of a record are asked for that is not there.
        documents: how uploaded files are served: `token` (to whoever has one of the location), `open` (to
            everybody), `version` (only with a `Version` header beside the token), `login` (a page to log in
            on, whatever the token) or `other_host` (on another host, to whoever has the link).
        document_failures: statuses that single documents answer, by a part of their name.
        refused_addresses: e-mail addresses and numbers, or parts of them, that are refused as invalid.
        country_fill: the country that a new contact without one gets.
        unlisted_country: `refuse` or `blank` a country that is not in the vendor's list.
        national_phone: `refuse` or `keep` a number that is not E.164.
        missing_event: `missing_status`, or `invalid_id`: 400 "The event id is invalid", as was once recorded.
        relations_outlive: keep the relations of a contact or record that is deleted.
        relation_again: `refuse` a relation that is there already, or answer the `same` one.
        swapped_relation: `refuse` or `accept` ends in the other order than the association's.
        file_over_limit: `refuse`, `drop` or, for the oldest one of its field, `replace` by a file too many.
        file_lists: `write`, `refuse` or `ignore` the list of a field's files in the body of a contact.
        empty_clears: which empty value clears a contact's custom field: `both`, `null` or `text`.
        text_limit: characters of a LARGE_TEXT field.
        longer_texts: `refuse` or `cut` a text of more characters than its limit allows.
        line_limit: characters of a name, a title, or a TEXT field.
        task_limit: characters of a task's body.
        description_limit: characters of an appointment's description.
        options_limit: options of a field.
        files_limit: files that a field can be made for.
        newest_notes_first: list the notes of a contact the other way round.
        note_extras: `keep`, `drop` or `refuse` title, colour and pin of a note.
        record_search: `page` and `searchAfter` of a search for records may come `both`, must come `both_always`, exclude each
            other (`either`), or there is only the number of the page (`number`).
        record_page: records that a search may be asked for at most.
        search_filters: `heed` or `ignore` the filters of searches for contacts and records.
        record_owners: `keep`, `drop` or `refuse` the owner of a record.
        past_appointments: `accept` or `refuse` appointments in the past when both flags ask for them.
        blocks_users: take a user in place of the calendar whose time is blocked: `checked`, `unchecked`, or `never`.
        longest_span: days that a list of blocked slots or of a calendar's events may be asked for.
        calendar_hours: a calendar offers the hours of its users' `schedules`, or those of the `calendar` itself.
        appointment_needs_user: refuse an appointment without `assignedUserId` in any calendar.
        assign_deleted_user: `refuse` or `accept` a deleted user as an owner.
        permanent_dnd: `keep` a channel closed that the patient closed, or let a write `reopen` it.
        closed: statuses that parts of the API answer to everybody, by a part of the path, with a method before it or for all.
        day_zone: the time zone in whose midnight the day's allowance begins anew.
        unknown_property_status: status for a record's property that does not exist, 422 or 400.
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
    refused_creates: str = "undone"
    most_counted: int | None = None
    duplicate_meta: bool = True
    require_address: bool = False
    allow_duplicate_opportunities: bool = False
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
    note_limit: int | None = 5_000
    object_limit: int = 10
    association_limit: int = 10
    relation_limit: int = 1_000
    max_file_bytes: int = 50 * MEBIBYTE
    documents: str = "token"
    document_failures: dict[str, int] = field(default_factory=dict)
    refused_addresses: list[str] = field(default_factory=list)
    country_fill: str | None = None
    unlisted_country: str = "refuse"
    national_phone: str = "refuse"
    missing_event: str = "missing_status"
    relations_outlive: bool = False
    relation_again: str = "refuse"
    swapped_relation: str = "refuse"
    file_over_limit: str = "refuse"
    file_lists: str = "write"
    empty_clears: str = "both"
    longer_texts: str = "refuse"
    text_limit: int | None = None
    line_limit: int | None = None
    task_limit: int | None = None
    description_limit: int | None = None
    options_limit: int | None = None
    files_limit: int | None = None
    newest_notes_first: bool = False
    note_extras: str = "keep"
    record_search: str = "both"
    record_page: int | None = None
    search_filters: str = "heed"
    record_owners: str = "keep"
    past_appointments: str = "accept"
    appointment_needs_user: bool = False
    blocks_users: str = "checked"
    longest_span: int | None = None
    calendar_hours: str = "schedules"
    assign_deleted_user: str = "refuse"
    permanent_dnd: str = "keep"
    closed: dict[str, int] = field(default_factory=dict)
    day_zone: str = "UTC"
    unknown_property_status: int = 422
    shapes: frozenset[str] = frozenset()
    largest_page: int | None = None
    users_by_search: bool = False
    strict_relations: bool = False
    workflows: dict[str, str] = field(
        default_factory=lambda: {"Welcome new contacts": "published", "Win back": "draft"}
    )

    def length_of(self, data_type: str) -> int | None:
        """Return how many characters a field of a type may hold."""
        return {"TEXT": self.line_limit, "LARGE_TEXT": self.text_limit}.get(data_type)

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
        if strange := set(values.get("shapes", ())) - set(SHAPES):
            message = f"unknown shapes of answers: {', '.join(sorted(strange))}"
            raise ValueError(message)
        for name in ("scopes", "agency_scopes", "shapes"):
            if values.get(name) is not None:
                values[name] = frozenset(values[name])
        return cls(**values)
