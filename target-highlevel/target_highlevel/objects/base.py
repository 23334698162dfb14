"""What every kind of object has in common, and the context it works in."""

from __future__ import annotations

from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel.assumptions import question
from target_highlevel.errors import NotFound, Refused
from target_highlevel.fields import is_empty, is_words, is_written, kind_of
from target_highlevel.ledger.rows import NO_NOTES, Notes
from target_highlevel.marker import cut
from target_highlevel.objects.refused_fields import OF_SOME_VALUE, named_fields, too_long
from target_highlevel.texts import utf16_length
from target_highlevel.withheld import REFUSED

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import datetime

    from target_highlevel.api.protocol import HighLevel
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row
    from target_highlevel.ledger.work import Work
    from target_highlevel.settings import Settings
    from target_highlevel.setup.catalogue import Catalogue
    from target_highlevel.setup.schema import SchemaSetup


@dataclass
class ObjectContext:
    """What a kind of object needs to do its work."""

    highlevel: HighLevel
    catalogue: Catalogue
    schema: SchemaSetup
    work: Work
    settings: Settings
    now: Callable[[], datetime]
    #: Key of the hashes of what was written.
    salt: bytes


@dataclass(frozen=True)
class Created:
    """What a create gave: the id, and what the report must say of it."""

    hl_id: str
    parent_id: str | None = None
    notes: Notes = NO_NOTES


@dataclass(frozen=True)
class Updated:
    """What an update gave: where the record is made anew its id, and those of its notes that are other now."""

    hl_id: str | None = None
    #: Fields that it could not be given, each with the reason.
    withheld: Mapping[str, str] | None = None
    #: Tags of a contact that are ours.
    tags: tuple[str, ...] | None = None
    #: Whether what stands for it now was there already, and was nothing of ours.
    found: bool = False

    def noted(self, notes: Notes) -> Notes:
        """Return the notes with what is new of them."""
        return replace(
            notes,
            withheld=notes.withheld if self.withheld is None else self.withheld,
            tags=notes.tags if self.tags is None else self.tags,
            found=self.found,
        )


@dataclass(frozen=True)
class Existing:
    """The record is in HighLevel already: it is to be updated instead."""

    hl_id: str
    #: Whether it is there by a write of ours whose answer was lost; else it was there before.
    ours: bool = True


#: What the API calls the owner of a contact.
_OWNER = "assignedTo"
#: What stands on things that stay behind without their marker.
MOVED = "Moved to another patient in Cliniko"
SHORTER = "No longer part of the note in Cliniko"
IN_CALENDAR = "In the calendar now"
IN_TASKS = "A task now"
#: All that may stand there.
STAYS_BEHIND = (MOVED, SHORTER, IN_CALENDAR, IN_TASKS)


class Rejected(Exception):  # noqa: N818 - a verdict on a record, not a failure of the program
    """This record cannot be written as it is; ``reason`` is one of the documented codes."""

    def __init__(self, reason: str, field: str | None = None) -> None:
        """Keep the code and, where one is to blame, the field."""
        super().__init__(reason)
        self.reason = reason
        self.field = field


