"""Other shapes of the same answers: what the vendor's description leaves open, each a word in the option `shapes`.

The data stay as they are; only what an answer shows of them is rewritten, after the work is done.
"""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.contact_values import CHOICES, SEVERAL_CHOICES
from sandbox.highlevel.naming import epoch_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sandbox.highlevel.account import Account

    Reshape = Callable[[str, Any, Account], Any]

_LISTS = {"/associations/": "associations", "/associations/relations/{recordId}": "relations"}
_OBJECT_FIELDS = frozenset(
    {"/custom-fields/object-key/{objectKey}", "/custom-fields/", "/custom-fields/{id}"}
)


def reshaped(pattern: str, body: Any, account: Account, wanted: Collection[str]) -> Any:
    """Return an answer's body in the wanted shapes."""
    for name, reshape in SHAPES.items():
        if name in wanted:
            body = reshape(pattern, body, account)
    return body


def _bare_lists(pattern: str, body: Any, _account: Account) -> Any:
    return body.get(_LISTS.get(pattern, ""), body)


def _no_total(_pattern: str, body: Any, _account: Account) -> Any:
    if not isinstance(body, dict):
        return body
    told = {name: body[name] for name in body if name not in {"total", "totalCount"}}
    if "meta" in told:
        told["meta"] = {name: told["meta"][name] for name in told["meta"] if name != "total"}
    return told


def _with(body: Any, name: str, change: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """Return an answer with every thing of one kind changed."""
    if isinstance(body, dict) and name in body:
        return {**body, name: change(body[name])}
    if isinstance(body, dict) and f"{name}s" in body:
        return {**body, f"{name}s": [change(item) for item in body[f"{name}s"]]}
    return body


def _with_values(body: Any, account: Account, change: Callable[[str, Any], Any]) -> Any:
    """Return an answer with the values of contacts' custom fields changed, each by the type of its field."""

    def contact(item: dict[str, Any]) -> dict[str, Any]:
        kinds = {identity: definition["dataType"] for identity, definition in account.contact_fields.items()}
        fields = [
            {**each, "value": change(kinds.get(each["id"], ""), each["value"])}
            for each in item["customFields"]
        ]
        return {**item, "customFields": fields}

    return _with(body, "contact", contact)


def _with_properties(body: Any, account: Account, change: Callable[[dict[str, Any], Any], Any]) -> Any:
    """Return an answer with the properties of records changed, each by its definition."""
    definitions = {field["fieldKey"].rpartition(".")[2]: field for field in account.object_fields.values()}

    def record(item: dict[str, Any]) -> dict[str, Any]:
        values = {name: change(definitions[name], value) for name, value in item["properties"].items()}
        return {**item, "properties": values}

    return _with(body, "record", record)


def _field_value(_pattern: str, body: Any, _account: Account) -> Any:
    def contact(item: dict[str, Any]) -> dict[str, Any]:
        fields = [{"id": each["id"], "fieldValue": each["value"]} for each in item["customFields"]]
        return {**item, "customFields": fields}

    return _with(body, "contact", contact)


def _unreadable_fields(_pattern: str, body: Any, _account: Account) -> Any:
    return _with(
        body,
        "contact",
        lambda item: {**item, "customFields": [{"id": x["id"]} for x in item["customFields"]]},
    )


def _events_without_text(pattern: str, body: Any, _account: Account) -> Any:
    if pattern != "/contacts/{contactId}/appointments":
        return body
    hidden = {"notes", "description"}
    return _with(body, "event", lambda item: {name: item[name] for name in item if name not in hidden})


def _notes_without_extras(_pattern: str, body: Any, _account: Account) -> Any:
    hidden = {"title", "pinned", "color"}
    return _with(body, "note", lambda item: {name: item[name] for name in item if name not in hidden})


def _plain_file_names(_pattern: str, body: Any, account: Account) -> Any:
    def plain(kind: str, value: Any) -> Any:
        if kind != "FILE_UPLOAD":
            return value
        return {
            key: {**item, "meta": {**item["meta"], "originalname": _plain(item["meta"]["originalname"])}}
            for key, item in value.items()
        }

    return _with_values(body, account, plain)


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "_", name)


def _numbered_keys(pattern: str, body: Any, _account: Account) -> Any:
    """Answer other keys than the names make, as if fields that were removed still held those."""
    if pattern != "/locations/{locationId}/customFields":
        return body
    return _with(body, "customField", lambda item: {**item, "fieldKey": f"{item['fieldKey']}_2"})


def _option_texts(pattern: str, body: Any, _account: Account) -> Any:
    def field(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "options": [option["label"] for option in item.get("options") or ()]}

    return _with(body, "field", field) if pattern in _OBJECT_FIELDS else body


def _option_objects(_pattern: str, body: Any, account: Account) -> Any:
    def whole(definition: dict[str, Any], value: Any) -> Any:
        if definition["dataType"] not in CHOICES:
            return value
        options = {option["key"]: option for option in definition["options"]}
        return [options[one] for one in value] if isinstance(value, list) else options[value]

    return _with_properties(body, account, whole)


