"""Where a field's value is kept: among a contact's own fields, in its custom fields, or among a record's properties.

The three want the same value in different JSON, and show it in more forms than they take (docs/api-facts.md).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from target_highlevel.api.contacts import custom_values
from target_highlevel.api.definitions import slug

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping

    from target_highlevel.api.definitions import Field
    from target_highlevel.fields.base import FieldKind
    from target_highlevel.setup.catalogue import Catalogue

#: Fields that the API clears by an empty text, not by null (docs/api-facts.md, Contacts lists the nullable ones).
_NOT_NULL = {"address1", "city", "state", "postalCode", "country", "source", "website"}
#: What an object that stands for an option may have its names under.
_NAMES = ("id", "key", "label", "name", "value")
#: What a channel says when do-not-disturb is on for it.
DND_ON = frozenset({"active", "permanent"})
#: Currencies of the countries in which Cliniko is used most; HighLevel does not tell a sub-account's.
_CURRENCIES = {
    "AU": "AUD", "NZ": "NZD", "GB": "GBP", "CA": "CAD", "US": "USD", "ZA": "ZAR", "SG": "SGD", "HK": "HKD",
    "CH": "CHF", "DK": "DKK", "NO": "NOK", "SE": "SEK", "AE": "AED", "IN": "INR", "MY": "MYR",
}  # fmt: skip
_EURO = frozenset(
    {
        "AT", "BE", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR", "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT",
        "SI", "SK",
    }
)  # fmt: skip


class Place(ABC):
    """What a place makes of values that are not simply text."""

    #: The sub-account's own currency, as far as it can be known.
    currency: str | None = None

    @abstractmethod
    def cleared(self, *, several: bool) -> Any:
        """Return what empties the field."""

    def money(self, amount: Any, currency: str) -> Any:
        """Return a sum of money; without the name of a currency it is in the sub-account's own."""
        return amount

    def is_own_currency(self, currency: str) -> bool:
        """Return whether a sum that names this currency is in the sub-account's own."""
        return self.currency is None or currency in {"default", self.currency}

    def option(self, label: str) -> str:
        """Return what a write must send for an option."""
        return label

    def label(self, option: Any) -> str:
        """Return the label of an option that was read: it comes as its label, key or id, or as an object with some of them."""
        named = [option.get(name) for name in _NAMES] if isinstance(option, dict) else [option]
        texts = [str(name) for name in named if name not in (None, "")]
        known = (self.labels.get(text) or self.labels.get(slug(text)) for text in texts)
        return next(filter(None, known), next(iter(texts), ""))

    @property
    def labels(self) -> Mapping[str, str]:
        """Return the label of each option by every text that names it in a read."""
        return {}

    @property
    def options(self) -> Collection[str]:
        """Return every text that names an option."""
        return self.labels.keys()


class StandardField(Place):
    """A field that every contact has, by its name in the API."""

    def __init__(self, api_name: str) -> None:
        """Name the field."""
        self._api_name = api_name

    def cleared(self, *, several: bool) -> Any:
        """Return an empty text where null is refused."""
        return "" if self._api_name in _NOT_NULL else None


class CustomField(Place):
    """A custom field of contacts: options go by their text."""

    def __init__(
        self,
        options: Mapping[str, str] | None = None,
        currency: str | None = None,
        *,
        cleared_by_null: bool = False,
    ) -> None:
        """Know the options' labels by their names (`Field.labels`), and which empty value clears the field."""
        self._labels = options or {}
        self.currency = currency
        self._cleared_by_null = cleared_by_null

    def cleared(self, *, several: bool) -> Any:
        """Return no options or no text, or null where a probe found that nothing else clears."""
        if self._cleared_by_null:
            return None
        return [] if several else ""

    @property
    def labels(self) -> Mapping[str, str]:
        """Return them."""
        return self._labels


class ObjectProperty(Place):
    """A property of a custom object's records: options go by their key, sums of money with their currency."""

    def __init__(
        self,
        field: Callable[[], Field],
        unknown: Callable[[], Exception],
        currency: str | None = None,
    ) -> None:
        """Ask for the field when an option is needed; ``unknown`` makes the error where there is none."""
        self._ask = field
        self._unknown = unknown
        self.currency = currency

    @cached_property
    def _field(self) -> Field:
        return self._ask()

    @property
    def labels(self) -> Mapping[str, str]:
        """Return those of the field."""
        return self._field.labels

    def cleared(self, *, several: bool) -> Any:
        """Return null."""
        return None

    def money(self, amount: Any, currency: str) -> Any:
        """Return the sum; ``default`` is the sub-account's own currency, and the only one that a write is known to take."""
        return {"currency": currency or "default", "value": amount}

    def option(self, label: str) -> str:
        """Return the option's key."""
        try:
            return self._field.options[label]
        except KeyError:
            raise self._unknown() from None


def own_currency(settings: Mapping[str, Any]) -> str | None:
    """Return the currency of a sub-account, by its country; none where that does not tell."""
    country = str(settings.get("country") or "").upper()
    return "EUR" if country in _EURO else _CURRENCIES.get(country)


@dataclass
class ContactBody:
    """The body of a contact's create, or of its update, while the kinds of fields put their values in."""

    catalogue: Catalogue
    #: The contact as it is; none while it is created.
    current: Mapping[str, Any] | None = None
    #: Tags that we put on it.
    our_tags: Iterable[str] = ()
    own: dict[str, Any] = field(default_factory=dict)
    custom: list[dict[str, Any]] = field(default_factory=list)
    channels: dict[str, Any] = field(default_factory=dict)

    def put(self, kind: FieldKind, value: Any) -> None:
        """Put in the value of a standard or a custom field; what is neither has no place in a contact."""
        declared = kind.declared
        if declared.kind == "custom":
            identity = self.catalogue.contact_field(declared.name).id
            place = CustomField(cleared_by_null=self.catalogue.known.answer("clearing") == "null")
            self.custom.append({"id": identity, "field_value": kind.encode(value, place)})
        elif declared.kind == "standard" and (self.current is None or not declared.create_only):
            self.own[declared.api_name] = kind.encode(value, StandardField(declared.api_name))

    def json(self) -> dict[str, Any]:
        """Return the body; channels that others have closed go along as they are, in case the whole is replaced."""
        body = dict(self.own)
        if self.custom:
            body["customFields"] = self.custom
        if self.channels:
            there = (self.current or {}).get("_dnd") or {}
            closed = {name: item for name, item in there.items() if item and item.get("status") in DND_ON}
            body["dndSettings"] = {**closed, **self.channels}
        return body


class ContactAnswer:
    """A contact as the API shows it."""

    def __init__(self, contact: Mapping[str, Any], catalogue: Catalogue) -> None:
        """Read this contact by the sub-account's definitions."""
        self.contact = contact
        self._catalogue = catalogue
        self._custom = custom_values(contact)

    def take(self, kind: FieldKind) -> dict[str, Any]:
        """Return the value of a standard or a custom field by our name; nothing where the sub-account has no such field."""
        declared = kind.declared
        if declared.kind == "standard":
            place = StandardField(declared.api_name)
            return {declared.name: kind.decode(self.contact.get(declared.api_name), place)}
        known = self._catalogue.contact_fields.get(declared.name) if declared.kind == "custom" else None
        if known is None:
            return {}
        return {
            declared.name: kind.decode(
                self._custom.get(known.id), CustomField(known.labels, own_currency(self._catalogue.settings))
            )
        }
