"""Rollback of links: what a run removed or pointed elsewhere links again what it did, and is undone with the run that made it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hl_mapped import person, schemas
from hl_undoing import differing, dump, spared

if TYPE_CHECKING:
    from collections.abc import Callable
    from subprocess import CompletedProcess

    from hl_loading import Loader

    Start = Callable[..., Loader]

HEAD = schemas("patients", "contacts", "relationships", "treatment_notes")
DOCTORS = [person("contacts/1", "Doc", "One"), person("contacts/2", "Doc", "Two")]

pytestmark = pytest.mark.timeout(120)


def loads(loader: Loader, *lines: str, **more: str) -> None:
    """Load lines that nothing is wrong with."""
    loaded = loader.load([*HEAD, *lines], **more)
    assert loaded.code == 0, loaded.log[-2000:]


def undo(loader: Loader) -> CompletedProcess[str]:
    """Undo the newest run to its end."""
    done = loader.tool("rollback", "--yes")
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def referred(doctor: str) -> str:
    """Return a patient whom this doctor has referred."""
    link = {"association": "cliniko_referring_doctor", "to": f"contact:contacts/{doctor}"}
    return person("patients/1", "Ada", "Lovelace", relations=[link])


def test_a_link_that_the_run_removed_is_made_again(highlevel: Start) -> None:
    """Another doctor refers the patient; undone, it is the first one again."""
    loader = highlevel()
    loads(loader, *DOCTORS, referred("1"))
    before = dump(loader)
    loads(loader, *DOCTORS, referred("2"))
    undo(loader)
    assert differing(before, dump(loader)) == []
    assert spared(loader) == {}
