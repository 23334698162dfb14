"""The long check of the order in which a first load writes; for `soak.py`."""

from __future__ import annotations

import re
import sqlite3
import tempfile
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from findings import Findings
from measuring import FASTER, Loader, clinic, tap_lines

from target_highlevel.descriptor import FRONT_DESK

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

#: When the front desk can work, so many times its own requests may be spent.
MOST_TIMES = 1.1
_CAN_WORK = re.compile(r"highlevel\.front_desk can_work=yes requests=(\d+)")
_MADE = "select object, count(*) from record where rank <= ? and created_run is not null group by object"


def first_things(options: argparse.Namespace) -> Findings:
    """Load a clinic and count what was spent when users, contacts, alerts, families and bookings to come were in."""
    found = Findings("What the front desk needs, before anything else")
    with tempfile.TemporaryDirectory() as name, clinic(options.patients, **FASTER) as sandbox:
        folder = Path(name)
        loaded = Loader(sandbox, folder).load(tap_lines(sandbox, folder))
        routes = [request.route for request in sandbox.highlevel.control.requests]
        with closing(sqlite3.connect(folder / "ledger.db")) as ledger:
            made = dict(ledger.execute(_MADE, (FRONT_DESK,)).fetchall())
    said = _CAN_WORK.search(loaded.log)
    spent = int(said[1]) if said else 0
    own = routes.index("/contacts/") + sum(made.values())
    found.facts = {
        "clinic": f"{options.patients:,} patients, {len(routes):,} requests",
        "made for the front desk": ", ".join(f"{number:,} {kind}" for kind, number in sorted(made.items())),
        "its own requests, with definitions": f"{own:,}",
        "spent when it could work": f"{spent:,}, {spent / own:.2f} times as many",
    }
    found.expect(loaded.code in {0, 4}, f"exit {loaded.code}")
    found.expect(0 < spent <= MOST_TIMES * own, "it had to wait for something else")
    return found


CHECKS: dict[str, Callable[[argparse.Namespace], Findings]] = {"first-things": first_things}
