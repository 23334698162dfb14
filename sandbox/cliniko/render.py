"""How rows become the JSON records of the API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from sandbox.cliniko.catalogue import BOOKINGS, RESOURCES

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.cliniko.account import Account
    from sandbox.cliniko.options import ClinikoOptions
    from sandbox.cliniko.table import Row

_DERIVED = ("invoice_status", "treatment_note_status", "has_patient_appointment_notes", "email_reminder_sent")
_REFERRERS = {"Patient": "patients", "Contact": "contacts"}
_MEMO = 12
_EMAIL = 2


def link(url: str) -> dict[str, Any]:
    """Wrap a URL the way every relation is."""
    return {"links": {"self": url}}


class Renderer:
    """Writes records with links on `base`, such as `http://127.0.0.1:8000/v1`."""

    def __init__(self, account: Account, options: ClinikoOptions) -> None:
        """Render rows of this account."""
        self._account = account
        self._options = options

    def record(self, resource: str, row: Row, base: str) -> dict[str, Any]:
        """Return the record of a row."""
        if resource == "bookings":
            resource = self._account.booking(row["id"])[0]
        declared = RESOURCES[resource]
        shown = self._maybe_stale(resource, row)
        record: dict[str, Any] = {column: shown.get(column) for column in declared.plain}
        for name, target in declared.links.items():
            if (identity := row.get(f"{name}_id")) is not None:
                record[name] = link(self._relation(resource, name, target, identity, base))
        for name, path in declared.collections.items():
            record[name] = link(base + _encoded(path, row["id"]))
        record["links"] = {"self": f"{base}/{resource}/{row['id']}"}
        if special := _SPECIAL.get(resource):
            special(record, row, base)
        if self._options.fractional_seconds:
            record |= {name: _finer(value) for name, value in record.items() if name.endswith("_at")}
        if odd := self._options.odd_moment:
            record |= {name: odd for name, value in record.items() if name.endswith("_at") and value}
        if self._options.extra_fields:
            record["sandbox_unknown_text"] = "unknown"
            record["sandbox_unknown_tree"] = {"list": [1, None, {"deep": True}]}
        return record

    def _relation(self, resource: str, name: str, target: str, identity: str, base: str) -> str:
        if (resource, name) == ("invoices", "appointment"):
            return f"{base}/appointments/{identity}"
        if self._options.mixed_link_hosts and target in _MIXED:
            return _spelt_differently(base, target, identity)
        return f"{base}/{target}/{identity}"

    def _maybe_stale(self, resource: str, row: Row) -> Row:
        """Return the row with the derived fields it had a while ago, as a cache would show it."""
        lag = self._options.stale_seconds
        if not lag or resource not in {"individual_appointments", "attendees"}:
            return row
        changed, before = self._account.former.get((resource, row["id"]), (0.0, row))
        if self._account.clock() - changed >= lag:
            return row
        stale = type(row)(row)
        stale.assign({column: before.get(column) for column in _DERIVED})
        return stale

    def service(self, service: dict[str, Any], base: str) -> dict[str, Any]:
        """Return the record of who offers an appointment type where."""
        return {
            "appointment_type": link(f"{base}/appointment_types/{service['appointment_type_id']}"),
            "business": link(f"{base}/businesses/{service['business_id']}"),
            "practitioners": [link(f"{base}/practitioners/{one}") for one in service["practitioner_ids"]],
        }


def _finer(moment: Any) -> Any:
    """Write a moment with a fraction of its second."""
    return f"{moment[:-1]}.417Z" if isinstance(moment, str) and moment.endswith("Z") else moment


_MIXED = frozenset({"patients", "practitioners", "businesses", "appointment_types", "contacts"})


def _spelt_differently(base: str, target: str, identity: str) -> str:
    """Spell some links as documented samples do: another host, an internal path, a query."""
    spelling = int(identity) % 11
    if spelling == 1:
        return f"https://api.cliniko.com/v1/{target}/{identity}"
    if spelling == 2:  # noqa: PLR2004 - an arbitrary share of the ids
        return f"http://api.cliniko.com/v1/internal/{target}/{identity}"
    if spelling == 3:  # noqa: PLR2004 - an arbitrary share of the ids
        return f"{base}/{target}/{identity}?page=1"
    return f"{base}/{target}/{identity}"


def _encoded(path: str, identity: str) -> str:
    """Fill the id into the path of a list and encode its filter."""
    filled = path.replace("{id}", identity)
    route, question, query = filled.partition("?")
    if not question:
        return route
    key, _, value = query.partition("=")
    return f"{route}?{quote(key, safe='')}={quote(value, safe='')}"


def _booking(record: dict[str, Any], _row: Row, _base: str) -> None:
    record["repeat_rule"] = record["repeat_rule"] or {}
    if not record["repeat_rule"]:
        record["repeats"] = None


def _referral_source(record: dict[str, Any], row: Row, base: str) -> None:
    record["links"] = {"self": f"{base}/patients/{row['patient_id']}/referral_source"}
    kind = _REFERRERS.get(row.get("referrer_type") or "")
    record["referrer"] = (
        link(f"{base}/{kind}/{row['referrer_id']}") if kind and "referrer_id" in row else None
    )


def _referral_source_type(record: dict[str, Any], row: Row, base: str) -> None:
    kind = _REFERRERS.get(row.get("referrer_type") or "")
    record["referrers"] = link(f"{base}/{kind}") if kind else None


def _attachment(record: dict[str, Any], row: Row, base: str) -> None:
    done = row.get("processing_completed")
    record["content"] = link(f"{base}/patient_attachments/{row['id']}/content") if done else None


def _communication(record: dict[str, Any], row: Row, _base: str) -> None:
    if row.get("category_code") != _MEMO:
        record.pop("confidential")
    if row.get("type_code") != _EMAIL:
        record.pop("content_subject")


def _form(record: dict[str, Any], row: Row, base: str) -> None:
    if signature := row.get("signatures_id"):
        record["signatures"] = link(f"{base}/patient_forms/{row['id']}/signatures/{signature}")


_SPECIAL: dict[str, Callable[[dict[str, Any], Row, str], None]] = {
    **dict.fromkeys(BOOKINGS, _booking),
    "referral_sources": _referral_source,
    "referral_source_types": _referral_source_type,
    "patient_attachments": _attachment,
    "communications": _communication,
    "patient_forms": _form,
}
