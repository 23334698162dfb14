"""Errors that nobody foresaw: what is wrong, where, what to do, and a trace that holds no value."""

from __future__ import annotations

import errno
import sqlite3
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar

import pytest
import sqlalchemy as sa
from hl_mapped import person, schemas

from target_highlevel.endings import public_message
from target_highlevel.errors import Refused, Unforeseen
from target_highlevel.interruption import SignalReceived
from target_highlevel.run import Run
from target_highlevel.settings import settings_from
from target_highlevel.target import TargetHighLevel, run
from target_highlevel.unexpected import known

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loader

    from target_highlevel.endings import Ended
    from target_highlevel.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """The settings of a run with everything in one folder."""
    folder = tmp_path.as_posix()
    given = {"access_token": "t", "location_id": "l", "report_dir": f"{folder}/reports"}
    return settings_from({**given, "ledger_url": f"sqlite:///{folder}/ledger.db"})


def database_error(path: Path, value: str = "Jane Citizen", pages: int = 1000) -> sa.exc.DBAPIError:
    """What SQLAlchemy raises on this file when it cannot write a value, or may not grow for it."""
    engine = sa.create_engine(f"sqlite:///{path}")

    @sa.event.listens_for(engine, "connect")
    def limit(connection: sqlite3.Connection, _: Any) -> None:
        connection.execute(f"PRAGMA max_page_count = {pages}")

    statement = sa.text("CREATE TABLE IF NOT EXISTS person AS SELECT :name AS name")
    with pytest.raises(sa.exc.DBAPIError) as caught, engine.begin() as connection:
        connection.execute(statement, {"name": value})
    engine.dispose()
    return caught.value


