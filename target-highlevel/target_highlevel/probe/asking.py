"""Asking a question of HighLevel: a no is an answer too, and only what concerns everything ends the probe."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.api.answers import living
from target_highlevel.errors import CredentialsRefused, HighLevelError, Refused, Unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from target_highlevel.api.endpoints import Endpoint
    from target_highlevel.api.resource import Unparsed
    from target_highlevel.http.uploads import Upload

#: A definite no, and whatever else is no answer to a question.
NO = (Refused, CredentialsRefused)
NO_ANSWER = (*NO, Unknown)


@dataclass(frozen=True, slots=True)
class Said:
    """What HighLevel answered.

    Attributes:
        body: the parsed answer, as it came; None with an error.
        error: the refusal, or that nobody knows whether it was done.
    """

    body: Any = None
    error: HighLevelError | None = None

    @property
    def ok(self) -> bool:
        """Whether it was a success."""
        return self.error is None

    @property
    def refused(self) -> bool:
        """Whether it was a definite no, as opposed to no answer at all."""
        return isinstance(self.error, NO)

    @property
    def status(self) -> int | None:
        """The status of a no."""
        return self.error.status if self.error else None

    def given(self) -> Any:
        """Return the answer.

        Raises:
            HighLevelError: there is none.
        """
        if self.error is not None:
            raise self.error
        return self.body

    def part(self, name: str) -> dict[str, Any]:
        """Return an object inside the answer, or the answer that is the object; an empty one where there is none."""
        shown: dict[str, Any] = self.body if isinstance(self.body, dict) else {}
        found = next((part for part in (shown.get(name), shown.get("data")) if isinstance(part, dict)), shown)
        return _identified(found) if found is not shown or _identity(shown) else {}

    def identity(self, name: str) -> str:
        """Return the id of an object inside the answer; an empty text where there is none."""
        return _identity(self.part(name))

    def rows(self, name: str) -> list[dict[str, Any]]:
        """Return the objects of a list inside the answer, or of an answer that is the list; none that says it was deleted."""
        found = self.body.get(name, self.body.get("data")) if isinstance(self.body, dict) else self.body
        listed = [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []
        return [_identified(item) for item in living(listed)]

    def told(self) -> str:
        """Return in words what came, without anything of its content."""
        if self.ok:
            return "accepted"
        status = f"{self.status} " if self.status else ""
        return f"{status}{self.error.code if self.error else ''}".strip() or "no answer"


def _identified(shown: dict[str, Any]) -> dict[str, Any]:
    """Return an object with its id as its ``id``, whatever it is called there."""
    identity = _identity(shown)
    return {**shown, "id": identity} if identity else shown


def _identity(shown: Mapping[str, Any]) -> str:
    return str(shown.get("id") or shown.get("_id") or "")


class Asker:
    """Sends the probe's requests and counts them."""

    def __init__(self, api: Unparsed) -> None:
        """Ask this sub-account."""
        self._api = api
        self.requests = 0
        #: What HighLevel has done, or answered, so far.
        self.accepted: set[Endpoint] = set()

    @property
    def location(self) -> str:
        """The id of the sub-account."""
        return self._api.location

    def ask(
        self,
        endpoint: Endpoint,
        *ids: str,
        json: Any = None,
        params: Mapping[str, Any] | None = None,
        files: Upload | None = None,
    ) -> Said:
        """Send a request.

        Raises:
            Unavailable: HighLevel keeps failing.
            DayBudgetSpent: the day's requests are spent.
            Interrupted: the command was asked to stop.
        """
        self.requests += 1
        try:
            body = self._api.call(endpoint, *ids, json=json, params=params, files=files)
        except NO_ANSWER as error:
            return Said(error=error)
        self.accepted.add(endpoint)
        return Said(body)
