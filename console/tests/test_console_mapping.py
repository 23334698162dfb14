"""Choices for the clinic's own fields: written as a person would, taken back one by one."""

from __future__ import annotations

import difflib
import shutil
from pathlib import Path
from typing import Any

import pytest
from console_server import MAPPING

from cliniko_to_highlevel.mapping import FIELD_TARGETS
from migration_console.mapping_file import PLACES, MappingFile, WrongChoiceError
from migration_console.yaml_lines import with_item, with_value, with_values

SHIPPED = Path(__file__).resolve().parents[2] / "transforms" / "mapping.yml"


@pytest.fixture
def mapping(tmp_path: Path) -> MappingFile:
    """A mapping of the shipped one's text."""
    shutil.copyfile(SHIPPED, tmp_path / "mapping.yml")
    return MappingFile(tmp_path / "mapping.yml", tmp_path / "history")


def test_a_choice_changes_its_own_lines_only(mapping: MappingFile, tmp_path: Path) -> None:
    """Comments and every other line of the file stay as they are."""
    mapping.decide({"Funding / Health fund": "insurer"})
    mapping.decide({"Favourite: team": "ignore"})
    assert mapping.named() == {"Funding / Health fund": "insurer", "Favourite: team": "ignore"}
    before, after = SHIPPED.read_text(), (tmp_path / "mapping.yml").read_text()
    changes = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert len(changes) == 4, changes
    assert before.count("#") == after.count("#")


def test_a_file_in_another_encoding_is_left_as_it_is(tmp_path: Path) -> None:
    """The pages open, and a choice says what to mend."""
    file = tmp_path / "mapping.yml"
    file.write_bytes("owners:\n  Müller: a@example.org\n".encode("cp1252"))
    mapping = MappingFile(file, tmp_path / "history")
    assert (mapping.named(), len(mapping.version)) == ({}, 16)
    with pytest.raises(WrongChoiceError, match="UTF-8; correct it"):
        mapping.decide({"A": "keep"})
    assert b"M\xfcller" in file.read_bytes()


def test_choices_are_taken_back_in_order(mapping: MappingFile, tmp_path: Path) -> None:
    """Undo brings back each version, down to the file as it was shipped."""
    mapping.decide({"A": "keep"})
    mapping.decide({"A": "ignore"})
    mapping.decide({"A": None})
    assert mapping.named() == {}
    assert mapping.undo()
    assert mapping.named() == {"A": "ignore"}
    assert mapping.undo()
    assert mapping.undo()
    assert not mapping.undo()
    assert not mapping.can_undo()
    assert (tmp_path / "mapping.yml").read_text() == SHIPPED.read_text()


def test_a_change_that_a_kill_prevented_is_passed_over(mapping: MappingFile, tmp_path: Path) -> None:
    """The version before it was kept already; the change before that one can still be taken back."""
    mapping.decide({"A": "keep"})
    (kept,) = (tmp_path / "history").iterdir()
    shutil.copyfile(tmp_path / "mapping.yml", kept.with_name(f"9{kept.name[1:-8]}00000000.yml"))
    assert mapping.undo()
    assert mapping.named() == {}
    assert not mapping.undo()


def test_the_file_stays_where_it_is_and_everybodys_who_could_read_it(tmp_path: Path) -> None:
    """A scheduled load may run as another user, and the file may be a link into a folder of its own."""
    (tmp_path / "clinics").mkdir()
    kept = tmp_path / "clinics" / "north.yml"
    kept.write_text(MAPPING)
    kept.chmod(0o640)
    path = tmp_path / "mapping.yml"
    path.symlink_to(kept)
    mapping = MappingFile(path, tmp_path / "history")
    for change in (lambda: mapping.decide({"A": "keep"}), mapping.undo):
        change()
        assert path.is_symlink()
        assert kept.stat().st_mode & 0o777 == 0o640
    assert kept.read_text() == MAPPING


def test_a_file_of_a_few_lines(tmp_path: Path) -> None:
    """A clinic's own file may hold only what it changes."""
    path = tmp_path / "own.yml"
    path.write_text("default_country: NZ  # ours\n")
    MappingFile(path, tmp_path / "history").decide({"A": "keep"})
    assert path.read_text() == 'default_country: NZ  # ours\ncustom_fields:\n  named:\n    "A": keep\n'
    path.write_text(MAPPING)
    MappingFile(path, tmp_path / "history").decide({"A": "keep"})
    assert "recognise: []   # patterns" in path.read_text()


@pytest.mark.parametrize(
    "text",
    [
        "custom_fields:\n  named: {A: keep, B: ignore}  # ours\n  recognise: []\n",
        "custom_fields:\n    named: {A: keep,\n        B: ignore}\n    recognise: []\n",
        "custom_fields:\n  recognise: []\n  named:\n    A: keep\n    # why\n    'B': ignore\n\n# end\n",
        "custom_fields:\n  recognise: []\nmove: {}\n",
        "custom_fields:\nmove: {}\n",
        "",
    ],
)
def test_every_way_to_write_the_fields(tmp_path: Path, text: str) -> None:
    """However a person has written the fields, a choice is added, changed and taken back; the rest stays."""
    path = tmp_path / "own.yml"
    path.write_text(text)
    mapping = MappingFile(path, tmp_path / "history")
    before = mapping.named()
    mapping.decide({'Section / "Label": #1': "keep"})
    assert mapping.named() == {**before, 'Section / "Label": #1': "keep"}
    mapping.decide({'Section / "Label": #1': None})
    assert mapping.named() == before
    for line in ("  recognise: []", "move: {}", "# end"):
        assert (line in text) == (line in path.read_text())


