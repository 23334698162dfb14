"""docs/reject-codes.md: complete, current, and nothing in the code gives a reason that is not on it."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import TYPE_CHECKING

import target_highlevel
from cliniko_to_highlevel.errors import Filter, Reason
from target_highlevel.report.reject_codes import reject_codes
from target_highlevel.report.wording import FILTERED, HELD, REJECTED, SPARED

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(target_highlevel.__file__).parent

#: Function or method -> which of its arguments is a reason, and the table it must be in.
GIVEN = {
    "Rejected": (0, REJECTED),
    "reject": (1, REJECTED),
    "hold": (1, HELD),
    "hold_rest": (0, HELD),
    "drop": (1, FILTERED),
    "keep": (1, SPARED),
    "spare": (1, SPARED),
}


def calls() -> Iterator[tuple[str, ast.Call]]:
    """Yield (name of what is called, call) of every call in the target."""
    for path in sorted(TARGET.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                called = node.func
                name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
                yield name, node


def literals(node: ast.AST) -> set[str]:
    """Return the codes in an expression: two of ``"a" if x else "b"``, ``waits_for`` of an f-string."""
    if isinstance(node, ast.IfExp):
        return literals(node.body) | literals(node.orelse)
    if isinstance(node, ast.JoinedStr):
        return {
            str(part.value).partition(":")[0] for part in node.values[:1] if isinstance(part, ast.Constant)
        }
    return {node.value} if isinstance(node, ast.Constant) and isinstance(node.value, str) else set()


def undocumented() -> tuple[set[str], set[str]]:
    """Return (codes given in the target, those of them that the right table does not have)."""
    given: set[str] = set()
    missing: set[str] = set()
    for name, call in calls():
        place, table = GIVEN.get(name, (len(call.args), {}))
        for code in literals(call.args[place]) if place < len(call.args) else ():
            given.add(code)
            missing |= {code} - set(table)
    return given, missing


def reasons_in_tables() -> set[str]:
    """Return every literal value under the key *reason* of a dict, or given as an argument of that name."""
    found: set[str] = set()
    for path in sorted(TARGET.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Dict):
                pairs = zip(node.keys, node.values, strict=True)
                found |= {
                    code
                    for key, value in pairs
                    if key and literals(key) & {"reason"}
                    for code in literals(value)
                }
            elif isinstance(node, ast.keyword) and node.arg == "reason":
                found |= literals(node.value)
    return found


def test_the_page_is_current() -> None:
    """The page on disk is what the program says today."""
    page = (ROOT / "docs" / "reject-codes.md").read_text(encoding="utf-8")
    assert page == reject_codes(), "run: python -m target_highlevel.report.reject_codes docs/reject-codes.md"


def test_the_page_is_complete() -> None:
    """Every code the report knows has a line with its meaning and what to do."""
    page = reject_codes()
    for codes in (REJECTED, HELD, FILTERED):
        for code, said in codes.items():
            assert f"| `{code}` | {said.says} | {said.next_step} |" in page


def test_the_target_gives_documented_reasons_only() -> None:
    """Nobody meets a code that the page does not explain."""
    given, missing = undocumented()
    assert {"relation_limit", "day_budget_spent", "no_longer_wanted"} <= given
    assert missing == set()
    assert reasons_in_tables() - {*HELD, *FILTERED, *REJECTED} == set()


def test_what_a_rollback_spares_is_explained() -> None:
    """Whatever somebody adds to a contact, the report says what it is and what to do."""
    for kind in ("appointment", "event", "file", "note", "relation", "task"):
        assert f"somebody_added_{kind}" in SPARED


def test_the_mapping_gives_documented_reasons_only() -> None:
    """The same for what the mapping turns away or leaves out."""
    assert {reason.value for reason in Reason} <= set(REJECTED)
    assert {reason.value for reason in Filter} <= set(FILTERED)
