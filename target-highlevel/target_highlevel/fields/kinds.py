"""The kinds of fields."""

from __future__ import annotations

from datetime import UTC, date
from decimal import ROUND_HALF_UP, Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from target_highlevel import texts
from target_highlevel.fields.base import FieldKind, is_empty, same
from target_highlevel.fields.countries import country_code, is_same_country
from target_highlevel.fields.places import DND_ON
from target_highlevel.marker import attachment_of
from target_highlevel.values import (
    amount_text,
    bare_amount,
    day,
    days_of,
    decimal_text,
    listed_options,
    switched,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from target_highlevel.descriptor import FieldSpec
    from target_highlevel.fields.base import Users
    from target_highlevel.fields.places import ContactAnswer, ContactBody, Place
    from target_highlevel.ledger.rows import Notes

    #: Name of a tolerated spelling → whether it is that in which two texts differ.
    Spellings = Mapping[str, Callable[[str, str], bool]]

#: Stands for a channel that is closed, and not as we close one.
CLOSED_BY_OTHERS = "closed_by_others"


class Text(FieldKind):
    """A text. HighLevel may trim it, or keep it as HTML; a date-time it may show in another zone."""

    spellings: ClassVar[Spellings] = {
        "white_space": lambda wanted, there: texts.trimmed(wanted) == texts.trimmed(there),
        # white space says nothing only where there is markup: else a text is judged by its lines
        "rich_text": lambda wanted, there: (
            texts.has_markup(there) and texts.lines_of(wanted) == texts.lines_of(there)
        ),
        "date_time_form": lambda wanted, there: None is not texts.moment(wanted) == texts.moment(there),
    }

    def normal(self, value: Any) -> Any:
        """Return the lines that have words, or the moment in UTC."""
        if not isinstance(value, str):
            return value
        moment = texts.moment(value)
        return moment.astimezone(UTC).isoformat() if moment else "\n".join(texts.lines_of(value))

    def spelling(self, wanted: Any, there: Any) -> str:
        """Return the first tolerated spelling that fits."""
        if not (isinstance(wanted, str) and isinstance(there, str)):
            return ""
        return next((how for how, alike in self.spellings.items() if alike(wanted, there)), "")


class _Cased(Text):
    """A text whose letters HighLevel may write in another case."""

    spellings: ClassVar[Spellings] = {
        "white_space": Text.spellings["white_space"],
        "letter_case": lambda wanted, there: _words(wanted) == _words(there),
    }

    def normal(self, value: Any) -> Any:
        """Return the words in small letters."""
        return _words(value) if isinstance(value, str) else value


class Email(_Cased):
    """An e-mail address: HighLevel keeps it in small letters."""


class Name(_Cased):
    """A person's first or last name. Some answers show it in small letters, with what was written beside it."""

    guarded = True

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return the name as it was written."""
        [(name, shown)] = answer.take(self).items()
        written = answer.contact.get(f"{self.declared.api_name}Raw")
        return {name: written if written and self.equal(written, shown) else shown}


class Country(_Cased):
    """A country by its two letters, which may be read back as its name; a contact without one gets one from HighLevel."""

    filled_in = True
    spellings: ClassVar[Spellings] = {
        **_Cased.spellings,
        "country_name": is_same_country,
    }

    def to_json(self, value: Any, place: Place) -> Any:
        """Return its two letters: a rollback puts back what was read, and HighLevel takes nothing else."""
        return (country_code(value) or value) if isinstance(value, str) else value

    def normal(self, value: Any) -> Any:
        """Return its two letters, as far as it is known."""
        return super().normal((country_code(value) or value) if isinstance(value, str) else value)


class Phone(Text):
    """A phone number: HighLevel writes its digits as it likes."""

    spellings: ClassVar[Spellings] = {
        "white_space": Text.spellings["white_space"],
        "phone_format": lambda wanted, there: texts.digits(wanted) == texts.digits(there) != "",
        "without_country": lambda wanted, there: _is_national(texts.digits(wanted), texts.digits(there)),
    }

    def to_json(self, value: Any, place: Place) -> Any:
        """Return an international number as HighLevel takes it, also one that it showed in groups and a rollback puts back.

        Of a text with more in it the digits would be somebody else's number: that goes as it is.
        """
        digits = texts.digits(value) if isinstance(value, str) and value.startswith("+") else ""
        return f"+{digits}" if 0 < len(digits) <= _LONGEST_NUMBER else value

    def normal(self, value: Any) -> Any:
        """Return the last digits, which a number has in its country as well."""
        digits = texts.digits(value) if isinstance(value, str) else ""
        return digits.lstrip("0")[-_NATIONAL:] or super().normal(value)


class FileName(Text):
    """The name of a file, which cannot be changed once it is there."""

    guarded = True
    spellings: ClassVar[Spellings] = {
        **Text.spellings,
        "path_cut": lambda wanted, there: wanted.rpartition("/")[2] == there,
        "signs_replaced": lambda wanted, there: texts.letters(wanted) == texts.letters(there),
        "named_when_uploaded": lambda wanted, there: (
            None is not attachment_of(wanted) == attachment_of(there)
        ),
    }


class Identity(Text):
    """The id of the record in Cliniko."""

    guarded = True


class Date(Text):
    """A date; HighLevel may show it as a date-time, as milliseconds or in figures in another order."""

    spellings: ClassVar[Spellings] = {
        **Text.spellings,
        "date_order": lambda wanted, there: wanted in days_of(there),
    }

    def from_json(self, value: Any, place: Place) -> Any:
        """Return its day; figures that may name two are left as they are, for the comparison."""
        text = str(value).strip()
        return text if len(set(days_of(text))) > 1 else day(value)

    def to_json(self, value: Any, place: Place) -> Any:
        """Return a day of the calendar."""
        try:
            date.fromisoformat(str(value)[:10])
        except ValueError:
            raise self.unfit() from None
        return value

    def normal(self, value: Any) -> Any:
        """Return its day."""
        return day(value) if isinstance(value, str) else value


class BirthDate(Date):
    """A person's date of birth."""

    guarded = True


class Number(Text):
    """A number, as decimal text so that no digit is lost."""

    spellings: ClassVar[Spellings] = {
        "number_form": lambda wanted, there: None is not _number(wanted) == _number(there)
    }

    def wanted(self, value: Any, users: Users) -> Any:
        """Return a number that comes as one as text, as it is read back; a text stays as the source spells it."""
        return value if isinstance(value, str) else _number(value) or value

    def to_json(self, value: Any, place: Place) -> Any:
        """Return the number."""
        return self._finite(value)

    def _finite(self, value: Any) -> Decimal:
        try:
            decimal_text(value)
        except ValueError:
            raise self.unfit() from None
        return Decimal(value)

    def from_json(self, value: Any, place: Place) -> Any:
        """Return it as decimal text."""
        return amount_text(value)

    def normal(self, value: Any) -> Any:
        """Return it without what a number may be padded with."""
        return (_number(value) or value) if isinstance(value, str) else value


class Money(Number):
    """A sum of money in the sub-account's currency, which HighLevel may keep to the cent."""

    guarded = True
    spellings: ClassVar[Spellings] = {
        **Number.spellings,
        "rounded_to_cents": lambda wanted, there: _is_rounded(_number(wanted), _number(there)),
    }

    def normal(self, value: Any) -> Any:
        """Return it rounded to the cent."""
        return (_cents(value) or value) if isinstance(value, str) else value

    def to_json(self, value: Any, place: Place) -> Any:
        """Return the sum as its place wants it."""
        amount, _, currency = str(value).partition(" ")
        return place.money(self._finite(amount), currency)

    def decode(self, value: Any, place: Place) -> Any:
        """Return the sum; one without an amount says nothing, whatever its currency."""
        return super().decode(None if is_empty(bare_amount(value)) else value, place)

    def from_json(self, value: Any, place: Place) -> Any:
        """Return the amount, with its currency where that is another than the sub-account's."""
        named = str((value.get("currency") if isinstance(value, dict) else "") or "")
        foreign = named and not place.is_own_currency(named)
        return f"{amount_text(value)} {named}" if foreign else amount_text(value)


class Choice(Text):
    """One option of a pick-list, by its label."""

    def options_in(self, value: Any) -> Collection[str]:
        """Return it."""
        return () if is_empty(value) else (value,)

    def without_options(self, value: Any, options: Collection[str]) -> Any:
        """Return nothing where it is one of these."""
        return None if value in options else value

    def to_json(self, value: Any, place: Place) -> Any:
        """Return what a write must send for the option."""
        return place.option(value)

    def from_json(self, value: Any, place: Place) -> Any:
        """Return the option's label; a list holds one."""
        return ", ".join(place.label(item) for item in (value if isinstance(value, list) else [value]))


class Choices(FieldKind):
    """Several options of a pick-list, by their labels in order."""

    always_wanted = True
    several = True

    def wanted(self, value: Any, users: Users) -> Any:
        """Return them in order, so that their order never counts as a change."""
        return sorted(value or ())

    def options_in(self, value: Any) -> Collection[str]:
        """Return them."""
        return value or ()

    def without_options(self, value: Any, options: Collection[str]) -> Any:
        """Return the others."""
        return [item for item in value or () if item not in options]

    def to_json(self, value: Any, place: Place) -> Any:
        """Return what a write must send for each."""
        return [place.option(item) for item in value]

    def from_json(self, value: Any, place: Place) -> Any:
        """Return their labels, of an array or of a text that joins them."""
        return sorted(place.label(item) for item in listed_options(value, place.options))

    def change(self, wanted: Any, there: Any, place: Place) -> Any:
        """Return what to add and what to remove."""
        before, after = set(there or ()), set(wanted or ())
        return {
            "add": [place.option(item) for item in sorted(after - before)],
            "remove": [place.option(item) for item in sorted(before - after)],
        }


class Tags(FieldKind):
    """The tags of a contact. Others add theirs, and the API replaces all of them at once."""

    always_wanted = True
    several = True
    shared = True

    def wanted(self, value: Any, users: Users) -> Any:
        """Return them in small letters, as HighLevel keeps them, in order."""
        return sorted({str(tag).lower() for tag in value or ()})

    def put(self, body: ContactBody, value: Any) -> None:
        """Put them in beside those of others."""
        there = (body.current or {}).get(self.declared.name)
        body.own["tags"] = self.merge(value, there, set(body.our_tags))

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return all tags of the contact, those of others among them."""
        return {self.declared.name: sorted(answer.contact.get("tags") or ())}

    def normal(self, value: Any) -> Any:
        """Return them in small letters."""
        return sorted(str(tag).casefold() for tag in value or ())

    def came_with_create(self, value: Any, there: Any) -> bool:
        """Return whether all of them are there."""
        return set(value or ()) <= set(there or ())

    def merge(self, wanted: Any, there: Any, ours: Collection[str]) -> Any:
        """Keep the tags of others, and drop only those of ours that are no longer wanted."""
        return sorted((set(there or ()) - set(ours)) | set(wanted or ()))


class DoNotDisturb(FieldKind):
    """Whether a channel is closed: for an explicit *no* of the patient only, and opened again only where we had closed it.

    Exactly our own is a channel that is simply ``active``. A patient's STOP is ``permanent``, or says something more, and whoever
    stops all channels stops this one: such a channel reads as ``CLOSED_BY_OTHERS``, which nothing of ours ever opens.
    """

    is_channel = True

    @property
    def can_conflict(self) -> bool:
        """A patient's *no* is never a conflict: a channel is closed whatever stands there."""
        return False

    def put(self, body: ContactBody, value: Any) -> None:
        """Put the channel's setting in; nothing opens a channel of a contact that is only being made."""
        if value is True:
            body.channels[self.declared.channel] = {"status": "active"}
        elif value is False and (body.current or {}).get(self.declared.name) is True:
            body.channels[self.declared.channel] = {"status": "inactive"}

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return whether the channel is closed, and whether that can have been us."""
        settings = answer.contact.get("dndSettings") or {}
        found = settings.get(self.declared.channel) or settings.get(self.declared.channel.lower()) or {}
        if found.get("status") not in DND_ON:
            return {self.declared.name: False}
        says = {name for name, value in found.items() if not is_empty(value)}
        ours = found["status"] == "active" and says == {"status"} and not switched(answer.contact.get("dnd"))
        return {self.declared.name: True if ours else CLOSED_BY_OTHERS}

    def is_done(self, wanted: Any, there: Any) -> bool:
        """A channel that others closed is closed, and is never opened."""
        return there == CLOSED_BY_OTHERS or same(there, wanted)

    def may_change(self, value: Any, notes: Notes) -> bool:
        """A channel may be closed; it may be opened if it was us who closed it."""
        return value is True or (value is False and self.declared.name in notes.dnd)

    def track(self, closed: set[str], value: Any) -> None:
        """Note a channel that is closed now, forget one that is open."""
        (closed.add if value is True else closed.discard)(self.declared.name)


class Owner(FieldKind):
    """The user who looks after the contact: that of the next visit, once the present one is over."""

    always_wanted = True
    guarded = True
    of_record = True

    def wanted(self, value: Any, users: Users) -> Any:
        """Return the user of the first practitioner who has one, or the fallback owner."""
        return users(value)

    def put(self, body: ContactBody, value: Any) -> None:
        """Put the user in."""
        body.own["assignedTo"] = value

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return the user."""
        return {self.declared.name: answer.contact.get("assignedTo")}


class User(Text):
    """The user of a task, an event or a note."""

    guarded = True


class Stage(Text):
    """The stage of an opportunity: it is moved, and never taken out of its pipeline, even when no visit is left."""

    stays = True


class Routing(FieldKind):
    """Says to which sub-account a record belongs, and is not written anywhere."""

    written = False
    routes = True

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Standing(FieldKind):
    """Tells who keeps an address that several share, and is not written anywhere."""

    written = False

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Fact(FieldKind):
    """What a contributor says and other fields are folded from; it is not written anywhere itself."""

    written = False

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return nothing."""
        return {}


class Files(FieldKind):
    """The files of a contact: each is a record of its own."""

    written = False

    def take(self, answer: ContactAnswer) -> dict[str, Any]:
        """Return nothing."""
        return {}


_CENT = Decimal("0.01")
#: Digits of a number without its country in the countries of most clinics, and of the code of a country.
_NATIONAL, _COUNTRY_CODE = 9, 3
#: Digits of a number in North America without the 1 of its country.
_NORTH_AMERICAN = 10
#: Digits of an international number at most (E.164).
_LONGEST_NUMBER = 15


def _is_national(wanted: str, there: str) -> bool:
    """Return whether digits are those of the same number as it is dialled in its own country: there a 0 is in front of most.

    In North America nothing is: ``+1 604 555 0123`` is dialled as it stands behind the 1.
    """
    if len(there) == _NORTH_AMERICAN and wanted == f"1{there}":
        return True
    bare = there.removeprefix("0")
    return bare != there and wanted.endswith(bare) and 1 <= len(wanted) - len(bare) <= _COUNTRY_CODE


def _words(text: str) -> str:
    """Return a text in small letters with single blanks, without character references."""
    return " ".join(" ".join(texts.lines_of(text)).split()).casefold()


def _is_rounded(wanted: str | None, there: str | None) -> bool:
    """Return whether one is the other to the cent, whichever way halves are rounded."""
    if not wanted or not there:
        return False
    return abs(Decimal(wanted) - Decimal(there)) <= _CENT / 2


def _cents(text: str) -> str | None:
    number = _number(text)
    return None if number is None else decimal_text(Decimal(number).quantize(_CENT, ROUND_HALF_UP))


def _number(value: Any) -> str | None:
    try:
        return decimal_text(value)
    except ValueError:
        return None


#: By what a stream says of the field, …
_BY_FIELD: dict[str, type[FieldKind]] = {
    "tags": Tags, "dnd": DoNotDisturb, "owner": Owner, "routing": Routing, "fact": Fact, "stage": Stage,
    "standing": Standing,
}  # fmt: skip
#: … by the type of a custom field or property, …
_BY_TYPE: dict[str, type[FieldKind]] = {
    "NUMERICAL": Number, "MONETORY": Money, "DATE": Date, "SINGLE_OPTIONS": Choice, "RADIO": Choice,
    "MULTIPLE_OPTIONS": Choices, "CHECKBOX": Choices, "FILE_UPLOAD": Files, "EMAIL": Email, "PHONE": Phone,
}  # fmt: skip
#: … or by its name: the API's of a standard field, our own of what is no field of a contact or a record.
_BY_NAME: dict[str, dict[str, type[FieldKind]]] = {
    "standard": {
        "email": Email, "phone": Phone, "country": Country, "firstName": Name, "lastName": Name, "dateOfBirth": BirthDate,
    },
    "custom": {"source_system_id": Identity},
    "plain": {"email": Email, "file_name": FileName, "user": User},
}  # fmt: skip


def is_words(kind: FieldKind) -> bool:
    """Return whether a value is somebody's words, of which the beginning alone still says something."""
    return type(kind) in {Text, Name}


@lru_cache(maxsize=1024)
def kind_of(declared: FieldSpec) -> FieldKind:
    """Return the kind of a field."""
    found = (
        _BY_FIELD.get(declared.kind)
        or _BY_TYPE.get(declared.data_type)
        or _BY_NAME.get(declared.kind, {}).get(declared.api_name or declared.name)
    )
    return (found or Text)(declared)