def _joined_options(_pattern: str, body: Any, account: Account) -> Any:
    def joined(kind: str, value: Any) -> Any:
        return ", ".join(value) if kind in SEVERAL_CHOICES else value

    return _with_values(
        _with_properties(body, account, lambda definition, value: joined(definition["dataType"], value)),
        account,
        joined,
    )


def _epoch_dates(_pattern: str, body: Any, account: Account) -> Any:
    def moment(kind: str, value: Any) -> Any:
        return epoch_ms(value[:10]) if kind == "DATE" else value

    def birth(item: dict[str, Any]) -> dict[str, Any]:
        born = item.get("dateOfBirth")
        return {**item, "dateOfBirth": epoch_ms(born)} if born else item

    def task(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, "dueDate": epoch_ms(item["dueDate"])}

    body = _with_properties(body, account, lambda definition, value: moment(definition["dataType"], value))
    return _with(_with(_with_values(body, account, moment), "contact", birth), "task", task)


def _date_times(_pattern: str, body: Any, account: Account) -> Any:
    def moment(definition: dict[str, Any], value: Any) -> Any:
        return f"{value}T00:00:00.000Z" if definition["dataType"] == "DATE" else value

    body = _with_properties(body, account, moment)
    return _with_values(body, account, lambda kind, value: moment({"dataType": kind}, value))


def _spelled(body: Any, name: str, spell: Callable[[str], str]) -> Any:
    """Return an answer with one field of every contact spelled in another way."""

    def contact(item: dict[str, Any]) -> dict[str, Any]:
        return {**item, name: spell(item[name])} if item.get(name) else item

    return _with(body, "contact", contact)


def _lowercase_emails(_pattern: str, body: Any, _account: Account) -> Any:
    return _spelled(body, "email", str.lower)


def _lowercase_countries(_pattern: str, body: Any, _account: Account) -> Any:
    return _spelled(body, "country", str.lower)


def _spaced_phones(_pattern: str, body: Any, _account: Account) -> Any:
    return _spelled(body, "phone", lambda phone: f"{phone[:3]} {phone[3:6]} {phone[6:9]} {phone[9:]}")


def _lowercase_names(_pattern: str, body: Any, _account: Account) -> Any:
    """Answer names in lower case and as they were written beside them, as live answers did in July 2025."""

    def contact(item: dict[str, Any]) -> dict[str, Any]:
        raw = {f"{name}Raw": item[name] for name in ("firstName", "lastName") if name in item}
        return {**item, **{name.removesuffix("Raw"): value.lower() for name, value in raw.items()}, **raw}

    return _with(body, "contact", contact)


def _other_closed_words(_pattern: str, body: Any, _account: Account) -> Any:
    """Answer another word than the described one for a channel that the patient closed."""

    def contact(item: dict[str, Any]) -> dict[str, Any]:
        channels = {
            name: {**channel, "status": "unsubscribed"} if channel["status"] == "permanent" else channel
            for name, channel in item.get("dndSettings", {}).items()
        }
        return {**item, "dndSettings": channels}

    return _with(body, "contact", contact)


