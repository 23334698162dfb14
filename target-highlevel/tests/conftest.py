"""What the tests of the target share: clinics to load, sub-accounts to load them into, ledgers of both databases."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import hl_snapshots
import hl_transitions
import pytest
from filelock import FileLock
from hl_ledgers import Desk, address
from hl_loading import Clinic, Loader, a_sandbox
from postgres_server import running_postgres

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from postgres_server import PostgresServer

    from sandbox import Sandbox

hl_transitions.watch()

ROOT = Path(__file__).resolve().parents[2]
#: What decides which fields and objects a load creates.
SCHEMA_SOURCES = (
    "transforms/cliniko_to_highlevel/**/*.py",
    "transforms/mapping.yml",
    "sandbox/highlevel/*.py",
    "target-highlevel/target_highlevel/setup/*.py",
    "target-highlevel/tests/hl_snapshots.py",
)
#: Options of the sandbox that change nothing of the schema.
WITHOUT_EFFECT_ON_SCHEMA = {"search_lag", "allow_duplicates", "require_address", "relation_limit"}


class StartHighLevel(Protocol):
    """Starts a sub-account; see `highlevel`."""

    def __call__(self, *, empty: bool = False, **options: Any) -> Loader:
        """Return a loader for it."""


@pytest.fixture
def highlevel(tmp_path: Path, schema: Callable[[], Path]) -> Iterator[StartHighLevel]:
    """Return a function that starts a HighLevel without any data and gives a loader for it.

    The fields and objects of a load are there already, since creating them takes most of the requests of a small load, unless
    the test asks for an `empty` sub-account or for options that change what can be created.
    """
    running: list[Sandbox] = []

    def start(*, empty: bool = False, **options: Any) -> Loader:
        sandbox = a_sandbox(**options)
        sandbox.__enter__()
        running.append(sandbox)
        if not empty and options.keys() <= WITHOUT_EFFECT_ON_SCHEMA:
            hl_snapshots.put(sandbox, schema())
        return Loader(sandbox, tmp_path)

    yield start
    for sandbox in running:
        sandbox.__exit__(None, None, None)


@pytest.fixture(scope="session")
def shared_folder(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this test run, the same for all its workers."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if hasattr(request.config, "workerinput") else base) / "shared"
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def tiny_clinic(shared_folder: Path) -> Clinic:
    """A clinic of one patient, of whom there is something of every kind."""
    return Clinic(1, shared_folder / "tiny")


@pytest.fixture(scope="session")
def small_clinic(shared_folder: Path) -> Clinic:
    """A clinic of five patients."""
    return Clinic(5, shared_folder / "small")


@pytest.fixture(scope="session")
def clinic(shared_folder: Path) -> Clinic:
    """A clinic of forty patients with every awkward case."""
    return Clinic(40, shared_folder / "clinic")


@pytest.fixture(scope="session")
def schema(request: pytest.FixtureRequest, tiny_clinic: Clinic) -> Callable[[], Path]:
    """Return a function for a snapshot of a sub-account with nothing but what a load creates before its first record.

    It is kept from one test run to the next, by what it is made from.
    """
    sources = sorted(path for pattern in SCHEMA_SOURCES for path in ROOT.glob(pattern))
    made_from = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:16]
    cache = request.config.cache
    assert cache is not None
    kept = cache.mkdir("highlevel-schema") / made_from

    def folder() -> Path:
        with FileLock(f"{kept}.lock"):
            if not kept.exists():
                part = kept.with_suffix(".part")
                shutil.rmtree(part, ignore_errors=True)
                shutil.copytree(tiny_clinic.schema, part)
                part.rename(kept)
        return kept

    return folder


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
