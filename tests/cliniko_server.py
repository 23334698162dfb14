"""The emulated Cliniko on a port, and a client that reads it the way a careful client does."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import requests

from sandbox import cliniko
from sandbox.clinic import build_clinic
from sandbox.control import Control
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from types import TracebackType
    from typing import Self

    from sandbox.cliniko.account import Account

NOW = datetime(2026, 6, 1, tzinfo=UTC)
REVEALING = ("archived_at:*", "cancelled_at:*", "deleted_at:*")
USER_AGENT = "sandbox-tests (tests@example.org)"


class ClinikoServer:
    """A synthetic clinic behind the emulated API, with the key of one role."""

    def __init__(self, account: Account | None = None, *, patients: int = 40, **options: Any) -> None:
        """Make the clinic; the options are those of the emulator, without a limit of requests."""
        self.account = account or build_clinic(1, patients, NOW)
        self.control = Control("cliniko")
        chosen = {"requests_per_minute": 0, **options}
        apps = cliniko.create(self.account, chosen, self.control)
        self.files_control = apps.files_control
        self._files, self._api = LoopbackServer(apps.files), LoopbackServer(apps.api)
        apps.file_host.origin = self._files.origin
        self.origin = self._api.origin
        self.key = self.account.api_key(str(chosen.get("role", "administrator")))
        self.session = requests.Session()
        self.session.headers["User-Agent"] = USER_AGENT

    def __enter__(self) -> Self:
        """Serve."""
        self._files.start()
        self._api.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        self.session.close()
        self._api.stop()
        self._files.stop()

    def get(self, path: str, *filters: str, key: str | None = None, **query: Any) -> requests.Response:
        """Ask for a path below /v1, with filters and further parameters."""
        return self.session.get(
            f"{self.origin}/v1/{path}",
            params={**query, "q[]": list(filters)},
            auth=(key or self.key, ""),
            timeout=10,
            allow_redirects=False,
        )

    def rows(self, path: str, *filters: str, **query: Any) -> list[dict[str, Any]]:
        """Return the records of one page of a list."""
        answer = self.get(path, *filters, **{"per_page": 100, **query})
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        (records,) = [value for value in body.values() if isinstance(value, list)]
        return list(records)

    def every(self, resource: str) -> list[dict[str, Any]]:
        """Return all records of a list, hidden ones included, by ascending id."""
        hidden = cliniko.listing.hidden_of(resource)
        reveal = [text for text in REVEALING if text.partition(":")[0] in hidden]
        records: list[dict[str, Any]] = []
        last = 0
        while page := self.rows(resource, *reveal, f"id:>{last}", sort="id:asc"):
            records += page
            last = int(page[-1]["id"])
        return records