class ObjectKind(ABC):
    """One kind of object: what is wanted of a record, and the requests that bring it there."""

    #: After an unclear create the record is looked for in the search index, which lags behind writes.
    search_is_eventual = False
    #: Records of this kind hang on a contact, in whose own lists they are looked for.
    on_contact = False
    #: Name of the part of HighLevel's API for this kind: the audit trail names it, and an unclear write is looked for there.
    api: ClassVar[str]
    #: Fields that HighLevel may take and not keep: that one reads back empty is nobody's change.
    unkept: ClassVar[frozenset[str]] = frozenset()
    #: An update may remove the record and make another one in its stead.
    is_made_anew = False
    #: After a refusal that names no field less and less of the record is sent.
    grows_leaner = False
    #: A text that is longer than HighLevel takes may be cut.
    cuts_texts = True

    def __init__(self, ctx: ObjectContext) -> None:
        """Work in this context."""
        self.ctx = ctx

    @abstractmethod
    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        """Return the wanted fields as ``read`` would return them: names of our own, canonical values, references resolved."""

    @abstractmethod
    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        """Create the record."""

    @abstractmethod
    def read(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return what HighLevel holds, in the shape of ``prepare``."""

    def is_there(self, row: Row, spec: StreamSpec) -> bool:
        """Return whether HighLevel still has the record of this id: asked after an unclear removal."""
        try:
            self.read(row, spec)
        except NotFound:
            return False
        return True

    @abstractmethod
    def update(
        self, row: Row, spec: StreamSpec, changes: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Updated:
        """Write these fields only."""

    def restore(
        self, row: Row, spec: StreamSpec, before: Mapping[str, Any], current: Mapping[str, Any]
    ) -> None:
        """Write the values of before again, or none of them (rollback)."""
        self.update(row, spec, before, current)

    @abstractmethod
    def find(self, row: Row, spec: StreamSpec) -> str | None:
        """Return the id of the record if HighLevel holds it: asked after an unclear create."""

    @abstractmethod
    def remove(self, row: Row) -> None:
        """Delete the record (rollback, and relations no longer wanted)."""

    def left_out(self, row: Row, fields: Mapping[str, Any]) -> str | None:
        """Return why a record has no place in HighLevel, as things are; by default there is no reason."""
        return None

    def before_removal(self, row: Row, spec: StreamSpec) -> dict[str, Any]:
        """Return what a rollback needs to make a record again that a load removes; of one that is gone there is nothing."""
        with suppress(NotFound):
            return self.read(row, spec)
        return {}

    def make_again(self, row: Row, spec: StreamSpec, before: Mapping[str, Any]) -> Created | Existing:
        """Make a record that a load has removed as it was (rollback); by default like any other."""
        return self.create(row, spec, before)

    def reconstruct_notes(
        self, spec: StreamSpec, wanted: Mapping[str, Any], current: Mapping[str, Any]
    ) -> Notes:
        """Return the notes that a create would have given whose answer was lost; by default none."""
        return NO_NOTES

    def co_written_fields(self, spec: StreamSpec, names: Iterable[str]) -> set[str]:
        """Return the fields that an update of these may have to change as well; by default none."""
        return set()

    def is_highlevels_own(self, row: Row, spec: StreamSpec, name: str, there: Any) -> bool:
        """Return whether HighLevel has filled a value in by itself: then it is nobody's edit; by default it fills in none."""
        return False

    def not_yet(self, fields: Mapping[str, Any]) -> str | None:
        """Return why a record is not to be created yet; by default there is no reason."""
        return None

    def refused_field(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> str | None:
        """Return the field that a refusal is about, if the record can do without it."""
        return None

    def explained(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> Refused:
        """Return a refusal that stands, with the reason that these fields suggest; by default it is HighLevel's own."""
        return refused

    def named_by(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> Iterable[str]:
        """Return our names of the fields that a refusal names, of those that were sent."""
        return named_fields(refused, spec.by_api_name, fields)

    # Texts that are longer than HighLevel takes

    def length_question(self, spec: StreamSpec, name: str) -> str:
        """Return the question of the register that says how long the text of a field may be."""
        is_long = spec.field(name).data_type == "LARGE_TEXT"
        return question("long_text_length") if is_long else question("line_length")

    def _texts(self, spec: StreamSpec, values: Mapping[str, Any]) -> dict[str, str]:
        """Return those of a record's values that are somebody's words: they can be cut."""
        return {
            name: value
            for name, value in values.items()
            if self.cuts_texts and isinstance(value, str) and is_words(kind_of(spec.field(name)))
        }

    def text_place(self, spec: StreamSpec, name: str) -> str:
        """Return what stands for a field where the ledger keeps how long its text may be."""
        return f"{spec.object}.{name}"

    def fit(self, row: Row, spec: StreamSpec, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values, each text cut that is longer than HighLevel is known to take; the record knows which.

        What a user was to own whom HighLevel refuses goes to the fallback owner.
        A text that HighLevel holds whole, from when it took more, stays as it is. Of options, those are left out that their
        pick-list lacks, where HighLevel has refused one, now or when the record was written.
        """
        catalogue = self.ctx.catalogue
        known = catalogue.known
        fitted = dict(values)
        for name, user in values.items() if catalogue.refused_users else ():
            if kind_of(spec.field(name)).of_record and user in catalogue.refused_users:
                fitted[name] = catalogue.fallback_owner
        for name, text in self._texts(spec, values).items():
            longest = known.longest(self.length_question(spec, name), self.text_place(spec, name))
            if longest is None or utf16_length(text) <= longest:
                continue
            if is_written(row.written.get(name), text, self.ctx.salt):
                continue
            fitted[name] = cut(text, longest)
            row.shortened.add(name)
        for name, options in self._lacking(spec, values).items():
            if name in row.notes.shortened or self.text_place(spec, name) in catalogue.closed_lists:
                fitted[name] = kind_of(spec.field(name)).without_options(fitted[name], options)
                row.shortened.add(name)
        return fitted

    def _lacking(self, spec: StreamSpec, values: Mapping[str, Any]) -> dict[str, set[str]]:
        """Return the options among a record's values that their pick-lists are known to lack."""
        named = {
            name: kind_of(spec.field(name)).options_in(value)
            for name, value in values.items()
            if name in spec.fields
        }
        found = {
            name: self.ctx.catalogue.lacking(spec.object, name, options)
            for name, options in named.items()
            if options
        }
        return {name: options for name, options in found.items() if options}

    def lacks_options(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> set[str]:
        """Return the pick-lists of which a refusal may mean an option that they lack; none where it is about something else."""
        if refused.code not in OF_SOME_VALUE:
            return set()
        lacking, named = set(self._lacking(spec, fields)), set(self.named_by(refused, spec, fields))
        return lacking & named if named else lacking

    def too_long(
        self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]
    ) -> tuple[str, int] | None:
        """Return which text a refusal finds too long, and how long it may be; none where it is about something else."""
        return too_long(refused, self._texts(spec, fields), self.named_by(refused, spec, fields))

    def learn(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> bool:
        """Know from now on how long a text may be, which user can own nothing, or that a pick-list takes no other options.

        Returns:
            Whether a refusal told it.
        """
        found = self.too_long(refused, spec, fields)
        if found is not None:
            self.ctx.catalogue.known.learn(self.text_place(spec, found[0]), found[1])
            return True
        lists = self.lacks_options(refused, spec, fields)
        if lists:
            self.ctx.catalogue.closed_lists.update(self.text_place(spec, name) for name in lists)
            return True
        user = self._refused_owner(refused, spec, fields)
        if user is not None:
            self.ctx.catalogue.refuse_user(user)
        return user is not None

    def _refused_owner(self, refused: Refused, spec: StreamSpec, fields: Mapping[str, Any]) -> str | None:
        """Return the owner that a refusal is about, where another one can stand in."""
        if _OWNER not in refused.properties:
            return None
        owners = [
            fields[name] for name in fields if name in spec.fields and kind_of(spec.field(name)).of_record
        ]
        stand_in = self.ctx.catalogue.fallback_owner
        return next((owner for owner in owners if owner and stand_in and owner != stand_in), None)

    def leaving_out(
        self, spec: StreamSpec, changes: Mapping[str, Any], write: Callable[[Mapping[str, Any]], object]
    ) -> Updated:
        """Write changes without the fields that HighLevel refuses and the record can do without; return a note of these."""
        withheld: dict[str, str] = {}
        while left := self.without(spec, changes, withheld):
            try:
                write(left)
            except Refused as refused:
                name = self.refused_field(refused, spec, left)
                if name is None:
                    raise
                withheld[name] = REFUSED
            else:
                break
        return Updated(withheld=withheld) if withheld else Updated()

    def without(
        self, spec: StreamSpec, wanted: Mapping[str, Any], withheld: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the wanted fields without those that were refused."""
        return {name: value for name, value in wanted.items() if name not in withheld}

    def detached_text(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        """Return what to write on a record that no longer stands for one of Cliniko's; by default it stays as it is."""
        return {}

    def parent_id(self, row: Row) -> str:
        """Return the HighLevel id of the contact the record hangs on."""
        found = row.parent_id or (self.ctx.work.hl_id(f"contact:{row.contact}") if row.contact else None)
        if not found:
            raise Rejected("no_contact", "contact")
        return found

    def user(self, refs: Sequence[str] | str | None) -> str | None:
        """Return the HighLevel user of the first practitioner who has one, else the fallback owner."""
        named = [refs] if isinstance(refs, str) else refs or ()
        return next(filter(None, map(self.ctx.work.hl_id, named)), self.ctx.catalogue.fallback_owner)


def present(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields that have a value."""
    return {name: value for name, value in fields.items() if not is_empty(value)}
