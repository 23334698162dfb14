"""What the mapping remembers of the reference records, which the tap reads in full and first in every run."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cliniko_to_highlevel.custom_fields import OWN_PLACES, FieldPlan
from cliniko_to_highlevel.emails import emails
from cliniko_to_highlevel.formats import joined, local_time, zone
from cliniko_to_highlevel.people import address, country_code, hidden_at
from cliniko_to_highlevel.phones import Phones, phones
from cliniko_to_highlevel.reference_types import (
    PAYER_TYPE,
    Booking,
    Business,
    Hours,
    Offer,
    Payer,
    Practitioner,
    Tax,
    booking_of,
    contact_name,
    hours_of,
    practitioner_name,
    terms_of,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from cliniko_to_highlevel.mapping import ClinicMapping
    from cliniko_to_highlevel.row import Row


@dataclass(slots=True)
class Reference:
    """Names by id. The only memory of the mapping; it is filled anew in every run."""

    mapping: ClinicMapping
    #: Names of the contact's own fields and labels of the profile's, by place.
    taken: Mapping[str, Collection[str]] = field(default_factory=lambda: dict.fromkeys(OWN_PLACES, ()))
    account_country: str | None = None
    fields: FieldPlan = None  # type: ignore[assignment]  # set below: it needs the mapping
    users: dict[str, Row] = field(default_factory=dict)
    practitioners: dict[str, Practitioner] = field(default_factory=dict)
    businesses: dict[str, Business] = field(default_factory=dict)
    appointment_types: dict[str, str] = field(default_factory=dict)
    taxes: dict[str, Tax] = field(default_factory=dict)
    services: dict[str, str] = field(default_factory=dict)
    concessions: dict[str, str] = field(default_factory=dict)
    contacts: dict[str, str] = field(default_factory=dict)
    referral_types: dict[str, str] = field(default_factory=dict)
    recall_types: dict[str, str] = field(default_factory=dict)
    groups: dict[str, Booking] = field(default_factory=dict)
    offers: defaultdict[str, dict[str, Offer]] = field(default_factory=lambda: defaultdict(dict))
    payers: dict[str, Payer] = field(default_factory=dict)
    payer_emails: dict[str, Payer] = field(default_factory=dict)
    #: Patients that the mapping leaves behind, as far as they were read in this run.
    left_out_patients: set[str] = field(default_factory=set)
    #: Patients merged away, as far as they were read in this run, and into whom; None where Cliniko does not say.
    survivors: dict[str, str | None] = field(default_factory=dict)
    #: Which booking each invoice is for; None where it is for none, or is not in force.
    invoiced: dict[str | None, str | None] = field(default_factory=dict)
    #: When a practitioner works at a location, and who offers a type where.
    hours: defaultdict[tuple[str, str], list[Hours]] = field(default_factory=lambda: defaultdict(list))
    teams: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    #: Locations and practitioners that nobody can book online.
    offline: set[str] = field(default_factory=set)
    offline_practitioners: set[str] = field(default_factory=set)
    addresses: dict[str, str] = field(default_factory=dict)
    absence_types: dict[str, str] = field(default_factory=dict)
    _locations: dict[str, str] | None = None
    #: What is offered of each appointment type, as text, as far as it was asked for.
    _offered: dict[str, list[str]] = field(default_factory=dict)
    #: Time zone of the first location that has one.
    _first_zone: str | None = None

    def __post_init__(self) -> None:
        """Start with no definition of custom fields: it comes with the account's settings."""
        self.fields = self._field_plan()

    def _field_plan(self) -> FieldPlan:
        return FieldPlan(self.mapping, self.taken, self.account_country)

    def learn(self, row: Row) -> None:
        """Remember a reference record; other records are passed over."""
        learn = _LEARNERS.get(row.resource)
        if learn:
            learn(self, row)

    @property
    def country(self) -> str | None:
        """Return the country of numbers written without one."""
        return self.mapping.default_country or self.account_country

    def phones(self, row: Row, field: str, own: str | None = None) -> Phones:
        """Return a person's numbers; his own country tells more of one without a country than the account's."""
        return phones(row, field, self.mapping.default_country, (own, self.account_country))

    @property
    def clinic_zone(self) -> str | None:
        """Return the clinic's time zone: as decided, else of its first location that has one."""
        return self.mapping.time_zone or self._first_zone

    def location(self, business_id: str | None) -> str | None:
        """Return a location's name; locations that share one are told apart."""
        if self._locations is None:
            self._locations = self._disambiguated()
        return self._locations.get(business_id or "")

    def _disambiguated(self) -> dict[str, str]:
        """Return each location's name; of those that share one with the detail too, the id is added."""
        shared = Counter(business.name for business in self.businesses.values())
        names = {
            key: business.name
            if shared[business.name] == 1
            else f"{business.name} ({business.detail or key})"
            for key, business in self.businesses.items()
        }
        again = Counter(names.values())
        return {key: name if again[name] == 1 else f"{name} ({key})" for key, name in names.items()}

    def zone_of(self, business_id: str | None) -> str | None:
        """Return a location's time zone, else the clinic's."""
        business = self.businesses.get(business_id or "")
        return (business.time_zone if business else None) or self.clinic_zone

    def format_time(self, instant: str | None, business_id: str | None = None) -> str | None:
        """Return for a text when something was: in the location's own time, else the clinic's, with the zone."""
        zone_name = self.zone_of(business_id)
        return f"{local_time(instant, zone_name)} ({zone_name or 'UTC'})" if instant else None

    def local_date(self, instant: str | None) -> str | None:
        """Return the day of an instant in the clinic's time zone: HighLevel has fields for dates, none for moments."""
        return local_time(instant, self.clinic_zone)[:10] if instant else None

    def practitioner(self, practitioner_id: str | None) -> str | None:
        """Return a practitioner's name."""
        known = self.practitioners.get(practitioner_id or "")
        return known.name if known else None

    def appointment_type(self, type_id: str | None) -> str | None:
        """Return an appointment type's name."""
        return self.appointment_types.get(type_id or "")

    def practitioner_label(self, row: Row) -> str | None:
        """Return for a text who a record's practitioner is: his name, else his identity."""
        return self.practitioner(row.reference("practitioner_id")) or row.linked(
            "practitioner_id", "practitioners"
        )

    def type_label(self, row: Row) -> str | None:
        """Return for a text what a record's appointment type is: its name, else its identity."""
        return self.appointment_type(row.reference("appointment_type_id")) or row.linked(
            "appointment_type_id", "appointment_types"
        )

    def location_label(self, row: Row) -> str | None:
        """Return for a text where a record's location is: its name, else its identity."""
        return self.location(row.reference("business_id")) or row.linked("business_id", "businesses")

    def offered(self, type_id: str | None) -> list[str]:
        """Return the services and products of an appointment type, as text."""
        kind = type_id or ""
        if kind not in self._offered:
            lines = (
                joined(" ", self.services.get(offer.service, offer.service), offer.terms)
                for offer in self.offers.get(kind, {}).values()
            )
            self._offered[kind] = sorted(line for line in lines if line)
        return self._offered[kind]

    def payer_named(self, name: str) -> str | None:
        """Return the identity of the payer contact of that name."""
        payer = self.payers.get(self.mapping.insurer_identity(name))
        return payer.source_id if payer else None

    def payer_reached_at(self, addresses: str | None) -> str | None:
        """Return the identity of the payer contact that has one of these e-mail addresses."""
        payers = (self.payer_emails.get(email.casefold()) for email in emails(addresses))
        return next((payer.source_id for payer in payers if payer), None)

    def _learn_settings(self, row: Row) -> None:
        self.account_country = country_code(row.part("account"), None)
        self.fields = self._field_plan()
        self.fields.define(row.part("patient_custom_fields_definition"))

    def _learn_user(self, row: Row) -> None:
        self.users[_id(row)] = row

    def _learn_practitioner(self, row: Row) -> None:
        self.practitioners[_id(row)] = Practitioner(practitioner_name(row), row.reference("user_id"))
        if False in {row.flag("active"), row.flag("show_in_online_bookings")}:
            self.offline_practitioners.add(_id(row))

    def _learn_business(self, row: Row) -> None:
        display, label = row.text("display_name"), row.text("label")
        name = row.text("business_name") or display or label or row.source_id
        detail = next((text for text in (display, label) if text and text != name), None)
        zone_name = row.text("time_zone_identifier")
        self.businesses[_id(row)] = Business(name, detail, zone_name if zone(zone_name) else None)
        self._locations = None
        zones = (self.businesses[key].time_zone for key in sorted(self.businesses, key=int))
        self._first_zone = next((name for name in zones if name), None)
        self.addresses[_id(row)] = (address(row, self.account_country).lines or "").replace("\n", ", ")
        if hidden_at(row) or row.flag("show_in_online_bookings") is False:
            self.offline.add(_id(row))

    def _learn_availability(self, row: Row) -> None:
        who, business = row.reference("practitioner_id"), row.reference("business_id")
        if who and business:
            named = row.text("time_zone_identifier")
            time_zone = named if zone(named) else self.zone_of(business)
            self.hours[who, business] += hours_of(row, time_zone)

    def _learn_team(self, row: Row) -> None:
        business, kind = row.reference("business_id"), row.reference("appointment_type_id")
        if business and kind:
            self.teams[business, kind] = set(row.references("practitioner_ids"))

    def _learn_absence_type(self, row: Row) -> None:
        self.absence_types[_id(row)] = row.text("name") or ""

    def _learn_appointment_type(self, row: Row) -> None:
        self.appointment_types[_id(row)] = row.text("name") or row.source_id

    def _learn_tax(self, row: Row) -> None:
        self.taxes[_id(row)] = Tax(row.text("name"), row.amount("rate"))

    def _learn_service(self, row: Row) -> None:
        self.services[row.source_id] = row.text("name") or row.source_id
        self._offered.clear()

    def _learn_concession(self, row: Row) -> None:
        self.concessions[_id(row)] = row.text("name") or row.source_id

    def _learn_referral_type(self, row: Row) -> None:
        self.referral_types[_id(row)] = row.text("name") or row.source_id

    def _learn_recall_type(self, row: Row) -> None:
        self.recall_types[_id(row)] = row.text("name") or row.source_id

    def _learn_contact(self, row: Row) -> None:
        name = contact_name(row)
        self.contacts[_id(row)] = name
        if row.whole("type_code") == PAYER_TYPE:
            payer = Payer(row.source_id, hidden_at(row) is not None, int(_id(row)))
            _keep_first(self.payers, self.mapping.insurer_identity(name), payer)
            for email in emails(row.text("email")):
                _keep_first(self.payer_emails, email.casefold(), payer)

    def _learn_offer(self, row: Row) -> None:
        field_name = "billable_item_id" if row.resource == "appointment_type_billable_items" else "product_id"
        resource = "billable_items" if field_name == "billable_item_id" else "products"
        type_id, service = row.reference("appointment_type_id"), row.linked(field_name, resource)
        if type_id and service:
            self.offers[type_id][row.source_id] = Offer(service, terms_of(row))
            self._offered.clear()

    def _learn_group(self, row: Row) -> None:
        self.groups[_id(row)] = booking_of(row)


