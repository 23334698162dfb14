"""The paths of the API besides a resource's own list and record."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cliniko.catalogue import BOOKINGS, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cliniko.account import Account
    from sandbox.cliniko.filters import Test

LISTED = frozenset(RESOURCES) - {"signatures"} | {"bookings"}
"""Resources that have a list; signatures are only found below a form."""

NESTED: Mapping[tuple[str, str], tuple[str, str]] = {
    ("group_appointments", "attendees"): ("attendees", "booking_id"),
    ("individual_appointments", "attendees"): ("attendees", "booking_id"),
    ("patient_cases", "attendees"): ("attendees", "patient_case_id"),
    ("patient_cases", "bookings"): ("bookings", "patient_case_id"),
    ("businesses", "daily_availabilities"): ("daily_availabilities", "business_id"),
    ("practitioners", "daily_availabilities"): ("daily_availabilities", "practitioner_id"),
    ("appointments", "invoices"): ("invoices", "appointment_id"),
    ("attendees", "invoices"): ("invoices", "attendee_id"),
    ("patients", "invoices"): ("invoices", "patient_id"),
    ("practitioners", "invoices"): ("invoices", "practitioner_id"),
    ("invoices", "invoice_items"): ("invoice_items", "invoice_id"),
    ("patients", "medical_alerts"): ("medical_alerts", "patient_id"),
    ("patients", "patient_attachments"): ("patient_attachments", "patient_id"),
    ("patients", "treatment_notes"): ("treatment_notes", "patient_id"),
    ("attendees", "patient_forms"): ("patient_forms", "attendee_id"),
    ("practitioners", "practitioner_reference_numbers"): (
        "practitioner_reference_numbers",
        "practitioner_id",
    ),
}
"""Lists below one record, by the resource listed and its column."""

LEGACY_NESTED: Mapping[tuple[str, str], str] = {
    ("patients", "appointments"): "patient_id",
    ("practitioners", "appointments"): "practitioner_id",
    ("businesses", "appointments"): "business_id",
}
"""Old lists of individual appointments."""

LEGACY_STATES: Mapping[str, tuple[str, ...]] = {
    "appointment_types": ("archived",),
    "attendees": ("deleted", "cancelled"),
    "businesses": ("archived", "deleted"),
    "group_appointments": ("deleted",),
    "individual_appointments": ("deleted", "cancelled"),
    "invoices": ("deleted",),
    "invoice_items": ("deleted",),
    "medical_alerts": ("deleted",),
    "patients": ("archived", "deleted"),
    "treatment_notes": ("deleted",),
    "treatment_note_templates": ("deleted",),
    "unavailable_blocks": ("deleted",),
}
"""Old paths that list the rows of one hidden state."""


@dataclass(frozen=True)
class ListRoute:
    """A list: what it holds and which of the rows."""

    resource: str
    template: str
    key: str
    scope: str = ""
    only: Test | None = None
    filterable: frozenset[str] | None = None
    hidden: tuple[str, ...] | None = None


@dataclass(frozen=True)
class RecordRoute:
    """A single record."""

    resource: str
    identity: str
    template: str


class UnknownPathError(Exception):
    """A path, or a record named in it, that does not exist."""


def find_route(path: str, account: Account, *, legacy: bool, recalls: bool) -> ListRoute | RecordRoute:
    """Return what a path below /v1 names."""
    parts = path.strip("/").split("/")
    if not recalls and parts[0] in {"recalls", "recall_types"}:
        raise UnknownPathError(path)
    route = _short(parts, account) or _nested(parts, account)
    if route is None and legacy:
        route = _legacy(parts, account)
    if route is None:
        raise UnknownPathError(path)
    return route


def _short(parts: list[str], account: Account) -> ListRoute | RecordRoute | None:
    route: ListRoute | RecordRoute | None = None
    match parts:
        case ["practitioners"]:
            route = _practitioners("/practitioners", "active", active=True)
        case ["practitioners", "inactive"]:
            route = _practitioners("/practitioners/inactive", "inactive", active=False)
        case ["patient_cases", "active"]:
            route = _active_cases(account.now()[:10])
        case [resource] if resource in LISTED:
            route = ListRoute(resource, f"/{resource}", resource)
        case [resource, identity] if resource in LISTED | {"signatures"} and _is_id(identity):
            route = RecordRoute(resource, identity, f"/{resource}/{{id}}")
        case ["appointments", identity] if _is_id(identity):
            route = RecordRoute("individual_appointments", identity, "/appointments/{id}")
        case _:
            pass
    return route


def _active_cases(today: str) -> ListRoute:
    return ListRoute(
        "patient_cases",
        "/patient_cases/active",
        "patient_cases",
        scope="active",
        only=lambda row: "closed_at" not in row and (row.get("expiry_date") or "9999") >= today,
    )


def _practitioners(template: str, scope: str, *, active: bool) -> ListRoute:
    return ListRoute(
        "practitioners", template, "practitioners", scope=scope, only=lambda row: row.get("active") is active
    )


def _nested(parts: list[str], account: Account) -> ListRoute | RecordRoute | None:
    route: ListRoute | RecordRoute | None = None
    match parts:
        case ["patients", identity, "referral_source"]:
            route = _referral_source(identity, account)
        case ["patient_forms", identity, "signatures", signature]:
            if signature not in _signatures(_existing("patient_forms", identity, account)):
                raise UnknownPathError(signature)
            route = RecordRoute("signatures", signature, "/patient_forms/{id}/signatures/{id}")
        case ["practitioners", identity, "appointment_types"]:
            offered = {one["appointment_type_id"] for one in _services(account, practitioner=identity)}
            route = _within("appointment_types", "/practitioners/{id}/appointment_types", offered)
        case [("appointment_types" | "businesses") as parent, identity, "practitioners", *rest]:
            route = _practitioners_of(parent, identity, rest, account)
        case ["patient_cases", identity, ("invoices" | "patient_attachments") as child]:
            route = _of_case(identity, child, account)
        case [parent, identity, child] if (parent, child) in NESTED:
            route = _below(parent, identity, child, account)
        case _:
            pass
    return route


def _below(parent: str, identity: str, child: str, account: Account) -> ListRoute:
    """List the rows that name a parent; an old name of the appointments is one of the parents."""
    _existing("individual_appointments" if parent == "appointments" else parent, identity, account)
    resource, column = NESTED[parent, child]
    return ListRoute(
        resource,
        f"/{parent}/{{id}}/{child}",
        resource,
        scope=f"{parent}/{identity}",
        only=lambda row: row.get(column) == identity,
    )


def _practitioners_of(parent: str, identity: str, rest: list[str], account: Account) -> ListRoute | None:
    if rest not in ([], ["inactive"]):
        return None
    _existing(parent, identity, account)
    key = "appointment_type" if parent == "appointment_types" else "business"
    offering = {
        one
        for service in _services(account, **{key: identity})
        for one in service["practitioner_ids"]
        if account.tables["practitioners"][one].get("active") is not bool(rest)
    }
    suffix = "/inactive" if rest else ""
    return _within("practitioners", f"/{parent}/{{id}}/practitioners{suffix}", offering)


def _of_case(identity: str, child: str, account: Account) -> ListRoute:
    """List what a case's attendances brought; files have no link to a case, so there are none."""
    _existing("patient_cases", identity, account)
    attendees = {row["id"] for row in account.where("attendees", "patient_case_id", identity)}
    return ListRoute(
        child,
        f"/patient_cases/{{id}}/{child}",
        child,
        scope=f"patient_cases/{identity}",
        only=lambda row: row.get("attendee_id") in attendees,
    )


