"""What the clinic sent: every message counted, and the newest of each kind with their bookings and patients."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from tap_cliniko.rebuild.account import text
from tap_cliniko.rebuild.specimens import Message
from tap_cliniko.timestamps import normal

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import tzinfo

    from tap_cliniko.client import Row
    from tap_cliniko.rebuild.account import Account

NEWEST = 200
"""How many messages of a kind are looked at closely: enough to tell the timing, whatever the clinic's size."""

_SENT = 1
_LINKED = ("patient_id", "booking_id", "created_at", "content_subject", "content")


@dataclass(frozen=True, slots=True)
class Kind:
    """What a message is about and the channel it took, as Cliniko names them."""

    category: str
    code: int
    channel: str


@dataclass(slots=True)
class Sent:
    """The messages of one kind: how many, from when to when, and the newest of them, the newest last."""

    kind: Kind
    number: int = 0
    first: str = ""
    last: str = ""
    newest: list[tuple[str, int, Row]] = field(default_factory=list)

    def add(self, row: Row) -> None:
        """Count a message, and keep it while it is one of the newest."""
        at = text(row.get("created_at"))
        self.number += 1
        self.first, self.last = min(self.first or at, at), max(self.last, at)
        kept = (at, int(row["id"]), {name: row.get(name) for name in _LINKED})
        if len(self.newest) < NEWEST:
            heapq.heappush(self.newest, kept)
        else:
            heapq.heappushpop(self.newest, kept)

    def rows(self) -> list[Row]:
        """Return the newest messages, the oldest of them first."""
        return [row for _, _, row in sorted(self.newest, key=lambda kept: kept[:2])]


class Messages:
    """The messages of an account, and the facts beside the newest of each kind."""

    def __init__(self, account: Account) -> None:
        """Read them all, then what the newest are about."""
        self.counted: Counter[tuple[str, str, str]] = Counter()
        self.sent: dict[Kind, Sent] = {}
        for row in account.all("communications"):
            category, channel = text(row.get("category")), text(row.get("type"))
            self.counted[category, channel, text(row.get("direction_description"))] += 1
            if row.get("direction_code") == _SENT:
                kind = Kind(category, row.get("category_code") or 0, channel)
                self.sent.setdefault(kind, Sent(kind)).add(row)
        #: Forms that were sent, the newest first, and how many there are in all.
        self.forms, self.forms_sent = account.newest("patient_forms")
        of_forms = {str(row["booking_id"]) for row in self.forms if row.get("booking_id")}
        self.bookings = _bookings(account, self._linked("booking_id") | of_forms)
        self.patients = account.with_ids("patients", self._linked("patient_id"))
        self._places = {str(each["id"]): each for each in account.all("businesses")}
        self._types = account.named("appointment_types")
        self._phrases = _phrases(account)

    def _linked(self, name: str) -> set[str]:
        return {str(row[name]) for sent in self.sent.values() for row in sent.rows() if row.get(name)}

    def zone(self, booking: Row) -> tzinfo:
        """Return the time zone of the place of a booking."""
        place = self._places.get(text(booking.get("business_id")), {})
        try:
            return ZoneInfo(text(place.get("time_zone_identifier")) or "UTC")
        except (ZoneInfoNotFoundError, ValueError):
            return UTC

    def types_of(self, rows: Sequence[Row]) -> list[str]:
        """Name the types of the bookings that messages are about."""
        bookings = (self.bookings.get(text(row.get("booking_id")), {}) for row in rows)
        ids = {text(each.get("appointment_type_id")) for each in bookings}
        return sorted({self._types[each] for each in ids if each in self._types})

    def booked_online(self, row: Row) -> bool:
        """Tell whether a message is about a booking that the patient made online."""
        booking = self.bookings.get(text(row.get("booking_id")), {})
        return bool(booking.get("booking_ip_address") or booking.get("online_booking_policy_accepted"))

    def to_mask(self, row: Row) -> Message:
        """Return a message with everything that is known of its patient and of the clinic."""
        patient = self.patients.get(text(row.get("patient_id")), {})
        own = {
            text(patient.get("first_name")): "{{contact.first_name}}",
            text(patient.get("preferred_first_name")): "{{contact.first_name}}",
            text(patient.get("last_name")): "{{contact.last_name}}",
        }
        return Message(
            text(row.get("patient_id")),
            text(row.get("content_subject")),
            text(row.get("content")),
            {**self._phrases, **own},
        )


def _bookings(account: Account, ids: set[str]) -> dict[str, Row]:
    found = account.with_ids("individual_appointments", ids)
    return found | account.with_ids("group_appointments", ids - found.keys())


def _phrases(account: Account) -> Mapping[str, str]:
    """Name what the clinic itself is called by, with the merge fields that stand for it."""
    phrases: dict[str, str] = {}
    for name, field_name in (
        ("businesses", "{{location.name}}"),
        ("practitioners", "{{appointment.user.name}}"),
        ("appointment_types", "{{appointment.title}}"),
    ):
        phrases |= dict.fromkeys(account.named(name).values(), field_name)
    return phrases


def moment(value: object) -> datetime | None:
    """Read a moment of the API; none where there is none."""
    try:
        return datetime.fromisoformat(normal(text(value)))
    except ValueError:
        return None
