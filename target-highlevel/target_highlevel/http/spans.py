"""A span for each request, where OpenTelemetry is installed and set up. It names a route, never an address."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from opentelemetry.trace import Tracer

_TRACER: Tracer | None = None
try:
    from opentelemetry import trace
except ModuleNotFoundError:  # the extra is not installed
    pass
else:
    _TRACER = trace.get_tracer("target-highlevel")

_REFUSED = 400


@contextmanager
def request_span(method: str, route: str, attempt: int) -> Iterator[Callable[[int | None], None]]:
    """Time one exchange; what is given back takes its status, none where there was no answer."""
    if _TRACER is None:
        yield lambda _status: None
        return
    name = route if route.startswith(method) else f"{method} {route}"
    about: dict[str, Any] = {"http.request.method": method, "http.request.resend_count": attempt - 1}
    with _TRACER.start_as_current_span(name, kind=trace.SpanKind.CLIENT, attributes=about) as span:

        def answered(status: int | None) -> None:
            if status is not None:
                span.set_attribute("http.response.status_code", status)
            if status is None or status >= _REFUSED:
                span.set_status(trace.StatusCode.ERROR)

        yield answered
