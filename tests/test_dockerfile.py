"""Each step of the Dockerfile is done without Docker, and the container's command then moves a clinic.

`/project` is a scratch folder. What needs another machine (packages of the system, users, owners of files) is done by stand-ins
that write down what they were asked for.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from fresh_project import RAISED, quick_sandbox, settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

ROOT = Path(__file__).resolve().parent.parent
PLACE = "/project"
STAND_INS = ("apt-get", "useradd", "chown")
#: Where packages come from and where they are kept, as a machine has it; nothing else of its environment counts.
OF_THE_MACHINE = ("PIP_", "UV_", "SSL_", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy")

pytestmark = [pytest.mark.process, pytest.mark.timeout(900)]


def steps() -> Iterator[tuple[str, str]]:
    """Yield name and text of each step."""
    text = ROOT.joinpath("Dockerfile").read_text(encoding="utf-8").replace("\\\n", "")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#"):
            name, _, rest = line.partition(" ")
            yield name, rest.strip()


@dataclass
class Image:
    """What the steps make: a folder that stands for /project, and what a container is started with.

    Attributes:
        folder: stands for /project, in every stage
        programs: a folder with the stand-ins, which write down their arguments in `asked`
        variables: those of ENV
        bases: the images of the stages
        copied: the places that were copied from an earlier stage
        user: who runs the container
        volumes: the folders that outlive it
        command: its entry point with its arguments
    """

    folder: Path
    programs: Path
    variables: dict[str, str] = field(default_factory=dict)
    bases: list[str] = field(default_factory=list)
    copied: list[tuple[str, str]] = field(default_factory=list)
    user: str = "root"
    volumes: list[str] = field(default_factory=list)
    command: dict[str, list[str]] = field(default_factory=dict)

    def build(self) -> None:
        """Take every step."""
        self.folder.mkdir()
        self.programs.mkdir()
        for name in STAND_INS:
            program = self.programs / name
            program.write_text(f'#!/bin/sh\necho {name} "$@" >> "{self.asked}"\n', encoding="utf-8")
            program.chmod(0o700)
        for name, text in steps():
            getattr(self, f"_{name.lower()}")(text)  # a step of another kind has to be learnt here first

    @property
    def asked(self) -> Path:
        """The file of what the stand-ins were asked for."""
        return self.programs / "asked"

    def here(self, text: str) -> str:
        """Return a text with the places of a container as they are here."""
        return re.sub(r"(?<![\w.])/project\b", str(self.folder), text).replace(
            "/var/lib/apt", str(self.programs)
        )

    def environment(self) -> dict[str, str]:
        """Return the environment of a step, and of the container."""
        ours = str(ROOT / ".venv" / "bin")
        path = os.pathsep.join(part for part in os.environ["PATH"].split(os.pathsep) if part != ours)
        kept = {name: value for name, value in os.environ.items() if name.startswith(OF_THE_MACHINE)}
        known = {**kept, "HOME": os.environ["HOME"], "PATH": f"{self.programs}{os.pathsep}{path}"}
        return known | {
            name: self.here(value).replace("$PATH", known["PATH"]) for name, value in self.variables.items()
        }

    def run(self, command: list[str], **variables: str) -> subprocess.CompletedProcess[str]:
        """Run a command as the image does."""
        return subprocess.run(
            command,
            cwd=self.folder,
            env={**self.environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )

    def _from(self, text: str) -> None:
        self.bases.append(text.partition(" AS ")[0])
        self.user = "root"

    def _workdir(self, text: str) -> None:
        assert text == PLACE

    def _run(self, text: str) -> None:
        done = self.run(["sh", "-c", self.here(text)])
        assert done.returncode == 0, f"{text}\n{done.stdout[-3000:]}"

    def _copy(self, text: str) -> None:
        words = [word for word in text.split() if not word.startswith("--chown=")]
        if words[0].startswith("--from="):
            self.copied.append((words[1], words[2]))
            return
        *sources, destination = words
        for source in sources:
            into = self.folder / destination / (source if len(sources) > 1 else "")
            if ROOT.joinpath(source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=ignored, symlinks=True, dirs_exist_ok=True)
            else:
                shutil.copy(ROOT / source, into)

    def _user(self, text: str) -> None:
        self.user = text

    def _env(self, text: str) -> None:
        self.variables |= dict(word.split("=", 1) for word in shlex.split(text))

    def _volume(self, text: str) -> None:
        self.volumes.append(text)

    def _entrypoint(self, text: str) -> None:
        self.command["entry point"] = json.loads(text)

    def _cmd(self, text: str) -> None:
        self.command["arguments"] = json.loads(text)


def ignored(_folder: str, names: Iterable[str]) -> list[str]:
    """Return which of these names Docker is not given."""
    patterns = ROOT.joinpath(".dockerignore").read_text(encoding="utf-8").split()
    below = [pattern.removeprefix("**/") for pattern in patterns if pattern.startswith("**/")]
    return [name for name in names if any(fnmatch(name, pattern) for pattern in below)]


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """What the steps have made."""
    folder = tmp_path_factory.mktemp("image")
    made = Image(folder / "project", folder / "programs")
    made.build()
    return made


@pytest.mark.xdist_group("dockerfile")
def test_every_stage_finds_what_the_one_before_has_made(image: Image) -> None:
    """At the same path and with the same Python: an environment holds both."""
    assert len(set(image.bases)) == 1
    assert image.copied == [(PLACE, PLACE)]
    for program in image.folder.glob(".venv/bin/python*"):
        assert program.resolve().is_file()


@pytest.mark.xdist_group("dockerfile")
def test_the_system_is_asked_for_what_the_set_up_needs_and_for_a_user(image: Image) -> None:
    """The container is not run as root, and its user owns the project and what the volume begins with."""
    asked = [line.split() for line in image.asked.read_text(encoding="utf-8").splitlines()]
    (installed,) = (words for words in asked if words[:2] == ["apt-get", "install"])
    assert {"git", "make"} <= set(installed)
    (user,) = (words[-1] for words in asked if words[0] == "useradd")
    assert user == image.user != "root"
    assert ["chown", "-R", f"{user}:{user}", str(image.folder)] in asked
    copies = [text for name, text in steps() if name == "COPY" and "--from=" in text]
    assert [text for text in copies if f"--chown={user}:{user}" not in text] == []


@pytest.mark.xdist_group("dockerfile")
def test_only_what_a_run_needs_is_in_the_image(image: Image) -> None:
    """Neither the tests' tools nor anything of this folder's own runs and secrets."""
    there = {path.name for path in image.folder.glob(".venv/bin/*")}
    assert {"meltano", "tap-cliniko", "target-highlevel"} <= there
    assert there.isdisjoint({"pytest", "mypy", "ruff"})
    assert not list(image.folder.glob("**/.env"))
    assert [path for path in image.folder.glob("data/**/*") if path.is_file()] == []


@pytest.mark.xdist_group("dockerfile")
def test_the_container_moves_a_clinic(image: Image) -> None:
    """All that it leaves lies in its volume, so the next container goes on where this one ended."""
    command = [*image.command["entry point"], *image.command["arguments"]]
    before = contents(image)
    with quick_sandbox(2) as sandbox:
        given = {**settings(sandbox), **RAISED, "TARGET_HIGHLEVEL_ACCEPT_REJECTS": "true", "NO_COLOR": "1"}
        first = image.run(command, **given)
        assert first.returncode == 0, first.stdout[-3000:]
        assert "(exit 0)" in first.stdout
        assert [place for place in image.volumes if PLACE in place] == [f"{PLACE}/data"]
        assert contents(image) - before <= {"data", ".meltano"}
        kept = image.folder / "data"
        assert {path.name for path in kept.iterdir()} >= {"live", "meltano.db"}
        written = sandbox.highlevel.control.stats()["writes"]
        again = image.run(command, **given)
        assert again.returncode == 0, again.stdout[-3000:]
        assert sandbox.highlevel.control.stats()["writes"] == written


def contents(image: Image) -> set[str]:
    """Return the names of what is in the project's folder."""
    return {path.name for path in image.folder.iterdir()}