def _referral_source(identity: str, account: Account) -> RecordRoute:
    for row in account.where("referral_sources", "patient_id", identity):
        return RecordRoute("referral_sources", row["id"], "/patients/{id}/referral_source")
    raise UnknownPathError(identity)


def _services(account: Account, **wanted: str) -> list[dict[str, Any]]:
    return [
        service
        for service in account.services
        if wanted.get("practitioner") in {None, *service["practitioner_ids"]}
        and wanted.get("appointment_type") in {None, service["appointment_type_id"]}
        and wanted.get("business") in {None, service["business_id"]}
    ]


def _within(resource: str, template: str, identities: set[str]) -> ListRoute:
    return ListRoute(
        resource,
        template,
        resource,
        scope=template + str(sorted(identities)),
        only=lambda row: row["id"] in identities,
    )


def _legacy(parts: list[str], account: Account) -> ListRoute | None:
    match parts:
        case ["appointments"]:
            return ListRoute("individual_appointments", "/appointments", "appointments")
        case [parent, identity, "appointments"] if (parent, "appointments") in LEGACY_NESTED:
            _existing(parent, identity, account)
            column = LEGACY_NESTED[parent, "appointments"]
            return ListRoute(
                "individual_appointments",
                f"/{parent}/{{id}}/appointments",
                "appointments",
                scope=f"{parent}/{identity}",
                only=lambda row: row.get(column) == identity,
            )
        case [resource, state] if state in LEGACY_STATES.get(resource, ()):
            column = f"{state}_at"
            return ListRoute(
                resource,
                f"/{resource}/{state}",
                resource,
                scope=state,
                only=lambda row: column in row,
                filterable=frozenset({"deleted_at", "id"}) if state == "deleted" else None,
                hidden=(),
            )
        case _:
            return None


def _signatures(form: Mapping[str, Any]) -> set[str]:
    """Name the signatures on a form: the one it links, and those among its answers."""
    sections = (form.get("content") or {}).get("sections") or []
    asked = [question for section in sections for question in section["questions"]]
    return {form["signatures_id"], *(question.get("signature_id") for question in asked)} - {None}


def _existing(resource: str, identity: str, account: Account) -> Mapping[str, Any]:
    table = account.tables.get(resource)
    if table is None or identity not in table:
        raise UnknownPathError(identity)
    return table[identity]


def _is_id(text: str) -> bool:
    return bool(re.fullmatch(r"\d{1,19}", text))


def is_conflicts(parts: list[str], account: Account) -> bool:
    """Tell whether the path asks for the conflicts of an existing booking."""
    return (
        len(parts) == len(("kind", "id", "conflicts"))
        and parts[0] in BOOKINGS
        and parts[2] == "conflicts"
        and parts[1] in account.tables[parts[0]]
    )
