"""Metrics and traces for OpenTelemetry: on for who has the extra ``otel`` and sets its standard variables. Nothing personal."""

from __future__ import annotations

import logging
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from target_highlevel.engine.session import Session
    from target_highlevel.opentelemetry_export import Export

logger = logging.getLogger(__name__)

_ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def is_wanted(signal: str) -> bool:
    """Return whether the environment asks for ``traces`` or ``metrics``."""
    if os.environ.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    name = signal.upper()
    there = os.environ.get(_ENDPOINT) or os.environ.get(f"OTEL_EXPORTER_OTLP_{name}_ENDPOINT")
    return bool(there) and os.environ.get(f"OTEL_{name}_EXPORTER", "otlp") != "none"


def begin(sessions: Sequence[Session]) -> Export | None:
    """Begin to tell of these parts of a run, if that is wanted."""
    wanted = {signal for signal in ("traces", "metrics") if is_wanted(signal)}
    if not wanted:
        return None
    try:
        from target_highlevel.opentelemetry_export import Export  # noqa: PLC0415 - an extra

        return Export(sessions, wanted)
    except ModuleNotFoundError as error:
        because = f"{error.name} is missing: install the extra otel"
    except Exception as error:  # noqa: BLE001 - a variable that the SDK cannot read must not keep a load from running
        because = f"OpenTelemetry could not be set up ({type(error).__name__})"
    logger.warning("highlevel.telemetry off because=%s", because)
    return None
