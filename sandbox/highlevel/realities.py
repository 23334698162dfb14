"""One HighLevel for every answer: the open questions of the target's register, each as options of the emulator.

A `probe.json` has the same names, so that a clinic's own sub-account can be replayed: `options_of(answers_in(path))`.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    Switch = Mapping[str, Mapping[str, Any]] | Callable[[str], Mapping[str, Any]]

UNLIMITED = "unlimited"
#: How many records a page is asked for at most.
_PAGE = 100


def _shape(name: str) -> dict[str, Any]:
    return {"shapes": {name}}


def _limit(option: str) -> Callable[[str], Mapping[str, Any]]:
    return lambda answer: {option: None if answer == UNLIMITED else int(float(answer))}


SWITCHES: dict[str, Switch] = {
    "contact_without_address": {"accepted": {}, "refused": {"require_address": True}},
    "duplicate_match": {
        "email_then_phone": {},
        "phone_then_email": {"match_first": "phone"},
        "email_only": {"match_second": False},
        "phone_only": {"match_first": "phone", "match_second": False},
    },
    "duplicate_refusal": {"named": {}, "bare": {"duplicate_meta": False}},
    "refused_address": {"never": {}, "sometimes": {"refused_addresses": ["a@", "5"]}},
    "email_spelling": {"as_written": {}, "lower_case": _shape("lowercase_emails")},
    "phone_spelling": {"as_written": {}, "spaced": _shape("spaced_phones")},
    "name_spelling": {"as_written": {}, "lower_case": _shape("lowercase_names")},
    "country_of_contact": {"left_empty": {}, "filled_in": {"country_fill": "US"}},
    "country_spelling": {"as_written": {}, "lower_case": _shape("lowercase_countries")},
    "unlisted_country": {"refused": {}, "left_empty": {"unlisted_country": "blank"}},
    "national_phone": {"refused": {}, "kept": {"national_phone": "keep"}},
    "tag_spelling": {"lower_case": {}, "as_written": {"lowercase_tags": False}},
    "closed_words": {"known": {}, "others": _shape("other_closed_words")},
    "closed_channel": {"kept": {}, "reopened": {"permanent_dnd": "reopen"}},
    "clearing": {"both": {}, "text": {"empty_clears": "text"}, "null": {"empty_clears": "null"}},
    "wrong_option": {"refused": {}, "left_empty": {"wrong_option": "blank"}},
    "unknown_field": {"refused": {}, "ignored": {"unknown_field": "ignore"}},
    "field_keys": {"of_name": {}, "numbered": _shape("numbered_keys")},
    "field_values": {"value": {}, "field_value": _shape("field_value")},
    "several_options": {"list": {}, "joined": _shape("joined_options")},
    "options_per_field": _limit("options_limit"),
    "object_creation": {"agency_only": {}, "sub_account": {"subaccount_creates_objects": True}},
    "object_folders": {"made": {}, "refused": {"closed": {"/custom-fields/folder": 404}}},
    "schema_lag": lambda answer: {"schema_cache": float(answer)},
    "option_definitions": {"objects": {}, "texts": _shape("option_texts")},
    "option_values": {"keys": {}, "objects": _shape("option_objects")},
    "record_dates": {
        "as_written": {},
        "date_time": _shape("date_times"),
        "epoch": _shape("epoch_dates"),
    },
    "record_owners": {
        "kept": {},
        "dropped": {"record_owners": "drop"},
        "refused": {"record_owners": "refuse"},
    },
    "unique_identity": {"no": {}, "yes": {"unique_fields": ["*.source_system_id"]}},
    "unknown_property": {"422": {}, "400": {"unknown_property_status": 400}},
    "record_search": {
        "both": {},
        "cursor_first": {"record_search": "both_always"},
        "either": {"record_search": "either"},
        "number": {"record_search": "number"},
    },
    "record_page": lambda answer: {"record_page": None if float(answer) >= _PAGE else int(float(answer))},
    "record_filters": {"heeded": {}, "ignored": {"search_filters": "ignore"}},
    "property_keys": {"short": {}, "whole": _shape("whole_property_keys")},
    "relation_again": {"refused": {}, "same": {"relation_again": "same"}},
    "relation_order": {"refused": {}, "accepted": {"swapped_relation": "accept"}},
    "relations_outlive_ends": {"removed": {}, "kept": {"relations_outlive": True}},
    "relations_of_missing": {"empty": {}, "refused": {"strict_relations": True}},
    "note_length": _limit("note_limit"),
    "note_order": {"oldest_first": {}, "newest_first": {"newest_notes_first": True}},
    "note_extras": {
        "kept": {},
        "unseen": _shape("notes_without_extras"),
        "dropped": {"note_extras": "drop"},
        "refused": {"note_extras": "refuse"},
    },
    "text_markup": {
        "as_written": {},
        "paragraphs": _shape("rich_texts"),
        "stripped": _shape("plain_texts"),
    },
    "longer_texts": {"refused": {}, "cut": {"longer_texts": "cut"}},
    "long_text_length": _limit("text_limit"),
    "line_length": _limit("line_limit"),
    "task_length": _limit("task_limit"),
    "event_length": _limit("description_limit"),
    "event_texts": {"listed": {}, "hidden": _shape("events_without_text")},
    "past_appointments": {"accepted": {}, "refused": {"past_appointments": "refuse"}},
    "appointment_user": {"optional": {}, "required": {"appointment_needs_user": True}},
    "calendar_hours": {"schedules": {}, "calendar": {"calendar_hours": "calendar"}},
    "blocked_slots": {
        "accepted": {},
        "calendars_only": {"blocks_users": "never"},
        "refused": {"closed": {"/block-slots": 403}},
    },
    "listed_span": {"any": {}, "short": {"longest_span": 366}},
    "deleted_owner": {"refused": {}, "accepted": {"assign_deleted_user": "accept"}},
    "files_over_limit": {
        "refused": {},
        "replaces": {"file_over_limit": "replace"},
        "dropped": {"file_over_limit": "drop"},
    },
    "files_per_field": _limit("files_limit"),
    "file_lists": {"writable": {}, "refused": {"file_lists": "refuse"}, "ignored": {"file_lists": "ignore"}},
    "file_names": {"as_written": {}, "simplified": _shape("plain_file_names")},
    "document_access": {
        way: {"documents": way} for way in ("token", "open", "version", "login", "other_host")
    },
    "search_lag": lambda answer: {"search_lag": float(answer)},
    "page_rows": _limit("largest_page"),
    "refused_creates": {"undone": {}, "done": {"refused_creates": "done"}},
    "counted_rows": {"all": {}, "10000": {"most_counted": 10_000}},
    "list_shape": {"wrapped": {}, "bare": _shape("bare_lists")},
    "envelopes": {"named": {}, "data": _shape("data_envelopes")},
    "id_names": {"id": {}, "_id": _shape("underscore_ids")},
    "switches": {"booleans": {}, "words": _shape("switch_words")},
    "deleted_rows": {"absent": {}, "marked": _shape("deleted_rows")},
    "odd_rows": {"absent": {}, "there": _shape("odd_rows")},
    "totals": {"told": {}, "absent": _shape("no_total")},
    "missing_thing": lambda answer: {"missing_status": int(answer)},
    "missing_event": {"like_others": {}, "invalid_id": {"missing_event": "invalid_id"}},
    "users_list": {"served": {}, "gone": {"users_by_search": True}},
    "custom_values": {
        "writable": {},
        "read_only": {"closed": {f"{method} /customValues": 401 for method in ("POST", "PUT", "DELETE")}},
        "refused": {"closed": {"/customValues": 401}},
    },
    "retry_after": {"absent": {}, "seconds": {"retry_after": "seconds"}, "date": {"retry_after": "date"}},
    "day_zone": lambda answer: {"day_zone": answer},
}


def options_of(answers: Mapping[str, str]) -> dict[str, Any]:
    """Return the options of a HighLevel that answers these questions so.

    Raises:
        LookupError: no such question, or no such answer.
    """
    options: dict[str, Any] = {}
    for name, answer in answers.items():
        switch = SWITCHES[name]
        for option, value in (switch(answer) if callable(switch) else switch[answer]).items():
            # two questions may each add a shape, or close a part of the API
            options[option] = (
                options[option] | value if isinstance(options.get(option), (set, dict)) else value
            )
    return options


def answers_in(path: Path) -> dict[str, str]:
    """Return the answers of a `probe.json`."""
    found = json.loads(path.read_text(encoding="utf-8"))["answers"]
    return {entry["question"]: str(entry["answer"]) for entry in found}
