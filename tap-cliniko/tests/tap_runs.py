"""Runs the tap against a sandbox and holds what it said."""

from __future__ import annotations

import contextlib
import io
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cliniko.client import ClinikoClient, Query, RetryPolicy
from tap_cliniko.governor import Governor
from tap_cliniko.records import Normaliser
from tap_cliniko.resources import BY_NAME, TOMBSTONE, Resource, Shape
from tap_cliniko.tap import TapCliniko

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sandbox import Sandbox

Record = dict[str, Any]

UNLIMITED = 100_000


def config_for(sandbox: Sandbox, folder: Path, **more: Any) -> dict[str, Any]:
    """Write the settings for a sandbox, with room in the budget and no lag."""
    return {
        "api_key": sandbox.cliniko.api_key,
        "contact_email": "data@example.org",
        "api_url": sandbox.cliniko.url,
        "requests_per_minute": UNLIMITED,
        "lag_seconds": 0,
        "attachments_dir": str(folder / "attachments"),
        "known_ids_path": str(folder / "known_ids.db"),
        **more,
    }


def client_for(sandbox: Sandbox) -> ClinikoClient:
    """Make a client that never waits."""
    side = sandbox.cliniko
    return ClinikoClient(
        side.url,
        side.api_key,
        "data@example.org",
        governor=Governor(UNLIMITED),
        retry_policy=RetryPolicy(base=0.001),
    )


@dataclass
class Said:
    """The messages of one run."""

    messages: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def from_text(cls, text: str) -> Said:
        """Read messages, one a line; a last line that was cut off is none."""
        lines = text.splitlines() if text.endswith("\n") else text.splitlines()[:-1]
        return cls([json.loads(line) for line in lines])

    def records(self, stream: str) -> list[Record]:
        """Return the records of a stream, in their order."""
        return [
            each["record"] for each in self.messages if each["type"] == "RECORD" and each["stream"] == stream
        ]

    def streams(self) -> list[str]:
        """Name the streams in the order of their schemas."""
        return [each["stream"] for each in self.messages if each["type"] == "SCHEMA"]

    @property
    def state(self) -> dict[str, Any]:
        """Return the last state."""
        states = [each["value"] for each in self.messages if each["type"] == "STATE"]
        return states[-1] if states else {}


def select(tap: TapCliniko, names: Iterable[str]) -> None:
    """Select some streams only."""
    chosen = set(names)
    for stream in tap.streams.values():
        stream.selected = stream.name in chosen


def run_tap(
    config: dict[str, Any],
    state: dict[str, Any] | None = None,
    streams: Iterable[str] = (),
    out: io.StringIO | None = None,
) -> Said:
    """Run the tap in this process; `out` holds what a run said that fails."""
    tap = TapCliniko(config=dict(config), state=state)
    if names := list(streams):
        select(tap, names)
    out = out or io.StringIO()
    try:
        with contextlib.redirect_stdout(out):
            tap.sync_all()
    finally:
        tap.close()
    return Said.from_text(out.getvalue())


class Warehouse:
    """Keeps the newest record of each key, as a target with upserts does."""

    def __init__(self) -> None:
        """Start empty."""
        self.tables: dict[str, dict[tuple[str, ...], Record]] = {}

    def load(self, said: Said) -> None:
        """Take the records of a run; a tombstone removes."""
        for message in said.messages:
            if message["type"] == "RECORD":
                self._put(BY_NAME[message["stream"]], message["record"])

    def _put(self, resource: Resource, record: Record) -> None:
        table = self.tables.setdefault(resource.name, {})
        key = tuple(str(record[name]) for name in resource.keys)
        if record.get(TOMBSTONE):
            table.pop(key, None)
        else:
            table[key] = record


def account_rows(sandbox: Sandbox, resource: Resource) -> dict[tuple[str, ...], Record]:
    """Read what the account holds, page by page while nothing moves."""
    client, found = client_for(sandbox), {}
    normal = Normaliser(resource)
    filters = tuple(f"{column}:*" for column in resource.reveal)
    for path in (resource.url_path, *resource.also):
        number, more = 1, True
        while more:
            page = client.page(path, resource.name, Query(filters, page=number))
            for row in page.rows:
                record = json.loads(json.dumps(normal(row), default=str))
                found[tuple(str(record[name]) for name in resource.keys)] = record
            more, number = page.more, number + 1
    client.close()
    return found


def listed_resources() -> list[Resource]:
    """Return the resources that have a list of rows of their own."""
    return [each for each in BY_NAME.values() if each.shape is Shape.ROWS and not each.optional]


def differences(sandbox: Sandbox, warehouse: Warehouse) -> list[str]:
    """Name every row that was lost, is too many, or is not as the account has it."""
    found = []
    for resource in listed_resources():
        there, here = account_rows(sandbox, resource), warehouse.tables.get(resource.name, {})
        found += [f"lost {resource.name}/{key}" for key in there.keys() - here.keys()]
        found += [f"too many {resource.name}/{key}" for key in here.keys() - there.keys()]
        for key in there.keys() & here.keys():
            # what the tap adds to a record is no row of the account's
            stale = [name for name, value in there[key].items() if here[key].get(name) != value]
            found += [f"stale {resource.name}/{key}: {stale}"] if stale else []
    return found
