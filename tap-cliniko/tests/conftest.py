"""What the tests of the tap share: a quiet clinic, and an environment without anybody's settings."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

import pytest

from sandbox import Sandbox

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith(("TAP_CLINIKO_", "MELTANO_")):
            monkeypatch.delenv(name)
    logging.getLogger("tap-cliniko").setLevel(logging.INFO)


@pytest.fixture(autouse=True)
def _umask_of_this_process() -> Iterator[None]:
    """What a command that runs in this process wants for its files is not for the tests after it."""
    before = os.umask(0o022)
    os.umask(before)
    yield
    os.umask(before)


@pytest.fixture(scope="session")
def quiet_clinic() -> Iterator[Sandbox]:
    """A clinic in which nothing changes, for tests that only read."""
    with Sandbox(seed=3, patients=40, cliniko={"requests_per_minute": 0, "recalls": True}) as sandbox:
        yield sandbox
