"""What OpenTelemetry is told of a run. Imported only where the extra ``otel`` is installed."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any

from opentelemetry import metrics, trace
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.metrics import CallbackOptions, Observation
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Sequence

    from target_highlevel.engine.session import Session

NAME = "target-highlevel"
LOCATION, STATUS = "highlevel.location", "highlevel.status"
#: Name of the metric → which figure it is, its unit, what it says. These grow during a run.
COUNTERS = {
    "highlevel.requests": ("requests", "{request}", "Requests sent."),
    "highlevel.waited": ("waited", "s", "Time that requests have waited for the budget."),
    "highlevel.too_many_requests": ("too_many", "{request}", "Answers 429."),
    "highlevel.retries": ("retries", "{request}", "Requests repeated after a failure that passes."),
    "highlevel.settled": ("settled", "{record}", "Records settled: written, left out or refused."),
}
#: These stand as they are.
GAUGES = {
    "highlevel.day_left": ("day_left", "{request}", "Requests left of the day's budget."),
    "highlevel.records": ("records", "{record}", "Records of the ledger that are ready, held or rejected."),
}
#: One collection asks for every metric; the ledger is counted once for all.
_SAME_MOMENT = 1.0


class _Part:
    """One sub-account's part of a run."""

    def __init__(self, session: Session) -> None:
        """Tell of it until it is settled."""
        self._session: Session | None = session
        self.location = session.ledger.location
        self.span = trace.get_tracer(NAME).start_span(
            session.mode, attributes={LOCATION: self.location, "highlevel.run": session.run}
        )
        self._at, self._figures = 0.0, figures(session)

    def figures(self) -> dict[str, Any]:
        """Return the figures of now, or those at its end."""
        now = time.monotonic()
        if self._session is not None and now - self._at > _SAME_MOMENT:
            self._at, self._figures = now, figures(self._session)
        return self._figures

    def settle(self, code: int) -> None:
        """Keep the last figures: the ledger is about to be closed."""
        if self._session is not None:
            self._figures, self._session = figures(self._session), None
        self.span.set_attribute("highlevel.exit_code", code)
        self.span.end()


class Export:
    """Sends metrics every minute, or as the standard variables say, and traces in batches; the last of them at the end."""

    def __init__(self, sessions: Sequence[Session], wanted: Collection[str]) -> None:
        """Set the SDK up; endpoint, headers, sampling and intervals come from its own variables."""
        processor = BatchSpanProcessor(OTLPSpanExporter()) if "traces" in wanted else None
        try:
            reader = PeriodicExportingMetricReader(OTLPMetricExporter()) if "metrics" in wanted else None
        except Exception:
            if processor is not None:  # its thread would send spans for as long as this process lives
                processor.shutdown()  # type: ignore[no-untyped-call]
            raise
        named = {} if os.environ.get("OTEL_SERVICE_NAME") else {"service.name": NAME}
        resource = Resource.create(named)
        self._providers: list[MeterProvider | TracerProvider] = []
        if processor is not None:
            tracer = TracerProvider(resource=resource)
            tracer.add_span_processor(processor)
            trace.set_tracer_provider(tracer)
            self._providers.append(tracer)
        self._parts = {session: _Part(session) for session in sessions}
        if reader is not None:
            meter = MeterProvider(metric_readers=[reader], resource=resource)
            self._providers.append(meter)
            self._declare(meter.get_meter(NAME))

    def _declare(self, meter: metrics.Meter) -> None:
        for name, (figure, unit, description) in COUNTERS.items():
            meter.create_observable_counter(name, [self._observed(figure)], unit, description)
        for name, (figure, unit, description) in GAUGES.items():
            meter.create_observable_gauge(name, [self._observed(figure)], unit, description)

    def _observed(self, figure: str) -> Callable[[CallbackOptions], Iterable[Observation]]:
        def observe(_options: CallbackOptions) -> Iterable[Observation]:
            for part in self._parts.values():
                value = part.figures()[figure]
                by_status = value if isinstance(value, dict) else {None: value}
                for status, number in by_status.items():
                    yield Observation(
                        number, {LOCATION: part.location, **({STATUS: status} if status else {})}
                    )

        return observe

    def settle(self, session: Session, code: int) -> None:
        """Take note that a part ends, with its ledger still open."""
        self._parts[session].settle(code)

    def close(self) -> None:
        """Send what is left."""
        for provider in self._providers:
            provider.shutdown()


def figures(session: Session) -> dict[str, Any]:
    """Return what is told of one part of a run at this moment, by the names of ``COUNTERS`` and ``GAUGES``."""
    spent = session.governor.statistics()
    return {
        "requests": spent.requests,
        "waited": spent.waited_seconds,
        "too_many": spent.too_many_requests,
        "retries": session.client.repeated,
        "settled": session.work.settled,
        "day_left": session.day().left,
        "records": session.work.standing(),
    }
