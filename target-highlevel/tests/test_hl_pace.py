"""What would leave the budget unused: set-up in the middle of a load, and records that wait for one another."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hl_mapped import person, schemas

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader

SET_UP = ("/objects/", "/custom-fields/", "/associations/")


def test_a_fresh_sub_account_gets_all_it_lacks_before_the_first_record(
    small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """Objects, their fields and the associations of every stream are made together, not when each stream's turn comes."""
    loader = highlevel(empty=True)
    assert loader.load(small_clinic.lines).code == 0
    made = [item.route for item in loader.sandbox.highlevel.control.requests if item.method == "POST"]
    last_of_set_up = max(number for number, route in enumerate(made) if route in SET_UP)
    first_record = min(number for number, route in enumerate(made) if str(route).endswith("/records"))
    assert {route for route in made if route in SET_UP} == set(SET_UP)
    assert last_of_set_up < min(first_record, made.index("/contacts/"))


def test_a_queue_of_one_family_holds_nobody_else_up(highlevel: Callable[..., Loader]) -> None:
    """People who share a phone number are written one after the other; everybody behind them goes past."""
    loader = highlevel(empty=True, allow_duplicates=True)
    family = [
        person(f"patients/{number}", "Ann", "Elm", phone="+61255500101", priority="1950-01-01")
        for number in range(100)
    ]
    others = [person(f"patients/{number}", "Bo", "Oak", priority="1990-01-01") for number in range(500, 520)]
    loader.sandbox.highlevel.control.latency = 0.02
    assert loader.load([*schemas("patients"), *family, *others]).code == 0
    made = [contact["lastName"] for contact in loader.sandbox.highlevel.state.contacts.values()]
    assert made.count("Elm") == len(family)
    assert made.index("Oak") < len(made) // 2
    assert made[-1] == "Elm"
