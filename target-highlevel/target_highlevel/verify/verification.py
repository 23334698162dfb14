"""The whole verification, top to bottom: contacts and files, records, what hangs on contacts, relations."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

from target_highlevel.connection import sub_account_tokens
from target_highlevel.exit_codes import UNREADABLE
from target_highlevel.report.differences import Kind
from target_highlevel.texts import counted
from target_highlevel.verify.comparison import DIFFERING, HOWS
from target_highlevel.verify.downloads import Downloads
from target_highlevel.verify.expected import Expected
from target_highlevel.verify.findings import Findings
from target_highlevel.verify.hanging import Hanging
from target_highlevel.verify.links import Links
from target_highlevel.verify.people import People
from target_highlevel.verify.reading import Reader
from target_highlevel.verify.records import Records
from target_highlevel.verify.standing import Standing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.engine.session import Session
    from target_highlevel.report.differences import Difference
    from target_highlevel.report.sheet import Sheet

logger = logging.getLogger(__name__)


class Verification:
    """Compares what the scratch ledger has taken in with what HighLevel holds."""

    def __init__(self, session: Session, sheet: Sheet | None = None) -> None:
        """Compare everything that this session has received; a sheet is shown all of it."""
        self._session = session
        self._findings = Findings(session.ledger, sheet)
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
        stop = self._session.stop
        tokens = sub_account_tokens(settings, stop)
        downloads = Downloads(settings.api_url, tokens, self._session.governor, stop_event=stop)
        try:
            self._compare(expected, downloads)
        finally:
            downloads.close()
        self._content = self._summary(time.monotonic() - began)
        expected.settle()
        self._say()

    def _compare(self, expected: Expected, downloads: Downloads) -> None:
        session, findings = self._session, self._findings
        reader = Reader(session)
        people = People(session, expected, findings, downloads, reader)
        files = next(self._specs("file"), None)
        for spec in self._specs("contact"):
            people.verify(spec, files)
        people.verify_bytes()
        for spec in self._specs("custom_object"):
            Records(session, expected, findings, reader).verify(spec)
        for kind in ("appointment", "note", *(["opportunity"] if session.settings.pipeline else [])):
            for spec in self._specs(kind):
                Hanging(session, expected, findings, reader).verify(spec)
        for kind in session.kinds.diary:
            for spec in self._specs(kind):
                Standing(session, expected, findings, reader).verify(spec)
        Links(session, expected, findings, reader).verify()
        self._rest(expected)

    def _specs(self, kind: str) -> Iterator[StreamSpec]:
        return (spec for spec in list(self._session.specs.values()) if spec.kind == kind)

    def _rest(self, expected: Expected) -> None:
        """Files that no contact has are missing, unless HighLevel would not take them at all."""
        for row in expected.records.unverified("file"):
            if expected.compare(row, {}) is not None:
                self._findings.missing(row)
        self._findings.flush()

    def exit_code(self, *, accepted: bool) -> int:
        """Return 5 for differences, 6 for none where part could not be read, else 0.

        With ``accepted`` what people changed and the setting ``overwrite`` leaves standing is no difference.
        """
        return self._findings.exit_code(accepted=accepted)

    def line(self, code: int) -> str:
        """Return the last line of a verification that did not end well; what people changed is counted apart."""
        kinds = self._findings.kinds
        found = sum(kinds[kind.value] for kind in DIFFERING)
        kept, unreadable = (kinds[kind.value] for kind in (Kind.KEPT, Kind.UNREADABLE))
        also = f"; {unreadable:,} could not be read back" if unreadable else ""
        if code == UNREADABLE:
            return f"no differences, but {unreadable:,} could not be read back: see `unreadable` in differences.csv"
        if not found:
            return (
                f"verification found {counted(kept, 'field')} with what people entered, which `overwrite` leaves standing{also}:"
                " see `kept` in differences.csv, and accept them with TARGET_HIGHLEVEL_ACCEPT_REJECTS=true"
            )
        also = (
            f", and {counted(kept, 'field')} with what people entered, which `overwrite` leaves standing{also}"
            if kept
            else also
        )
        return (
            f"verification found {counted(found, 'difference')}{also}: see differences.csv in the report;"
            " `meltano invoke target-highlevel:repair` says what can be brought back"
        )

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
                for how, number in self._because(Kind.NORMALISED).items()
            ],
            "extra_because": self._because(Kind.EXTRA),
            "unreadable_because": self._because(Kind.UNREADABLE),
            "unreadable_lists": self._findings.unreadable_lists,
            "objects": objects,
            "closes_to_zero": all(item["difference"] == 0 for item in objects),
            "records": records,
            "requests": requests,
            "requests_per_record": round(requests / records, 3) if records else 0.0,
            "seconds": round(seconds, 1),
        }

    def _because(self, kind: Kind) -> dict[str, int]:
        return {how: number for (of, how), number in sorted(self._findings.hows.items()) if of is kind}

    def _say(self) -> None:
        said = self._content
        logger.info(
            "highlevel.verified records=%d fields=%d equal=%d normalised=%d kept=%d unreadable=%d different=%d"
            " missing=%d extra=%d"
            " requests=%d",
            *(
                said[name]
                for name in (
                    "records",
                    "fields_compared",
                    "equal",
                    "normalised",
                    "kept",
                    "unreadable",
                    "different",
                    "missing",
                    "extra",
                )
            ),
            said["requests"],
        )
