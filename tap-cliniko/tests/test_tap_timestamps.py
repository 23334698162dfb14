"""Moments are read alike by every Python version."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tap_runs import Warehouse, client_for, config_for, differences, run_tap

from sandbox import Sandbox
from tap_cliniko import timestamps
from tap_cliniko.changes import Looks, recent_rows
from tap_cliniko.probe import Probe
from tap_cliniko.windows import CHANGED, Window, in_window, moment_of

if TYPE_CHECKING:
    from pathlib import Path

#: No Python can read these as a moment in UTC: the first two lie before the first year, and behind the last.
ODD = ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-10:00", "5/5/2024 3pm", "yesterday"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2024-01-31", "2024-01-31T00:00:00Z"),
        ("2024-01-31T10:00", "2024-01-31T10:00:00Z"),
        ("2024-01-31 10:00:05", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05Z", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05.5+00:00", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05.123456789Z", "2024-01-31T10:00:05Z"),
        ("2024-01-31T10:00:05+1000", "2024-01-31T00:00:05Z"),
        ("2024-01-31T10:00:05-09:30", "2024-01-31T19:30:05Z"),
        ("2024-01-31T10:00:05+10", "2024-01-31T00:00:05Z"),
        ("2024-01-31 10:00:05 UTC", "2024-01-31T10:00:05Z"),
        ("2024-01-31t10:00:05,25z", "2024-01-31T10:00:05Z"),
        ("20240131T100005Z", "2024-01-31T10:00:05Z"),
        ("20240131T1000+1000", "2024-01-31T00:00:00Z"),
        (" 2024-01-31T10:00Z", "2024-01-31T10:00:00Z"),
        ("2024-01-31 10:00:05 \u22120930", "2024-01-31T19:30:05Z"),
        ("0999-01-31T10:00:05Z", "0999-01-31T10:00:05Z"),
    ],
)
def test_a_moment_is_normalised(text: str, moment: str) -> None:
    """Fractions are dropped, and an offset may have a colon, none, or no minutes."""
    assert timestamps.normal(text) == moment


@pytest.mark.parametrize(
    "text",
    [
        "yesterday",
        "2024",
        "20240131",
        "2024-02-30",
        "2024-13-01T00:00:00Z",
        "2024-01-31T25:00",
        "",
        "0001-01-01T00:00:00+14:00",
        "9999-12-31T23:59:59-10:00",
    ],
)
def test_what_names_no_moment_is_refused(text: str) -> None:
    """A date that does not exist is none either."""
    with pytest.raises(ValueError, match=r"month|hour|day|no ISO|range"):
        timestamps.normal(text)


@pytest.mark.parametrize("value", ODD)
def test_a_moment_that_cannot_be_read_stays_as_it_is(value: str) -> None:
    """It still tells that its row has changed, and proves nothing about a filter."""
    assert moment_of(value) == value
    assert recent_rows([{"id": "7", "updated_at": value}], "2024-05-05T05:05:05Z") == {"7": value}
    looks = Looks()
    looks.add([{"id": "7", "updated_at": value}])
    assert looks.newest == value
    window = Window("2024-05-05T05:05:05Z", "2024-05-06T00:00:00Z", [CHANGED])
    assert in_window(window)({"updated_at": value})
    assert not in_window(window)({"updated_at": None})


@pytest.mark.parametrize("odd", ODD)
def test_odd_moments_neither_lose_a_record_nor_stop_the_run(odd: str, tmp_path: Path) -> None:
    """Every row comes as Cliniko wrote it: in the first run, in one that has changes to read, and when the probe asks."""
    options = {"requests_per_minute": 0, "odd_moment": odd}
    with Sandbox(seed=3, patients=12, cliniko=options) as clinic:
        config, warehouse = config_for(clinic, tmp_path), Warehouse()
        first = run_tap(config)
        warehouse.load(first)
        assert {each["updated_at"] for each in first.records("patients")} == {odd}
        account = clinic.cliniko.account
        clinic.cliniko.control.advance(60)
        for row in account.tables["patients"].rows():
            account.update("patients", row["id"], {"notes": "moved house"})
        clinic.cliniko.control.advance(60)
        warehouse.load(run_tap(config, first.state))
        assert differences(clinic, warehouse) == []
        assert {each["notes"] for each in warehouse.tables["patients"].values()} == {"moved house"}
        client = client_for(clinic)
        try:
            assert Probe(client).measure()
        finally:
            client.close()
