"""Named places at which a test can kill the process, to see that nothing is lost or doubled there.

``TARGET_HIGHLEVEL_CRASH_AT=after_intent:5`` kills with SIGKILL when the place is reached for the fifth time, so that no
handler and no clean-up runs: what a power cut or the kernel's memory killer does. ``after_intent/note:2`` counts only notes.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter

#: Every seam of the write protocol, in the order a record passes them.
CRASH_POINTS = (
    "before_intent",
    "after_intent",
    "after_send",
    "after_response",
    "after_crosswalk",
    "before_state",
    "after_state",
)

_lock = threading.Lock()
_reached: Counter[str] = Counter()


def reach(point: str, kind: str = "") -> None:
    """Kill the process here if a test armed this point; otherwise do nothing."""
    armed = os.environ.get("TARGET_HIGHLEVEL_CRASH_AT")
    if not armed:
        return
    name, _, number = armed.partition(":")
    if name not in {point, f"{point}/{kind}"}:
        return
    with _lock:
        _reached[name] += 1
        if _reached[name] >= int(number or 1):  # pragma: no cover - who is killed cannot say how far it got
            os.kill(os.getpid(), signal.SIGKILL)
