"""Print the true exit code of the newest run: `meltano run` itself only ends with 0, 1 or 143.

`python scripts/exit_code.py data/begun`, in the project's folder, looks at reports that are newer than the file `data/begun`,
which a scheduler touches before it starts the run. Without such a report it prints 1: the run was refused, and its log says why.
The same where the tap has failed before anything came.

With `--log` and `--returned` it looks at what the run said and at how Meltano ended, too. Then it ends with the code itself, and
prints what happened and what to do instead; nothing when the run was complete.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

#: From the code that needs a person most to the one that needs nobody.
_WORST_FIRST = (143, 130, 2, 3, 1, 75, 5, 4, 6, 0)
_FAILED = 1
_LAST_LINE = re.compile(r"\b((?:tap-cliniko|target-highlevel): .*?\S \(exit (\d+)\))")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
#: Of a run of which neither tap nor target has said how it ended.
_SHOWN_LINES = 5
_UNSAID = {
    130: "the run was interrupted: nothing is lost; run the same command again",
    143: "the run was told to stop: nothing is lost; run the same command again",
    _FAILED: "the run failed: {log} says why; run the same command again, it resumes where it left off",
}


def exit_code(reports: Path, begun: Path) -> int:
    """Return the code in the newest report since then; a run without one, or killed, counts as failed."""
    return worst(report_codes(reports, begun) or [_FAILED])


def report_codes(reports: Path, begun: Path) -> list[int]:
    """Return the codes in the reports of the newest run since then.

    A run that feeds several sub-accounts writes a report for each, in folders whose names begin alike.
    """
    since = begun.stat().st_mtime
    new = sorted(path for path in reports.glob("*/report.json") if path.stat().st_mtime >= since)
    return [_code(path) for path in new if _begun(path) == _begun(new[-1])]


def worst(codes: Sequence[int]) -> int:
    """Return the code that needs a person most; one that nobody knows of is a failure."""
    return min((code if code in _WORST_FIRST else _FAILED for code in codes), key=_WORST_FIRST.index)


def ended(said: Sequence[str], returned: int, codes: Sequence[int], log: Path) -> tuple[int, str]:
    """Return how a run ended, and the line that says what happened and what to do.

    Meltano only knows that something has failed, so what it returned counts only where nobody else has said more.

    Args:
        said: the lines of the run's log
        returned: what `meltano run` ended with
        codes: those in the reports of the run
        log: where the log is
    """
    found = [match for line in said if (match := _LAST_LINE.search(_COLOUR.sub("", line)))]
    words = {worst([int(match[2])]): match[1] for match in reversed(found)}  # the tap's before the target's
    known = [code for code in (*words, *codes) if code]
    code = worst(known or [returned])
    unsaid = _UNSAID.get(code, f"code {code}: docs/exit-codes.md says what to do").format(log=log)
    return code, words.get(code) or f"{unsaid} (exit {code})"


def _begun(report: Path) -> str:
    return report.parent.name.partition("-")[0]


def _code(path: Path) -> int:
    report = json.loads(path.read_text(encoding="utf-8"))
    code = report.get("exit_code")
    return _FAILED if code is None or (code == 0 and report.get("ended_early")) else int(code)


def main() -> int:
    """Print the code; or what it means, and return it."""
    environment = os.environ.get("MELTANO_ENVIRONMENT", "live")
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("begun", type=Path, help="a file that was touched when the run was started")
    parser.add_argument("--reports", type=Path, default=Path("data", environment, "reports"))
    parser.add_argument("--log", type=Path, help="what the run said: end with the code, say what to do")
    parser.add_argument("--returned", type=int, default=0, help="what `meltano run` ended with")
    given = parser.parse_args()
    if given.log is None:
        print(exit_code(given.reports, given.begun))
        return 0
    said = given.log.read_text(encoding="utf-8", errors="replace").splitlines()
    code, line = ended(said, given.returned, report_codes(given.reports, given.begun), given.log)
    if code:
        if not any(_LAST_LINE.search(each) for each in said):
            print(*said[-_SHOWN_LINES:], sep="\n")
        print(line)
    return code


if __name__ == "__main__":
    sys.exit(main())
