"""The repository as a whole: what its files say about each other is true."""

from __future__ import annotations

import ast
import hashlib
import json
import re
import stat
import subprocess
import sys
import tomllib
import zipfile
from importlib.metadata import distributions, packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pytest
import yaml

from scripts.gen_docs import PLUGINS, SDK_SETTINGS, settings_of
from target_highlevel.cli import main
from target_highlevel.exit_codes import ENDS
from target_highlevel.http.allowed_paths import AREAS

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
tools = main.commands
PACKAGES = {
    "tap-cliniko": "tap_cliniko",
    "transforms": "cliniko_to_highlevel",
    "target-highlevel": "target_highlevel",
}
INVOKED = re.compile(r"meltano invoke ([a-z-]+)(?::([a-z-]+))?")
RAN = re.compile(r"meltano run(?: --[a-z-]+)*((?: (?:tap|target|cliniko)-[a-z-]+)+)")
VARIABLE = re.compile(r"\b((?:TAP_CLINIKO|TARGET_HIGHLEVEL)_[A-Z0-9_]+[A-Z0-9])\b")
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")


def tracked(pattern: str = "*") -> list[Path]:
    """Return the files that git knows, or would add."""
    command = [
        "git",
        "-C",
        str(ROOT),
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        pattern,
    ]
    names = subprocess.check_output(command, text=True).splitlines()
    return [path for path in (ROOT / name for name in names) if path.is_file()]


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    """What meltano.yml declares."""
    loaded: dict[str, Any] = yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))
    return loaded


