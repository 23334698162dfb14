"""What the emulator answers: successes, and refusals in the shapes of the vendor."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Mapping

BAD_REQUEST = 400
UNPROCESSABLE = 422
REASONS = {
    BAD_REQUEST: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    415: "Unsupported Media Type",
    UNPROCESSABLE: "Unprocessable Entity",
    429: "Too Many Requests",
    500: "Internal Server Error",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """A status with a JSON body, or with raw bytes of another type."""

    status: int
    body: dict[str, Any] | list[Any] | bytes
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)


class Refusal(Exception):  # noqa: N818 - not an error of the emulator
    """The request is refused; a 422 carries its reasons as an array, every other status as a text."""

    def __init__(self, status: int, message: str | list[str], **extra: Any) -> None:
        """Take what the body says; `extra` is added to it, `meta` for instance."""
        super().__init__(status)
        self.status = status
        self.body: dict[str, Any] = {
            "statusCode": status,
            "message": message,
            "error": REASONS.get(status, "Error"),
            **extra,
        }

    def answer(self) -> Answer:
        """Return the refusal as an answer."""
        return Answer(self.status, self.body)


def refuse(status: int, message: str, **extra: Any) -> NoReturn:
    """Refuse with a status of its own."""
    raise Refusal(status, message, **extra)


def refuse_request(message: str, **extra: Any) -> NoReturn:
    """Refuse what is well-formed and yet impossible."""
    raise Refusal(BAD_REQUEST, message, **extra)


def refuse_body(*messages: str) -> NoReturn:
    """Refuse a body that breaks the rules of its shape."""
    raise Refusal(UNPROCESSABLE, list(messages))


def limit_texts(
    body: dict[str, Any], limits: Mapping[str, int | None], *, beyond: str, called: str = ""
) -> None:
    """Refuse, or cut, a text of more characters than its limit allows; None is no limit.

    Args:
        body: what has the texts; one that is cut is replaced.
        limits: how many characters each may have.
        beyond: `refuse` or `cut`.
        called: what a refusal calls a text; by default its name in the body.
    """
    for name, limit in limits.items():
        text = body.get(name)
        if limit is None or not isinstance(text, str) or len(text) <= limit:
            continue
        if beyond == "refuse":
            refuse_body(f"{called or name} must be shorter than or equal to {limit} characters")
        body[name] = text[:limit]


def refuse_location() -> NoReturn:
    """Refuse a location that the token does not open."""
    refuse(403, "The token does not have access to this location.")
