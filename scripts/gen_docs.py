"""Write what the documentation takes from the target: the table of its settings, and how the status of a record changes.

`make docs` writes them; `--check`, used by a test, only tells whether they are current.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.ledger.transitions import ANY, TRANSITIONS

if TYPE_CHECKING:
    from collections.abc import Callable

    from target_highlevel.ledger.rows import Status

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("tap-cliniko", "target-highlevel")
# Every Singer SDK plugin has these; the SDK documents them.
SDK_SETTINGS = frozenset(
    {
        "add_record_metadata",
        "batch_config",
        "batch_size_rows",
        "faker_config",
        "flattening_enabled",
        "flattening_max_depth",
        "flattening_max_key_length",
        "flattening_separator",
        "load_method",
        "process_activate_version_messages",
        "emit_activate_version_messages",
        "stream_map_config",
        "stream_maps",
        "validate_records",
    }
)


@functools.cache
def settings_of(plugin: str) -> dict[str, dict[str, Any]]:
    """Return the JSON schema of each setting that a plugin declares itself, in its own order."""
    command = [str(Path(sys.executable).with_name(plugin)), "--about", "--format", "json"]
    about = json.loads(subprocess.check_output(command, text=True))
    schema = about["settings"]
    required = schema.get("required", ())
    return {
        name: {**described, "required": name in required}
        for name, described in schema["properties"].items()
        if name not in SDK_SETTINGS
    }


def table(plugin: str) -> str:
    """Return the Markdown table of a plugin's settings."""
    lines = ["| Setting | Variable | Default | Meaning |", "| --- | --- | --- | --- |"]
    for name, described in settings_of(plugin).items():
        variable = f"{plugin}_{name}".replace("-", "_").upper()
        lines.append(f"| `{name}` | `{variable}` | {_default(described)} | {_meaning(described)} |")
    return "\n".join(lines)


def _default(described: dict[str, Any]) -> str:
    if described["required"]:
        return "**required**"
    value = described.get("default")
    return "" if value is None else f"`{value if isinstance(value, str) else json.dumps(value)}`"


def _meaning(described: dict[str, Any]) -> str:
    parts = [" ".join(described.get("description", "").split())]
    allowed = described.get("enum")
    if allowed:
        parts.append("One of " + ", ".join(f"`{value}`" for value in allowed if value is not None) + ".")
    if described.get("secret") or described.get("writeOnly"):
        parts.append("Secret.")
    return " ".join(parts).replace("|", "\\|")


def transitions() -> str:
    """Return the drawing and the table of how the status of a record in the ledger changes."""
    lines = ["```mermaid", "stateDiagram-v2"]
    for each in TRANSITIONS:
        starts = () if each.before == ANY else sorted(each.before) or ("[*]",)
        lines += [f"  {start} --> {end}: {each.name}" for start in starts for end in sorted(each.after)]
    lines += ["```", "", "| Transition | From | To | When |", "| --- | --- | --- | --- |"]
    for each in TRANSITIONS:
        row = (each.name, _statuses(each.before, adds=each.adds), _statuses(each.after), each.when)
        lines.append(f"| {' | '.join(row)} |")
    return "\n".join(lines)


def _statuses(statuses: frozenset[Status], *, adds: bool = False) -> str:
    names = ["any"] if statuses == ANY else sorted(statuses)
    return ", ".join([*names, *(["new"] if adds else [])])


#: Page → (name of its part that is written here, what writes it).
PARTS: dict[Path, tuple[str, Callable[[], str]]] = {
    ROOT / "target-highlevel" / "README.md": ("settings", functools.partial(table, "target-highlevel")),
    ROOT / "docs" / "architecture.md": ("transitions", transitions),
}


def written(path: Path) -> str:
    """Return a page with its part between two markers as it should be now."""
    name, write = PARTS[path]
    marks = f"<!-- {name}: written by scripts/gen_docs.py -->", f"<!-- /{name} -->"
    before, begin, rest = _text(path).partition(marks[0])
    _, end, after = rest.partition(marks[1])
    if not (begin and end):
        message = (
            f"{path.relative_to(ROOT)} has no place for its {name}: put '{marks[0]}' and '{marks[1]}' into it"
        )
        raise SystemExit(message)
    return f"{before}{begin}\n\n{write()}\n\n{end}{after}"


def stale() -> list[Path]:
    """Return the pages that are not as they should be now."""
    return [path for path in PARTS if _text(path) != written(path)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> int:
    """Write the pages, or with --check say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a page is not current")
    check = parser.parse_args().check
    out_of_date = stale()
    for path in out_of_date:
        print(f"{path.relative_to(ROOT)}: {'stale, run `make docs`' if check else 'written'}")
        if not check:
            path.write_text(written(path), encoding="utf-8")
    return 1 if check and out_of_date else 0


if __name__ == "__main__":
    sys.exit(main())
