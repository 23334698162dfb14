"""What meltano.yml says that the file of clinics is checked against."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import yaml

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

PLUGINS = {"tap-cliniko": "extractors", "target-highlevel": "loaders"}
#: What the steps decide themselves: where the ledger is, and what a run does.
_OURS = frozenset({"TARGET_HIGHLEVEL_LEDGER_URL", "TARGET_HIGHLEVEL_MODE"})


#: What Meltano takes for true; all else is false to it, and so also what somebody meant to be true.
TRUE = ("true", "1", "yes", "on")
_FALSE = ("false", "0", "no", "off")


@dataclass(frozen=True)
class Form:
    """What the text of a value must be. Otherwise Meltano fails before a plugin could say what is wrong, or takes it for false.

    Attributes:
        pattern: of the whole text
        words: what to write
    """

    pattern: str
    words: str

    def fits(self, text: str) -> bool:
        """Return whether a value is as it must be."""
        return bool(re.fullmatch(self.pattern, text))


def _form(setting: Mapping[str, Any]) -> Form | None:
    match setting.get("kind"):
        case "options":
            options = [str(option["value"]) for option in setting["options"]]
            return Form("|".join(map(re.escape, options)), f"one of {', '.join(options)}")
        case "boolean":
            return Form(f"(?i:{'|'.join((*TRUE, *_FALSE))})", "true or false")
        case "integer":
            return Form(r"\s*[+-]?\d+\s*", "a whole number")
    return None


@dataclass(frozen=True)
class MeltanoProject:
    """The part of a project's meltano.yml that matters here.

    Attributes:
        root: the project's folder
        environments: names of the Meltano environments
        variables: the variables that a clinic may set
        sensitive: those of them that hold secrets
        required: for each plugin, the groups of variables one of which must be complete
        forms: what a variable's value must be, where Meltano itself is particular about it
    """

    root: Path
    environments: frozenset[str]
    variables: frozenset[str]
    sensitive: frozenset[str]
    required: tuple[tuple[tuple[str, ...], ...], ...]
    forms: Mapping[str, Form] = field(default_factory=dict)

    @classmethod
    def of(cls, root: Path) -> MeltanoProject:
        """Read the file."""
        text = root.joinpath("meltano.yml").read_text(encoding="utf-8")
        content = yaml.load(text, getattr(yaml, "CSafeLoader", yaml.SafeLoader))  # noqa: S506 - a safe one
        plugins = [
            plugin
            for name, kind in PLUGINS.items()
            for plugin in content["plugins"][kind]
            if plugin["name"] == name
        ]
        settings = [
            (_variable(plugin, item["name"]), item) for plugin in plugins for item in plugin["settings"]
        ]
        return cls(
            root=root,
            environments=frozenset(item["name"] for item in content["environments"]),
            variables=frozenset(name for name, _ in settings) - _OURS,
            sensitive=frozenset(name for name, item in settings if item.get("sensitive")),
            required=tuple(
                tuple(
                    tuple(_variable(plugin, name) for name in group)
                    for group in plugin["settings_group_validation"]
                )
                for plugin in plugins
            ),
            forms={name: form for name, item in settings if (form := _form(item))},
        )


def _variable(plugin: Mapping[str, Any], setting: str) -> str:
    """Return the variable of a plugin's setting, as Meltano names it."""
    return f"{plugin['name']}_{setting}".replace("-", "_").upper()


def as_text(value: Any) -> str:
    """Return a value as Meltano reads it from a variable."""
    return value if isinstance(value, str) else json.dumps(value)
