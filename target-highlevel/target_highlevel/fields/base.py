"""What every kind of field can do: encode, decode, tell empty, compare, and say what may be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.errors import Findings, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from target_highlevel.descriptor import FieldSpec
    from target_highlevel.fields.places import ContactAnswer, ContactBody, Place
    from target_highlevel.ledger.rows import Notes

    #: Resolves practitioners, the most wanted first, to a user of HighLevel, or none to the fallback owner.
    Users = Callable[[Sequence[str] | str | None], str | None]


def is_empty(value: Any) -> bool:
    """Return whether a value says nothing, however it is written."""
    return value is None or value in ("", [], {})


def is_off(value: Any) -> bool:
    """Return whether a value says nothing, or is a switch that is off: what was never switched on reads as either."""
    return is_empty(value) or value is False


def same(one: Any, other: Any) -> bool:
    """Return whether two values are the same to the letter; all ways of being empty are, and so is a switch that is off."""
    return one == other or (is_off(one) and is_off(other))


class FieldKind:
    """A kind of field, for one field.

    Values are compared and hashed in *our shape*: texts, numbers as decimal text, dates as ``2024-02-29``, options by label,
    sorted, a closed channel as true. A place (``fields.places``) knows the JSON around a value.
    """

    #: Whether the value is written with its record; files, and what says where a record belongs, are not.
    written = True
    #: Whether a contact wants a value even where the source says nothing: no tags, no options, the fallback owner.
    always_wanted = False
    #: Whether the field takes several values.
    several = False
    #: Whether others may add to the value without contradicting us.
    shared = False
    #: Whether the field is a channel that a patient may have closed.
    is_channel = False
    #: Whether the field is none of a custom object's properties, but what every record has.
    of_record = False
    #: Whether HighLevel is known to fill the field in by itself in a contact that comes without a value for it.
    filled_in = False
    #: Whether another value is never put down to a person's edit: a verification counts it under every ``overwrite``.
    guarded = False
    #: Whether what is in the field stays when Cliniko has no value any more.
    stays = False
    #: Whether the field says to which sub-account a record belongs.
    routes = False

    def __init__(self, declared: FieldSpec) -> None:
        """Stand for one field."""
        self.declared = declared

    # Values

    def wanted(self, value: Any, users: Users) -> Any:
        """Return the source's value in our shape."""
        return value

    def encode(self, value: Any, place: Place) -> Any:
        """Return the JSON of a value in our shape."""
        return place.cleared(several=self.several) if value is None else self.to_json(value, place)

    def decode(self, value: Any, place: Place) -> Any:
        """Return JSON that was read in our shape."""
        if is_empty(value):
            return [] if self.several else None
        return self.from_json(value, place)

    def to_json(self, value: Any, place: Place) -> Any:
        """Return the JSON of a value."""
        return value

    def options_in(self, value: Any) -> Collection[str]:
        """Return the options of a pick-list that a value in our shape names; of other fields there are none."""
        return ()

    def without_options(self, value: Any, options: Collection[str]) -> Any:
        """Return what is left of a value without some of its options."""
        return value

    def unfit(self) -> Refused:
        """Return the refusal of a value that is none of this kind, as HighLevel's own: what can do without it goes without."""
        return Refused(findings=Findings("invalid_property", properties=(self.declared.name,)))

    def from_json(self, value: Any, place: Place) -> Any:
        """Return a JSON value that is not empty in our shape."""
        return value

    def change(self, wanted: Any, there: Any, place: Place) -> Any:
        """Return the JSON that turns the property that is there into the wanted one."""
        return self.encode(wanted, place)

    def put(self, body: ContactBody, value: Any) -> None:
        """Put a value into the body of a contact."""
        body.put(self, value)

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return the field of a contact that was read, by our name of it."""
        return answer.take(self)

    # Comparing

    def normal(self, value: Any) -> Any:
        """Return what is left alike of a value, in whatever spelling HighLevel keeps it."""
        return value

    def spelling(self, wanted: Any, there: Any) -> str:
        """Return the name of the spelling in which two values differ that mean the same; nothing when they do not."""
        return ""

    def equal(self, wanted: Any, there: Any) -> bool:
        """Return whether two values mean the same."""
        return same(wanted, there) or bool(self.spelling(wanted, there))

    def is_highlevels_own(self, there: Any, notes: Notes, settings: Mapping[str, Any]) -> bool:
        """Return whether HighLevel has filled a value in by itself.

        Args:
            there: the value.
            notes: the ledger's notes on the record; they tell what came with the create that we had not sent.
            settings: those of the sub-account, which new contacts inherit.
        """
        known = [notes.filled.get(self.declared.name)]
        if self.filled_in:
            known.append(settings.get(self.declared.api_name))
        return any(not is_empty(value) and self.equal(value, there) for value in known)

    # Writing

    def may_change(self, value: Any, notes: Notes) -> bool:
        """Return whether an update may write a value, as far as the ledger's notes on the record tell."""
        return not self.declared.create_only and not (self.stays and value is None)

    def is_done(self, wanted: Any, there: Any) -> bool:
        """Return whether nothing is to be written, so that the wanted value is there."""
        return same(there, wanted)

    @property
    def can_conflict(self) -> bool:
        """Return whether a person's value can stand in the way of ours."""
        return not self.shared

    def came_with_create(self, value: Any, there: Any) -> bool:
        """Return whether a create whose answer was lost has brought this value, though more may be there."""
        return False

    def merge(self, wanted: Any, there: Any, ours: Collection[str]) -> Any:
        """Return what is to be there afterwards, beside what others have put there."""
        return wanted

    def track(self, closed: set[str], value: Any) -> None:
        """Keep track of the channels that we have closed, now that this value is written; other kinds close none."""
