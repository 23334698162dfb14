"""What Meltano Hub would be told about tap, target and mapper."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

from scripts.gen_hub import PLUGINS, path, written

ROOT = Path(__file__).resolve().parent.parent
SCHEMAS = ROOT.parent / "shared" / "reference" / "hub-schemas"
#: Kind in meltano.yml → the definition.
DEFINITIONS = {
    "extractors": ROOT / "tap-cliniko" / "tap-cliniko.hub.json",
    **{kind: path(plugin) for plugin, (kind, *_) in PLUGINS.items()},
}


def retrieved(uri: str) -> Resource[Any]:
    """Return a schema of the Hub by its file: the names they give themselves are not those by which they name each other."""
    contents = json.loads(Path(uri.removeprefix("file://")).read_text(encoding="utf-8"))
    contents.pop("$id")
    return Resource.from_contents(contents, default_specification=DRAFT7)


@pytest.mark.skipif(not SCHEMAS.exists(), reason="the Hub's schemas are not here")
@pytest.mark.parametrize("kind", DEFINITIONS)
def test_a_definition_is_what_the_hub_takes(kind: str) -> None:
    """Its own schemas say so; they know neither other fields nor other capabilities."""
    definition = json.loads(DEFINITIONS[kind].read_text(encoding="utf-8"))
    schema = {"$ref": f"file://{SCHEMAS}/plugin_definitions/{kind}.schema.json"}
    validator = Draft7Validator(schema, registry=Registry(retrieve=retrieved))  # type: ignore[call-arg]
    assert [error.message for error in validator.iter_errors(definition)] == []
    assert [error.message for error in validator.iter_errors({**definition, "unknown": 1})] != []


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_definition_says_what_the_plugin_says(plugin: str) -> None:
    """Whoever changes a setting writes the definitions anew: ``make docs``."""
    assert path(plugin).read_text(encoding="utf-8") == written(plugin)


@pytest.mark.parametrize("kind", DEFINITIONS)
def test_meltano_takes_a_definition_into_a_project(kind: str, tmp_path: Path) -> None:
    """As the Hub's own checks do it; an empty project then has a plugin with our executable and all settings."""
    definition = json.loads(DEFINITIONS[kind].read_text(encoding="utf-8"))
    tmp_path.joinpath("meltano.yml").write_text("send_anonymous_usage_stats: false\n", encoding="utf-8")
    meltano = str(Path(sys.executable).with_name("meltano"))
    what = ["add", "--no-install", "--plugin-type", kind.removesuffix("s"), definition["name"]]
    done = subprocess.run(
        [meltano, *what, "--from-ref", DEFINITIONS[kind]],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    added = yaml.safe_load(tmp_path.joinpath("meltano.yml").read_text(encoding="utf-8"))["plugins"][kind]
    (plugin,) = added
    assert {name: plugin[name] for name in ("name", "pip_url", "executable")} == {
        name: definition[name] for name in ("name", "pip_url", "executable")
    }
    assert [item["name"] for item in plugin["settings"]] == [item["name"] for item in definition["settings"]]
