"""Writes the parts of the documentation that follow from the code: settings, streams, Hub definition."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tap_cliniko import settings
from tap_cliniko.resources import RESOURCES, Resource
from tap_cliniko.resources.resource import Role
from tap_cliniko.tap import TapCliniko

if TYPE_CHECKING:
    from pathlib import Path

_SCHEMA = settings.json_schema()
_HUB = "tap-cliniko.hub.json"
# A number has none: Meltano turns `decimal` into a Decimal that it cannot write to the plugin's config file.
_KINDS = {"boolean": "boolean", "integer": "integer", "string": "string"}


def update(folder: Path, *, check: bool = False) -> list[str]:
    """Bring README and Hub definition up to date and name what was not; with `check` change nothing."""
    readme = folder / "README.md"
    wanted = {readme: _with_tables(readme.read_text(encoding="utf-8")), folder / _HUB: hub_definition()}
    stale = [
        path for path, text in wanted.items() if not path.exists() or path.read_text(encoding="utf-8") != text
    ]
    for path in stale:
        if not check:
            path.write_text(wanted[path], encoding="utf-8")
    return [path.name for path in stale]


def _with_tables(text: str) -> str:
    for name, table in (("settings", settings_table()), ("streams", streams_table())):
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        before, found, rest = text.partition(begin)
        if found:
            text = f"{before}{begin}{table}\n{rest[rest.index(end) :]}"
    return text


def settings_table() -> str:
    """Write the settings as `--about` knows them, the tap's own only."""
    about = TapCliniko._get_about_info().settings["properties"]  # noqa: SLF001 - `--about` prints, this asks
    lines = ["| setting | variable | default | meaning |", "| --- | --- | --- | --- |"]
    for name in _SCHEMA["properties"]:
        each = about[name]
        meaning = f"{each['description']}{' **Required.**' if name in _SCHEMA['required'] else ''}"
        lines.append(f"| `{name}` | `{settings.variable(name)}` | {_default(each)} | {meaning} |")
    return "\n".join(lines)


def _default(each: dict[str, Any]) -> str:
    return f"`{json.dumps(each['default'])}`" if "default" in each else ""


def streams_table() -> str:
    """Write the streams in the order in which they are read."""
    lines = [
        "| stream | one row is | read | hidden rows | seen in full by |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| `{each.name}` | {each.title} | {_reading(each)} | {', '.join(each.reveal)} | {_readers(each)} |"
        for each in RESOURCES
    ]
    return "\n".join(lines)


def _reading(resource: Resource) -> str:
    return ("in full" if resource.in_full else "changes") + (
        ", where the account serves it" if resource.optional else ""
    )


def _readers(resource: Resource) -> str:
    if resource.readers == frozenset(Role):
        return "every role"
    return ", ".join(sorted(role.value for role in resource.readers))


def hub_definition() -> str:
    """Write what Meltano Hub wants to know about the plugin; JSON is YAML."""
    definition = {
        "name": TapCliniko.name,
        "variant": "cliniko-to-highlevel",
        "quality": "unknown",
        "maintenance_status": "active",
        "label": "Cliniko",
        "description": "Practice management software for health clinics",
        "domain_url": "https://www.cliniko.com",
        "namespace": "tap_cliniko",
        "executable": TapCliniko.name,
        "pip_url": TapCliniko.name,
        "capabilities": sorted(str(each.value) for each in TapCliniko.capabilities),
        "settings_group_validation": [_SCHEMA["required"]],
        "settings": [_hub_setting(name, each) for name, each in _SCHEMA["properties"].items()],
        "commands": {
            "rebuild-reference": {
                "executable": "tap-cliniko-tools",
                "args": "rebuild-reference",
                "description": "Write the reference for rebuilding by hand what no API can move.",
            },
            "probe": {
                "executable": "tap-cliniko-tools",
                "args": "probe",
                "description": "Measure what Cliniko's documents leave open, by reading only.",
            },
        },
    }
    return json.dumps(definition, indent=2) + "\n"


def _hub_setting(name: str, each: dict[str, Any]) -> dict[str, Any]:
    setting = {"name": name, "label": each["title"]}
    kind = "date_iso8601" if each.get("format") == "date-time" else _KINDS.get(each["type"][0])
    if kind:
        setting["kind"] = kind
    setting["description"] = each["description"]
    if each.get("secret"):
        setting["sensitive"] = True
    if "default" in each:
        setting["value"] = each["default"]
    return setting
