"""Write the settings table of the target's README from what it says about itself; the tap writes its own.

`make docs` writes them; `--check`, used by a test, only tells whether they are current.
"""

from __future__ import annotations

import argparse
import functools
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PLUGINS = ("tap-cliniko", "target-highlevel")
TABLES = ("target-highlevel",)
BEGIN, END = "<!-- settings: written by scripts/gen_docs.py -->", "<!-- /settings -->"
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


def with_table(text: str, plugin: str) -> str:
    """Return a README with the table between its two markers."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        message = f"the README of {plugin} has no place for its settings: put '{BEGIN}' and '{END}' into it"
        raise SystemExit(message)
    return f"{before}{begin}\n\n{table(plugin)}\n\n{end}{after}"


def stale() -> list[Path]:
    """Return the READMEs whose table is not what the plugin says."""
    paths = {plugin: ROOT / plugin / "README.md" for plugin in TABLES}
    return [path for plugin, path in paths.items() if _text(path) != with_table(_text(path), plugin)]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def main() -> int:
    """Write the tables, or with --check say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if a table is not current")
    check = parser.parse_args().check
    out_of_date = stale()
    for path in out_of_date:
        print(f"{path.relative_to(ROOT)}: {'stale, run `make docs`' if check else 'written'}")
        if not check:
            path.write_text(with_table(_text(path), path.parent.name), encoding="utf-8")
    return 1 if check and out_of_date else 0


if __name__ == "__main__":
    sys.exit(main())
