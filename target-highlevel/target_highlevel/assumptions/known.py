"""What is known of one sub-account: the measured answers, which its ledger keeps, and the assumed ones for the rest."""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Protocol

from target_highlevel.assumptions.model import CHARACTERS
from target_highlevel.assumptions.register import REGISTER, assumption

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: HighLevel changes its API several times a week; after so long a measurement says little about today.
GOOD_FOR = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a probe found.

    Attributes:
        name: the question.
        answer: a word or a number of the register.
        evidence: what was seen, without anything personal.
        at: when, as ISO 8601 in UTC.
    """

    name: str
    answer: str
    evidence: str
    at: str

    def told(self) -> dict[str, str]:
        """Return the measurement as `probe.json` has it."""
        return {"question": self.name, "answer": self.answer, "evidence": self.evidence, "at": self.at}


class Known:
    """Answers the register's questions for one sub-account."""

    def __init__(
        self,
        measurements: Iterable[Measurement] = (),
        lengths: Mapping[str, int] | None = None,
        keep_lengths: Callable[[Mapping[str, int]], None] | None = None,
    ) -> None:
        """Take what was measured; of a question measured twice the last answer counts.

        An answer that this version does not know is left out: an older or newer version's probe may have kept it.

        Args:
            measurements: the answers.
            lengths: how many characters a text may have, by its place, as refusals have told.
            keep_lengths: keeps what another refusal tells.
        """
        self._lengths = dict(lengths or {})
        self._keep_lengths = keep_lengths
        self._learning = threading.Lock()
        self._measured: dict[str, Measurement] = {
            item.name: item
            for item in measurements
            if item.name in REGISTER and REGISTER[item.name].allows(item.answer)
        }

    @property
    def measured(self) -> Mapping[str, Measurement]:
        """The measured answers by question."""
        return self._measured

    def answer(self, name: str) -> str:
        """Return the answer to a question: the measured one, else the assumed one.

        Raises:
            LookupError: no such question is declared.
        """
        found = self._measured.get(name)
        return found.answer if found else assumption(name).default

    def number(self, name: str) -> float | None:
        """Return the answer as a number; none where it is a word, such as `unlimited`."""
        try:
            return float(self.answer(name))
        except ValueError:
            return None

    def longest(self, question: str, place: str) -> int | None:
        """Return how many characters the text of a place may have; none where neither a probe nor a refusal has told."""
        told = [self._lengths.get(place), self.number(question) if self.is_measured(question) else None]
        return min((int(number) for number in told if number is not None), default=None)

    def learn(self, place: str, longest: int) -> None:
        """Take from a refusal how many characters the text of a place may have; any number of threads may."""
        with self._learning:
            self._lengths[place] = min(longest, self._lengths.get(place, longest))
            if self._keep_lengths:
                self._keep_lengths(self._lengths)

    def is_measured(self, name: str) -> bool:
        """Return whether the answer was measured, not assumed."""
        return name in self._measured

    def measured_at(self) -> datetime | None:
        """Return when the oldest of the answers in use was measured; none where nothing was."""
        times = [datetime.fromisoformat(item.at) for item in self._measured.values()]
        return min(times, default=None)

    def advice(self, now: datetime) -> str:
        """Return what to do about the measurements, as one sentence; nothing where they are recent."""
        at = self.measured_at()
        if at is None:
            return (
                "nothing was measured in this sub-account yet: `meltano invoke target-highlevel:probe --yes` does it, with"
                " made-up records that it removes again"
            )
        if now - at > GOOD_FOR:
            return (
                f"the measurements of this sub-account are of {at:%d %B %Y}, more than {GOOD_FOR.days} days old:"
                " run `meltano invoke target-highlevel:probe --yes` again"
            )
        return ""

    def told(self) -> list[dict[str, Any]]:
        """Return every question with the answer in use, for the report."""
        return [
            {
                "question": name,
                "answer": self.answer(name),
                "measured": self._measured[name].at if name in self._measured else None,
            }
            for name in REGISTER
        ]


class Facts(Protocol):
    """What of the ledger is needed here."""

    location: str

    def fact(self, name: str) -> str | None:
        """Return a single value kept under a name."""

    def remember(self, name: str, value: str) -> None:
        """Keep a single value under a name."""


def keep(ledger: Facts, measurements: Iterable[Measurement]) -> None:
    """Keep the answers of a probe, each in place of an earlier one to the same question.

    Where it has measured lengths, what refusals have told of them since is forgotten: the next refusal tells it again.
    """
    found = {item.name: item.told() for item in measurements}
    if not found:
        return
    if any(assumption(name).unit == CHARACTERS for name in found):
        ledger.remember(f"lengths:{ledger.location}", "{}")
    kept = {item["question"]: item for item in _kept(ledger)} | found
    ledger.remember(f"measured:{ledger.location}", json.dumps(list(kept.values())))


def known(ledger: Facts) -> Known:
    """Return what is known of the ledger's sub-account."""
    name = f"lengths:{ledger.location}"
    return Known(
        [
            Measurement(item["question"], item["answer"], item["evidence"], item["at"])
            for item in _kept(ledger)
        ],
        json.loads(ledger.fact(name) or "{}"),
        lambda lengths: ledger.remember(name, json.dumps(lengths)),
    )


def _kept(ledger: Facts) -> list[dict[str, str]]:
    return list(json.loads(ledger.fact(f"measured:{ledger.location}") or "[]"))
