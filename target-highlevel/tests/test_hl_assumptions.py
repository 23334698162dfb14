"""The main job under every answer to every question that HighLevel leaves open, and under many at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_loading import rejects
from hl_realities import combination, expected, first_lines, head, main_job, measured

from sandbox.highlevel.realities import options_of
from target_highlevel.assumptions import REGISTER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loader

SINGLE = [
    (name, answer) for name, item in REGISTER.items() for answer in item.answers if answer != item.default
]


#: Answers that alter what the target does, as many at once as one HighLevel can give.
TOGETHER: dict[str, dict[str, str]] = {
    "spellings": {
        "name_spelling": "lower_case",
        "country_of_contact": "filled_in",
        "email_spelling": "lower_case",
        "phone_spelling": "spaced",
        "record_dates": "date_time",
        "option_definitions": "texts",
        "option_values": "objects",
        "unlisted_country": "left_empty",
        "tag_spelling": "as_written",
        "missing_thing": "400",
        "relations_of_missing": "refused",
        "users_list": "gone",
        "switches": "words",
        "property_keys": "whole",
        "deleted_rows": "marked",
    },
    "shapes": {
        "country_spelling": "lower_case",
        "record_dates": "epoch",
        "several_options": "joined",
        "field_values": "field_value",
        "file_names": "simplified",
        "list_shape": "bare",
        "totals": "absent",
        "page_rows": "20",
        "text_markup": "paragraphs",
        "clearing": "text",
        "wrong_option": "left_empty",
        "unknown_field": "ignored",
        "document_access": "open",
        "envelopes": "data",
        "id_names": "_id",
        "odd_rows": "there",
        "record_filters": "ignored",
        "counted_rows": "10000",
        "closed_words": "others",
    },
    "writes": {
        "text_markup": "stripped",
        "note_extras": "dropped",
        "note_order": "newest_first",
        "clearing": "null",
        "field_keys": "numbered",
        "document_access": "version",
        "duplicate_match": "phone_then_email",
        "duplicate_refusal": "bare",
        "relation_again": "same",
        "unique_identity": "yes",
        "unknown_property": "400",
        "refused_creates": "done",
        "record_search": "either",
        "record_page": "20",
    },
    "calendar": {
        "event_texts": "hidden",
        "missing_event": "invalid_id",
        "document_access": "other_host",
        "duplicate_match": "email_only",
        "deleted_owner": "accepted",
    },
    "cuts": {
        "longer_texts": "cut",
        "long_text_length": "5000",
        "task_length": "5000",
        "note_length": "2000",
        "line_length": "100",
        "custom_values": "read_only",
    },
    "refusals": {
        "contact_without_address": "refused",
        "document_access": "login",
        "long_text_length": "5000",
        "task_length": "5000",
        "note_length": "2000",
        "note_extras": "refused",
        "line_length": "100",
        "file_lists": "refused",
        "options_per_field": "50",
        "record_search": "cursor_first",
        "files_per_field": "10",
    },
}


@pytest.mark.parametrize("answers", TOGETHER.values(), ids=TOGETHER)
def test_the_main_job_under_many_answers_at_once(
    answers: dict[str, str], highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """Load, delta, verification and rollback come to the end that they should."""
    main_job(highlevel, tmp_path, answers)


def test_what_was_measured_costs_no_refusal(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """Long texts are cut at once, past bookings are tasks; who has no address of their own is listed without a request."""
    answers = {
        "contact_without_address": "refused",
        "past_appointments": "refused",
        "long_text_length": "5000",
        "task_length": "5000",
    }
    loader = highlevel(**options_of({"search_lag": "0.2", **answers}))
    loader.settings["APPOINTMENTS_AS"] = "calendar_event"
    measured(loader, answers)
    loader.load([*head(), *first_lines(tmp_path)])
    assert rejects(loader) == {("patients/2", "address_required"), ("patients/3", "address_required")}
    highlevel_ = loader.sandbox.highlevel
    assert {entry.status for entry in highlevel_.control.requests if entry.write} <= {200, 201}
    (task,) = highlevel_.state.tasks.values()
    assert len(task["body"]) <= 5000
    assert not highlevel_.state.appointments


def test_random_combinations_leave_out_no_question() -> None:
    """Each answers all of the register at once, and a hundred of them give every answer that is no long wait."""
    combinations = [combination(seed) for seed in range(100)]
    assert all(one.keys() == REGISTER.keys() for one in combinations)
    given = {pair for one in combinations for pair in one.items()}
    assert {(name, answer) for name, item in REGISTER.items() for answer in item.answers} - given == {
        ("search_lag", "10"),
        ("search_lag", "30"),
    }


def test_where_nobody_arrives_nothing_is_unreadable() -> None:
    """A file that only a person may open is not there without its contact."""
    alone = {"document_access": "login", "contact_without_address": "refused"}
    assert expected(alone).verify == {6}
    assert expected({**alone, "refused_address": "sometimes"}).verify == {0, 6}


@pytest.mark.soak
@pytest.mark.parametrize(("name", "answer"), SINGLE, ids=["=".join(pair) for pair in SINGLE])
def test_the_main_job_under_every_single_answer(
    name: str, answer: str, highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """One answer differs from what is assumed, and nobody has measured it."""
    main_job(highlevel, tmp_path, {name: answer})


@pytest.mark.soak
@pytest.mark.parametrize("seed", range(100))
def test_the_main_job_under_a_random_combination(
    seed: int, highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """Every question has an answer of its own."""
    main_job(highlevel, tmp_path, combination(seed))
