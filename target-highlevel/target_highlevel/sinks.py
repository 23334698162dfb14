"""The sink: hands each record to the engine, which does the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from singer_sdk.sinks import RecordSink
from typing_extensions import override

if TYPE_CHECKING:
    from singer_sdk.target_base import Target


class HighLevelSink(RecordSink):
    """One stream: hands its records to the engine."""

    @override
    def __init__(self, target: Target, stream_name: str, schema: dict[str, Any], key_properties: Any) -> None:
        super().__init__(target, stream_name, schema, key_properties)
        self._accept = target.accept  # type: ignore[attr-defined]

    @override
    def get_validator(self) -> None:
        """Validate in the engine, where a failure rejects one record instead of ending the run."""

    @property
    @override
    def key_properties(self) -> list[str]:
        return []  # the SDK would end the run on a record without its key; the engine rejects it

    @override
    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        self._accept(self.stream_name, record)

    @override
    def clean_up(self) -> None:
        """Log no count: the report has all of them, and the SDK's counter is passed by."""
