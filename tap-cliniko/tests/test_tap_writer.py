"""How messages are written: in blocks, and none lost over a text that is hard to write."""

from __future__ import annotations

import io
import json
import sys

import pytest
from singer_sdk.singerlib import RecordMessage, StateMessage

from tap_cliniko.writer import MessageWriter


def stdout(monkeypatch: pytest.MonkeyPatch) -> io.BytesIO:
    """Return what reaches a target from now on."""
    reached = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(reached, encoding="latin-1"))
    return reached


def test_a_state_takes_all_records_before_it_along(monkeypatch: pytest.MonkeyPatch) -> None:
    """Records wait for it, though not for ever."""
    written, writer = stdout(monkeypatch), MessageWriter()
    writer.write_message(RecordMessage("patients", {"id": "1"}))
    assert written.getvalue() == b""
    writer.write_message(StateMessage({"bookmarks": {}}))
    assert [json.loads(line)["type"] for line in written.getvalue().splitlines()] == ["RECORD", "STATE"]
    for number in range(2000):
        writer.write_message(RecordMessage("patients", {"id": str(number)}))
    assert len(written.getvalue().splitlines()) > 1000


@pytest.mark.parametrize("value", ["Zoë \N{BEATING HEART}", "half \ud83d", 10**30])
def test_every_value_arrives(value: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the encoding of the terminal, and though the quick encoder cannot write it."""
    written, writer = stdout(monkeypatch), MessageWriter()
    writer.write_message(RecordMessage("patients", {"id": "1", "value": value}))
    writer.write_message(StateMessage({}))
    assert json.loads(written.getvalue().splitlines()[0])["record"]["value"] == value
