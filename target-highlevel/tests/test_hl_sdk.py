"""The SDK's own suite for targets, and what its stream maps do after the mapping."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, cast

import pytest
from singer_sdk.testing import get_target_test_class
from singer_sdk.testing.runners import TargetTestRunner

from sandbox import Sandbox
from target_highlevel.target import TargetHighLevel

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hl_loading import Clinic, Loader

Standard: type[Any] = get_target_test_class(TargetHighLevel)
# A record without its key is rejected, and the run goes on: test_hl_exit_codes.py has our own.
del Standard.test_target_record_missing_key_property


class EndingRunner(TargetTestRunner):
    """Ends the targets it made: each holds the ledger's lock."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(TargetHighLevel, config, validate_config=False)
        self.targets: list[TargetHighLevel] = []

    def create(self, *arguments: Any) -> TargetHighLevel:
        """Make a target and remember it."""
        target = cast("TargetHighLevel", super().create(*arguments))
        self.targets.append(target)
        return target


@pytest.fixture(scope="module")
def account() -> Iterator[Sandbox]:
    """An empty sub-account."""
    with Sandbox(seed=1, patients=1) as sandbox:
        yield sandbox


class TestStandard(Standard):  # type: ignore[misc]
    """Streams that do not describe themselves are left out on purpose; broken ones end the run."""

    @pytest.fixture
    def runner(self, account: Sandbox, tmp_path: Any) -> Iterator[EndingRunner]:
        """A runner whose targets all end well, having written nothing."""
        highlevel = account.highlevel
        runner = EndingRunner(
            {
                "access_token": highlevel.access_token,
                "location_id": highlevel.location_id,
                "api_url": highlevel.url,
                "ledger_url": f"sqlite:///{tmp_path}/ledger.db",
                "report_dir": str(tmp_path / "reports"),
                "unknown_streams": "ignore",
            }
        )
        yield runner
        codes = [target.end(None).code for target in runner.targets]
        assert set(codes) == {0}
        assert not [item for item in highlevel.control.requests if item.write]


def test_stream_maps_apply_after_the_mapping(small_clinic: Clinic, highlevel: Callable[..., Loader]) -> None:
    """A stream map changes, filters or drops what the mapping has put out; the other streams stay as they are."""
    loader = highlevel()
    maps = {
        "hl_contacts": {"city": "'Elsewhere'"},
        "hl_invoices": {"__filter__": "invoice_number == 'none has this'"},
        "hl_notes": None,
        "hl_medical_alert_notes": None,
    }
    loaded = loader.load(small_clinic.lines, STREAM_MAPS=json.dumps(maps))
    assert loaded.code in {0, 4}, loaded.log[-2000:]
    state = loader.sandbox.highlevel.state
    found = state.sources()
    assert {contact["city"] for contact in state.contacts.values()} == {"Elsewhere"}
    assert set(found["contacts"]) == small_clinic.sources["contacts"]
    assert not found.get("notes")
    assert not found.get("custom_objects.cliniko_invoice")
    assert set(found["tasks"]) == small_clinic.sources["tasks"]
