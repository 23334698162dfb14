"""What OpenTelemetry is told of a load, by a collector that listens; nothing without its variables or its packages."""

from __future__ import annotations

import json
import re
import sys
import threading
from collections import defaultdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import person, schemas
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from target_highlevel import telemetry
from target_highlevel.opentelemetry_export import COUNTERS, GAUGES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hl_loading import Loader

DASHBOARD = Path(__file__).parents[2] / "docs" / "grafana.json"
#: Requests by which the sub-account is given back, when the ledger has counted for the last time.
LAST_WORD = 2
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


class Collector(ThreadingHTTPServer):
    """Takes what is sent to it."""

    def __init__(self) -> None:
        """Listen on loopback."""
        super().__init__(("127.0.0.1", 0), Taking)
        self.received: defaultdict[str, list[bytes]] = defaultdict(list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_port}"

    def spans(self) -> list[Any]:
        """Return every span."""
        messages = map(ExportTraceServiceRequest.FromString, self.received["/v1/traces"])
        return [
            span
            for message in messages
            for resource in message.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]

    def metrics(self) -> dict[str, Any]:
        """Return the points of each metric as they came last."""
        message = ExportMetricsServiceRequest.FromString(self.received["/v1/metrics"][-1])
        found = [metric for scope in message.resource_metrics[0].scope_metrics for metric in scope.metrics]
        return {metric.name: [*metric.sum.data_points, *metric.gauge.data_points] for metric in found}


class Taking(BaseHTTPRequestHandler):
    """Keeps each body."""

    server: Collector

    def do_POST(self) -> None:
        """Take a message."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received[self.path].append(body)
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector to which the standard variable points."""
    with Collector() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv(ENDPOINT, server.url)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "120")  # on a busy machine an answer takes its time
        yield server
        server.shutdown()


def test_a_load_is_told_of_in_figures_and_routes(
    highlevel: Callable[..., Loader], collector: Collector
) -> None:
    """Requests, waiting, retries, what is left of the day and what stands where; spans name routes; nothing is personal."""
    loader = highlevel()
    control = loader.sandbox.highlevel.control
    broken = {"match": {"method": "GET", "path_regex": "/users", "nth": 1}, "action": "status", "status": 503}
    control.add_fault(broken)
    lines = [*schemas("patients"), *(person(f"patients/{number}", "Ann", "Elm") for number in range(5))]
    assert loader.load(lines, REQUESTS_PER_DAY="1000").code == 0
    sent = control.stats()["requests"]
    counted = sent - LAST_WORD
    metrics = collector.metrics()
    assert metrics.keys() == {*COUNTERS, *GAUGES}
    values = {name: points[0].as_int for name, points in metrics.items() if len(points) == 1}
    assert values["highlevel.requests"] == counted
    assert values["highlevel.retries"] == 1
    assert values["highlevel.settled"] == 5
    assert values["highlevel.day_left"] == 1000 - counted
    by_status = [
        {each.key: each.value.string_value for each in point.attributes}
        for point in metrics["highlevel.records"]
    ]
    assert {each["highlevel.status"] for each in by_status} == {"ready", "held", "rejected"}
    assert {each["highlevel.location"] for each in by_status} == {loader.sandbox.highlevel.location_id}
    spans = collector.spans()
    routes = [span.name for span in spans if span.name != "load"]
    assert len(routes) == sent
    assert routes.count("POST /contacts/") == 5
    assert any(
        each.key == "highlevel.exit_code" for span in spans if span.name == "load" for each in span.attributes
    )
    told = b"".join(body for bodies in collector.received.values() for body in bodies)
    contacts = loader.sandbox.highlevel.state.contacts
    assert not [text for text in (*contacts, "Elm", "Ann", "patients/") if text.encode() in told]


def test_the_variables_decide(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """Off unless an endpoint is set, by signal; without the packages it is said what is missing, and the load goes on."""
    assert telemetry.begin([]) is None
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "http://127.0.0.1:1")
    assert [telemetry.is_wanted(signal) for signal in ("metrics", "traces")] == [True, False]
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    assert not telemetry.is_wanted("metrics")
    monkeypatch.setenv(ENDPOINT, "http://127.0.0.1:1")
    assert telemetry.is_wanted("traces")
    monkeypatch.setitem(sys.modules, "target_highlevel.opentelemetry_export", None)
    assert telemetry.begin([]) is None
    assert "install the extra otel" in caplog.text
    monkeypatch.delitem(sys.modules, "target_highlevel.opentelemetry_export")
    monkeypatch.delenv("OTEL_METRICS_EXPORTER")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "-1")
    before = set(threading.enumerate())
    assert telemetry.begin([]) is None
    assert set(threading.enumerate()) <= before
    assert "could not be set up" in caplog.text
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    assert not telemetry.is_wanted("traces")


def test_the_dashboard_asks_for_metrics_that_there_are() -> None:
    """In Prometheus the names have underscores; a unit and the word total are added to those that grow."""
    asked = set(re.findall(r"\bhighlevel_[a-z_]+(?=\{)", DASHBOARD.read_text(encoding="utf-8")))
    units = {"highlevel.waited": "_seconds"}
    there = {f"{name.replace('.', '_')}{units.get(name, '')}_total" for name in COUNTERS}
    there |= {name.replace(".", "_") for name in GAUGES}
    assert asked == there
    assert json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
