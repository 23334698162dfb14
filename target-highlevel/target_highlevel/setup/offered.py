"""Parts of HighLevel that only some records need: where one of them does not answer, the rest of a run goes on."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from target_highlevel.errors import (
    CredentialsRefused,
    HighLevelError,
    NotOffered,
    Refused,
    Unavailable,
    Unknown,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

logger = logging.getLogger(__name__)


class Offered:
    """Remembers for one run which parts do not answer, so that each is asked once. Its user guards it."""

    def __init__(self, location: Callable[[], object]) -> None:
        """Take a request that is answered wherever HighLevel answers at all."""
        self._location = location
        self._missing: dict[str, NotOffered] = {}

    @contextmanager
    def asked(self, part: str) -> Iterator[None]:
        """Ask a part of HighLevel.

        Raises:
            NotOffered: it does not answer as it should, now or before in this run, and others do.
            HighLevelError: nothing is answered, or the token lacks a scope, which a person has to give it.
        """
        if part in self._missing:
            raise self._missing[part]
        try:
            yield
        except (CredentialsRefused, Refused, Unavailable, Unknown) as error:
            if self._concerns_all(error):
                raise
            missing = self._missing[part] = NotOffered(error)
            logger.warning("highlevel.not_offered part=%s %s", part, missing)
            raise missing from error

    def _concerns_all(self, error: HighLevelError) -> bool:
        if isinstance(error, CredentialsRefused) and error.missing != "token":
            return True
        try:
            self._location()
        except HighLevelError:
            return True
        return False
