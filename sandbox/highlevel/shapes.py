"""The shapes of request bodies: which properties exist, which are required, and of which type they are.

The messages follow the validator that the vendor uses: `property X should not exist`, `X must be a string`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping

    Check = Callable[[str, Any], Iterator[str]]

ISO_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?(?P<offset>Z|[+-]\d{2}:?\d{2})?")
EMAIL = re.compile(r"[^@\s,;<>]+@[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?\.[A-Za-z]{2,}")


def text(
    *, null: bool = False, choices: Collection[str] = (), longest: int | None = None, filled: bool = False
) -> Check:
    """Accept a string; `filled` refuses the empty one."""

    def check(name: str, value: Any) -> Iterator[str]:
        if value is None and null:
            return
        if not isinstance(value, str):
            yield f"{name} must be a string"
        elif choices and value not in choices:
            yield f"{name} must be one of the following values: {', '.join(choices)}"
        elif longest is not None and len(value) > longest:
            yield f"{name} must be shorter than or equal to {longest} characters"
        elif filled and not value.strip():
            yield f"{name} should not be empty"

    return check


def number(*, least: float | None = None, most: float | None = None) -> Check:
    """Accept a number within bounds; a boolean is none."""

    def check(name: str, value: Any) -> Iterator[str]:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            yield f"{name} must be a number conforming to the specified constraints"
        elif least is not None and value < least:
            yield f"{name} must not be less than {least:g}"
        elif most is not None and value > most:
            yield f"{name} must not be greater than {most:g}"

    return check


def boolean() -> Check:
    """Accept true and false."""

    def check(name: str, value: Any) -> Iterator[str]:
        if not isinstance(value, bool):
            yield f"{name} must be a boolean value"

    return check


def moment(*, offset: bool = False) -> Check:
    """Accept an ISO 8601 date-time; `offset` demands its distance from UTC."""

    def check(name: str, value: Any) -> Iterator[str]:
        match = ISO_TIME.fullmatch(value) if isinstance(value, str) else None
        if match is None or (offset and match["offset"] is None):
            yield f"{name} must be a valid ISO 8601 date string"

    return check


def email(*, null: bool = False) -> Check:
    """Accept an e-mail address."""

    def check(name: str, value: Any) -> Iterator[str]:
        if value is None and null:
            return
        if not isinstance(value, str) or not EMAIL.fullmatch(value):
            yield f"{name} must be an email"

    return check


def list_of(item: Check, *, most: int | None = None) -> Check:
    """Accept an array whose items pass `item`."""

    def check(name: str, value: Any) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{name} must be an array"
            return
        if most is not None and len(value) > most:
            yield f"{name} must contain no more than {most} elements"
        for place, entry in enumerate(value):
            yield from item(f"{name}.{place}", entry)

    return check


def anything() -> Check:
    """Accept every value; the handler looks closer."""
    return lambda _name, _value: iter(())


@dataclass(frozen=True, slots=True)
class Shape:
    """The properties of an object; anything else in it is refused."""

    properties: Mapping[str, Check]
    required: Collection[str] = ()

    def problems(self, body: Any, prefix: str = "") -> list[str]:
        """List everything that is wrong with `body`."""
        if not isinstance(body, dict):
            return [f"{prefix.rstrip('.') or 'body'} must be an object"]
        found = [f"property {prefix}{name} should not exist" for name in body if name not in self.properties]
        found.extend(f"{prefix}{name} should not be empty" for name in self.required if name not in body)
        for name, check in self.properties.items():
            if name in body:
                found.extend(check(prefix + name, body[name]))
        return found

    def nested(self) -> Check:
        """Use the shape as the check of one property."""

        def check(name: str, value: Any) -> Iterator[str]:
            yield from self.problems(value, f"{name}.")

        return check
