"""What the tests of rollback share: a sub-account in use, and how two states of it are compared."""

from __future__ import annotations

import csv
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable
    from subprocess import CompletedProcess

    from hl_loading import Loader


def move_in(loader: Loader, people: int = 200) -> dict[str, Any]:
    """Fill the sub-account as if it had been in use for long, some patients among them; return its dump."""
    rows = loader.sandbox.cliniko.account.tables["patients"].rows()
    patients = [
        {name: row.get(name) for name in ("first_name", "last_name", "date_of_birth", "email")}
        for row in rows
    ]
    loader.sandbox.highlevel.state.populate(people, patients, same_person=4, shared_email=1)
    return dump(loader)


def dump(loader: Loader) -> dict[str, Any]:
    """Return everything a client can write, but for the schema."""
    content: dict[str, Any] = loader.sandbox.highlevel.state.dump(schema=False)
    return content


def differing(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str]]:
    """Return what is in one dump and not in the other."""
    found = []
    for kind in ("contacts", "records", "relations"):
        first = {json.dumps(item, sort_keys=True) for item in before[kind]}
        second = {json.dumps(item, sort_keys=True) for item in after[kind]}
        found += [("gone", item) for item in sorted(first - second)] + [
            ("new", item) for item in sorted(second - first)
        ]
        assert found or len(before[kind]) == len(after[kind])  # alike ones count as well
    return found


def loads(loader: Loader, lines: Iterable[str], **more: str) -> None:
    """Load lines that nothing is wrong with."""
    loaded = loader.load(lines, **more)
    assert loaded.code == 0, loaded.log[-2000:]


def undo(loader: Loader) -> CompletedProcess[str]:
    """Undo the newest run to its end."""
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def changed(lines: Iterable[str], stream: str, name: str, value: Any) -> list[str]:
    """Return the lines with a field of the first record of a stream changed."""
    result, done = [], False
    for line in lines:
        message = json.loads(line)
        if not done and message["type"] == "RECORD" and message["stream"] == stream:
            message["record"][name] = value
            line, done = json.dumps(message), True  # noqa: PLW2901 - this one line is replaced
        result.append(line)
    assert done
    return result


def spared(loader: Loader) -> dict[tuple[str, str], dict[str, str]]:
    """Return the newest list of spared records, by object and source id."""
    newest = max((loader.folder / "reports").glob("*/spared.csv"))
    with newest.open(newline="", encoding="utf-8") as file:
        return {(row["object"], row["source"]): row for row in csv.DictReader(file)}