def test_a_damaged_ledger_is_named_with_its_way_out(settings: Settings, tmp_path: Path) -> None:
    """The file, and what to do; not the statement with its values."""
    (tmp_path / "ledger.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    line = public_message(known(database_error(tmp_path / "ledger.db"), settings))
    assert line.startswith("the ledger is no database")
    assert f"{tmp_path.as_posix()}/ledger.db" in line
    assert "--full-refresh" in line
    assert "Jane" not in line


def test_a_full_disk_says_where(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the database noticed it, or a report."""
    line = public_message(known(database_error(tmp_path / "ledger.db", "Jane" * 90_000, pages=2), settings))
    assert line.startswith(
        f"the disk of the ledger is full ({tmp_path.as_posix()}/ledger.db): make room there"
    )
    usage = type("Usage", (), {"free": 0})
    monkeypatch.setattr("target_highlevel.unexpected.shutil.disk_usage", lambda _: usage)
    line = public_message(known(OSError(errno.ENOSPC, "No space left on device"), settings))
    assert f"{tmp_path.as_posix()}/reports" in line
    assert "make room" in line


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "x", "/data/reports/r1"), ["/data/reports/r1", "rights"]),
        (OSError(errno.EROFS, "x", "/data/l.db"), ["/data/l.db", "rights"]),
        (OSError(errno.EMFILE, "x"), ["ulimit"]),
        (MemoryError(), ["no memory"]),
        (BrokenPipeError(errno.EPIPE, "x"), ["nobody takes the states"]),
        (OSError(errno.EIO, "x", "/mnt/a"), ["/mnt/a", "EIO"]),
        (
            sa.exc.OperationalError("SELECT", {}, RuntimeError("password")),
            ["ledger's database", "RuntimeError"],
        ),
        (RuntimeError("Jane Citizen"), ["unforeseen", "RuntimeError", "maintainers"]),
    ],
)
def test_what_is_wrong_and_what_to_do(error: Exception, words: list[str], settings: Settings) -> None:
    """In one line, without the error's own text."""
    line = public_message(known(error, settings))
    for word in words:
        assert word in line
    assert "Jane" not in line
    assert "password" not in line


def test_a_trace_holds_modules_lines_and_types_only(settings: Settings, tmp_path: Path) -> None:
    """Neither texts nor arguments of errors, nor of what caused them; readable by its owner only."""

    def deep(name: str) -> None:
        try:
            dict[str, str]()[name]
        except KeyError as missing:
            problem = f"{name} has no row"
            raise ValueError(problem) from missing

    with pytest.raises(ValueError, match="Jane") as caught:
        deep("Jane Citizen")
    line = public_message(known(caught.value, settings, tmp_path / "reports" / "r1"))
    trace = tmp_path / "reports" / "r1" / "error.txt"
    assert str(trace) in line
    content = trace.read_text(encoding="utf-8")
    assert "Jane" not in content
    assert content.index("builtins.KeyError") < content.index("builtins.ValueError")
    assert "test_hl_unexpected:" in content
    assert "deep" in content
    assert tmp_path.as_posix() not in content
    assert trace.stat().st_mode & 0o777 == 0o600


def test_an_unwritable_folder_hides_no_error(settings: Settings, tmp_path: Path) -> None:
    """Then there is no trace, and the line says what it can."""
    (tmp_path / "reports").write_text("a file", encoding="utf-8")
    line = public_message(known(RuntimeError("x"), settings))
    assert "RuntimeError" in line
    assert "error.txt" not in line


@pytest.mark.parametrize("error", [None, Refused("x"), SignalReceived(15)])
def test_what_is_known_stays_as_it_is(error: BaseException | None) -> None:
    """Nothing is added to it."""
    assert known(error) is error


def test_a_run_that_fails_unforeseen_leaves_its_trace_beside_the_report(
    highlevel: Callable[..., Loader],
) -> None:
    """The last line names it; the exit code is that of a failure."""
    loader = highlevel()
    lines = [*schemas("patients"), person("patients/1", "Zarathustra", "Elm")]
    assert loader.load(lines).code == 0
    with sqlite3.connect(loader.folder / "ledger.db") as ledger:
        ledger.execute("ALTER TABLE audit DROP COLUMN fields")
    ledger.close()
    loaded = loader.load([*schemas("patients"), person("patients/2", "Zarathustra", "Oak")])
    assert loaded.code == 1
    line = loaded.log.rstrip().splitlines()[-1]
    (trace,) = (loader.folder / "reports").glob("*/error.txt")
    assert str(trace) in line
    content = trace.read_text(encoding="utf-8")
    assert "target_highlevel.ledger" in content
    assert "Zarathustra" not in content + loaded.log


class Stopped(TargetHighLevel):
    """A target that something ends at once, and whose ending fails."""

    ended_by: ClassVar[BaseException]

    def begin(self) -> Run:
        """End the run."""
        raise self.ended_by

    def end(self, _error: BaseException | None) -> Ended:
        """Fail to end."""
        raise RuntimeError


ENDED_BY = [
    (SignalReceived(15), ""),
    (Refused("refused", status=422), "refused"),
    (KeyError("Jane"), "KeyError"),
]


@pytest.mark.parametrize(("error", "before"), ENDED_BY)
def test_what_fails_while_a_run_ends_is_told(
    error: BaseException,
    before: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Also after a signal, of which there is nothing to say; what ended the run comes first."""
    monkeypatch.setattr("target_highlevel.target.ignore_signals", lambda: None)
    monkeypatch.setattr(Stopped, "ended_by", error, raising=False)
    config = {"access_token": "t", "location_id": "l", "report_dir": f"{tmp_path.as_posix()}/reports"}
    assert run(Stopped, SimpleNamespace(config=config, parse_env=False), None) == 1
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("target-highlevel: failed: ")
    assert line.index(before) <= line.index("(RuntimeError)")
    assert ("while the run ended" in line) is bool(before)
    assert "Jane" not in line
    trace = tmp_path / "reports" / "error.txt"
    assert str(trace) in line
    content = trace.read_text(encoding="utf-8")
    assert type(error).__name__ in content[: content.index("builtins.RuntimeError")]


@pytest.mark.parametrize(("error", "before"), ENDED_BY)
def test_what_fails_while_a_part_ends_is_told(
    error: BaseException, before: str, tmp_path: Path, settings: Settings
) -> None:
    """As of a whole run: here the ledger has lost a table when the report is to be written."""
    running = Run(settings)
    with sqlite3.connect(tmp_path / "ledger.db") as ledger:
        ledger.execute("DROP TABLE record")
    ledger.close()
    (ended,) = running.end(error, {})
    running.main.session.close(1, {})
    line = public_message(ended.error)
    assert ended.code == 1
    assert line.index(before) <= line.index("the ledger failed")
    assert ("while the run ended" in line) is bool(before)
    (trace,) = (tmp_path / "reports").glob("*/error.txt")
    assert str(trace) in line
    assert "sqlite3.OperationalError" in trace.read_text(encoding="utf-8")


def test_unforeseen_ends_with_one() -> None:
    """As any failure does."""
    error: Any = known(RuntimeError("x"))
    assert isinstance(error, Unforeseen)
    assert error.exit_code == 1
