"""Notes, tasks and calendar events: things that hang on a contact and carry our marker in their text."""

from __future__ import annotations

from abc import abstractmethod
from datetime import timezone
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.objects.base import Created, Existing, ObjectKind, marked, marker, present
from target_highlevel.values import date_time, from_epoch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row


class OnContact(ObjectKind):
    """Created under its contact, found again by the marker in the contact's own list, which does not lag."""

    on_contact = True
    #: Path of the list below the contact, the envelope of one answer, and where the text with the marker is.
    collection: ClassVar[str]
    envelope: ClassVar[str]
    marked_field: ClassVar[str]
    #: Our name of each field and the API's.
    names: ClassVar[Mapping[str, str]]

    @property
    def create_route(self) -> str:  # type: ignore[override]
        """Return the route for the audit trail."""
        return f"/contacts/{{id}}/{self.collection}"

    @property
    def update_route(self) -> str:  # type: ignore[override]
        """Return the route for the audit trail."""
        return f"/contacts/{{id}}/{self.collection}/{{childId}}"

    @property
    def remove_route(self) -> str:  # type: ignore[override]
        """Return the route for the audit trail."""
        return self.update_route

    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create it with everything in one request."""
        parent = self.parent_id(row)
        answer = self.around.client.request(
            "POST",
            f"/contacts/{parent}/{self.collection}",
            route=self.create_route,
            json=self._body(present(wanted)),
        )
        return Created(answer[self.envelope]["id"], parent)

    def _body(self, fields: Mapping[str, Any]) -> dict[str, Any]:
        return {self.names[name]: value for name, value in fields.items()}

    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return its fields."""
        answer = self.around.client.request(
            "GET", f"/contacts/{self.parent_id(row)}/{self.collection}/{row.hl_id}", route=self.update_route
        )
        return self.decode(answer[self.envelope])

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return an item of the API in our shape."""
        return {name: item.get(api) for name, api in self.names.items()}

    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Mapping[str, Any]:
        """Write the changed fields."""
        self.around.client.request(
            "PUT",
            f"/contacts/{self.parent_id(row)}/{self.collection}/{row.hl_id}",
            route=self.update_route,
            json=self._body(changes),
        )
        return {}

    def farewell(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        """Take the marker off the copy that stays, so that no two things carry the same one; its text is kept.

        What is still to be done is done with the other copy, so this one is closed: nobody shall act on both.
        """
        if marker(source_id) not in str(there.get("body")):
            return {}
        text = str(there["body"]).replace(marker(source_id), f"{why} ({source_id})")
        return {"title": f"{why}: {there.get('title')}", "body": text, **self.closed(there)}

    def closed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Return what closes a copy that is left behind; by default there is nothing to close."""
        return {}

    def listed(self, contact_id: str) -> Iterable[dict[str, Any]]:
        """Return everything of this kind that hangs on a contact."""
        answer = self.around.client.request(
            "GET", f"/contacts/{contact_id}/{self.collection}", route=self.create_route
        )
        return list(answer[f"{self.envelope}s"])

    def source_id(self, item: Mapping[str, Any]) -> str | None:
        """Return the Cliniko record that an item of the API carries the marker of."""
        return marked(item.get(self.marked_field))

    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Look for our marker among what hangs on the contact."""
        for item in self.listed(self.parent_id(row)):
            if self.source_id(item) == row.source_id:
                return str(item["id"])
        return None

    def remove(self, row: Row) -> None:
        """Delete it."""
        path = f"/contacts/{row.parent_id}/{self.collection}/{row.hl_id}"
        self.around.client.request("DELETE", path, route=self.remove_route)

    @abstractmethod
    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields."""


class Note(OnContact):
    """A note; its original date stands in its title and text, because HighLevel dates it by the moment of the call."""

    collection = "notes"
    envelope = "note"
    marked_field = "body"
    names: ClassVar[Mapping[str, str]] = {"title": "title", "body": "body", "user": "userId"}

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return title, text and author; the author is left out when the practitioner has no user."""
        author = self.around.work.hl_id(fields["owner"]) if fields.get("owner") else None
        wanted = {"title": fields.get("title"), "body": fields.get("body"), "user": author}
        return {name: value for name, value in wanted.items() if value is not None}


class Task(OnContact):
    """An appointment as a task, done when it is over: an open task of years ago would flood somebody's list."""

    collection = "tasks"
    envelope = "task"
    marked_field = "body"
    names: ClassVar[Mapping[str, str]] = {
        "title": "title",
        "body": "body",
        "due": "dueDate",
        "completed": "completed",
        "user": "assignedTo",
    }

    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return title, text, due date, whether it is done, and whose it is."""
        wanted = {
            "title": fields.get("title"),
            "body": text_of(fields),
            "due": fields.get("starts_at"),
            "completed": self._completed(fields),
            "user": self.user(fields.get("owner")),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    def _completed(self, fields: Mapping[str, Any]) -> bool:
        if fields.get("completed") is not None:
            return bool(fields["completed"])
        over = fields.get("ends_at") or fields.get("starts_at") or ""
        return bool(over) and over <= f"{self.around.now():%Y-%m-%dT%H:%M:%SZ}"

    def closed(self, there: Mapping[str, Any]) -> dict[str, Any]:
        """Tick the task off."""
        return {} if there.get("completed") else {"completed": True}

    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        """Return a task in our shape; the due date comes back with milliseconds."""
        fields = super().decode(item)
        return {**fields, "due": whole_seconds(fields["due"])}


def text_of(fields: Mapping[str, Any]) -> str:
    """Return the text of an appointment: its own part and the part it shares with its group."""
    return "\n".join(str(fields[name]) for name in ("body", "shared_body") if fields.get(name))


def whole_seconds(moment: Any) -> Any:
    """Return a date-time in UTC without milliseconds, as Cliniko writes it.

    HighLevel may show it in the clinic's zone, or as a number of milliseconds.
    One without a zone is left as it is: nobody says which moment it means.
    """
    text = str(moment or "")
    named = from_epoch(moment) or date_time(text)
    if named is None or named.tzinfo is None:
        return text or None
    return named.astimezone(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
