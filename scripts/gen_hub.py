"""Write what Meltano Hub wants to know about target and mapper, from meltano.yml and from what the plugins say of themselves.

`make docs` writes the files; `--check`, used by a test, only tells whether they are current. The tap writes its own. The Hub
keeps them as YAML, which JSON is; whoever submits them adds `repo`.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
#: Plugin → its kind in meltano.yml, its folder, what is installed, and what the Hub shows of it.
PLUGINS: dict[str, tuple[str, str, str, dict[str, Any]]] = {
    "target-highlevel": (
        "loaders",
        "target-highlevel",
        "target-highlevel[postgres] cliniko-to-highlevel",
        {
            "label": "HighLevel",
            "description": "CRM and marketing platform, also known as GoHighLevel",
            "domain_url": "https://www.gohighlevel.com",
        },
    ),
    "cliniko-highlevel-mapper": (
        "mappers",
        "transforms",
        "cliniko-to-highlevel",
        {
            "label": "Cliniko to HighLevel",
            "description": "Turns the streams of tap-cliniko into those that target-highlevel takes",
        },
    ),
}
#: What the Hub decides itself, or asks of every variant.
RATING = {"variant": "cliniko-to-highlevel", "quality": "unknown", "maintenance_status": "active"}
_OF_A_SETTING = ("name", "label", "kind", "description", "sensitive", "options")


def path(plugin: str) -> Path:
    """Return where the definition of a plugin is."""
    return ROOT / PLUGINS[plugin][1] / f"{plugin}.hub.json"


def definition(plugin: str) -> dict[str, Any]:
    """Return what the Hub is told about a plugin."""
    kind, _, installed, shown = PLUGINS[plugin]
    content = yaml.safe_load(ROOT.joinpath("meltano.yml").read_text(encoding="utf-8"))
    declared = next(item for item in content["plugins"][kind] if item["name"] == plugin)
    about = _about(declared["executable"])
    said = {name: value for name, value in about["settings"]["properties"].items() if "title" in value}
    settings = declared.get("settings") or [_setting("mapping", said["mapping"])]
    only_here = {"supported_python_versions": about["supported_python_versions"]} if kind == "loaders" else {}
    return {
        "name": plugin,
        **RATING,
        **shown,
        "namespace": declared["namespace"],
        "executable": declared["executable"],
        "pip_url": installed,
        "capabilities": sorted(about["capabilities"]),
        **only_here,
        **{
            name: declared[name]
            for name in ("settings_group_validation", "mappings", "commands")
            if name in declared
        },
        "settings": [_hub_setting(item, said) for item in settings if item["name"] in said],
    }


def _about(executable: str) -> dict[str, Any]:
    command = [str(Path(sys.executable).with_name(executable)), "--about", "--format", "json"]
    about: dict[str, Any] = json.loads(subprocess.check_output(command, text=True))
    return about


def _setting(name: str, said: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "label": said["title"], "kind": "string", "description": said["description"]}


def _hub_setting(declared: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """Return a setting as it is without this project: with the plugin's own default instead of a place below `data/`."""
    setting = {name: declared[name] for name in _OF_A_SETTING if name in declared}
    default = said[declared["name"]].get("default")
    return setting if default is None else {**setting, "value": default}


def written(plugin: str) -> str:
    """Return the text of a plugin's definition."""
    return json.dumps(definition(plugin), indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    """Write the definitions, or with --check say which are stale."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, fail if one is not current")
    check = parser.parse_args().check
    stale = [
        plugin
        for plugin in PLUGINS
        if not path(plugin).exists() or path(plugin).read_text(encoding="utf-8") != written(plugin)
    ]
    for plugin in stale:
        print(f"{path(plugin).relative_to(ROOT)}: {'stale, run `make docs`' if check else 'written'}")
        if not check:
            path(plugin).write_text(written(plugin), encoding="utf-8")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
