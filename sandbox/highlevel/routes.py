"""The table of endpoints: each resource module adds its own with the `route` decorator."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.datastructures import FormData

    from sandbox.control import Request
    from sandbox.highlevel.account import Account
    from sandbox.highlevel.answers import Answer
    from sandbox.highlevel.shapes import Shape
    from sandbox.highlevel.state import State
    from sandbox.highlevel.tokens import Token

    Handler = Callable[["Call"], "Answer | dict[str, Any]"]

MAIN_VERSION = "2021-07-28"
CALENDAR_VERSION = "2021-04-15"
NO_VERSION = ""


class Access(StrEnum):
    """Which kind of token opens an endpoint."""

    LOCATION = "location"
    AGENCY = "agency"
    BOTH = "both"
    OPEN = "open"


@dataclass(slots=True)
class Call:
    """One request on its way to its handler."""

    state: State
    at: float
    origin: str
    path: dict[str, str]
    query: dict[str, str]
    token: Token | None
    request: Request | None
    version: str | None = None
    body: dict[str, Any] = field(default_factory=dict)
    form: FormData | None = None
    location: Account | None = None

    @property
    def account(self) -> Account:
        """The sub-account that the request is about."""
        if self.location is None:
            message = "this endpoint is not bound to a location"
            raise LookupError(message)
        return self.location

    def violation(self, kind: str, detail: str) -> None:
        """Report that the client broke a rule of the product."""
        self.state.control.violation(kind, detail, self.request)


@dataclass(frozen=True, slots=True)
class Route:
    """An endpoint: where it is, who may call it, what it accepts and what it does."""

    method: str
    pattern: str
    handler: Handler
    scope: str
    status: int = 200
    version: str = MAIN_VERSION
    access: Access = Access.LOCATION
    body: Shape | None = None
    form: bool = False
    query: tuple[str, ...] = ()
    optional_query: tuple[str, ...] = ()
    write: bool = True

    @property
    def segments(self) -> tuple[str, ...]:
        """The parts of the pattern; a trailing slash is an empty last part."""
        return tuple(self.pattern.split("/"))


ROUTES: list[Route] = []


def route(method: str, pattern: str, scope: str, **details: Any) -> Callable[[Handler], Handler]:
    """Add an endpoint to the table; searches by POST say `write=False`."""

    def add(handler: Handler) -> Handler:
        ROUTES.append(
            Route(method, pattern, handler, scope, write=details.pop("write", method != "GET"), **details)
        )
        return handler

    return add


@dataclass(slots=True)
class Router:
    """Finds the endpoint of a path; a fixed word wins over a placeholder."""

    table: dict[tuple[str, int], list[Route]] = field(default_factory=dict)

    def add(self, routes: list[Route]) -> None:
        """Take the endpoints over, those with the fewest placeholders first."""
        for item in sorted(routes, key=lambda entry: entry.pattern.count("{")):
            self.table.setdefault((item.method, len(item.segments)), []).append(item)

    def find(self, method: str, path: str) -> tuple[Route, dict[str, str]] | None:
        """Return the endpoint and the values of its placeholders."""
        parts = path.split("/")
        for item in self.table.get((method, len(parts)), ()):
            values = _fit(item.segments, parts)
            if values is not None:
                return item, values
        return None


def _fit(segments: tuple[str, ...], parts: list[str]) -> dict[str, str] | None:
    values = {}
    for segment, part in zip(segments, parts, strict=True):
        if segment.startswith("{") and part:
            values[segment[1:-1]] = part
        elif segment != part:
            return None
    return values
