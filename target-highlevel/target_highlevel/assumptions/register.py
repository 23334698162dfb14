"""The register: every open question about HighLevel, by its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from target_highlevel.assumptions.activities import ACTIVITIES
from target_highlevel.assumptions.contacts import CONTACTS
from target_highlevel.assumptions.custom_objects import CUSTOM_OBJECTS
from target_highlevel.assumptions.files import FILES
from target_highlevel.assumptions.service import SERVICE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.assumptions.model import Assumption

REGISTER: Mapping[str, Assumption] = {
    item.name: item for item in (*CONTACTS, *CUSTOM_OBJECTS, *ACTIVITIES, *FILES, *SERVICE)
}


def question(name: str) -> str:
    """Return the name of a question that is asked later.

    Raises:
        LookupError: no such question is declared.
    """
    return assumption(name).name


def assumption(name: str) -> Assumption:
    """Return a question by its name.

    Raises:
        LookupError: no such question is declared.
    """
    try:
        return REGISTER[name]
    except KeyError:
        msg = f"no assumption is called {name}"
        raise LookupError(msg) from None
