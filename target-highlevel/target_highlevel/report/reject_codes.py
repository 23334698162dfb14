"""Writes docs/reject-codes.md from the tables that the report itself uses.

``python -m target_highlevel.report.reject_codes docs/reject-codes.md``
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from target_highlevel.report.wording import FILTERED, HELD, MAPPING_REASONS, REJECTED, WITHHELD

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.report.wording import Meaning

_TOP = """\
# Why a record did not go in

Every record that a run looked at ends in one place: created, updated, unchanged, left out on purpose,
waiting or refused. The last three come with a code. Codes are stable: they are kept in `rejects.csv`,
`report.json` and the ledger, and none of them says anything about a person. Records are named as
`patients/1234`: the list in Cliniko and the number in it.

This page is made from the program's own tables:
`python -m target_highlevel.report.reject_codes docs/reject-codes.md`.
"""

_REFUSED = """\
A refused record is kept as it was received, and whatever depends on it waits. Fix the cause. If the record
changed in Cliniko, the next run brings it anyway; to send everything refused once more as it was received:
`meltano invoke target-highlevel:retry`. A corrected mapping needs a new read: run with `--full-refresh`.
"""

_BY_THE_MAPPING = """\
These never reach HighLevel: the record from Cliniko is not what its list promises. A mapping of your own
may use further codes.
"""

_WITHHELD = """\
HighLevel allows an e-mail or a phone on one contact only, unless the sub-account permits duplicates. A
contact that cannot have one is created without it, and tagged; it is not refused, and nobody is merged.
The report lists it with one of these:
"""


def reject_codes() -> str:
    """Return the page."""
    by_the_target = {code: said for code, said in REJECTED.items() if code not in MAPPING_REASONS}
    sections = (
        ("Refused", _REFUSED, by_the_target),
        ("Refused by the mapping", _BY_THE_MAPPING, MAPPING_REASONS),
        ("Waiting", "A waiting record goes in without being read from Cliniko again.\n", HELD),
        ("Left out on purpose", "Nothing is wrong with these.\n", FILTERED),
    )
    parts = [_TOP]
    for title, text, codes in sections:
        parts += [f"## {title}\n", text, _table(codes)]
    parts += ["## E-mails and phones not given to a contact\n", _WITHHELD, _withheld_table()]
    return "\n".join(parts)


def _table(codes: Mapping[str, Meaning]) -> str:
    rows = [f"| `{code}` | {said.says} | {said.next_step} |" for code, said in sorted(codes.items())]
    return "\n".join(["| Code | Meaning | What to do |", "| --- | --- | --- |", *rows, ""])


def _withheld_table() -> str:
    rows = [f"| `{code}` | The e-mail or phone {says}. |" for code, says in sorted(WITHHELD.items())]
    return "\n".join(["| Code | Meaning |", "| --- | --- |", *rows, ""])


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(reject_codes(), encoding="utf-8")
