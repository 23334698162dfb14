"""A small clinic's lines, read once by the real tap, and what they become on a healthy day."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hl_ledgers import Desk, address
from hl_loading import Clinic, Loader, a_sandbox, content, tap_lines
from postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from postgres_server import PostgresServer

    from sandbox import Sandbox

SMALL = 5


@pytest.fixture
def highlevel(tmp_path: Path) -> Iterator[Callable[..., Loader]]:
    """Return a function that starts an empty HighLevel and gives a loader for it."""
    running: list[Sandbox] = []

    def start(**options: Any) -> Loader:
        sandbox = a_sandbox(**options)
        sandbox.__enter__()
        running.append(sandbox)
        return Loader(sandbox, tmp_path)

    yield start
    for sandbox in running:
        sandbox.__exit__(None, None, None)


@pytest.fixture(scope="session")
def tiny_clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """A clinic of one patient, of whom there is something of every kind."""
    return read_clinic(1, tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def small_clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """A clinic of five patients."""
    return read_clinic(SMALL, tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="session")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Clinic:
    """A clinic of forty patients with every awkward case."""
    return read_clinic(40, tmp_path_factory.mktemp("clinic"))


def read_clinic(patients: int, folder: Path) -> Clinic:
    """Read a clinic with the real tap and load it once without any trouble."""
    with a_sandbox(patients) as sandbox:
        lines = tap_lines(sandbox, folder)
        loader = Loader(sandbox, folder)
        loaded = loader.load(lines)
        assert loaded.code in {0, 4}, loaded.log[-3000:]
        state = sandbox.highlevel.state
        assert not state.doubles()
        return Clinic(
            lines=lines,
            sources={kind: set(found) for kind, found in state.sources().items()},
            relations=len(state.relations),
            requests=sandbox.highlevel.control.stats()["requests"],
            created=loaded.report["totals"]["created"],
            dump=content(state),
        )


@pytest.fixture(scope="session")
def postgres() -> Iterator[PostgresServer]:
    """A PostgreSQL server of this session's own."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty ledger: every test that uses it runs on both kinds of database."""
    server = request.getfixturevalue("postgres") if request.param == "postgresql" else None
    return address(str(request.param), tmp_path, server)


@pytest.fixture
def desk(ledger_url: str) -> Iterator[Desk]:
    """A run with an empty ledger."""
    opened = Desk.open(ledger_url)
    yield opened
    opened.ledger.close()
