"""The emulated HighLevel on a port, and a client that sends what a correct client sends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import requests

from sandbox import highlevel
from sandbox.control import Control
from sandbox.gate import Gate
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

CALENDAR_AREAS = ("/calendars/", "/conversations/")


class Clock:
    """A clock that a test moves by hand."""

    def __init__(self, at: float = 1_780_000_000.0) -> None:
        self.at = at

    def __call__(self) -> float:
        """Tell the time."""
        return self.at


class HighLevelServer:
    """A running emulator; `call` adds token, version and JSON."""

    def __init__(self, **options: Any) -> None:
        self.clock = Clock()
        self.control = Control("highlevel", window_seconds=10, clock=self.clock)
        settings = {"search_lag": 0, "schema_cache": 0, "burst_limit": 100_000, **options}
        app, self.state = highlevel.create(settings, self.control)
        self.server = LoopbackServer(Gate(app, self.control))
        self.session = requests.Session()
        self.session.trust_env = False

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.session.close()
        self.server.stop()

    @property
    def location(self) -> str:
        """The id of the location."""
        return self.state.location_id

    def send(self, method: str, path: str, **details: Any) -> requests.Response:
        """Send a request; `token=None`, `version=None` and headers change what a correct client sends."""
        token = details.pop("token", self.state.access_token)
        version = details.pop("version", _version(method, path))
        headers = {"Authorization": f"Bearer {token}", "Version": version, **details.pop("headers", {})}
        kept = {name: value for name, value in headers.items() if value is not None and token != ""}
        return self.session.request(
            method, self.server.origin + path, headers=kept, timeout=10, allow_redirects=False, **details
        )

    def call(
        self, method: str, path: str, body: Any = None, *, status: int | None = None, **details: Any
    ) -> Any:
        """Send a request that must end with `status`, 200 or 201 unless told, and return the JSON."""
        answer = self.send(method, path, **({} if body is None else {"json": body}), **details)
        expected = {status} if status else {200, 201}
        assert answer.status_code in expected, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def contact(self, **fields: Any) -> dict[str, Any]:
        """Make a contact."""
        answer = self.call("POST", "/contacts/", {"locationId": self.location, **fields})
        return dict(answer["contact"])

    def field(self, name: str, kind: str = "TEXT", **details: Any) -> str:
        """Make a custom field of contacts and return its id."""
        path = f"/locations/{self.location}/customFields"
        answer = self.call("POST", path, {"name": name, "dataType": kind, "model": "contact", **details})
        return str(answer["customField"]["id"])

    def custom_object(self, key: str, *fields: tuple[str, str, list[str]]) -> str:
        """Make a custom object whose primary property is `name`, with further fields (key, type, options)."""
        body = {
            "locationId": self.location,
            "key": key,
            "labels": {"singular": key.title(), "plural": f"{key.title()}s"},
            "primaryDisplayPropertyDetails": {"key": "name", "name": "Name", "dataType": "TEXT"},
        }
        made = self.call("POST", "/objects/", body, token=self.state.agency_token)["object"]["key"]
        path = f"/custom-fields/object-key/{made}?locationId={self.location}"
        folder = self.call("GET", path)["folders"][0]["id"]
        for short, kind, options in fields:
            self.object_field(made, short, kind, options, folder)
        return str(made)

    def object_field(self, key: str, short: str, kind: str, options: list[str], folder: str) -> str:
        """Add a property to a custom object and return its id."""
        body: dict[str, Any] = {
            "locationId": self.location,
            "objectKey": key,
            "fieldKey": f"{key}.{short}",
            "parentId": folder,
            "dataType": kind,
            "name": short.replace("_", " ").title(),
            "showInForms": True,
        }
        if options:
            body["options"] = [{"key": option, "label": option.title()} for option in options]
        return str(self.call("POST", "/custom-fields/", body)["field"]["id"])

    def record(self, key: str, **properties: Any) -> str:
        """Make a record and return its id."""
        body = {"locationId": self.location, "properties": properties}
        return str(self.call("POST", f"/objects/{key}/records", body)["record"]["id"])

    def search(self, **body: Any) -> Any:
        """Search the contacts, 100 a page unless told."""
        return self.call("POST", "/contacts/search", {"locationId": self.location, "pageLimit": 100, **body})

    @property
    def violations(self) -> list[str]:
        """The kinds of the violations so far."""
        return [entry["kind"] for entry in self.control.violations]


def _version(method: str, path: str) -> str | None:
    del method
    if path.startswith(("/oauth/token", "/documents/")):
        return None
    return "2021-04-15" if path.startswith(CALENDAR_AREAS) else "2021-07-28"
