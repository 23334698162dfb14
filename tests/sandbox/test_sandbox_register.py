"""The register of open questions and the sandbox that plays every answer belong together."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sandbox.highlevel.options import Options
from sandbox.highlevel.realities import SWITCHES, answers_in, options_of
from target_highlevel.assumptions import REGISTER, Assumption, Known, Measurement, assumption
from target_highlevel.assumptions.document import asked, page

DOCS = Path(__file__).resolve().parents[2] / "docs"
MORE_THAN_DEFAULT = [
    (name, answer) for name, item in REGISTER.items() for answer in item.answers if answer != item.default
]


def test_every_question_can_be_played() -> None:
    """The same names on both sides, and no answer that the sandbox does not know."""
    assert set(SWITCHES) == set(REGISTER)
    for name, item in REGISTER.items():
        switch = SWITCHES[name]
        if not callable(switch):
            assert set(switch) == set(item.answers), name


@pytest.mark.parametrize(
    ("name", "answer"), MORE_THAN_DEFAULT, ids=["=".join(pair) for pair in MORE_THAN_DEFAULT]
)
def test_every_answer_changes_the_sandbox(name: str, answer: str) -> None:
    """Played, it gives options that exist and that differ from those of the answer assumed."""
    assumed = options_of({name: REGISTER[name].default})
    assert Options.parse(options_of({name: answer})) != Options.parse(assumed)


def test_answers_are_played_together() -> None:
    """Two that add a shape, or close a part of the API, do not replace each other."""
    answers = {
        "name_spelling": "lower_case",
        "file_names": "simplified",
        "custom_values": "refused",
        "blocked_slots": "refused",
    }
    options = options_of(answers)
    assert options["shapes"] == {"lowercase_names", "plain_file_names"}
    assert set(options["closed"]) == {"/customValues", "/block-slots"}


def test_a_probe_is_played(tmp_path: Path) -> None:
    """What `probe.json` tells configures the sandbox; the command takes the file."""
    path = tmp_path / "probe.json"
    found = [{"question": "note_length", "answer": "20000", "evidence": "20,001 refused", "at": "2026-11-01"}]
    path.write_text(json.dumps({"answers": found}), encoding="utf-8")
    assert options_of(answers_in(path)) == {"note_limit": 20_000}
    shown = subprocess.run(
        [sys.executable, "-m", "sandbox", "--help"], capture_output=True, text=True, check=True
    )
    assert "--probe" in shown.stdout


def test_measured_answers_come_before_assumed_ones() -> None:
    """The last measurement counts; one whose answer or question nobody knows does not."""
    known = Known(
        Measurement(name, answer, "seen", at)
        for name, answer, at in (
            ("note_length", "20000", "2026-10-01T00:00:00+00:00"),
            ("note_length", "9000", "2026-11-01T00:00:00+00:00"),
            ("clearing", "sometimes", "2026-11-01T00:00:00+00:00"),
            ("of another version", "yes", "2026-11-01T00:00:00+00:00"),
        )
    )
    assert set(known.measured) == {"note_length"}
    assert (known.answer("note_length"), known.number("note_length")) == ("9000", 9000)
    assert (known.answer("clearing"), known.number("task_length")) == ("both", None)
    with pytest.raises(LookupError):
        known.answer("of another version")


def test_behaviour_asks_the_register_or_is_the_same_under_every_answer() -> None:
    """A question that nobody asks says that all its answers are met alike, and no other does."""
    assert asked().keys() == {name for name, item in REGISTER.items() if not item.alike}


def test_a_declaration_contradicts_itself() -> None:
    """A default that is no answer, or a question both measured and not, is refused."""
    for wrong in (
        {"default": "maybe", "measured": "x"},
        {"default": "yes"},
        {"default": "yes", "measured": "x", "unmeasured": "y"},
    ):
        told: dict[str, Any] = dict(wrong)
        with pytest.raises(ValueError, match="contradicts"):
            Assumption(name="n", question="?", source="s", answers={"yes": ""}, **told)
    with pytest.raises(LookupError):
        assumption("n")


def test_the_page_is_up_to_date() -> None:
    """docs/assumptions.md is what `make docs` writes."""
    assert (DOCS / "assumptions.md").read_text(encoding="utf-8") == page()
