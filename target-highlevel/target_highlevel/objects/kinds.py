"""Every kind of object of one run, by name and by type."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_highlevel.fields import is_written
from target_highlevel.objects.base import IN_CALENDAR, IN_TASKS
from target_highlevel.objects.contact import Contact
from target_highlevel.objects.custom_object import CustomObject
from target_highlevel.objects.diary import BlockedSlot, Calendar, Schedule
from target_highlevel.objects.event import Event, is_event
from target_highlevel.objects.file import File
from target_highlevel.objects.on_contact import Note, Task
from target_highlevel.objects.opportunity import Opportunity
from target_highlevel.objects.relation import Relation

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from datetime import datetime
    from typing import Any

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.objects.base import ObjectContext, ObjectKind
    from target_highlevel.objects.diary import Standing
    from target_highlevel.objects.on_contact import OnContact


@dataclass(frozen=True)
class Kinds:
    """The kinds of objects that a run works with."""

    contact: Contact
    custom_object: CustomObject
    relation: Relation
    note: Note
    task: Task
    event: Event
    file: File
    opportunity: Opportunity
    calendar: Calendar
    schedule: Schedule
    blocked_slot: BlockedSlot
    #: What an appointment that is not in HighLevel yet becomes: ``task``, ``calendar_event`` or ``mixed``.
    appointments_as: str
    #: Returns whether the ledger has appointments that were made as events, and as tasks: the setting may have changed since.
    made_before: Callable[[], tuple[bool, bool]]
    now: Callable[[], datetime]

    @classmethod
    def of_run(
        cls,
        ctx: ObjectContext,
        *,
        loading_runs: frozenset[str],
        makes_calendars: bool,
        made_before: Callable[[], tuple[bool, bool]],
    ) -> Kinds:
        """Return all kinds, for one run.

        Args:
            ctx: what all of them work with.
            loading_runs: the runs whose new calendars are not opened yet.
            makes_calendars: whether a calendar that events need is made.
            made_before: see the attribute.
        """
        return cls(
            contact=Contact(ctx),
            custom_object=CustomObject(ctx),
            relation=Relation(ctx),
            note=Note(ctx),
            task=Task(ctx),
            event=Event(ctx, makes_calendars=makes_calendars),
            file=File(ctx),
            opportunity=Opportunity(ctx),
            calendar=Calendar(ctx, loading_runs),
            schedule=Schedule(ctx),
            blocked_slot=BlockedSlot(ctx),
            appointments_as=ctx.settings.appointments_as,
            made_before=made_before,
            now=ctx.now,
        )

    def appointment(self, row: Row, given: Iterable[Mapping[str, Any]] = ()) -> OnContact:
        """Return what an appointment is.

        One that was made stays what it was made as: neither time nor another setting makes it anew, but see ``anew``. One whose
        create is unclear is looked for where it was sent. Any other is decided by the setting and, where that is ``mixed``, by
        the clock.

        Args:
            row: the appointment.
            given: what others contribute to it; a place in a group has its time from there.
        """
        sent = (row.intent or {}).get("api")
        for kind in (self.event, self.task):
            if sent == kind.api:
                return kind
        if row.written:
            return self.event if is_event(row.written) else self.task
        known = self.event.ctx.catalogue.known
        if self.appointments_as == "mixed" or (
            self.appointments_as == "calendar_event" and known.answer("past_appointments") == "refused"
        ):
            return self.event if self.is_to_come(row, given) else self.task
        return self.event if self.appointments_as == "calendar_event" else self.task

    def anew(
        self, row: Row, spec: StreamSpec, kind: ObjectKind, given: Iterable[tuple[str, Mapping[str, Any]]]
    ) -> tuple[ObjectKind, str] | None:
        """Return what a ``mixed`` appointment is to be made anew as that was put off or brought forward, and what to call that.

        A task whose booking is now to come belongs into the calendar. An event that was to come and is past now belongs among the
        tasks; one that was over already stays, whatever hour it is given.
        """
        if self.appointments_as != "mixed" or spec.kind != "appointment" or spec.always_task:
            return None
        starts = _starts(row, [fields for _, fields in given])
        written = row.written.get("due" if kind is self.task else "starts_at")
        if not starts or is_written(written, starts, kind.ctx.salt):
            return None
        if kind is self.task:
            return (self.event, IN_CALENDAR) if self._is_later(starts) else None
        if self._is_later(starts) or not self._is_later(str(self.event.read(row, spec)["starts_at"] or "")):
            return None
        return self.task, IN_TASKS

    def is_to_come(self, row: Row, given: Iterable[Mapping[str, Any]] = ()) -> bool:
        """Return whether an appointment begins later than now."""
        return self._is_later(_starts(row, given))

    def _is_later(self, moment: str) -> bool:
        return moment > f"{self.now():%Y-%m-%dT%H:%M:%SZ}"

    @property
    def in_calendars(self) -> bool:
        """Return whether anything of this run is, or was before, in calendars."""
        return self.appointments_as != "task" or self.made_before()[0]

    def activities(self, name: str) -> list[OnContact]:
        """Return what records of a kind (``note`` or ``appointment``) are in HighLevel: each has a list of its own."""
        if name != "appointment":
            return [self.note if name == "note" else self.opportunity]
        # recalls are tasks whatever appointments are
        return [self.task, self.event] if self.in_calendars else [self.task]

    def of(
        self, row: Row, spec: StreamSpec, given: Iterable[tuple[str, Mapping[str, Any]]] = ()
    ) -> ObjectKind:
        """Return the kind of a record that came with this stream, which may be a relation.

        Args:
            row: the record.
            spec: its stream.
            given: what others contribute to it.
        """
        if row.object == "relation":
            return self.relation
        if spec.always_task:
            return self.task
        if spec.kind == "appointment":
            return self.appointment(row, [fields for _, fields in given])
        kinds: dict[str, ObjectKind] = {
            "contact": self.contact,
            "custom_object": self.custom_object,
            "note": self.note,
            "file": self.file,
            "opportunity": self.opportunity,
            **self.diary,
        }
        return kinds[spec.kind]

    @property
    def diary(self) -> dict[str, Standing]:
        """Return what stands in the diary and hangs on no contact, in the order in which it is taken away."""
        return {"blocked_slot": self.blocked_slot, "schedule": self.schedule, "calendar": self.calendar}


def _starts(row: Row, given: Iterable[Mapping[str, Any]]) -> str:
    """Return when an appointment begins, as far as its own record or what is contributed to it tells."""
    return next((str(part["starts_at"]) for part in (row.fields, *given) if part.get("starts_at")), "")
