"""Change the code in many small ways, one at a time, and list the changes that no test notices; part of `make soak`.

Each part of the code is mutated by cosmic-ray in a copy of the repository, and judged by the tests nearest to it. The
survivors are written as a table: each is either a missing test, or a change that makes no difference, which a person decides.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent
PACKAGES = ("tap-cliniko", "transforms", "target-highlevel")
TIMEOUT_SECONDS = 600.0
#: It has an environment of its own: nothing of it is needed to run the tests.
COSMIC_RAY = "cosmic-ray==8.7.0"


@dataclass(frozen=True)
class Part:
    """A part of the code and the tests that judge it, as patterns below the repository."""

    code: tuple[str, ...]
    tests: tuple[str, ...]


_TARGET, _TESTS = "target-highlevel/target_highlevel", "target-highlevel/tests"
PARTS = {
    "fields": Part((f"{_TARGET}/fields",), (f"{_TESTS}/test_hl_fields.py", f"{_TESTS}/test_hl_values.py")),
    "ledger": Part((f"{_TARGET}/ledger",), (f"{_TESTS}/test_hl_ledger_*.py",)),
    "rollback": Part(
        (f"{_TARGET}/rollback", f"{_TARGET}/ledger/undo.py"), (f"{_TESTS}/test_hl_rollback*.py",)
    ),
    "windows": Part(("tap-cliniko/tap_cliniko/windows.py",), ("tap-cliniko/tests/test_tap_*.py",)),
    "mapping": Part(("transforms/cliniko_to_highlevel",), ("transforms/tests",)),
}


@dataclass(frozen=True)
class Mutant:
    """One change, and whether a test noticed it."""

    place: str
    change: str
    killed: bool


def mutate(part: Part, sample: int | None = None) -> list[Mutant]:
    """Try every change of a part, or a random sample of them, in a copy of the repository.

    Raises:
        subprocess.CalledProcessError: the tests fail without any change, or cosmic-ray does.
    """
    with tempfile.TemporaryDirectory(prefix="mutation-") as name:
        copy = Path(name) / "copy"
        subprocess.run([shutil.which("git") or "git", "clone", "--quiet", "--shared", ROOT, copy], check=True)
        tests = " ".join(sorted(str(path.relative_to(copy)) for one in part.tests for path in copy.glob(one)))
        command = f"{BIN}/python -m pytest -q -x -m 'not soak' {tests}"
        config = {"module-path": list(part.code), "timeout": TIMEOUT_SECONDS, "test-command": command}
        lines = [f"{key} = {json.dumps(value)}" for key, value in config.items()]
        text = "\n".join(
            [
                "[cosmic-ray]",
                *lines,
                "excluded-modules = []",
                "[cosmic-ray.distributor]",
                'name = "local"',
                "",
            ]
        )
        (copy / "cosmic-ray.toml").write_text(text, encoding="utf-8")
        _cosmic_ray(copy, "init", "cosmic-ray.toml", "session.sqlite")
        _choose(copy / "session.sqlite", sample)
        _cosmic_ray(copy, "baseline", "cosmic-ray.toml")
        _cosmic_ray(copy, "exec", "cosmic-ray.toml", "session.sqlite")
        return [
            _mutant(json.loads(line)) for line in _cosmic_ray(copy, "dump", "session.sqlite").splitlines()
        ]


def _choose(session: Path, sample: int | None) -> None:
    """Forget changes of `|`, which stands in annotations that nothing runs, and all but a sample of the others."""
    with contextlib.closing(sqlite3.connect(session)) as database, database:
        jobs = database.execute(
            "SELECT job_id FROM mutation_specs WHERE operator_name NOT LIKE '%BitOr%'"
            " ORDER BY module_path, operator_name, occurrence"
        ).fetchall()
        if sample is not None:
            jobs = random.Random(1).sample(jobs, min(sample, len(jobs)))  # noqa: S311 - repeatable, no secret
        database.execute("CREATE TEMPORARY TABLE kept (job_id TEXT PRIMARY KEY)")
        database.executemany("INSERT INTO kept VALUES (?)", jobs)
        database.execute("DELETE FROM mutation_specs WHERE job_id NOT IN (SELECT job_id FROM kept)")
        database.execute("DELETE FROM work_items WHERE job_id NOT IN (SELECT job_id FROM kept)")


def _cosmic_ray(copy: Path, *arguments: str) -> str:
    """Run cosmic-ray so that the packages of the copy are imported, not the installed ones."""
    path = os.pathsep.join(str(copy / package) for package in PACKAGES)
    environment = {**os.environ, "PYTHONPATH": path}
    command = [str(BIN / "uv"), "tool", "run", "--quiet", "--from", COSMIC_RAY, "cosmic-ray", *arguments]
    return subprocess.check_output(command, cwd=copy, env=environment, text=True)


def _mutant(pair: list[dict[str, Any]]) -> Mutant:
    item, result = pair
    mutation = item["mutations"][0]
    return Mutant(
        f"{mutation['module_path']}:{mutation['start_pos'][0]}",
        str(mutation["operator_name"]).removeprefix("core/"),
        bool(result) and result["test_outcome"] != "survived",
    )


def table(name: str, mutants: list[Mutant]) -> str:
    """Return what became of the mutants of a part, the survivors one a line."""
    survivors = [mutant for mutant in mutants if not mutant.killed]
    killed = len(mutants) - len(survivors)
    rows = [f"| `{mutant.place}` | {mutant.change} |" for mutant in survivors]
    share = 100 * killed // max(len(mutants), 1)
    head = f"## {name}\n\n{killed} of {len(mutants)} changes were noticed ({share} %).\n"
    return "\n".join([head, *(["| Survivor | Change |", "| --- | --- |", *rows, ""] if rows else [])])


def main() -> None:
    """Mutate the parts that are named, or one file with tests of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "parts", nargs="*", default=list(PARTS), help=f"of {', '.join(PARTS)}; all by default"
    )
    parser.add_argument("--code", action="append", help="a file or folder instead of the parts")
    parser.add_argument("--tests", action="append", help="the tests that judge it")
    parser.add_argument(
        "--sample", type=int, help="how many changes of each part, chosen at random; all by default"
    )
    parser.add_argument("--write", type=Path, help="where the tables go, by default standard output")
    chosen = parser.parse_args()
    parts = {chosen.code[0]: Part(tuple(chosen.code), tuple(chosen.tests))} if chosen.code else PARTS
    names = list(parts) if chosen.code else chosen.parts
    text = "\n".join(
        [
            "# Mutations that no test notices\n",
            *(table(name, mutate(parts[name], chosen.sample)) for name in names),
        ]
    )
    if chosen.write:
        chosen.write.write_text(text, encoding="utf-8")
    else:
        print(text)


if __name__ == "__main__":
    main()
