"""The areas of HighLevel's API this target may call: version, scopes, and whether a POST there only reads.

It is a list of what is allowed. Messages, campaigns and the contact upsert are absent on purpose: nothing may
be sent to a patient and no two patients may be merged, so a path outside this table cannot be requested at all.
Conversations and payments may only be looked at.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

DATA_VERSION = "2021-07-28"
CALENDAR_VERSION = "2021-04-15"


@dataclass(frozen=True, slots=True)
class Area:
    """A part of the API that shares a version and a pair of scopes."""

    path: re.Pattern[str]
    scope: str
    version: str = DATA_VERSION
    reading: str = "readonly"
    writing: str = "write"
    #: Whether nothing but GET is allowed here.
    looks_only: bool = False

    def scope_for(self, *, reads: bool) -> str:
        """The scope a token needs for a call here."""
        return f"{self.scope}.{self.reading if reads else self.writing}"


def _area(path: str, scope: str, version: str = DATA_VERSION, *, only: str = "") -> Area:
    return Area(re.compile(path), scope, version, only or "readonly", only or "write")


def _look(path: str, scope: str, version: str = DATA_VERSION) -> Area:
    return Area(re.compile(path), scope, version, looks_only=True)


_ID = r"[^/]+"

# The first match counts, so the longer path stands before the shorter.
AREAS: tuple[Area, ...] = (
    _area(r"/contacts/search(/duplicate)?$", "contacts"),
    _area(rf"/contacts/(?!upsert$|bulk$)({_ID}(/(notes|tasks|appointments)(/.+)?)?)?$", "contacts"),
    _area(rf"/locations/{_ID}/customFields(/.*)?$", "locations/customFields"),
    _area(rf"/locations/{_ID}/customValues(/.*)?$", "locations/customValues"),
    _area(rf"/locations/{_ID}$", "locations"),
    _area(r"/custom-fields/", "locations/customFields"),
    _area(rf"/objects/{_ID}/records", "objects/record"),
    _area(r"/objects/", "objects/schema"),
    _area(r"/associations/relations", "associations/relation"),
    _area(r"/associations/", "associations"),
    _area(r"/calendars/(events|appointments|blocked-slots)(/|$)", "calendars/events", CALENDAR_VERSION),
    _area(r"/calendars/", "calendars", CALENDAR_VERSION),
    _area(r"/users/", "users"),
    _area(r"/forms/upload-custom-files$", "forms", only="write"),
    _area(r"/workflows/$", "workflows", only="readonly"),
    _look(r"/opportunities/(search|pipelines)$", "opportunities"),
    _area(rf"/opportunities/(?!upsert$)({_ID})?$", "opportunities"),
    _look(r"/conversations/search$", "conversations", CALENDAR_VERSION),
    _look(r"/forms/submissions$", "forms"),
    _look(r"/payments/transactions$", "payments/transactions"),
    _look(r"/payments/orders$", "payments/orders"),
    _look(r"/invoices/$", "invoices"),
)

# Leading dots and slashes in disguise could lead a path out of its area once somebody has normalised it.
_ENCODED = r"%(?!2E|2F|5C)[0-9A-F]{2}"
_PLAIN_PATH = re.compile(rf"(/([A-Za-z0-9_~-]|{_ENCODED})([A-Za-z0-9_.~-]|{_ENCODED})*)+/?")

_ONLY_READS = re.compile(r"/search$")
_REPEATABLE_METHODS = frozenset({"GET", "PUT", "DELETE"})


def area_of(path: str, method: str = "GET") -> Area:
    """The area a path belongs to.

    Raises:
        ValueError: the path is none of those this target may call, or not with this method.
    """
    if _PLAIN_PATH.fullmatch(path):
        for area in AREAS:
            if area.path.match(path) and (method == "GET" or not area.looks_only):
                return area
    message = "this client calls no such path: it is not in the table of areas"
    raise ValueError(message)


def only_reads(method: str, path: str) -> bool:
    """Whether the call changes nothing: searches are POSTs that read."""
    return method == "GET" or (method == "POST" and _ONLY_READS.search(path) is not None)


def may_be_repeated(method: str, path: str) -> bool:
    """Whether doing it twice has the effect of doing it once."""
    return method in _REPEATABLE_METHODS or only_reads(method, path)
