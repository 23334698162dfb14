"""One record as the tap emits it, read field by field; a value that cannot be read rejects the record."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel.errors import Reason, RecordError
from cliniko_to_highlevel.formats import clean_text, date_text, decimal_text, instant_text, name_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

#: What stands where nothing was filled in, whatever the field would hold.
_NOTHING: tuple[object, ...] = ("", [], {})


@dataclass(frozen=True, slots=True)
class Row:
    """One record of a Cliniko resource. A field deselected in the tap reads like one that is empty."""

    resource: str
    values: Mapping[str, Any]

    @property
    def source_id(self) -> str:
        """Return the identity of the record: ``patients/1234``.

        Raises:
            RecordError: the record has no id.
        """
        identifier = self.reference("id")
        if identifier is None:
            raise RecordError(Reason.MISSING_ID, "id")
        return f"{self.resource}/{identifier}"

    def reference(self, field: str) -> str | None:
        """Return an id as text: Cliniko writes ids as strings, in old records as integers."""
        value = self.values.get(field)
        if value is None or (type(value) is str and value.isdecimal()):  # as nearly all are
            return value
        if value == "":
            return None
        if (
            isinstance(value, (str, int, Decimal))
            and not isinstance(value, bool)
            and str(value).strip().isdecimal()
        ):
            return str(value).strip()
        raise RecordError(Reason.INVALID_ID, field)

    def references(self, field: str) -> list[str]:
        """Return the ids of a list as texts."""
        value = self.values.get(field)
        if value is not None and not isinstance(value, list):
            raise RecordError(Reason.INVALID_LIST, field)
        found = (Row(self.resource, {field: item}).reference(field) for item in value or ())
        return [item for item in found if item]

    def linked(self, field: str, resource: str) -> str | None:
        """Return the identity of the record that a link points at: ``patients/1234``."""
        identifier = self.reference(field)
        return f"{resource}/{identifier}" if identifier else None

    def text(self, field: str) -> str | None:
        """Return a text, cleaned; None when it is empty."""
        value = self.values.get(field)
        return None if value is None else text_of(value, field)

    def name(self, field: str) -> str | None:
        """Return the name of a person, company or place, in one line."""
        text = self.text(field)
        if text and "&" in text:
            text = name_text(text)
        return " ".join(text.split()) if text and not text.isprintable() else text

    def amount(self, field: str) -> str | None:
        """Return a number as canonical decimal text."""
        value = self.values.get(field)
        if value is None or value == "":
            return None
        if isinstance(value, (str, int, float, Decimal)) and not isinstance(value, bool):
            return _read(decimal_text, value, Reason.INVALID_NUMBER, field)
        raise RecordError(Reason.INVALID_NUMBER, field)

    def whole(self, field: str) -> int | None:
        """Return a whole number, such as a code."""
        text = self.amount(field)
        if text is None:
            return None
        if text.lstrip("-").isdecimal():
            return int(text)
        raise RecordError(Reason.INVALID_NUMBER, field)

    def date(self, field: str) -> str | None:
        """Return a date as ``YYYY-MM-DD``."""
        if self.values.get(field) is None:  # as most are
            return None
        return self._moment(date_text, field, Reason.INVALID_DATE)

    def instant(self, field: str) -> str | None:
        """Return a date-time in UTC as ``YYYY-MM-DDTHH:MM:SSZ``."""
        if self.values.get(field) is None:  # as most are
            return None
        return self._moment(instant_text, field, Reason.INVALID_DATE_TIME)

    def flag(self, field: str) -> bool | None:
        """Return yes, no, or None for unknown."""
        value = self.values.get(field)
        if value is None or isinstance(value, bool):
            return value
        raise RecordError(Reason.INVALID_BOOLEAN, field)

    def parts(self, field: str) -> Iterator[Row]:
        """Yield the objects of a list, each readable like a record."""
        value = self.values.get(field)
        if value is None or value in _NOTHING:
            return
        if not isinstance(value, list):
            raise RecordError(Reason.INVALID_LIST, field)
        for item in value:
            if not isinstance(item, dict):
                raise RecordError(Reason.INVALID_OBJECT, field)
            yield Row(self.resource, item)

    def part(self, field: str) -> Row:
        """Return a nested object, readable like a record; an empty one when there is none."""
        value = self.values.get(field)
        if value is None or value in _NOTHING:
            return Row(self.resource, {})
        if not isinstance(value, dict):
            raise RecordError(Reason.INVALID_OBJECT, field)
        return Row(self.resource, value)

    def _moment(self, read: Callable[[str], str], field: str, reason: Reason) -> str | None:
        value = self.values.get(field)
        if value == "":
            return None
        if not isinstance(value, str):
            raise RecordError(reason, field)
        return _read(read, value, reason, field)


def text_of(value: Any, field: str) -> str | None:
    """Return a single value as cleaned text; numbers in their canonical form.

    Raises:
        RecordError: the value is a list or an object with something in it.
    """
    if value is None:
        return None
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, bool):
        return "Yes" if value else "No"
    if isinstance(value, (int, float, Decimal)):
        return _read(decimal_text, value, Reason.INVALID_NUMBER, field)
    if value in _NOTHING:
        return None
    raise RecordError(Reason.INVALID_TEXT, field)


def _read(read: Callable[[Any], str], value: Any, reason: Reason, field: str) -> str:
    try:
        return read(value)
    except ValueError:
        raise RecordError(reason, field) from None