_LEARNERS: dict[str, Callable[[Reference, Row], None]] = {
    "public_settings": Reference._learn_settings,  # noqa: SLF001
    "users": Reference._learn_user,  # noqa: SLF001
    "practitioners": Reference._learn_practitioner,  # noqa: SLF001
    "businesses": Reference._learn_business,  # noqa: SLF001
    "appointment_types": Reference._learn_appointment_type,  # noqa: SLF001
    "taxes": Reference._learn_tax,  # noqa: SLF001
    "billable_items": Reference._learn_service,  # noqa: SLF001
    "products": Reference._learn_service,  # noqa: SLF001
    "concession_types": Reference._learn_concession,  # noqa: SLF001
    "contacts": Reference._learn_contact,  # noqa: SLF001
    "referral_source_types": Reference._learn_referral_type,  # noqa: SLF001
    "recall_types": Reference._learn_recall_type,  # noqa: SLF001
    "appointment_type_billable_items": Reference._learn_offer,  # noqa: SLF001
    "appointment_type_products": Reference._learn_offer,  # noqa: SLF001
    "group_appointments": Reference._learn_group,  # noqa: SLF001
    "daily_availabilities": Reference._learn_availability,  # noqa: SLF001
    "services": Reference._learn_team,  # noqa: SLF001
    "unavailable_block_types": Reference._learn_absence_type,  # noqa: SLF001
}


def _id(row: Row) -> str:
    return row.source_id.partition("/")[2]


def _keep_first(table: dict[str, Payer], key: str, payer: Payer) -> None:
    """Of several payers with one name keep a live one before an archived one, then the oldest."""
    known = table.get(key)
    if key and (known is None or (payer.archived, payer.order) < (known.archived, known.order)):
        table[key] = payer
