"""The singer-sdk's standard suite, against a clinic over HTTP."""

from __future__ import annotations

import atexit
import tempfile
from pathlib import Path

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from tap_runs import config_for

from sandbox import Sandbox
from tap_cliniko.tap import TapCliniko

# the suite wants its settings while the module is imported
_SANDBOX = Sandbox(seed=5, patients=30, cliniko={"requests_per_minute": 0})
_SANDBOX.start()
atexit.register(_SANDBOX.stop)
_FOLDER = tempfile.TemporaryDirectory()
atexit.register(_FOLDER.cleanup)

Suite = get_tap_test_class(
    TapCliniko,
    config=config_for(_SANDBOX, Path(_FOLDER.name)),
    suite_config=SuiteConfig(max_records_limit=60, ignore_no_records_for_streams=["recalls", "recall_types"]),
)


@pytest.mark.xdist_group("the standard suite")  # the whole account is read once
@pytest.mark.filterwarnings("ignore:No records were available to test:UserWarning")
@pytest.mark.filterwarnings("ignore:Fields in transformed catalog but not in records:UserWarning")
class TestTapCliniko(Suite):  # type: ignore[misc, valid-type]
    """What every Singer tap must do."""

    @pytest.fixture(scope="class")
    @classmethod
    def resource(cls) -> None:
        """Nothing to prepare: the sandbox runs already."""
