"""Writes docs/assumptions.md from the register.

``python -m target_highlevel.assumptions.document docs/assumptions.md``
"""

from __future__ import annotations

import ast
import sys
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.assumptions.activities import ACTIVITIES
from target_highlevel.assumptions.contacts import CONTACTS
from target_highlevel.assumptions.custom_objects import CUSTOM_OBJECTS
from target_highlevel.assumptions.files import FILES
from target_highlevel.assumptions.register import REGISTER
from target_highlevel.assumptions.service import SERVICE

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_TOP = """\
# What the vendors leave open

Neither vendor describes everything. Each open question has a name, the answers this product can live with, the answer
it assumes until something was measured (in **bold**), and what it does under each. The sandbox plays every one of
them, and the tests run a load, a delta, a verification and a rollback under each.

`meltano invoke target-highlevel:probe` asks your own sub-account and keeps the answers in the ledger; loads then go by
what was measured. `probe.json` in the report folder has the same answers with what was seen.

For most questions the answer makes no difference: the program handles every possibility without needing to know which
applies. Such a question says so; it is measured for your information, and the tests hold the program to it.

This page is made from the program's own register: `make docs`.
"""
#: Functions that are given the name of a question.
_ASKING = frozenset({"answer", "number", "is_measured", "question"})
_SECTIONS = (
    ("Contacts", CONTACTS),
    ("Custom objects and relations", CUSTOM_OBJECTS),
    ("Notes, tasks and appointments", ACTIVITIES),
    ("Files", FILES),
    ("The service", SERVICE),
)


def page() -> str:
    """Return the page; the tap's own questions are at its end where the tap is installed and declares some."""
    parts, where = [_TOP, "## HighLevel\n"], asked()
    for title, items in _SECTIONS:
        parts += [f"### {title}\n", *_entries(items, where)]
    try:
        register = import_module("tap_cliniko.assumptions").REGISTER
    except (ImportError, AttributeError):
        return "\n".join(parts)
    items = register.values() if hasattr(register, "values") else register
    return "\n".join([*parts, "## Cliniko\n", *_entries(items, {})])


def _entries(items: Iterable[Any], asked: Mapping[str, list[str]]) -> Iterable[str]:
    for item in items:
        yield f"#### `{item.name}`\n"
        yield f"{item.question} Source: {item.source}.\n"
        for answer, behaviour in item.answers.items():
            shown = f"`{answer}`{f' {item.unit}' if item.unit and answer[0].isdigit() else ''}"
            yield f"- {f'**{shown}**' if answer == item.default else shown}: {behaviour}"
        told = f"Measured: {item.measured}" if item.measured else f"Not measured: {item.unmeasured}"
        where = ", ".join(f"`{name}`" for name in asked.get(item.name, ()))
        alike = " Nothing depends on the answer: all are handled the same way." if item.alike else ""
        yield f"\n{told}{alike}{f' Asked in {where}.' if where else ''}\n"


def asked() -> dict[str, list[str]]:
    """Return in which modules the program asks each question: its name is given to one of a few functions there."""
    found: dict[str, list[str]] = {}
    package = Path(__file__).parent.parent
    for path in sorted(package.rglob("*.py")):
        module = path.relative_to(package)
        if module.parts[0] not in {"assumptions", "probe"}:
            for name in sorted(_asked_in(ast.parse(path.read_text(encoding="utf-8")))):
                found.setdefault(name, []).append(module.as_posix())
    return found


def _asked_in(text: ast.AST) -> set[str]:
    calls = [node for node in ast.walk(text) if isinstance(node, ast.Call) and node.args]
    named = {
        str(call.args[0].value)
        for call in calls
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in _ASKING
        and isinstance(call.args[0], ast.Constant)
    }
    return named & REGISTER.keys()


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
