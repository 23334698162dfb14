"""Failures that a server can be told to show."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import random
    from collections.abc import Mapping


LARGE_BODY = 3 * 1024**3


class Action(StrEnum):
    """What goes wrong.

    STATUS answers with a status instead of working. DROP_BEFORE closes the connection without working,
    DROP_AFTER works and closes it without an answer, STATUS_AFTER_WORK works and answers a status all the
    same. SLOW waits and then works. TRUNCATE answers half of the body with a length that fits, CUT announces
    the whole length, sends half and closes. HTML answers an HTML error page instead of working. DRIP works and
    sends the answer byte by byte, `delay` seconds apart. FLOOD sends `size` bytes instead of working, GZIP_BOMB
    a few that unpack to `size`.
    """

    STATUS = "status"
    DROP_BEFORE = "drop_before"
    DROP_AFTER = "drop_after"
    STATUS_AFTER_WORK = "status_after_work"
    SLOW = "slow"
    TRUNCATE = "truncate"
    CUT = "cut"
    HTML = "html"
    DRIP = "drip"
    FLOOD = "flood"
    GZIP_BOMB = "gzip_bomb"


@dataclass(slots=True)
class FaultRule:
    """A failure and the requests it strikes: the nth one, every so many, some by chance, or all."""

    action: Action
    method: str | None = None
    path: re.Pattern[str] | None = None
    nth: frozenset[int] | None = None
    every: int | None = None
    probability: float | None = None
    status: int = 500
    delay: float = 0.0
    headers: dict[str, str] = field(default_factory=dict)
    body: Any = None
    times: int | None = None
    size: int = LARGE_BODY
    seen: int = 0
    struck: int = 0

    @classmethod
    def parse(cls, rule: Mapping[str, Any]) -> FaultRule:
        """Read a rule from JSON.

        Shape: `{"match": {"method", "path_regex", "nth" (number or list), "every", "probability"}, "action",
        "status", "delay" (seconds), "headers", "body" (answer of STATUS faults), "times" (at most),
        "size" (bytes of a FLOOD or GZIP_BOMB, unpacked)}`.
        """
        match = rule.get("match") or {}
        unknown = (set(rule) - {"match", "action", "status", "delay", "headers", "body", "times", "size"}) | (
            set(match) - {"method", "path_regex", "nth", "every", "probability"}
        )
        if unknown:
            message = f"unknown keys in a fault rule: {', '.join(sorted(unknown))}"
            raise ValueError(message)
        nth = match.get("nth")
        return cls(
            action=Action(rule["action"]),
            method=match.get("method"),
            path=re.compile(match["path_regex"]) if match.get("path_regex") else None,
            nth=None if nth is None else frozenset(nth if isinstance(nth, list) else [nth]),
            every=match.get("every"),
            probability=match.get("probability"),
            status=int(rule.get("status", 500)),
            delay=float(rule.get("delay", 0)),
            headers=dict(rule.get("headers") or {}),
            body=rule.get("body"),
            times=rule.get("times"),
            size=int(rule.get("size", LARGE_BODY)),
        )

    def strikes(self, method: str, path: str, chance: random.Random) -> bool:
        """Count a request that fits the rule and say whether it fails."""
        if self.method not in {None, method} or (self.path and not self.path.search(path)):
            return False
        self.seen += 1
        if self.times is not None and self.struck >= self.times:
            return False
        hit = self._chosen(chance)
        self.struck += hit
        return hit

    def _chosen(self, chance: random.Random) -> bool:
        if self.nth is not None:
            return self.seen in self.nth
        if self.every is not None:
            return self.seen % self.every == 0
        if self.probability is not None:
            return chance.random() < self.probability
        return True