def plugins(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return every plugin of meltano.yml by its name."""
    return {plugin["name"]: plugin for kind in project["plugins"].values() for plugin in kind}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_every_setting_of_a_plugin_is_declared_in_meltano_yml(plugin: str, project: dict[str, Any]) -> None:
    """Meltano reads no variable of a setting that meltano.yml does not declare."""
    declared = {setting["name"] for setting in plugins(project)[plugin]["settings"]}
    assert declared - SDK_SETTINGS == set(settings_of(plugin))


@pytest.mark.parametrize("plugin", PLUGINS)
def test_secrets_are_declared_sensitive(plugin: str, project: dict[str, Any]) -> None:
    """What the plugin calls secret is redacted by Meltano and kept in .env."""
    declared = {setting["name"]: setting for setting in plugins(project)[plugin]["settings"]}
    secrets = {name for name, schema in settings_of(plugin).items() if schema.get("secret")}
    assert secrets
    assert {name for name in secrets if not declared[name].get("sensitive")} == set()


@pytest.mark.parametrize("plugin", PLUGINS)
def test_defaults_and_choices_agree(plugin: str, project: dict[str, Any]) -> None:
    """A default in meltano.yml is the plugin's own, unless it is a place below data/."""
    schemas = settings_of(plugin)
    for setting in plugins(project)[plugin]["settings"]:
        schema, value = schemas.get(setting["name"], {}), setting.get("value")
        if value is not None and "$MELTANO" not in str(value):
            assert schema.get("default") == value, setting["name"]
        choices = [option["value"] for option in setting.get("options", ())]
        assert choices == [choice for choice in schema.get("enum", ()) if choice is not None], setting["name"]


@pytest.mark.parametrize("plugin", PLUGINS)
def test_a_setting_is_described_alike_everywhere(plugin: str, project: dict[str, Any]) -> None:
    """`meltano config` and the plugin's `--about` say the same of a setting."""
    schemas = settings_of(plugin)
    assert {
        setting["name"]: (setting["label"], setting["description"])
        for setting in plugins(project)[plugin]["settings"]
        if setting["name"] in schemas
    } == {name: (schema["title"], schema["description"]) for name, schema in schemas.items()}


def test_meltano_asks_for_what_the_tap_requires(project: dict[str, Any]) -> None:
    """The tap has one set of settings without which it does not start, and meltano.yml names it."""
    required = [name for name, schema in settings_of("tap-cliniko").items() if schema["required"]]
    assert plugins(project)["tap-cliniko"]["settings_group_validation"] == [required]


def test_nothing_in_meltano_yml_stands_in_the_way_of_a_variable(project: dict[str, Any]) -> None:
    """Only the two loaders that must never write fix a setting; an environment fixes none."""
    fixed = {name: plugin["config"] for name, plugin in plugins(project).items() if "config" in plugin}
    assert fixed == {"target-highlevel-plan": {"mode": "plan"}, "target-highlevel-verify": {"mode": "verify"}}
    assert project["default_environment"] == "live"
    assert project["environments"] == [{"name": "live"}, {"name": "sandbox"}]


def test_no_setting_is_of_a_kind_that_breaks_meltano(project: dict[str, Any]) -> None:
    """Meltano turns `kind: decimal` into a Decimal that it cannot write to the plugin's config file."""
    hub = [json.loads(path.read_text(encoding="utf-8")) for path in tracked("*.hub.json")]
    settings = [
        setting for plugin in (*plugins(project).values(), *hub) for setting in plugin.get("settings", ())
    ]
    assert "decimal" not in {setting.get("kind") for setting in settings}


def test_no_secret_is_of_a_kind_that_meltano_reads(project: dict[str, Any]) -> None:
    """What it cannot read as an object or a list it logs, whole: a secret is a text to it, which the plugin reads."""
    hub = [json.loads(path.read_text(encoding="utf-8")) for path in tracked("*.hub.json")]
    secrets = [
        setting
        for plugin in (*plugins(project).values(), *hub)
        for setting in plugin.get("settings", ())
        if setting.get("sensitive")
    ]
    assert {setting.get("kind", "string") for setting in secrets} == {"string"}


def test_every_command_of_a_plugin_is_installed_with_it(project: dict[str, Any]) -> None:
    """`meltano invoke plugin:command` finds its executable."""
    executables = {
        command["executable"]
        for plugin in plugins(project).values()
        for command in plugin.get("commands", {}).values()
    }
    missing = {name for name in executables if not Path(sys.executable).with_name(name).exists()}
    assert missing == set()


def test_every_command_around_the_load_can_be_typed_with_meltano(project: dict[str, Any]) -> None:
    """What highlevel-tools can do is a command of the plugin, and the target's README lists it."""
    declared = plugins(project)["target-highlevel"]["commands"]
    assert {name: command["args"] for name, command in declared.items()} == {name: name for name in tools}
    listed = (ROOT / "target-highlevel" / "README.md").read_text(encoding="utf-8")
    assert [name for name in tools if f"| `{name}` |" not in listed] == []


def scopes(page: str) -> set[str]:
    """Return the scopes that a page's table names; `.write` alone goes with the one before it."""
    found: set[str] = set()
    area = ""
    for named, right in re.findall(
        r"`([\w/]*)\.(readonly|write)`", (ROOT / page).read_text(encoding="utf-8")
    ):
        area = named or area
        found.add(f"{area}.{right}")
    return found


def test_both_pages_name_the_same_scopes() -> None:
    """The checklist and the target's README ask for the same rights, and for none that the target never uses."""
    usable = {area.scope_for(reads=reads) for area in AREAS for reads in (True, False)}
    named = scopes("target-highlevel/README.md")
    assert named == scopes("docs/going-live.md")
    assert named <= usable
    assert "workflows.readonly" in named


def test_what_pages_take_from_the_target_is_current() -> None:
    """The settings in the README, and the transitions of statuses in docs/architecture.md, are what `make docs` writes now."""
    script = str(ROOT / "scripts" / "gen_docs.py")
    outcome = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr


def anchors(page: Path) -> set[str]:
    """Return the anchors that a Markdown page offers, made from its headings as forges do."""
    headings = re.findall(r"^#+ +(.+)$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", tracked("*.md"), ids=lambda page: str(page.relative_to(ROOT)))
def test_links_between_pages_resolve(page: Path) -> None:
    """A link to a file or a heading of this repository leads somewhere."""
    broken = []
    for link in LINK.findall(page.read_text(encoding="utf-8")):
        if re.match(r"[a-z]+:", link):
            continue
        path, _, anchor = unquote(link).partition("#")
        target = page.parent / path if path else page
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_command_that_a_page_names_can_be_typed(project: dict[str, Any]) -> None:
    """Also those that no guide shows with an answer: plugins, their commands and the variables before them exist."""
    declared = plugins(project)
    mappings = (mapping for plugin in declared.values() for mapping in plugin.get("mappings", []))
    known = {*declared, *(mapping["name"] for mapping in mappings)}
    variables = {
        f"{name.upper().replace('-', '_')}_{setting['name'].upper()}"
        for name, plugin in declared.items()
        for setting in plugin.get("settings", [])
    }
    wrong = []
    for page in tracked("*.md"):
        text = page.read_text(encoding="utf-8")
        for plugin, command in INVOKED.findall(text):
            inherited = declared.get(plugin, {})
            commands = declared.get(inherited.get("inherit_from", plugin), {}).get("commands", {})
            if plugin not in known or (command and command not in commands):
                wrong.append(f"{page.name}: meltano invoke {plugin}:{command}")
        described = set(re.findall(r"^ *- name: ([\w-]+)$", text, re.MULTILINE))  # by the page itself
        ran = {word for line in RAN.findall(text) for word in line.split()} - described
        wrong += [f"{page.name}: meltano run {word}" for word in ran if word not in known]
        wrong += [f"{page.name}: {name}" for name in VARIABLE.findall(text) if name not in variables]
    assert wrong == []


def test_no_tracked_file_names_a_place_of_one_machine() -> None:
    """No home directory and no package mirror is written into the repository."""
    # The brackets keep this line from finding itself.
    places = re.compile(
        rf"/hom[e]/\w+/|/User[s]/\w+/|/roo[t]/|pypi[.]org|pythonhoste[d]|{re.escape(str(ROOT))}/"
    )
    text_files = [path for path in tracked() if path.stat().st_size < 1_000_000]
    naming = {
        str(path.relative_to(ROOT))
        for path in text_files
        if places.search(path.read_text(encoding="utf-8", errors="ignore"))
    }
    assert naming == set()


@pytest.mark.parametrize("name", ["constraints.txt", "orchestrate/constraints.txt"])
def test_constraints_pin_every_package_by_its_content(name: str) -> None:
    """Each entry is a package, one version, at most a marker, and the hashes of its files; uv refuses a file that has another."""
    entries = (ROOT / name).read_text(encoding="utf-8").replace(" \\\n", "").splitlines()
    assert entries
    entry = re.compile(r"[a-z0-9._-]+==[^ ;]+( ; .+?)?( +--hash=sha256:[0-9a-f]{64})+")
    assert [line for line in entries if not entry.fullmatch(line)] == []


@pytest.mark.parametrize("is_another", [False, True])
def test_a_file_of_another_content_is_not_installed(tmp_path: Path, *, is_another: bool) -> None:
    """Hashes in a file of constraints do for packages that another one brings along; nothing else has to be said to uv."""
    for name, needs in (("one", "Requires-Dist: other\n"), ("other", "")):
        folder = f"{name}-1.dist-info"
        with zipfile.ZipFile(tmp_path / f"{name}-1-py3-none-any.whl", "w") as wheel:
            wheel.writestr(f"{folder}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{needs}")
            wheel.writestr(
                f"{folder}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
            )
            wheel.writestr(f"{folder}/RECORD", "")
    digest = hashlib.sha256(tmp_path.joinpath("other-1-py3-none-any.whl").read_bytes()).hexdigest()
    constraints = tmp_path / "constraints.txt"
    constraints.write_text(f"other==1 --hash=sha256:{'0' * 64 if is_another else digest}\n", encoding="utf-8")
    uv = [
        str(ROOT / ".venv/bin/uv"),
        "pip",
        "install",
        "--no-cache",
        "--no-index",
        "--find-links",
        str(tmp_path),
    ]
    done = subprocess.run(
        [*uv, "--python", sys.executable, "--target", tmp_path / "there", "--constraint", constraints, "one"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert bool(done.returncode) == is_another, done.stderr
    assert ("Hash mismatch for `other==1`" in done.stderr) == is_another


def test_nothing_that_set_up_installs_is_left_unpinned() -> None:
    """Also in the plugins' environments: for what no file names, uv takes the newest, whatever is in it."""
    text = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    pinned = set(re.findall(r"^([a-z0-9._-]+)==", text, re.MULTILINE))
    described = [tomllib.loads(path.read_text(encoding="utf-8")) for path in ROOT.glob("*/pyproject.toml")]
    ours = {item["project"]["name"] for item in described}
    of_python = {"setuptools"}  # comes with `python -m venv` of some versions
    (plugins_set_up,) = re.findall(r"^PLUGINS := (.+)$", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    places = [
        ROOT / ".venv",
        *(next((ROOT / ".meltano").glob(f"*/{name}/venv")) for name in plugins_set_up.split()),
    ]
    found = {
        normalised(distribution.name)
        for place in places
        for folder in place.glob("lib/python*/site-packages")
        for distribution in distributions(path=[str(folder)])
    }
    assert found >= {"meltano", *ours}
    assert found - pinned - ours - of_python == set()


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_each_package_stands_alone(folder: str, package: str) -> None:
    """A package is described, licensed, typed, and imports neither the sandbox nor another package."""
    assert (ROOT / folder / "README.md").is_file()
    assert (ROOT / folder / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert (ROOT / folder / package / "py.typed").is_file()
    others = "|".join({*PACKAGES.values(), "sandbox"} - {package})
    imports = re.compile(rf"^\s*(?:from|import) (?:{others})\b", flags=re.MULTILINE)
    sources = (ROOT / folder / package).rglob("*.py")
    assert [path for path in sources if imports.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize(("folder", "package"), PACKAGES.items())
def test_each_package_declares_what_it_imports(folder: str, package: str) -> None:
    """What a package imports it asks for itself: what another dependency brings along, it may leave out one day."""
    project = (ROOT / folder / "pyproject.toml").read_text(encoding="utf-8")
    declared = {normalised(name) for name in re.findall(r'^ +"([\w-]+)[^"]*[~>]=', project, re.MULTILINE)}
    modules = {
        name.partition(".")[0]
        for path in (ROOT / folder / package).rglob("*.py")
        for name in imported(path.read_text(encoding="utf-8"))
    } - {package, *sys.stdlib_module_names}
    owners = packages_distributions()
    assert [name for name in modules if declared.isdisjoint(map(normalised, owners[name]))] == []


def imported(source: str) -> Iterator[str]:
    """Name the modules that a source file imports, wherever in it."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (each.name for each in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def normalised(name: str) -> str:
    """Return a distribution's name as indexes compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def test_test_modules_have_names_of_their_own() -> None:
    """Test modules are imported by name, so no two share one."""
    names = [path.name for path in tracked("*.py") if path.name.startswith("test_")]
    assert sorted(names) == sorted(set(names))


def test_scripts_can_be_started() -> None:
    """What continuous integration starts by name is executable."""
    assert (ROOT / ".ci" / "run").stat().st_mode & stat.S_IXUSR


@pytest.mark.parametrize("page", ["docs/exit-codes.md", "target-highlevel/README.md"])
def test_every_exit_code_is_explained(page: str) -> None:
    """The tables name each code with which a run can end, and no other."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = re.findall(r"^\| (\d+(?:, \d+)*) \|", text, re.MULTILINE)
    assert {int(code) for codes in named for code in codes.split(", ")} == set(ENDS)


def test_only_two_packages_of_the_target_send_requests() -> None:
    """Whoever wants something of HighLevel calls a method of its API, which has a type."""
    package = ROOT / "target-highlevel" / "target_highlevel"
    senders = {
        path.relative_to(package).parts[0]
        for path in package.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "request"
    }
    assert senders == {"http", "api"}


@pytest.mark.xdist_group("one worker")
def test_tests_of_a_group_stay_together(request: pytest.FixtureRequest) -> None:
    """Else what they share, such as a whole migration, would be made once by each worker."""
    if getattr(request.config.option, "loadgroup", False):
        assert request.node.nodeid.endswith("@one worker")


def test_ci_leaves_out_no_package_and_no_pinned_version() -> None:
    """Each package is started and tested as it is released; every file of pinned versions is looked through and kept current."""
    ours = {path.parent.name for path in ROOT.glob("*/pyproject.toml")}
    wheels = (ROOT / ".ci" / "wheels").read_text(encoding="utf-8")
    for package in ours:
        described = tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))
        assert f"{package}/tests" in wheels
        assert any(command in wheels for command in described["project"]["scripts"]), package
    pinned = {str(path.relative_to(ROOT)) for path in tracked("*constraints.txt")}
    for name in ("audit", "sbom"):
        words = (ROOT / ".ci" / name).read_text(encoding="utf-8").replace(";", " ").split()
        assert pinned <= set(words), name
    kept = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    (directories,) = (item["directories"] for item in kept if item["package-ecosystem"] == "pip")
    assert {"/", "/orchestrate", *(f"/{package}" for package in ours)} == set(directories)


def test_what_a_container_keeps_lies_in_its_volume() -> None:
    """Bookmarks as well: a container is thrown away after its run."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    (volume,) = re.findall(r"^VOLUME (\S+)$", text, re.MULTILINE)
    (database,) = re.findall(r"MELTANO_DATABASE_URI=sqlite:///(\S+)", text)
    assert database.startswith(f"{volume}/")


def test_a_container_has_what_its_steps_and_the_guides_use() -> None:
    """What is copied is there, the set-up's own files and each way to log among it."""
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    copied = {
        name for line in re.findall(r"^COPY (?!--)(.+) \S+$", text, re.MULTILINE) for name in line.split()
    }
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert {path.name for path in ROOT.glob("logging*.yaml")} <= copied
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    (ours,) = re.findall(r"^OURS := (.+)$", makefile, re.MULTILINE)
    assert {*ours.split(), "scripts", "constraints.txt", "pyproject.toml", "meltano.yml"} <= copied
