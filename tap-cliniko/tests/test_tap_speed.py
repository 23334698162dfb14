"""How fast the tap reads, and that it never exceeds the budget; for `make soak` and `make bench`."""

from __future__ import annotations

import contextlib
import io
import json
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psutil
import pytest
from singer_sdk import RESTStream, Tap
from tap_runs import config_for, run_tap

from sandbox import Sandbox
from tap_cliniko.resources import BY_NAME

if TYPE_CHECKING:
    from pathlib import Path

STREAM = "medical_alerts"


def with_alerts(number: int, **options: Any) -> Sandbox:
    """Make a clinic with a long list."""
    sandbox = Sandbox(seed=2, patients=10, cliniko=options)
    for index in range(number):
        sandbox.cliniko.account.insert(STREAM, {"name": f"Alert {index}", "patient_id": "1"})
    return sandbox


@pytest.mark.soak
def test_the_budget_is_used_and_never_exceeded(tmp_path: Path) -> None:
    """100,000 rows at 300 ms: at least 95 % of 200 requests a minute, no 429, under 150 MB."""
    with with_alerts(100_000) as sandbox:
        sandbox.cliniko.control.latency = 0.3
        config, catalog = tmp_path / "config.json", tmp_path / "catalog.json"
        config.write_text(json.dumps(config_for(sandbox, tmp_path, requests_per_minute=200)))
        catalog.write_text(json.dumps(only(STREAM)))
        command = [sys.executable, "-m", "tap_cliniko", "--config", str(config), "--catalog", str(catalog)]
        began = time.monotonic()
        with (tmp_path / "out").open("wb") as out, subprocess.Popen(command, stdout=out) as process:
            peak = watch(process)
        minutes = (time.monotonic() - began) / 60
        stats = sandbox.cliniko.control.stats()
        assert process.returncode == 0
        assert stats["by_status"] == {"200": stats["requests"]}
        assert stats["greatest_window"] <= 200
        assert stats["requests"] / minutes >= 0.95 * 200
        assert peak < 150_000_000


def watch(process: subprocess.Popen[bytes]) -> int:
    """Answer the most memory a process ever held."""
    peak, seen = 0, psutil.Process(process.pid)
    while process.poll() is None:
        with contextlib.suppress(psutil.NoSuchProcess):
            peak = max(peak, seen.memory_info().rss)
        time.sleep(0.25)
    return peak


def only(name: str) -> dict[str, Any]:
    """Write a catalog in which one stream is selected."""
    resource = BY_NAME[name]
    metadata = [{"breadcrumb": [], "metadata": {"selected": True, "inclusion": "available"}}]
    schema = resource.schema()
    entry = {"tap_stream_id": name, "stream": name, "schema": schema, "key_properties": ["id"]}
    return {"streams": [{**entry, "replication_key": "updated_at", "metadata": metadata}]}


class PlainStream(RESTStream[str]):
    """What everybody would write: pages by number, following the next link."""

    name = STREAM
    path = f"/{STREAM}"
    records_jsonpath = f"$.{STREAM}[*]"
    next_page_token_jsonpath = "$.links.next"
    primary_keys = ("id",)
    schema = BY_NAME[STREAM].schema()

    @property
    def url_base(self) -> str:
        """Answer where the account is."""
        return str(self.config["api_url"])

    @property
    def http_headers(self) -> dict[str, str]:
        """Carry the key."""
        return {"Authorization": str(self.config["authorization"])}

    def get_url_params(self, _context: Any, next_page_token: str | None) -> dict[str, Any] | str:
        """Ask for the next page."""
        return next_page_token.partition("?")[2] if next_page_token else {"per_page": 100, "sort": "id"}


class PlainTap(Tap):
    """A tap with that one stream."""

    name = "tap-plain"

    def discover_streams(self) -> list[PlainStream]:
        """Answer the stream."""
        return [PlainStream(self)]


@pytest.mark.bench
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_reading_without_loss_is_not_slower(tmp_path: Path) -> None:
    """With the budget out of the way the tap is at least as fast as a plain one on the same rows."""
    from requests.auth import _basic_auth_str  # noqa: PLC0415

    with with_alerts(20_000, requests_per_minute=0) as sandbox:
        began = time.monotonic()
        said = run_tap(config_for(sandbox, tmp_path), None, [STREAM])
        ours = time.monotonic() - began
        plain = PlainTap(
            config={
                "api_url": sandbox.cliniko.url,
                "authorization": _basic_auth_str(sandbox.cliniko.api_key, ""),
            }
        )
        began = time.monotonic()
        with contextlib.redirect_stdout(io.StringIO()):
            plain.sync_all()
        theirs = time.monotonic() - began
    sys.stderr.write(f"\ntap-cliniko {ours:.1f} s, plain {theirs:.1f} s, ratio {theirs / ours:.2f}\n")
    assert len(said.records(STREAM)) >= 20_000
    assert ours <= theirs
