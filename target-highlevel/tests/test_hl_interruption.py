"""A signal ends a run between two steps, never inside one."""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING

import pytest

from target_highlevel.interruption import STEP, SignalReceived
from target_highlevel.ledger.ledger import Ledger

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

ASKED = signal.SIGUSR1


@pytest.fixture(autouse=True)
def _listening() -> Iterator[None]:
    before = signal.signal(ASKED, lambda signum, _frame: STEP.interrupt(signum))
    yield
    signal.signal(ASKED, before)
    STEP.forget()


def test_at_once_outside_a_step() -> None:
    """Reading the input is none: a slow tap must not keep a run."""
    with pytest.raises(SignalReceived) as ended:
        signal.raise_signal(ASKED)
    assert ended.value.signum == ASKED


def test_at_the_end_of_the_outermost_step() -> None:
    """And only once."""
    done = []
    with pytest.raises(SignalReceived), STEP:  # noqa: PT012
        with STEP:
            signal.raise_signal(ASKED)
            done.append("inner")
        done.append("outer")
    assert done == ["inner", "outer"]
    with STEP:
        done.append("later")


def test_an_error_is_not_hidden_and_the_signal_is_not_lost() -> None:
    """What went wrong in the step is what it raises; the next one ends with the signal, unless the run is ending anyhow."""
    with pytest.raises(ValueError, match="wrong"), STEP:  # noqa: PT012
        signal.raise_signal(ASKED)
        raise ValueError("wrong")  # noqa: EM101
    with pytest.raises(SignalReceived), STEP:
        pass
    with pytest.raises(ValueError, match="wrong"), STEP:  # noqa: PT012
        signal.raise_signal(ASKED)
        raise ValueError("wrong")  # noqa: EM101
    STEP.forget()
    with STEP:
        pass


def test_a_step_of_another_thread_keeps_no_signal() -> None:
    """Only the main thread has handlers to wait for."""
    inside, leave = threading.Event(), threading.Event()

    def work() -> None:
        with STEP:
            inside.set()
            leave.wait(10)

    thread = threading.Thread(target=work)
    thread.start()
    assert inside.wait(10)
    try:
        with pytest.raises(SignalReceived):
            signal.raise_signal(ASKED)
    finally:
        leave.set()
        thread.join()


def test_what_a_transaction_has_begun_lasts(tmp_path: Path) -> None:
    """The signal comes when it is durable, and what is written afterwards lasts as well."""
    url = f"sqlite:///{tmp_path}/ledger.db"
    ledger = Ledger(url, "here")
    with pytest.raises(SignalReceived), ledger.transaction():  # noqa: PT012
        signal.raise_signal(ASKED)
        ledger.remember("first", "yes")
    ledger.remember("second", "yes")
    again = Ledger(url, "here", exclusive=False)
    assert (again.fact("first"), again.fact("second")) == ("yes", "yes")
    again.close()
    ledger.close()
