"""Collects what cannot move by itself, so that somebody can build it again by hand on the other side."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cliniko.errors import NotFound, RoleRefused
from tap_cliniko.filters import revealed
from tap_cliniko.reading import ListReader, Stretch
from tap_cliniko.records import Normaliser, linked_id, questions
from tap_cliniko.resources import BY_NAME, Shape

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tap_cliniko.client import ClinikoClient, Row

_DAYS = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")


@dataclass(frozen=True, slots=True)
class Table:
    """A table of the document."""

    columns: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the document: what it is, how to rebuild it, and the facts."""

    title: str
    how: str
    tables: list[Table] = field(default_factory=list)


class Reference:
    """Reads what is needed and writes the sections; what the key may not read is said instead."""

    def __init__(self, client: ClinikoClient) -> None:
        """Read nothing yet."""
        self._client = client
        self._names: dict[str, dict[str, str]] = {}
        self._refused: list[str] = []

    def sections(self) -> list[Section]:
        """Return the whole document."""
        writers: tuple[Callable[[], Section], ...] = (
            self._appointment_types,
            self._messages,
            self._templates_in_use,
            self._online_booking,
            self._availability,
            self._note_templates,
            self._form_templates,
            self._custom_fields,
            self._concessions,
            self._users,
        )
        written = [writer() for writer in writers]
        if self._refused:
            rows = [(name,) for name in sorted(set(self._refused))]
            how = "The key's role may not read these, so what is said above about them is missing."
            written.append(Section("Not readable with this key", how, [Table(("list",), rows)]))
        return written

    # ------------------------------------------------------------------ sections

    def _appointment_types(self) -> Section:
        rows = [
            (
                _text(each["name"]),
                _text(each.get("category")),
                f"{_text(each.get('duration_in_minutes'))} min",
                _text(each.get("max_attendees")),
                _yes(each.get("show_in_online_bookings")),
                _yes(each.get("telehealth_enabled")),
                _text(each.get("deposit_price")),
                "archived" if each.get("archived_at") else "",
            )
            for each in self._all("appointment_types")
        ]
        columns = ("type", "category", "length", "places", "online", "video", "deposit", "")
        how = "Create one calendar (or one service) per type that is still in use, with this length."
        return Section("Appointment types", how, [Table(columns, rows)])

    def _templates_in_use(self) -> Section:
        kinds = ("confirmation", "reminder", "follow_up")
        rows = [
            (
                _text(each["name"]),
                *(", ".join(each.get(f"appointment_{kind}_template_ids") or []) for kind in kinds),
            )
            for each in self._all("appointment_types")
        ]
        how = (
            "Cliniko's API gives the ids of the templates only, not their texts or timing. Copy the "
            "texts from Cliniko (Settings, Communication templates) into one workflow per kind of message."
        )
        table = Table(("type", "confirmation", "reminder", "follow-up"), rows)
        return Section("Message templates in use", how, [table])

    def _messages(self) -> Section:
        counted = Counter(
            (_text(each.get("category")), _text(each.get("type")), _text(each.get("direction_description")))
            for each in self._all("communications")
        )
        rows = [
            (*key, str(number))
            for key, number in sorted(counted.items(), key=lambda item: (-item[1], item[0]))
        ]
        how = "What the clinic really sends, most frequent first: build the automations in this order."
        table = Table(("category", "channel", "direction", "messages"), rows)
        return Section("Messages sent so far", how, [table])

    def _online_booking(self) -> Section:
        settings = self._one("public_settings")
        rows: list[tuple[str, ...]] = []
        for group in ("online_bookings", "online_payments", "reminders", "wait_list", "sms", "terminology"):
            rows += [(group.replace("_", " "), name, value) for name, value in _leaves(settings.get(group))]
        for each in self._all("appointment_types"):
            lead = each.get("online_bookings_lead_time_hours")
            if each.get("show_in_online_bookings"):
                rows.append((_text(each["name"]), "lead time", f"{_text(lead)} h"))
        how = (
            "Set the booking rules of each calendar like this; video links come from the calendar's provider."
        )
        return Section("Online booking, payment, reminders", how, [Table(("area", "setting", "value"), rows)])

    def _availability(self) -> Section:
        practitioners, businesses = self._named("practitioners"), self._named("businesses")
        rows = [
            (
                practitioners.get(linked_id(each.get("practitioner")) or "", "?"),
                businesses.get(linked_id(each.get("business")) or "", "?"),
                _day(each.get("day_of_week")),
                ", ".join(
                    f"{span.get('starts_at')} to {span.get('ends_at')}"
                    for span in each.get("availabilities") or []
                ),
                _text(each.get("time_zone_identifier")),
            )
            for each in self._all("daily_availabilities")
        ]
        how = "Enter these as the opening hours of each practitioner's calendar, then check one week."
        columns = ("practitioner", "location", "day", "hours", "time zone")
        return Section("Weekly availability", how, [Table(columns, sorted(rows, key=_by_day_of_week))])

    def _note_templates(self) -> Section:
        how = "Notes arrive as text. To go on writing such notes, rebuild each template as a form."
        return Section("Treatment note templates", how, self._templates("treatment_note_templates"))

    def _form_templates(self) -> Section:
        how = "Build each as a form or survey; connect name, address and phone to the contact's fields."
        return Section("Patient form templates", how, self._templates("patient_form_templates"))

    def _custom_fields(self) -> Section:
        definition = self._one("public_settings").get("patient_custom_fields_definition")
        rows = [
            (
                _text(section.get("name")),
                _text(each.get("name")),
                _text(each.get("type")),
                ", ".join(_text(option.get("name")) for option in each.get("options") or []),
                _text(each.get("token")),
                "archived" if each.get("archived") or section.get("archived") else "",
            )
            for section in _list(definition, "sections")
            for each in _list(section, "fields")
        ]
        how = "Values move with the patients; create fields of your own for those you want to search or show."
        return Section(
            "Patient custom fields", how, [Table(("section", "field", "kind", "options", "token", ""), rows)]
        )

    def _concessions(self) -> Section:
        items, kinds = self._named("billable_items"), self._named("concession_types")
        rows = [
            (
                kinds.get(linked_id(each.get("concession_type")) or "", "?"),
                items.get(linked_id(each.get("billable_item")) or "", "?"),
                _text(each.get("price")),
            )
            for each in self._all("concession_prices")
        ]
        how = "There is no concession in HighLevel: make a price of its own for each, or a discount."
        return Section("Concession prices", how, [Table(("concession", "service", "price"), sorted(rows))])

    def _users(self) -> Section:
        practising = {linked_id(each.get("user")) for each in self._all("practitioners")}
        rows = [
            (
                f"{_text(each.get('first_name'))} {_text(each.get('last_name'))}".strip(),
                _text(each.get("email")),
                _text(each.get("role")),
                _yes(str(each["id"]) in practising),
                _yes(each.get("active")),
            )
            for each in self._all("users")
        ]
        how = "Invite each active person with this e-mail address: it decides who owns which patient."
        return Section(
            "Users and roles", how, [Table(("name", "e-mail", "role", "practitioner", "active"), rows)]
        )

    # ------------------------------------------------------------------ reading

    def _templates(self, name: str) -> list[Table]:
        rows = [
            (
                _text(each["name"]),
                _text(question.get("name")),
                _text(question.get("type")),
                _options(question),
            )
            for each in self._all(name)
            if not each.get("archived_at")
            for question in questions(each.get("content"))
        ]
        return [Table(("template", "question", "kind", "options"), rows)]

    def _all(self, name: str) -> Iterator[Row]:
        """Read a list by id; one that the role may not read is noted and counts as empty."""
        resource = BY_NAME[name]
        normal = Normaliser(resource)
        try:
            for path in (resource.url_path, *resource.also):
                reader = ListReader(self._client, path, name)
                for chunk in reader.chunks(revealed(resource), [Stretch()]):
                    yield from map(normal, chunk.rows)
        except (RoleRefused, NotFound):
            self._refused.append(name)

    def _one(self, name: str) -> Row:
        resource = BY_NAME[name]
        if resource.shape is not Shape.OBJECT:
            msg = f"{name} is no single object"
            raise ValueError(msg)
        return self._client.object(resource.url_path)

    def _named(self, name: str) -> dict[str, str]:
        """Return the names of a list's rows by id; each list is read once for this."""
        if name not in self._names:
            self._names[name] = {str(each["id"]): _label(each) for each in self._all(name)}
        return self._names[name]