def _plain_texts(_pattern: str, body: Any, _account: Account) -> Any:
    """Answer texts without what stands in angle brackets, as a platform does that takes it for markup."""

    def without(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        return lambda item: {**item, name: re.sub(r"<[^>]*>", "", item[name])} if item.get(name) else item

    for kind, name in (("note", "body"), ("task", "body"), ("event", "description"), ("event", "notes")):
        body = _with(body, kind, without(name))
    return body


def _rich_texts(_pattern: str, body: Any, _account: Account) -> Any:
    def rich(name: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
        def thing(item: dict[str, Any]) -> dict[str, Any]:
            if not item.get(name) or item[name].startswith("<p>"):
                return item  # what was written as markup stays what it is
            lines = html.escape(item[name], quote=False).splitlines()
            return {**item, name: "".join(f"<p>{line}</p>" for line in lines)}

        return thing

    for kind, name in (("note", "body"), ("task", "body"), ("event", "description")):
        body = _with(body, kind, rich(name))
    return body


def _whole_property_keys(_pattern: str, body: Any, account: Account) -> Any:
    def record(item: dict[str, Any]) -> dict[str, Any]:
        # a search says it, and may lag: then it shows what is not there any more
        key = item.get("objectKey") or account.records[item["id"]]["objectKey"]
        return {**item, "properties": {f"{key}.{name}": value for name, value in item["properties"].items()}}

    return _with(body, "record", record)


def _things(body: Any, change: Callable[[Any], Any]) -> Any:
    """Return an answer with each thing in it changed, and each list of things: what stands right inside it."""
    if isinstance(body, list):
        return change(body)
    if not isinstance(body, dict):
        return body
    return {name: change(item) if isinstance(item, dict | list) else item for name, item in body.items()}


def _underscore_ids(_pattern: str, body: Any, _account: Account) -> Any:
    def thing(item: Any) -> Any:
        if isinstance(item, list):
            return [thing(each) for each in item]
        if not isinstance(item, dict) or "id" not in item:
            return item
        return {"_id" if name == "id" else name: value for name, value in item.items()}

    return thing(_things(body, thing))


def _switch_words(_pattern: str, body: Any, _account: Account) -> Any:
    def words(found: Any) -> Any:
        if isinstance(found, dict):
            return {name: words(item) for name, item in found.items()}
        if isinstance(found, list):
            return [words(item) for item in found]
        return str(found).lower() if isinstance(found, bool) else found

    return words(body)


def _deleted_rows(pattern: str, body: Any, _account: Account) -> Any:
    """Answer lists with a row more, the first one's twin, which was deleted."""

    def rows(found: Any) -> Any:
        if not isinstance(found, list) or not found or not isinstance(found[0], dict) or "id" not in found[0]:
            return found
        return [*found, {**found[0], "id": f"{found[0]['id']}-deleted", "deleted": True}]

    return body if pattern in _OBJECT_FIELDS else _things(body, rows)


_ODD_FIELDS = (
    {"id": "odd-1", "name": "Shoe size", "dataType": "TEXT"},
    {"id": "odd-2", "fieldKey": None, "dataType": "TEXT"},
    {"id": "odd-3", "fieldKey": "contact.hat_size", "name": "Hat size"},
    {"id": "odd-4", "fieldKey": "contact.glove_size", "dataType": "RADIO", "picklistOptions": [7, None, 8.5]},
    {"id": "odd-5", "fieldKey": "contact.ring_size", "dataType": "RADIO", "picklistOptions": {"A": "B"}},
    {"fieldKey": "contact.nowhere", "dataType": "TEXT"},
)
#: What lists have beside what they should, by path and envelope: somebody's own things, each without something.
_ODD_ROWS: dict[str, dict[str, tuple[dict[str, Any], ...]]] = {
    "/locations/{locationId}/customFields": {"customFields": _ODD_FIELDS},
    "/custom-fields/object-key/{objectKey}": {"fields": _ODD_FIELDS, "folders": ({"name": "Of nobody"},)},
    "/objects/": {"objects": ({"id": "odd-object"}, {"id": "odd-object-2", "key": None})},
    "/associations/": {"associations": ({"id": "odd-association"},)},
    "/users/": {
        "users": ({"id": "odd-user"}, {"id": "odd-user-2", "email": None}, {"email": "x@example.org"})
    },
    "/calendars/": {
        "calendars": (
            {"id": "odd-calendar"},
            {"id": "odd-calendar-2", "name": "Of nobody", "teamMembers": [{}]},
            {"id": "odd-calendar-3", "name": None, "teamMembers": "everybody"},
        )
    },
    "/opportunities/pipelines": {
        "pipelines": (
            {"id": "odd-pipeline"},
            {"id": "odd-pipeline-2", "name": "Without stages"},
            {"id": "odd-pipeline-3", "name": "With odd stages", "stages": [{}, {"name": "No id"}]},
            {"name": "Without an id"},
        )
    },
}


def _odd_rows(pattern: str, body: Any, _account: Account) -> Any:
    """Answer lists of definitions and people with rows that lack something."""
    more = _ODD_ROWS.get(pattern, {})
    if not isinstance(body, dict):
        return body
    return {
        name: [*item, *more[name]] if name in more and isinstance(item, list) else item
        for name, item in body.items()
    }


def _data_envelopes(_pattern: str, body: Any, _account: Account) -> Any:
    """Answer what stands in an envelope of its own in one that is always called alike."""
    if not isinstance(body, dict):
        return body
    held = [name for name, item in body.items() if isinstance(item, dict | list) and name != "meta"]
    return {"data" if held == [name] and "id" not in body else name: item for name, item in body.items()}


SHAPES: dict[str, Reshape] = {
    "date_times": _date_times,
    "epoch_dates": _epoch_dates,
    "events_without_text": _events_without_text,
    "joined_options": _joined_options,
    "notes_without_extras": _notes_without_extras,
    "numbered_keys": _numbered_keys,
    "option_objects": _option_objects,
    "option_texts": _option_texts,
    "plain_file_names": _plain_file_names,
    "lowercase_countries": _lowercase_countries,
    "lowercase_emails": _lowercase_emails,
    "lowercase_names": _lowercase_names,
    "other_closed_words": _other_closed_words,
    "plain_texts": _plain_texts,
    "spaced_phones": _spaced_phones,
    "rich_texts": _rich_texts,
    # last, because the others look for what these take away
    "no_total": _no_total,
    "field_value": _field_value,
    "unreadable_fields": _unreadable_fields,
    "whole_property_keys": _whole_property_keys,
    "odd_rows": _odd_rows,
    "bare_lists": _bare_lists,
    "deleted_rows": _deleted_rows,
    "underscore_ids": _underscore_ids,
    "switch_words": _switch_words,
    "data_envelopes": _data_envelopes,
}
