"""The data of an emulated Cliniko account and the changes people make to it."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from sandbox.cliniko.catalogue import BOOKINGS, RESOURCES
from sandbox.cliniko.identity import Identities
from sandbox.cliniko.table import Row, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from sandbox.clinic.files import FileContent

OWN_CHILDREN = {
    name: tuple(f"{link}_id" for link, target in resource.links.items() if target == "patients")
    for name, resource in RESOURCES.items()
}
"""The columns of each resource that point at a patient."""

HIDING = ("archived_at", "cancelled_at", "deleted_at")

_STATE_MIRRORED = (
    "cancelled_at",
    "cancellation_note",
    "cancellation_reason",
    "cancellation_reason_description",
)


def timestamp(moment: datetime | float) -> str:
    """Write a moment as the API does: UTC, whole seconds, ending in Z."""
    if not isinstance(moment, datetime):
        moment = datetime.fromtimestamp(moment, tz=UTC)
    return f"{moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='seconds')}Z"


@dataclass
class Account:
    """Tables by resource, the settings, the keys, and the bytes of the files."""

    settings: dict[str, Any] = field(default_factory=dict)
    services: list[dict[str, Any]] = field(default_factory=list)
    api_keys: dict[str, str] = field(default_factory=dict)
    files: dict[str, FileContent] = field(default_factory=dict)
    clock: Callable[[], float] = time.time
    hiding_bumps_updated_at: bool = True
    unhiding_bumps_updated_at: bool = True
    paying_bumps_updated_at: bool = True
    merging_bumps_children: bool = False

    def __post_init__(self) -> None:
        """Make an empty table for every resource."""
        self.tables: dict[str, Table] = {name: Table(resource) for name, resource in RESOURCES.items()}
        self.identities = Identities()
        self.lock = threading.RLock()
        self.former: dict[tuple[str, str], tuple[float, Row]] = {}

    def now(self) -> str:
        """Return the time of a change made now."""
        return timestamp(self.clock())

    def api_key(self, role: str) -> str:
        """Return the key of the first user with a role."""
        for key, user in self.api_keys.items():
            if self.tables["users"][user]["role"] == role:
                return key
        message = f"no user of the account has the role {role}"
        raise LookupError(message)

    def settle_hidden_rows(self) -> None:
        """Let rows that were hidden before the clinic opened look as if hiding had always worked as it does now."""
        for table in self.tables.values():
            for row in table.rows():
                hidden = max((row[name] for name in HIDING if row.get(name)), default=None)
                if hidden is None:
                    continue
                if self.hiding_bumps_updated_at and row["updated_at"] < hidden:
                    table.update(row["id"], {"updated_at": hidden})
                elif not self.hiding_bumps_updated_at and row["updated_at"] >= hidden:
                    table.update(row["id"], {"updated_at": row["created_at"]})

    def settle_paid_invoices(self) -> None:
        """Let invoices that were settled before the clinic opened look as if paying had always worked as it does now."""
        if self.paying_bumps_updated_at:
            return
        for row in self.tables["invoices"].rows():
            if row.get("closed_at") and not any(row.get(name) for name in HIDING):
                later = datetime.fromisoformat(row["created_at"]) + timedelta(hours=1)
                values = {"updated_at": row["created_at"], "closed_at": min(timestamp(later), self.now())}
                self.tables["invoices"].update(row["id"], values)

    def booking(self, identity: str) -> tuple[str, Row]:
        """Return the kind and the row of a booking; the three kinds share their ids."""
        for kind in BOOKINGS:
            if identity in self.tables[kind]:
                return kind, self.tables[kind][identity]
        message = f"no bookings/{identity}"
        raise KeyError(message)

    def where(self, resource: str, column: str, value: str) -> list[Row]:
        """Return the rows whose column has a value."""
        return [row for row in self.tables[resource].rows() if row.get(column) == value]

    def insert(self, resource: str, values: Mapping[str, Any]) -> Row:
        """Add a row; id and timestamps are made when they are not given."""
        with self.lock:
            created = values.get("created_at") or self.now()
            row = {"created_at": created, "updated_at": created, **values}
            if "id" not in row:
                row["id"] = self.identities.at(datetime.strptime(created, "%Y-%m-%dT%H:%M:%S%z"))
            return self.tables[resource].insert(row)

    def update(self, resource: str, identity: str, values: Mapping[str, Any], *, bump: bool = True) -> Row:
        """Change a row; updated_at moves unless `bump` is off or the values say otherwise."""
        with self.lock:
            before = Row(self.tables[resource][identity])
            self.former[resource, identity] = (self.clock(), before)
            stamped = {"updated_at": self.now(), **values} if bump else values
            return self.tables[resource].update(identity, stamped)

    def hide(self, resource: str, identity: str, column: str, extra: Mapping[str, Any] | None = None) -> Row:
        """Archive, cancel or softly delete a row."""
        values = {column: self.now(), **(extra or {})}
        return self.update(resource, identity, values, bump=self.hiding_bumps_updated_at)

    def archive(self, resource: str, identity: str) -> Row:
        """Archive a row."""
        return self.hide(resource, identity, "archived_at")

    def process_file(self, identity: str, content: FileContent, filename: str) -> Row:
        """Finish the processing of an uploaded file: its bytes, name and size are there now."""
        self.files[identity] = content
        known = {
            "filename": filename,
            "content_type": content.content_type,
            "size": content.size,
            "processed_at": self.now(),
            "processing_completed": True,
        }
        return self.update("patient_attachments", identity, known)

    def unarchive(self, resource: str, identity: str) -> Row:
        """Bring an archived row back."""
        return self._bring_back(resource, identity, {"archived_at": None})

    def _bring_back(self, resource: str, identity: str, values: Mapping[str, Any]) -> Row:
        return self.update(resource, identity, values, bump=self.unhiding_bumps_updated_at)

    def pay(self, identity: str) -> Row:
        """Settle an invoice."""
        values = {"closed_at": self.now(), "status": 20, "status_description": "Paid"}
        return self.update("invoices", identity, values, bump=self.paying_bumps_updated_at)

    def soft_delete(self, resource: str, identity: str) -> Row:
        """Remove a row the older way: it is archived and carries deleted_at."""
        return self.hide(resource, identity, "deleted_at", {"archived_at": self.now()})

    def cancel(self, resource: str, identity: str, *, reason: int = 50, note: str | None = None) -> Row:
        """Cancel an appointment with its attendee, or one attendee of a group."""
        description = CANCELLATION_REASONS[reason]
        values = {
            "cancellation_reason": reason,
            "cancellation_reason_description": description,
            "cancellation_note": note,
        }
        row = self.hide(resource, identity, "cancelled_at", values)
        if resource == "individual_appointments":
            for attendee in self.where("attendees", "booking_id", identity):
                self.hide("attendees", attendee["id"], "cancelled_at", values)
        return row

    def uncancel(self, resource: str, identity: str) -> Row:
        """Take a cancellation back."""
        row = self._bring_back(resource, identity, dict.fromkeys(_STATE_MIRRORED))
        if resource == "individual_appointments":
            for attendee in self.where("attendees", "booking_id", identity):
                self._bring_back("attendees", attendee["id"], dict.fromkeys(_STATE_MIRRORED))
        return row

    def delete(self, resource: str, identity: str) -> Row:
        """Remove a row without a trace; a patient takes everything that hangs on it along."""
        with self.lock:
            if resource == "patients":
                for child, columns in OWN_CHILDREN.items():
                    self._delete_all(child, self._of_patient(child, columns, identity))
            if resource == "invoices":
                self._delete_all("invoice_items", self.where("invoice_items", "invoice_id", identity))
            if resource in BOOKINGS:
                self._delete_all("attendees", self.where("attendees", "booking_id", identity))
            if resource == "attendees":
                row = self.tables[resource][identity]
                self._change_places(row["booking_id"], row["patient_id"], None)
            return self.tables[resource].remove(identity)

    def merge(self, loser: str, survivor: str) -> Row:
        """Merge two patients: the loser is archived and its children move to the survivor."""
        if loser == survivor:
            message = f"patients/{loser} cannot be merged with itself"
            raise ValueError(message)
        with self.lock:
            self.tables["patients"][survivor]
            for child, columns in OWN_CHILDREN.items():
                for column in columns:
                    if child != "patients":
                        self._move(child, column, loser, survivor)
            moment = self.now()
            return self.hide(
                "patients", loser, "archived_at", {"merged_at": moment, "merged_with_patient_id": survivor}
            )

    def _move(self, child: str, column: str, loser: str, survivor: str) -> None:
        for row in self.where(child, column, loser):
            self.update(child, row["id"], {column: survivor}, bump=self.merging_bumps_children)
            if child == "attendees":
                self._change_places(row["booking_id"], loser, survivor)

    def _change_places(self, booking: str | None, patient: str | None, other: str | None) -> None:
        """Keep the patients that a group appointment names in step with its attendees."""
        groups = self.tables["group_appointments"]
        if booking is not None and booking in groups:
            named = [one for one in groups[booking].get("patient_ids") or [] if one != patient]
            self.update(
                "group_appointments",
                booking,
                {"patient_ids": named + ([other] if other else [])},
                bump=self.merging_bumps_children,
            )

    def _of_patient(self, child: str, columns: Iterable[str], identity: str) -> list[Row]:
        if child == "patients":
            return []
        return [row for column in columns for row in self.where(child, column, identity)]

    def _delete_all(self, resource: str, rows: Iterable[Row]) -> None:
        for row in list(rows):
            if row["id"] in self.tables[resource]:
                self.delete(resource, row["id"])


CANCELLATION_REASONS = {
    10: "Feeling Better",
    20: "Condition Worse",
    30: "Sick",
    31: "COVID-19 related",
    40: "Away",
    50: "Other",
    60: "Work",
}