def test_comments_between_the_fields_stay(tmp_path: Path) -> None:
    """Changed, added or taken back: no comment moves, and no line but the one that is decided."""
    path = tmp_path / "own.yml"
    text = """custom_fields:
  # ours
  named:
    # with the manager, May 3
    "A": keep   # for now
    B: ignore

    # last
    'C': school
  # behind
"""
    path.write_text(text)
    mapping = MappingFile(path, tmp_path / "history")
    mapping.decide({"B": "employer"})
    mapping.decide({"A": "school"})
    mapping.decide({"D": "keep"})
    mapping.decide({"C": None})
    expected = text.replace("B: ignore", "B: employer").replace('"A": keep ', '"A": school ')
    assert path.read_text() == expected.replace("    'C': school\n", '    "D": keep\n')


@pytest.mark.parametrize(
    ("text", "path", "value", "expected"),
    [
        ("", ("a", "b"), 1, "a:\n  b: 1\n"),
        ("a: {b: , c: 1}", ("a", "b", "d"), "x", "a: {b: {d: x} , c: 1}\n"),
        ("a:\n  - 1\n  # in\n  - 2\n# after\nb: 1\n", ("a",), ["yes"], 'a: ["yes"]\n# after\nb: 1\n'),
        ("a: |\n  long\n  text\nb: 1\n", ("b",), None, "a: |\n  long\n  text\n"),
        ("a:\nb: 1\n", ("a",), "2019-07-01", 'a: "2019-07-01"\nb: 1\n'),
        ("a: 1  # why\n", ("a",), "", "a:  # why\n"),
        ("a: {x: 1, y: 2}\n", ("a", "x"), None, "a: {y: 2}\n"),
        ("a: {x: 1, y: 2}\n", ("a", "y"), None, "a: {x: 1}\n"),
        ("a:\n  x: 1 # one\n", ("a", "x"), None, "a: {}\n"),
        ("x: 1\n", ("a", "b"), None, "x: 1\n"),
        ("x: 1\n", ("s",), {"A b": ["c"]}, 'x: 1\ns:\n  "A b": [c]\n'),
    ],
)
def test_one_value_is_changed(text: str, path: tuple[str, ...], value: object, expected: str) -> None:
    """Every other sign of the text stays."""
    assert with_value(text, path, value) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a:\n  [b,\n   c]  # and\n", "a:\n  [b,\n   c, d]  # and\n"),
        ("a:\n  - b # one\n  # two\nz: 1\n", "a:\n  - b # one\n  - d\n  # two\nz: 1\n"),
        ("a: []\n", "a: [d]\n"),
        ("z: 1\n", "z: 1\na: [d]\n"),
    ],
)
def test_a_list_grows_by_one(text: str, expected: str) -> None:
    """At its end, in the way it is written."""
    assert with_item(text, ("a",), "d") == expected


def test_what_cannot_be_changed_line_by_line_is_told() -> None:
    """An anchor stands for a value elsewhere: changing it here would change it there."""
    with pytest.raises(ValueError, match="only a person can change"):
        with_value("a: &same {x: 1}\nb: *same\n", ("b", "x"), 2)


def test_unknown_places_are_refused(mapping: MappingFile) -> None:
    """What the mapping does not know is not written."""
    with pytest.raises(ValueError, match="no such place"):
        mapping.decide({"A": "somewhere"})
    assert mapping.named() == {}


def test_the_places_are_those_of_the_mapping() -> None:
    """Every place that the mapping knows can be chosen."""
    assert set(FIELD_TARGETS) <= set(PLACES)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "z: 1",
        "a: {}  # none yet\n",
        "a:\n  x: 1  # one\n  y: 2\n# end\n",
        "a: {x: 1, y: 2}\nz: 1\n",
        "a:\n  b: {x: 1}\n",
    ],
)
@pytest.mark.parametrize(
    "values",
    [
        {("a", "n"): "first", ("a", "m"): "second", ("a", "o"): "third"},
        {("a", "x"): None, ("a", "y"): None},
        {("a", "y"): None, ("a", "m"): "new", ("a", "x"): "other"},
        {("a", "b", "c"): 1, ("a", "b", "d"): 2, ("z",): "", ("c", "d"): ["e"]},
    ],
)
def test_many_values_are_changed_as_one_after_another(text: str, values: dict[tuple[str, ...], Any]) -> None:
    """In one reading of the text, or in a few where they meet in one place: what comes of it is the same."""
    expected = text
    for path, value in values.items():
        expected = with_value(expected, path, value)
    assert with_values(text, values) == expected


def test_a_whole_page_of_choices_stands_in_its_order(mapping: MappingFile) -> None:
    """Each below the one before it, as a person would go down the page."""
    places = {f"Section / Field {number}": "keep" for number in range(100)}
    mapping.decide(places)
    assert list(mapping.named()) == list(places)
    mapping.decide(dict.fromkeys(places))
    assert mapping.named() == {}
