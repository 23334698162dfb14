"""What one probe has made so far, for its measurements to work with, and what it has found."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.contacts import value_name
from target_highlevel.assumptions import Measurement, assumption
from target_highlevel.probe.belongings import MARK, MARK_FIELD, NAME

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from target_highlevel.probe.asking import Asker, Said

FIRST_NAME, LAST_NAME = "Probe", "OfTheMigration"
#: Nobody is to be reached through the probe's contact, whatever a workflow tries.
_SILENCED = {channel: {"status": "active"} for channel in ("Call", "Email", "SMS", "WhatsApp", "GMB", "FB")}


@dataclass
class Own:
    """The probe's own things, and the ways to ask and to answer."""

    asker: Asker
    found: Found
    wait: Callable[[float], Any]
    clock: Callable[[], float]
    contact: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    country: str = ""
    search_lag: float = 0.0

    def ask(self, *arguments: Any, **named: Any) -> Said:
        """Send a request."""
        return self.asker.ask(*arguments, **named)

    def make_field(self, word: str, data_type: str, **more: Any) -> Said:
        """Make a custom field of contacts; the empty word is the one with the mark."""
        name = f"{NAME} {word}" if word else MARK_FIELD
        body = {"name": name, "dataType": data_type, "model": "contact", **more}
        said = self.ask(endpoints.CREATE_CONTACT_FIELD, self.asker.location, json=body)
        if identity := said.identity("customField"):
            self.fields[word] = identity
        return said

    def make_contact(self, *values: dict[str, Any], **more: Any) -> Said:
        """Make a contact with the mark, silenced, without any address."""
        body = {
            "locationId": self.asker.location,
            "firstName": FIRST_NAME,
            "lastName": LAST_NAME,
            "dnd": True,
            "dndSettings": _SILENCED,
            "customFields": [self.value("", MARK), *values],
            **more,
        }
        return self.ask(endpoints.CREATE_CONTACT, json=body)

    def value(self, word: str, value: Any) -> dict[str, Any]:
        """Return the value of one of the probe's fields as it is written."""
        return {"id": self.fields[word], "field_value": value}

    def write(self, **fields: Any) -> Said:
        """Write fields of the probe's contact."""
        return self.ask(endpoints.UPDATE_CONTACT, self.contact, json=fields)

    def read(self) -> dict[str, Any]:
        """Return the probe's contact as it is read back; empty where it could not be read."""
        return self.ask(endpoints.GET_CONTACT, self.contact).part("contact")

    def field_read(self, word: str, contact: dict[str, Any] | None = None) -> Any:
        """Return the value of one of the probe's fields as it is read back; None where there is none."""
        entry = self.entry(word, self.read() if contact is None else contact)
        name = value_name(entry)
        return entry[name] if name else None

    def entry(self, word: str, contact: dict[str, Any]) -> dict[str, Any]:
        """Return what a contact shows of one of the probe's fields, in a list or by their ids; empty where nothing is shown."""
        identity, shown = self.fields.get(word), contact.get("customFields")
        if isinstance(shown, dict):
            return {"id": identity, "value": shown[identity]} if identity in shown else {}
        listed = [one for one in shown if isinstance(one, dict)] if isinstance(shown, list) else []
        return next((one for one in listed if one.get("id") == identity), {})


class Found:
    """Collects answers; each question is answered once."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        """Date the answers by this clock."""
        self._now = now
        self.measurements: dict[str, Measurement] = {}
        self.unanswered: dict[str, str] = {}

    def answer(self, name: str, answer: str, evidence: str) -> None:
        """Keep an answer of the register; another one is evidence that the register lacks it."""
        if not assumption(name).allows(answer):
            self.unknown(name, f"an answer the register does not know: {evidence}")
            return
        at = self._now().isoformat(timespec="seconds")
        self.measurements[name] = Measurement(name, answer, evidence, at)
        self.unanswered.pop(name, None)

    def unknown(self, name: str, why: str) -> None:
        """Keep why a question has no answer."""
        assumption(name)
        if name not in self.measurements:
            self.unanswered[name] = why
