"""One run at a time per sub-account, and never a lock without a living process."""

from __future__ import annotations

import subprocess
import sys
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from hl_ledgers import LOCATION
from postgres_server import POOLER, running_pooler, running_postgres

from target_highlevel.errors import LedgerLost, SettingsError
from target_highlevel.exit_codes import FAILED
from target_highlevel.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator

    from postgres_server import PostgresServer

HOLD = """
import sys
from target_highlevel.ledger.ledger import Ledger
ledger = Ledger(sys.argv[1], sys.argv[2])
print("open", flush=True)
sys.stdin.read()
ledger.close()
"""


@contextmanager
def held(url: str, location: str = LOCATION) -> Iterator[subprocess.Popen[str]]:
    """Have another process hold the ledger."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, url, location], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    with process:
        assert process.stdout.readline() == "open\n"
        yield process


def test_a_second_process_is_refused(ledger_url: str) -> None:
    """While one run is at a sub-account, another one ends at once with a line that says so."""
    with held(ledger_url), pytest.raises(SettingsError, match="another run is writing"):
        Ledger(ledger_url, LOCATION)


def test_the_lock_is_free_when_the_run_has_ended(ledger_url: str) -> None:
    """A run that ended in good order leaves nothing behind."""
    with held(ledger_url) as process:
        process.communicate("")
        Ledger(ledger_url, LOCATION).close()


def test_the_lock_dies_with_its_process(ledger_url: str) -> None:
    """After SIGKILL the next run begins at once: nothing has to be removed by hand."""
    with held(ledger_url) as process:
        process.kill()
        process.wait()
        Ledger(ledger_url, LOCATION).close()


def test_who_has_lost_the_lock_writes_no_more(postgres: PostgresServer) -> None:
    """A server or a firewall may close a connection: with the lock goes the ledger, so that no two runs ever write at once."""
    url = postgres.url(postgres.new_database())
    first = Ledger(url, LOCATION)
    with psycopg.connect(postgres.url(driver="postgresql"), autocommit=True) as server:
        server.execute("select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory'")
    second = Ledger(url, LOCATION)
    with pytest.raises(sa.exc.DBAPIError):
        first.remember("mark", "first")
    assert second.fact("mark") is None
    for ledger in (first, second):
        ledger.close()


@pytest.mark.skipif(POOLER is None, reason="no PgBouncer here")
@pytest.mark.parametrize("exclusive", [True, False])
def test_a_pooler_that_shares_sessions_is_refused(postgres: PostgresServer, *, exclusive: bool) -> None:
    """Behind it a lock would be another client's a moment later, and two runs would write at once; no lock is left behind."""
    database = postgres.new_database()
    with (
        running_pooler(postgres, "transaction") as pooler,
        pytest.raises(SettingsError, match="shares sessions between transactions"),
    ):
        Ledger(pooler.url(database), LOCATION, exclusive=exclusive)
    Ledger(postgres.url(database), LOCATION).close()


@pytest.mark.skipif(POOLER is None, reason="no PgBouncer here")
def test_a_pooler_that_keeps_sessions_works(postgres: PostgresServer) -> None:
    """One run holds the sub-account through it, and the next is kept out until that has ended."""
    with running_pooler(postgres, "session") as pooler:
        url = pooler.url(postgres.new_database())
        with held(url), pytest.raises(SettingsError, match="another run is writing"):
            Ledger(url, LOCATION)
        Ledger(url, LOCATION).close()


def test_another_sub_account_is_not_kept_out(ledger_url: str) -> None:
    """The lock is per sub-account: two of them can be loaded at once into one ledger."""
    with held(ledger_url):
        Ledger(ledger_url, "place2").close()


def test_a_plan_needs_no_lock(ledger_url: str) -> None:
    """Who only looks is not kept out by a run."""
    with held(ledger_url):
        looking = Ledger(ledger_url, LOCATION, exclusive=False)
        assert [run["mode"] for run in looking.runs()] == []
        looking.close()


def test_a_server_with_too_many_sessions_is_no_wrong_setting() -> None:
    """With many clinics at once that passes: an orchestrator tries again, which it does not after a wrong setting."""
    with running_postgres(max_connections=5) as server:
        with ExitStack() as sessions:
            for _ in range(5):
                sessions.enter_context(psycopg.connect(server.url(driver="postgresql")))
            with pytest.raises(LedgerLost, match="run again") as caught:
                Ledger(server.url(), LOCATION)
        assert caught.value.exit_code == FAILED
        Ledger(server.url(), LOCATION).close()
