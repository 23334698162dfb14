"""Measures contacts: whether one may be without an address, how its values come back, how they are cleared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.api import endpoints
from target_highlevel.api.contacts import value_name
from target_highlevel.assumptions import assumption
from target_highlevel.probe.own import FIRST_NAME

if TYPE_CHECKING:
    from target_highlevel.probe.asking import Said
    from target_highlevel.probe.own import Own

BORN, DAY = "1980-05-01", "2024-02-29"
TEXT, OPTION, OTHER_OPTION = "anything", "One", "Two, three"
_MANY_OPTIONS, _FEW_OPTIONS = assumption("options_per_field").tried, 50
#: Moments after the create, in seconds, at which the search is asked for the new contact.
_LOOKS = (0.0, 0.5, 1, 2, 3, 4, 5, 6, 8, 10, 12, 15, 20, 25, 30, 40, 60, 90, 120)
_ABOUT_CONTACTS = (
    "name_spelling", "country_of_contact", "country_spelling", "unlisted_country", "clearing", "wrong_option",
    "unknown_field", "field_values", "several_options", "record_dates", "search_lag", "totals",
)  # fmt: skip


def measure(own: Own) -> bool:
    """Make the fields and the contact, and measure them; return whether there is a contact to go on with."""
    _make_fields(own)
    if "" not in own.fields:
        for name in ("contact_without_address", *_ABOUT_CONTACTS):
            own.found.unknown(name, "no custom field could be made, and without its mark no contact is")
        return False
    began = own.clock()
    if not _make_contact(own):
        return False
    _search_lag(own, began)
    contact = own.read()
    _names(own, contact)
    _values(own, contact)
    _countries(own, contact)
    _clearing(own)
    _wrong_option(own)
    _unknown_field(own)
    return True


def _make_fields(own: Own) -> None:
    own.make_field("", "TEXT")
    own.make_field("text", "TEXT")
    own.make_field("long text", "LARGE_TEXT")
    own.make_field("day", "DATE")
    own.make_field("choice", "SINGLE_OPTIONS", options=[OPTION, OTHER_OPTION])
    own.make_field("choices", "MULTIPLE_OPTIONS", options=[OPTION, OTHER_OPTION])
    own.make_field("files", "FILE_UPLOAD", isMultipleFile=False, maxNumberOfFiles=1)
    _options(own)


def _options(own: Own) -> None:
    def made(number: int) -> Said:
        options = [f"Option {place}" for place in range(number)]
        return own.make_field("many options", "SINGLE_OPTIONS", options=options)

    said = made(_MANY_OPTIONS)
    if said.ok:
        own.found.answer("options_per_field", "unlimited", f"{_MANY_OPTIONS} options were accepted")
    elif said.refused and (fewer := made(_FEW_OPTIONS)).ok:
        evidence = f"{_MANY_OPTIONS} options: {said.told()}; {_FEW_OPTIONS}: {fewer.told()}"
        own.found.answer("options_per_field", str(_FEW_OPTIONS), evidence)
    else:
        own.found.unknown("options_per_field", said.told())


def _make_contact(own: Own) -> bool:
    values = [
        own.value(word, value)
        for word, value in (
            ("text", TEXT),
            ("day", DAY),
            ("choice", OPTION),
            ("choices", [OPTION, OTHER_OPTION]),
        )
        if word in own.fields
    ]
    said = own.make_contact(*values, dateOfBirth=BORN)
    own.contact = said.identity("contact")
    if own.contact:
        own.found.answer("contact_without_address", "accepted", "a contact was made without any")
        return True
    if said.refused:
        own.found.answer("contact_without_address", "refused", said.told())
    else:
        own.found.unknown("contact_without_address", f"{said.told()}, without an id")
    for name in _ABOUT_CONTACTS:
        own.found.unknown(name, "no contact could be made without an address")
    return False


def _search_lag(own: Own, began: float) -> None:
    """Ask the search until it shows the new contact: the lag is counted from before the create was sent."""
    body = {
        "locationId": own.asker.location,
        "pageLimit": 20,
        "page": 1,
        "filters": [{"field": f"customFields.{own.fields['']}", "operator": "exists"}],
    }
    made = own.clock()
    for moment in _LOOKS:
        own.wait(max(0.0, made + moment - own.clock()))
        said = own.ask(endpoints.SEARCH_CONTACTS, json=body)
        if not said.ok:
            own.found.unknown("search_lag", said.told())
            own.found.unknown("totals", said.told())
            return
        if any(row.get("id") == own.contact for row in said.rows("contacts")):
            own.search_lag = own.clock() - made
            lag = 0 if moment == 0 else max(1, round(own.search_lag))
            own.found.answer("search_lag", str(lag), f"shown {own.clock() - began:.1f} s after the request")
            has_total = isinstance(said.body, dict) and "total" in said.body
            told, evidence = ("told", "a number") if has_total else ("absent", "no number")
            own.found.answer("totals", told, f"the search answered {evidence} beside its rows")
            return
    own.found.unknown("search_lag", f"not shown within {_LOOKS[-1]:.0f} s")
    own.found.unknown("totals", "the search did not show the contact")


def _names(own: Own, contact: dict[str, Any]) -> None:
    shown = contact.get("firstName")
    if shown == FIRST_NAME:
        own.found.answer("name_spelling", "as_written", "read back as it was written")
    elif str(shown).casefold() == FIRST_NAME.casefold():
        raw = (
            "as it was written beside it"
            if contact.get("firstNameRaw") == FIRST_NAME
            else "nothing beside it"
        )
        own.found.answer("name_spelling", "lower_case", f"read back in small letters, {raw}")
    else:
        own.found.unknown("name_spelling", "the name is not read back")


def _values(own: Own, contact: dict[str, Any]) -> None:
    name = value_name(own.entry("text", contact))
    if name:
        answer = "value" if name == "value" else "field_value"
        own.found.answer("field_values", answer, f"the value is called {name}")
    else:
        own.found.unknown("field_values", "the field is not read back")
    _several(own, own.field_read("choices", contact) if "choices" in own.fields else None)
    _day(own, own.field_read("day", contact) if "day" in own.fields else None)


def _several(own: Own, shown: Any) -> None:
    if isinstance(shown, list):
        own.found.answer("several_options", "list", "two options came as a list")
    elif isinstance(shown, str):
        own.found.answer("several_options", "joined", "two options came as one text")
    else:
        own.found.unknown("several_options", "the field is not read back")


def _day(own: Own, shown: Any) -> None:
    if shown == DAY:
        own.found.answer("record_dates", "as_written", "a day came as YYYY-MM-DD")
    elif isinstance(shown, str) and shown.startswith(DAY):
        own.found.answer("record_dates", "date_time", "a day came as a date-time")
    elif isinstance(shown, (int, float)):
        own.found.answer("record_dates", "epoch", "a day came as a number")
    else:
        own.found.unknown("record_dates", "the field is not read back as that day")


def _countries(own: Own, contact: dict[str, Any]) -> None:
    given = contact.get("country")
    if given:
        own.found.answer("country_of_contact", "filled_in", "a contact made without a country has one")
    else:
        own.found.answer("country_of_contact", "left_empty", "a contact made without a country has none")
    said = own.write(country=own.country or "AU")
    shown = own.read().get("country") if said.ok else None
    if shown == (own.country or "AU"):
        own.found.answer("country_spelling", "as_written", "read back as it was written")
    elif isinstance(shown, str) and shown.upper() == (own.country or "AU"):
        own.found.answer("country_spelling", "lower_case", "read back in small letters")
    else:
        own.found.unknown("country_spelling", f"{said.told()}; not read back")
    said = own.write(country="ZZ")
    if said.refused:
        own.found.answer("unlisted_country", "refused", said.told())
    elif said.ok and str(own.read().get("country") or "").upper() != "ZZ":
        own.found.answer("unlisted_country", "left_empty", "accepted, and not read back")
    else:
        own.found.unknown("unlisted_country", f"{said.told()}, and read back")


def _clearing(own: Own) -> None:
    """Empty the field in each way; a value is written again in between."""
    if "text" not in own.fields:
        own.found.unknown("clearing", "no text field could be made")
        return
    cleared = {}
    for empty, word in (("", "text"), (None, "null")):
        own.write(customFields=[own.value("text", TEXT)])
        said = own.write(customFields=[own.value("text", empty)])
        cleared[word] = said.ok and own.field_read("text") in (None, "")
    ways = [word for word, done in cleared.items() if done]
    evidence = f"cleared by {' and '.join(ways) or 'neither'} of an empty text and null"
    if ways:
        own.found.answer("clearing", "both" if len(ways) > 1 else ways[0], evidence)
    else:
        own.found.unknown("clearing", evidence)


def _wrong_option(own: Own) -> None:
    if "choice" not in own.fields:
        own.found.unknown("wrong_option", "no choice field could be made")
        return
    said = own.write(customFields=[own.value("choice", "none of these")])
    if said.refused:
        own.found.answer("wrong_option", "refused", said.told())
    elif said.ok and own.field_read("choice") != "none of these":
        own.found.answer("wrong_option", "left_empty", "accepted, and not read back")
    else:
        own.found.unknown("wrong_option", f"{said.told()}, and read back: the option is made by using it")


def _unknown_field(own: Own) -> None:
    """Write a value for a field that is deleted before."""
    if "text" not in own.fields:
        own.found.unknown("unknown_field", "no field could be made to be deleted")
        return
    gone = own.ask(endpoints.DELETE_CONTACT_FIELD, own.asker.location, own.fields["text"])
    if not gone.ok:
        own.found.unknown("unknown_field", f"the field could not be deleted: {gone.told()}")
        return
    said = own.write(customFields=[own.value("text", TEXT)])
    if said.refused:
        own.found.answer("unknown_field", "refused", said.told())
    elif said.ok:
        own.found.answer("unknown_field", "ignored", "accepted, and there is no such field")
    else:
        own.found.unknown("unknown_field", said.told())
