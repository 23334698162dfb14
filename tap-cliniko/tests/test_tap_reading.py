"""Lists are read completely, however the server sorts, and whatever is in them."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest
from tap_runs import account_rows, client_for, config_for, listed_resources, run_tap

from sandbox import Sandbox
from tap_cliniko.errors import ContractChanged
from tap_cliniko.reading import ListReader, Stretch

if TYPE_CHECKING:
    from pathlib import Path

MOMENT = "2024-05-05T05:05:05Z"


def with_patients(number: int, **options: Any) -> Sandbox:
    """Make a clinic into which so many patients were imported within one second."""
    sandbox = Sandbox(seed=2, patients=20, cliniko={"requests_per_minute": 0, **options})
    rng = random.Random(number)  # noqa: S311 - repeatable, no secret
    for index in range(number):
        values = {
            "first_name": "Imported",
            "last_name": f"Patient {index}",
            "created_at": MOMENT,
            "updated_at": MOMENT,
        }
        # a tenth has the small ids of old accounts
        ident = {"id": str(rng.randrange(10**7, 10**8))} if index % 10 == 0 else {}
        sandbox.cliniko.account.insert("patients", {**values, **ident})
    return sandbox


def ids_read(sandbox: Sandbox, filters: tuple[str, ...] = ("archived_at:*",), **options: Any) -> list[int]:
    """Read all patients through a reader."""
    client = client_for(sandbox)
    reader = ListReader(client, "/patients", "patients", **options)
    found = [int(row["id"]) for chunk in reader.chunks(filters, [Stretch()]) for row in chunk.rows]
    client.close()
    return found


def ids_there(sandbox: Sandbox) -> list[int]:
    """List the account's own patients."""
    return sorted(int(ident) for ident in sandbox.cliniko.account.tables["patients"])


@pytest.mark.parametrize("sorting", ["accept", "refuse", "ignore"])
def test_hundreds_of_rows_in_one_second_are_read_once_each(sorting: str) -> None:
    """Ties longer than a page are no obstacle, whether sorting by id is accepted, refused or ignored."""
    with with_patients(730, sort_by_id=sorting) as sandbox:
        assert sorted(ids_read(sandbox, lanes=3)) == ids_there(sandbox)


@pytest.mark.parametrize("lanes", [1, 2, 5])
def test_stretches_read_side_by_side_hold_every_row_once(lanes: int) -> None:
    """Splitting the id space loses nothing and repeats nothing, with ids of both generations."""
    with with_patients(2500) as sandbox:
        assert sorted(ids_read(sandbox, lanes=lanes)) == ids_there(sandbox)


def test_several_requests_are_under_way_on_a_long_list() -> None:
    """One connection cannot use the budget at real latencies; three can."""
    with with_patients(2500) as sandbox:
        sandbox.cliniko.control.latency = 0.03
        ids_read(sandbox, lanes=3)
        assert sandbox.cliniko.control.stats()["greatest_in_flight"] == 3


@pytest.mark.parametrize("sorting", ["refuse", "ignore"])
def test_a_whole_run_without_sorting_loses_nothing(sorting: str, tmp_path: Path) -> None:
    """Every stream survives an API that cannot sort by id."""
    with Sandbox(seed=4, patients=80, cliniko={"requests_per_minute": 0, "sort_by_id": sorting}) as sandbox:
        said = run_tap(config_for(sandbox, tmp_path, download_attachments=False))
        for resource in listed_resources():
            ids = [record["id"] for record in said.records(resource.name)]
            assert sorted(ids) == sorted(key[0] for key in account_rows(sandbox, resource)), resource.name


def test_odd_answers_pass_through(tmp_path: Path) -> None:
    """Unknown fields arrive as they are, and rows from a stale cache stop nothing."""
    options = {"requests_per_minute": 0, "extra_fields": True, "stale_seconds": 60.0, "recalls": True}
    with Sandbox(seed=4, patients=20, cliniko=options) as sandbox:
        said = run_tap(
            config_for(sandbox, tmp_path), None, ["patients", "individual_appointments", "recalls"]
        )
        record = said.records("patients")[0]
        assert record["sandbox_unknown_text"] == "unknown"
        assert record["sandbox_unknown_tree"] == {"list": [1, None, {"deep": True}]}
        assert len(said.records("recalls")) == len(sandbox.cliniko.account.tables["recalls"])


def test_an_ignored_time_filter_is_noticed() -> None:
    """A whole page of rows outside the window means that the filter does nothing."""
    with with_patients(50) as sandbox, pytest.raises(ContractChanged, match="window"):
        ids_read(sandbox, inside=lambda _row: False)


def test_a_refused_filter_is_named() -> None:
    """The text says which list and which fields, so that the change of contract can be found."""
    with with_patients(5) as sandbox, pytest.raises(ContractChanged, match=r"/patients.*merged_at"):
        ids_read(sandbox, ("merged_at:?",))
