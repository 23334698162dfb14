"""Told to stop in the middle: what is in flight is finished, the exit code says so, nothing is lost or doubled."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest
from hl_http_server import HighLevelServer, Reply
from hl_loading import after_state, content

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Clinic, Loader


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGTERM, 143), pytest.param(signal.SIGINT, 130, marks=pytest.mark.soak)]
)
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


@pytest.mark.parametrize("mode", ["load", pytest.param("verify", marks=pytest.mark.soak)])
def test_a_server_that_drips_does_not_keep_a_run_from_stopping(
    mode: str, tiny_clinic: Clinic, highlevel: Callable[..., Loader]
) -> None:
    """SIGTERM ends a run within 30 seconds, also where an answer would take hours."""
    dripping = HighLevelServer()
    dripping.respond = lambda _: Reply(200, b"[" + b" " * 10_000, drip=2.0)
    loader = highlevel()
    loader.settings = {"API_URL": dripping.url, "MODE": mode}
    process = loader.start(tiny_clinic.lines)
    try:
        while not dripping.seen and process.poll() is None:
            time.sleep(0.05)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, log = process.communicate(timeout=60)
        assert process.returncode == 143, log[-2000:]
        assert time.monotonic() - began < 30
        assert log.rstrip().splitlines()[-1].endswith("nothing is lost (exit 143)")
    finally:
        process.kill()
        dripping.stop()
