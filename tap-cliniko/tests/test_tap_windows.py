"""Windows and their passes: what each reads, which filters it sends, and which rows belong to it."""

from __future__ import annotations

from typing import Any

import pytest

from tap_cliniko.reading import IdRange
from tap_cliniko.resources import BY_NAME
from tap_cliniko.windows import Window, filters_of, in_window, linked_lists, passes_of

START, END = "2026-03-01T00:00:00Z", "2026-03-02T00:00:00Z"
HIDDEN = ["archived_at", "deleted_at"]


def window(*passes: str, start: str | None = START) -> Window:
    """Return a window in which these passes are still to be read."""
    return Window(start, END, list(passes))


@pytest.mark.parametrize(
    ("name", "passes", "linked"),
    [
        ("users", ["changed"], []),
        ("settings", ["changed"], []),
        ("signatures", ["changed"], []),
        ("services", ["changed"], []),
        ("contacts", ["changed", *HIDDEN], []),
        ("patients", ["changed", "archived_at"], []),
        ("practitioner_appointment_types", ["changed", "archived_at"], []),
        ("medical_alerts", ["changed", *HIDDEN, "merged"], ["patients"]),
        ("group_appointments", ["needed", "changed", *HIDDEN, "merged"], ["attendees", "patients"]),
        ("attendees", ["changed", "archived_at", "cancelled_at", "deleted_at", "following", "merged"],
         ["group_appointments", "patients"]),
        ("invoices", ["needed", "changed", *HIDDEN, "closed_at", "merged"], ["invoice_items", "patients"]),
        ("invoice_items", ["changed", *HIDDEN, "following"], ["invoices"]),
    ],
)  # fmt: skip
def test_the_passes_of_a_list(name: str, passes: list[str], linked: list[str]) -> None:
    """Hidden rows, settled invoices and rows of merged patients are asked for where the list can have them."""
    assert passes_of(BY_NAME[name], START) == passes
    assert passes_of(BY_NAME[name], None) == ["changed"]
    assert linked_lists(BY_NAME[name]) == linked


@pytest.mark.parametrize(
    ("under_way", "filters"),
    [
        ("changed", ("archived_at:*", "deleted_at:*", f"updated_at:>={START}", f"updated_at:<{END}")),
        ("archived_at", ("deleted_at:*", f"archived_at:>={START}")),
        ("closed_at", ("archived_at:*", "deleted_at:*", f"closed_at:>={START}")),
        ("merged", ("archived_at:*", "deleted_at:*")),
        ("needed", ("archived_at:*", "deleted_at:*")),
        ("following", ("archived_at:*", "deleted_at:*")),
    ],
)
def test_the_filters_of_a_pass(under_way: str, filters: tuple[str, ...]) -> None:
    """What is hidden is always asked for; of a list that is read from its beginning there is no first moment."""
    invoices = BY_NAME["invoices"]
    assert filters_of(invoices, window(under_way, "merged")) == filters
    if under_way == "changed":
        assert filters_of(invoices, window("changed", start=None)) == (*filters[:2], filters[3])


@pytest.mark.parametrize(
    ("moment", "of_changed", "of_archived"),
    [
        ("2026-02-28T23:59:59Z", False, False),
        (START, True, True),
        ("2026-03-01T23:59:59Z", True, True),
        (END, False, True),
        ("2026-03-01T08:00:00+10:00", False, False),
        ("2026-03-02T08:00:00+10:00", True, True),
        ("9999-12-31T23:59:59Z", False, True),
        (None, False, False),
        ("", False, False),
        ("yesterday", True, True),
    ],
)
def test_which_rows_belong_to_a_pass(moment: Any, *, of_changed: bool, of_archived: bool) -> None:
    """The changed ones of a window end with it; a row that was hidden since belongs to it whenever that was."""
    assert in_window(window("changed"))({"updated_at": moment, "archived_at": START}) is of_changed
    for hidden in ("archived_at", "cancelled_at", "deleted_at", "closed_at"):
        assert in_window(window(hidden))({hidden: moment, "updated_at": START}) is of_archived


def test_from_the_beginning_every_row_belongs_to_it() -> None:
    """Up to the window's end."""
    belongs = in_window(window("changed", start=None))
    assert belongs({"updated_at": "0001-01-01T00:00:00Z"})
    assert belongs({})
    assert not belongs({"updated_at": END})


def test_a_window_goes_on_by_filter_sets_and_passes() -> None:
    """With each, all ids are to be read; the state keeps where it stands."""
    here = window("changed", "merged")
    for scope in (1, 2):
        here.ranges = []
        assert Window.load(here.dump()).dump() == here.dump()
        here.next_scope()
        assert here.dump() == {**window("changed", "merged").dump(), "scope": scope}
    here.ranges = []
    here.next_pass()
    assert here.dump() == {
        "start": START,
        "end": END,
        "passes": ["merged"],
        "scope": 0,
        "ranges": [IdRange().dump()],
    }
    saved = here.dump()
    assert Window.load({**saved, "stretches": saved.pop("ranges")}).dump() == here.dump()  # of 0.1.0
