"""Opportunities: one of each patient in the pipeline of the settings, its stage named as the type of the visit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from typing_extensions import override

from target_highlevel.assumptions import question
from target_highlevel.ledger.partials import NO_VISIT
from target_highlevel.objects.base import Created, Existing, Rejected, present
from target_highlevel.objects.on_contact import OnContact

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.api.opportunities import Opportunities, Pipeline
    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.rows import Row


class Opportunity(OnContact):
    """Known by its contact and its pipeline: an opportunity has no place for an id of ours that people do not read."""

    search_is_eventual = True
    is_marked = False
    api = "opportunities"
    length = question("line_length")
    names: ClassVar[Mapping[str, str]] = {"name": "name", "stage": "pipelineStageId", "user": "assignedTo"}

    @property
    @override
    def activities(self) -> Opportunities:
        return self.ctx.highlevel.opportunities

    @property
    def _pipeline(self) -> Pipeline:
        if self.ctx.catalogue.no_pipelines is not None:
            raise self.ctx.catalogue.no_pipelines
        if self.ctx.catalogue.pipeline is None:
            raise Rejected("no_pipeline", "stage")
        return self.ctx.catalogue.pipeline

    @override
    def not_yet(self, fields: Mapping[str, Any]) -> str | None:
        return None if fields.get("stage") else NO_VISIT

    @override
    def prepare(self, row: Row, spec: StreamSpec, fields: Mapping[str, Any]) -> dict[str, Any]:
        stage = fields.get("stage")
        if stage and stage not in self._pipeline.stages:
            raise Rejected("unknown_stage", "stage")
        wanted = {
            "name": fields.get("name"),
            "stage": self._pipeline.stages[stage] if stage else None,
            "user": self.user(fields.get("owner")),
        }
        return {name: value for name, value in wanted.items() if value is not None}

    @override
    def create(self, row: Row, spec: StreamSpec, wanted: Mapping[str, Any]) -> Created | Existing:
        parent = self.parent_id(row)
        body = {"pipelineId": self._pipeline.id, **self._body(present(wanted))}
        return Created(self.activities.create(parent, body), parent)

    @override
    def decode(self, item: Mapping[str, Any]) -> dict[str, Any]:
        return {name: item.get(api) for name, api in self.names.items()}

    @override
    def detached_text(self, source_id: str, there: Mapping[str, Any], why: str) -> dict[str, Any]:
        return {}

    @override
    def listed(self, contact_id: str) -> Iterable[dict[str, Any]]:
        pipeline = self.ctx.catalogue.pipeline
        return [
            item for item in super().listed(contact_id) if pipeline and item.get("pipelineId") == pipeline.id
        ]

    @override
    def source_id(self, item: Mapping[str, Any]) -> str | None:
        return self.ctx.work.holder("contact", str(item.get("contactId")))
