"""Print the true exit code of the newest run: `meltano run` itself only ends with 0, 1 or 143.

`python scripts/exit_code.py data/begun`, in the project's folder, looks at reports that are newer than the file `data/begun`,
which a scheduler touches before it starts the run. Without such a report it prints 1: the run was refused, and its log says why.
The same where the tap has failed before anything came.
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

#: From the code that needs a person most to the one that needs nobody.
_WORST_FIRST = (143, 130, 2, 3, 1, 75, 5, 4, 6, 0)


def exit_code(reports: Path, begun: Path) -> int:
    """Return the code in the newest report since then; a run without one, or killed, counts as failed.

    A run that feeds several sub-accounts writes a report for each, in folders whose names begin alike: the worst code counts.
    """
    since = begun.stat().st_mtime
    new = sorted(path for path in reports.glob("*/report.json") if path.stat().st_mtime >= since)
    newest = [path for path in new if _begun(path) == _begun(new[-1])]
    return min(map(_code, newest), key=_WORST_FIRST.index, default=1)


def _begun(report: Path) -> str:
    return report.parent.name.partition("-")[0]


def _code(path: Path) -> int:
    report = json.loads(path.read_text(encoding="utf-8"))
    code = report.get("exit_code")
    return 1 if code is None or (code == 0 and report.get("ended_early")) else int(code)


def main() -> None:
    """Print the code."""
    environment = os.environ.get("MELTANO_ENVIRONMENT", "live")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("begun", type=Path, help="a file that was touched when the run was started")
    parser.add_argument("--reports", type=Path, default=Path("data", environment, "reports"))
    given = parser.parse_args()
    print(exit_code(given.reports, given.begun))


if __name__ == "__main__":
    main()
