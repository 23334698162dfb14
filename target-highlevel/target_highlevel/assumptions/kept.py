"""Measured answers in the ledger: what a probe keeps, and what every run goes by."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol

from target_highlevel.assumptions.known import Known, Measurement

if TYPE_CHECKING:
    from collections.abc import Iterable


class Facts(Protocol):
    """What of the ledger is needed here."""

    location: str

    def fact(self, name: str) -> str | None:
        """Return a single value kept under a name."""

    def remember(self, name: str, value: str) -> None:
        """Keep a single value under a name."""


def keep(ledger: Facts, measurements: Iterable[Measurement]) -> None:
    """Keep the answers of a probe, in place of those of an earlier one and of what refusals have told since."""
    ledger.remember(f"lengths:{ledger.location}", "{}")
    ledger.remember(f"measured:{ledger.location}", json.dumps([item.told() for item in measurements]))


def known(ledger: Facts) -> Known:
    """Return what is known of the ledger's sub-account."""
    kept = json.loads(ledger.fact(f"measured:{ledger.location}") or "[]")
    name = f"lengths:{ledger.location}"
    return Known(
        [Measurement(item["question"], item["answer"], item["evidence"], item["at"]) for item in kept],
        json.loads(ledger.fact(name) or "{}"),
        lambda lengths: ledger.remember(name, json.dumps(lengths)),
    )
