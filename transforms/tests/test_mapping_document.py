"""The mapping reference says what the mapping does."""

from __future__ import annotations

from pathlib import Path

import pytest

from cliniko_to_highlevel.document import updated
from cliniko_to_highlevel.mapping import FIELD_TARGETS, SHIPPED

PAGE = Path(__file__).parents[2] / "docs" / "mapping.md"


@pytest.fixture
def page() -> str:
    """Return the mapping reference."""
    if not PAGE.is_file():
        pytest.skip("the distribution is tested outside its repository")
    return PAGE.read_text(encoding="utf-8")


def test_the_tables_are_those_of_the_declarations(page: str) -> None:
    """A field cannot be added, renamed or dropped without its line in the reference."""
    assert updated(page) == page


@pytest.mark.parametrize("target", FIELD_TARGETS)
def test_each_target_stands_in_the_mapping_file(target: str) -> None:
    """The file that a consultant reads names every field that a custom field can fill."""
    assert target in SHIPPED.read_text(encoding="utf-8")
