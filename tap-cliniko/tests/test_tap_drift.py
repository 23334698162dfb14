"""The clinic works on while it is read."""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import Said, Warehouse, account_rows, client_for, config_for, differences, run_tap

from sandbox import Sandbox
from sandbox.cliniko.changes import random_change
from tap_cliniko.client import Query
from tap_cliniko.resources import BY_NAME

if TYPE_CHECKING:
    from pathlib import Path

CHANGES_BETWEEN_REQUESTS = 5


def work_on(sandbox: Sandbox, seed: int) -> Any:
    """Let the clinic change rows before every request; returns what stops it."""
    rng = random.Random(seed)  # noqa: S311 - repeatable, no secret

    def changes(_number: int, _request: object) -> None:
        for _ in range(CHANGES_BETWEEN_REQUESTS):
            random_change(sandbox.cliniko.account, rng)

    return sandbox.cliniko.control.before_request(changes)


HIDING = pytest.mark.parametrize(
    "bumps", [True, False], ids=["hiding moves updated_at", "hiding moves nothing"]
)


@HIDING
@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.soak) for seed in range(1, 5))])
def test_after_a_run_and_one_delta_the_loaded_set_is_the_account(
    seed: int, *, bumps: bool, tmp_path: Path
) -> None:
    """Whatever changed between any two requests, one quiet delta later every row is there and as it is."""
    course = course_of(seed, tmp_path, bumps=bumps)
    assert course.differences == []
    assert course.changes > 100


@dataclass
class Course:
    """How a run while the clinic worked and a delta after it went."""

    differences: list[str]
    rows: int
    changes: int = 0


def course_of(seed: int, folder: Path, *, bumps: bool) -> Course:
    """Run once while the clinic works and once when it rests; return what differs then."""
    options = {"requests_per_minute": 0, "hiding_bumps_updated_at": bumps}
    with Sandbox(seed=seed, patients=40, cliniko=options) as sandbox:
        config = config_for(sandbox, folder, detect_deletions=True, download_attachments=False)
        warehouse = Warehouse()
        stop = work_on(sandbox, seed)
        first = run_tap(config)
        stop()
        changes = CHANGES_BETWEEN_REQUESTS * len(sandbox.cliniko.control.requests)
        warehouse.load(first)
        sandbox.cliniko.control.advance(1)  # the run's end is a whole second, which must be over
        warehouse.load(run_tap(config, first.state))
        rows = sum(map(len, warehouse.tables.values()))
        return Course(differences(sandbox, warehouse), rows, changes)


def test_page_numbers_lose_rows() -> None:
    """The reason for all this: pages sorted by updated_at, as everybody reads them, skip rows in silence."""
    with Sandbox(seed=1, patients=400, cliniko={"requests_per_minute": 0}) as sandbox:
        client, read, number, more = client_for(sandbox), set(), 1, True
        before = set(account_rows(sandbox, BY_NAME["patients"]))
        rng = random.Random(1)  # noqa: S311 - repeatable, no secret

        def touch_one(_number: int, _request: object) -> None:
            for _ in range(5):
                ident = rng.choice([key[0] for key in before])
                sandbox.cliniko.account.update("patients", ident, {"notes": "touched"})

        sandbox.cliniko.control.before_request(touch_one)
        while more:
            page = client.page(
                "/patients", "patients", Query(("archived_at:*",), sort="updated_at", page=number)
            )
            read |= {(row["id"],) for row in page.rows}
            more, number = page.more, number + 1

        assert before - read, "the counter-example no longer shows anything"


def test_said_reads_only_whole_lines() -> None:
    """A line that a killed tap left half written is no message."""
    assert Said.from_text('{"type": "STATE", "value": {}}\n{"type": "REC').messages == [
        {"type": "STATE", "value": {}}
    ]
