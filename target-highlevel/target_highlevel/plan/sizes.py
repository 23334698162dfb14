"""How much there is of what is large: notes by their length, and attachments against the room on this machine."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from target_highlevel.descriptor import steering

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.descriptor import StreamSpec

#: Upper ends of the groups, in characters; longer ones are in the last.
LENGTHS = (1_000, 5_000, 20_000, 50_000)
#: Room that a download needs, in sizes of what is downloaded: ledger and reports grow, too.
_WITH_ROOM = 1.1


class NoteSizes:
    """Counts notes while a plan reads them; of their texts nothing is kept. A note of alerts is short, and not counted."""

    def __init__(self) -> None:
        """Have seen none."""
        self._groups: Counter[int | None] = Counter()
        self._notes = 0
        self._divided = 0
        self._characters = 0
        self._longest = 0
        #: The original whose parts are coming in, one behind the other, and what came of it.
        self._original = ""
        self._length = self._parts = 0

    def see(self, spec: StreamSpec, record: Mapping[str, Any]) -> None:
        """Take a note that would be written, or one part of a long one."""
        body = record.get("body")
        left_out = record.get("filtered") or record.get("rejected") or steering(record, "contributor")
        if spec.kind != "note" or left_out or not isinstance(body, str):
            return
        original = str(record.get("source_id")).partition("#")[0]
        if original != self._original:
            self._close()
            self._original = original
        self._length += len(body)
        self._parts += 1

    def _close(self) -> None:
        """Count the original that is complete."""
        if self._parts:
            self._groups[next((most for most in LENGTHS if self._length <= most), None)] += 1
            self._notes += self._parts
            self._divided += self._parts > 1
            self._characters += self._length
            self._longest = max(self._longest, self._length)
        self._length = self._parts = 0

    def content(self) -> dict[str, Any]:
        """Return how many originals there are of each length, the shortest first, and how many notes they become."""
        self._close()
        return {
            "notes": self._notes,
            "characters": self._characters,
            "longest": self._longest,
            "divided": self._divided,
            "by_length": [
                {"up_to": most, "notes": self._groups[most]}
                for most in (*LENGTHS, None)
                if self._groups[most]
            ],
        }


def downloads(account: Mapping[str, Any] | None, folder: str) -> dict[str, Any] | None:
    """Return what the attachments take, what of it is still to be downloaded, and the room beside the reports.

    None where nobody counted them: a mapper of its own stage has seen the account, not this run.
    """
    if account is None:
        return None
    files, missing = account["attachments"], account["attachment_bytes_to_download"]
    free = shutil.disk_usage(_existing(Path(folder).absolute())).free
    return {
        "files": sum(item["count"] for item in files),
        "bytes": sum(item["bytes"] for item in files),
        "bytes_to_download": missing,
        "bytes_free": free,
        "enough": missing * _WITH_ROOM <= free,
    }


def _existing(folder: Path) -> Path:
    return next(each for each in (folder, *folder.parents) if each.exists())
