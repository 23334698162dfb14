"""The whole verification, top to bottom: contacts and files, records, what hangs on contacts, relations."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from target_highlevel.credentials import sub_account_tokens
from target_highlevel.ledger.tables import record
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import HOWS
from target_highlevel.verify.downloads import Downloads
from target_highlevel.verify.expected import Expected
from target_highlevel.verify.findings import Findings
from target_highlevel.verify.hanging import Hanging
from target_highlevel.verify.links import Links
from target_highlevel.verify.people import People
from target_highlevel.verify.records import Records

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.report.differences import Difference

logger = logging.getLogger(__name__)


class Verification:
    """Compares what the scratch ledger has taken in with what HighLevel holds."""

    def __init__(self, session: Session) -> None:
        """Compare everything that this session has received."""
        self._session = session
        self._findings = Findings(session.ledger)
        self._content: dict[str, Any] = {}

    def run(self) -> None:
        """Read everything back and compare it.

        Raises:
            HighLevelError: of the kind that says what to do.
        """
        began = time.monotonic()
        expected = Expected(self._session, self._findings)
        expected.begin()
        settings = self._session.settings
        downloads = Downloads(
            settings.api_url, sub_account_tokens(settings), self._session.governor, self._session.stop.wait
        )
        try:
            self._compare(expected, downloads)
        finally:
            downloads.close()
        self._content = self._summary(time.monotonic() - began)
        expected.settle()
        self._say()

    def _compare(self, expected: Expected, downloads: Downloads) -> None:
        session, findings = self._session, self._findings
        people = People(session, expected, findings, downloads)
        files = next(self._specs("file"), None)
        for spec in self._specs("contact"):
            people.verify(spec, files)
        people.verify_bytes()
        for spec in self._specs("custom_object"):
            Records(session, expected, findings).verify(spec)
        for kind in ("appointment", "note"):
            for spec in self._specs(kind):
                Hanging(session, expected, findings).verify(spec)
        Links(session, expected, findings).verify()
        self._rest(expected)

    def _specs(self, kind: str) -> Iterator[StreamSpec]:
        return (spec for spec in list(self._session.specs.values()) if spec.kind == kind)

    def _rest(self, expected: Expected) -> None:
        """Files that no contact has are missing, unless HighLevel would not take them at all."""
        for row in expected.open(record.c.object == "file"):
            if expected.compare(row, {}) is not None:
                self._findings.missing(row)
        self._findings.flush()

    @property
    def failed(self) -> bool:
        """Return whether anything differs."""
        return self._findings.failed

    def differences(self) -> Iterator[Difference]:
        """Yield everything that was compared, for the report."""
        return self._findings.differences()

    @property
    def content(self) -> dict[str, Any]:
        """Return what the report says of the verification: counts, never a value."""
        return self._content

    def _summary(self, seconds: float) -> dict[str, Any]:
        kinds = self._findings.kinds
        objects = [item.content() for item in self._findings.objects()]
        records = sum(item["source"] for item in objects)
        requests = self._session.governor.statistics().requests
        return {
            "fields_compared": sum(kinds.values()),
            **{kind.value: kinds[kind.value] for kind in Kind},
            "normalised_because": [
                {"how": how, "meaning": HOWS[how], "fields": number}
                for how, number in sorted(self._findings.hows.items())
                if how in HOWS
            ],
            "extra_because": {how: n for how, n in sorted(self._findings.hows.items()) if how not in HOWS},
            "objects": objects,
            "closes_to_zero": all(item["difference"] == 0 for item in objects),
            "records": records,
            "requests": requests,
            "requests_per_record": round(requests / records, 3) if records else 0.0,
            "seconds": round(seconds, 1),
        }

    def _say(self) -> None:
        said = self._content
        logger.info(
            "highlevel.verified records=%d fields=%d equal=%d normalised=%d different=%d missing=%d extra=%d"
            " requests=%d",
            *(
                said[name]
                for name in (
                    "records",
                    "fields_compared",
                    "equal",
                    "normalised",
                    "different",
                    "missing",
                    "extra",
                )
            ),
            said["requests"],
        )
