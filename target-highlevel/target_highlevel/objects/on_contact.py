"""Notes, tasks and calendar events: things that hang on a contact and carry our marker in their text."""

from __future__ import annotations

from abc import abstractmethod
from datetime import UTC
from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from target_highlevel.assumptions import question
from target_highlevel.marker import in_its_place, marked, originals, with_marker, without_marker
from target_highlevel.objects.base import Created, Existing, ObjectKind, present
from target_highlevel.objects.refused_fields import named_fields
from target_highlevel.values import date_time, from_epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.activities import Activities
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.errors import Refused
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import Updated


class OnContact(ObjectKind):
    """Created under its contact, found again by the marker in the contact's own list, which does not lag."""

    on_contact = True
    #: Whether it bears our marker; what does not is told apart by the ledger alone.
    is_marked: ClassVar[bool] = True
    #: Where the text with the marker is.
    marked_field: ClassVar[str]
    #: Our name of each field and the API's.
    names: ClassVar[Mapping[str, str]]
    #: Fields that it can do without, where HighLevel refuses them.
    spare: ClassVar[frozenset[str]] = frozenset({"user"})
    #: The question of the register that says how long the text may be.
    length: ClassVar[str]

    @property
    @abstractmethod
    def activities(self) -> Activities:
        """Return the part of the API for this kind."""

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create it with everything in one request."""
        parent = self.parent_id(row)
        return Created(self.activities.create(parent, self._body(present(wanted))), parent)

    def _body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {self.names[name]: value for name, value in fields.items()}

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return its fields."""
        return self.decode(self.activities.get(self.parent_id(row), str(row.hl_id)))

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item of the API in our shape."""
        fields = {name: item.get(api) for name, api in self.names.items()}
        return {**fields, "body": in_its_place(fields["body"])}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write the changed fields; one that HighLevel refuses is left as it is there, and noted."""
        return self._write(self.parent_id(row), row, spec, changes)

    def _write(self, contact_id: str, row: Row, spec: StreamSpec, changes: Mapping[str, Any]) -> Updated:
        update = self.activities.update
        return self.leaving_out(
            spec, changes, lambda left: update(contact_id, str(row.hl_id), self._body(left))
        )

    @override
    def refused_field(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> str | None:
        if self.too_long(refused, spec, fields):
            return None
        return next((name for name in self.named_by(refused, spec, fields) if name in self.spare), None)

    def detached_text(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        """Take the marker off the copy that stays, so that no two things carry the same one; its text is kept.

        What is still to be done is done with the other copy, so this one is closed: nobody shall act on both.
        """
        if marked(there.get("body")) != source_id:
            return {}
        text = without_marker(str(there["body"]), f"{why} ({source_id})")
        longest = self.ctx.catalogue.known.number(self.length)
        if longest is not None and len(text) > longest:  # the title says why
            text = without_marker(str(there["body"]), f"({source_id})")
        title = {"title": f"{why}: {there['title']}"} if "title" in there else {}
        return {**title, "body": text, **self.closed(there)}

    @override
    def length_question(self, spec: StreamSpec, name: str) -> str:
        return self.length if name == "body" else super().length_question(spec, name)

    @override
    def text_place(self, spec: StreamSpec, name: str) -> str:
        return f"{self.api}.{name}"

    @override
    def named_by(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> Iterable[str]:
        return named_fields(refused, {api: name for name, api in self.names.items()}, fields)

    def closed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Return what closes a copy that is left behind; by default there is nothing to close."""
        return {}

    def listed(self, contact_id: str) -> Iterable[dict[str, Any]]:
        """Return everything of this kind that hangs on a contact."""
        return self.activities.listed(contact_id)

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the Cliniko record that an item of the API carries the marker of."""
        return marked(item.get(self.marked_field))

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Look for our marker among what hangs on the contact."""
        found = self.ours(self.parent_id(row)).get(row.source_id)
        return str(found["id"]) if found else None

    def ours(self, contact_id: str) -> dict[str, Mapping[str, Any]]:
        """Return what hangs on a contact and carries our marker, by source id."""
        return originals((self.source_id(item), item) for item in self.listed(contact_id))

    def remove(self, row: Row) -> None:
        """Delete it."""
        self.activities.delete(str(row.parent_id), str(row.hl_id))

    @abstractmethod
    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields."""


#: What a note has beside its text, by our names and the API's; whether HighLevel shows it is the question `note_extras`.
EXTRAS = frozenset({"title", "pinned"})


class Note(OnContact):
    """A note; its original date stands in its title and text, because HighLevel dates it by the moment of the call."""

    api = "notes"
    length = question("note_length")
    spare = EXTRAS | {"user"}
    unkept = EXTRAS
    marked_field = "body"
    names: ClassVar[Mapping[str, str]] = {
        "title": "title",
        "body": "body",
        "user": "userId",
        "pinned": "pinned",
    }

    @property
    def activities(self) -> Activities:
        """Return notes."""
        return self.ctx.highlevel.notes

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return title, text and author; the author is left out when the practitioner has no user.

        So are title and pin in a sub-account that was measured to drop or to refuse them.
        """
        author = self.ctx.work.hl_id(fields["owner"]) if fields.get("owner") else None
        wanted = {
            "title": fields.get("title"),
            "body": with_marker(row.source_id, fields.get("body")),
            "user": author,
            # of a note that never was pinned nothing is said: HighLevel may not keep it
            "pinned": bool(fields.get("pinned")) if fields.get("pinned") or "pinned" in row.written else None,
        }
        if self.ctx.catalogue.known.answer("note_extras") in {"dropped", "refused"}:
            wanted |= {"title": None, "pinned": None}
        return {name: value for name, value in wanted.items() if value is not None}

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return a note in our shape; an answer that shows neither title nor pin says nothing of them."""
        fields = super().decode(item)
        unseen = set() if EXTRAS & item.keys() else EXTRAS
        return {name: value for name, value in fields.items() if name not in unseen}


class Task(OnContact):
    """An appointment as a task, done when it is over: an open task of years ago would flood somebody's list."""

    api = "tasks"
    length = question("task_length")
    marked_field = "body"
    names: ClassVar[Mapping[str, str]] = {
        "title": "title",
        "body": "body",
        "due": "dueDate",
        "completed": "completed",
        "user": "assignedTo",
    }

    @property
    def activities(self) -> Activities:
        """Return tasks."""
        return self.ctx.highlevel.tasks

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return title, text, due date, whether it is done, and whose it is."""
        wanted = {
            "title": title_of(fields),
            "body": text_of(row, fields),
            "due": fields.get("starts_at"),
            "completed": self._completed(fields),
            "user": self.user(fields.get("owner")),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _completed(self, fields: Mapping[str, Any]) -> bool:
        if fields.get("completed") is not None:
            return bool(fields["completed"])
        over = fields.get("ends_at") or fields.get("starts_at") or ""
        return bool(over) and over <= f"{self.ctx.now():%Y-%m-%dT%H:%M:%SZ}"

    def closed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Tick the task off."""
        return {} if there.get("completed") else {"completed": True}

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return a task in our shape; the due date comes back with milliseconds."""
        fields = super().decode(item)
        return {**fields, "due": whole_seconds(fields["due"])}


def title_of(fields: Mapping[str, Any]) -> str | None:
    """Return the title of an appointment, behind what has become of it: ``Cancelled: Massage with Orla``."""
    told = [str(fields[name]) for name in ("title_prefix", "title") if fields.get(name)]
    return ": ".join(told) or None


def text_of(row: Row, fields: Mapping[str, Any]) -> str:
    """Return the text of an appointment: its own part, the part it shares with its group, its items, and the marker."""
    items = fields.get("items") or fields.get("usual_items")
    return with_marker(row.source_id, fields.get("body"), fields.get("shared_body"), items)


def whole_seconds(moment: Any) -> Any:
    """Return a date-time in UTC without milliseconds, as Cliniko writes it.

    HighLevel may show it in the clinic's zone, or as a number of milliseconds.
    One without a zone is left as it is: nobody says which moment it means.
    """
    text = str(moment or "")
    named = from_epoch(moment) or date_time(text)
    if named is None or named.tzinfo is None:
        return text or None
    return named.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
