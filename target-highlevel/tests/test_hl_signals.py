"""Told to stop in the middle: what is in flight is finished, the exit code says so, nothing is lost or doubled."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import after_state, content

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_stopped_by_a_signal(
    number: signal.Signals, code: int, small_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """SIGTERM ends with 143 and SIGINT with 130; the next run goes on from the last bookmark."""
    loader = highlevel()
    control = loader.sandbox.highlevel.control
    control.latency = 0.02
    reached = threading.Event()

    def watch(_n: int, request: Any) -> None:
        if request.path.endswith("/tasks"):
            reached.set()

    control.before_request(watch)
    process = loader.start(small_clinic.lines)
    assert reached.wait(60)
    process.send_signal(number)
    output, log = process.communicate(timeout=60)
    assert process.returncode == code, log[-2000:]
    assert "run again" in log.rstrip().splitlines()[-1]
    assert "Traceback" not in log
    assert control.in_flight == 0
    assert all(request.status is not None for request in control.requests)

    control.latency = 0.0
    states = output.splitlines()
    resumed = loader.load(after_state(small_clinic.lines, states[-1] if states else None))
    assert resumed.code == 0, resumed.log[-2000:]
    state = loader.sandbox.highlevel.state
    assert state.doubles() == {}
    assert content(state) == small_clinic.dump