def _label(row: Row) -> str:
    return _text(
        row.get("label")
        or row.get("display_name")
        or row.get("name")
        or row.get("business_name")
        or row["id"]
    )


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _yes(value: Any) -> str:
    return {True: "yes", False: "no"}.get(value, "")


def _by_day_of_week(row: tuple[str, ...]) -> tuple[str, str, int, str]:
    """Put the week of each practitioner at each location in its own order."""
    practitioner, location, day, hours, _ = row
    return practitioner, location, _DAYS.index(day, 1) if day in _DAYS else len(_DAYS), hours


def _day(number: Any) -> str:
    return _DAYS[number] if isinstance(number, int) and 0 <= number < len(_DAYS) else _text(number)


def _list(tree: Any, name: str) -> list[Row]:
    found = tree.get(name) if isinstance(tree, dict) else None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else []


def _options(question: Row) -> str:
    answers = [_text(each.get("value")) for each in _list(question, "answers")]
    given = question.get("options")
    return ", ".join(
        [*answers, *(str(each) for each in given if isinstance(given, list))] if given else answers
    )


def _leaves(tree: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Walk through a settings group and name each value by its path."""
    if isinstance(tree, dict):
        for name, value in tree.items():
            yield from _leaves(value, f"{path} {name}".strip().replace("_", " "))
    elif isinstance(tree, list):
        yield path, ", ".join(map(_text, tree))
    elif tree is not None:
        yield path, _yes(tree) if isinstance(tree, bool) else _text(tree)
