"""Ids as Cliniko makes them, in both generations."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime

EPOCH = datetime(2019, 1, 1, tzinfo=UTC)
SMALL_IDS_UNTIL = datetime(2022, 2, 25, tzinfo=UTC)
"""The day from which the oldest shard gave out long ids (issue 360 of the API's tracker)."""
_SMALL_EPOCH = datetime(2010, 1, 1, tzinfo=UTC)
_SHARD = 1
_PER_MILLISECOND = 1024
_PER_BUCKET = 64
_BUCKET_SECONDS = 300


class Identities:
    """Gives out ids that ascend with the time of creation and never come twice."""

    def __init__(self) -> None:
        """Start with nothing given out."""
        self._given: Counter[int] = Counter()
        self._used: set[int] = set()

    def at(self, created: datetime) -> str:
        """Return an id for a record created then: small on old accounts, else with the time inside."""
        number = self._small(created) if created < SMALL_IDS_UNTIL else self._long(created)
        while number in self._used:
            number += 1
        self._used.add(number)
        return str(number)

    def _small(self, created: datetime) -> int:
        bucket = int((created - _SMALL_EPOCH).total_seconds()) // _BUCKET_SECONDS
        self._given[bucket] += 1
        return bucket * _PER_BUCKET + self._given[bucket]

    def _long(self, created: datetime) -> int:
        second = int((created - EPOCH).total_seconds())
        nth = self._given[-second]
        self._given[-second] += 1
        millisecond = second * 1000 + nth // _PER_MILLISECOND
        return (millisecond << 23) | (_SHARD << 10) | nth % _PER_MILLISECOND
