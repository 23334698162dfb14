"""What each received record should look like in HighLevel: as the load would write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from target_highlevel.desired import Desired
from target_highlevel.exit_codes import LOADED
from target_highlevel.fields import holds, kind_of
from target_highlevel.ledger.rows import DIARY, Status
from target_highlevel.objects.base import Rejected
from target_highlevel.verify.comparison import Case, Compared, compare

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from target_highlevel.engine.session import Session
    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.ledger.rows import Row
    from target_highlevel.verify.findings import Findings


class Expected:
    """The records of the account as the scratch ledger has them, and how each is compared."""

    def __init__(self, session: Session, findings: Findings) -> None:
        """Take the moment from which appointments are past or to come once, for all records."""
        self._session = session
        self._ledger = session.ledger
        self._findings = findings
        self.records = findings.records
        #: Stream → every tag that its records want.
        self._our_tags: dict[str, frozenset[str]] = {}
        self._now = f"{session.ledger.now():%Y-%m-%dT%H:%M:%SZ}"
        #: When the last load began that came to its end: since then time alone may have changed what is due.
        self._loaded = _last_load(session.ledger)

    def begin(self) -> None:
        """Separate what was received from what only the crosswalk knows, and learn which tags are ours."""
        self.records.begin(self._session.run)
        self._findings.waiting = self.records.waiting()
        for spec in list(self._session.specs.values()):
            names = [name for name, declared in spec.fields.items() if kind_of(declared).shared]
            found = {tag.lower() for name in names for tag in self.records.values(spec.object, name)}
            self._our_tags[spec.stream] = frozenset(found)

    def place(self, object_: str) -> None:
        """Give every record that was never written the contact it would be on."""
        for row in self.records.unverified(object_, without_parent=True):
            parent = self._session.work.hl_id(f"contact:{row.contact}") if row.contact else None
            if parent:
                self.records.set_parent(row.ref, parent)

    def wanted_here(self, rows: Iterable[Row]) -> list[Row]:
        """Return those records that were received, should be in HighLevel, and have not been looked at."""
        candidates = [row for row in rows if row.payload is not None and row.status == Status.READY.value]
        known = self._findings.known([row.ref for row in candidates])
        return [row for row in candidates if row.digest and row.ref not in known]

    # Comparing

    def compare(self, row: Row, there: Mapping[str, Any]) -> list[Compared] | None:
        """Compare one record with what HighLevel holds; None when it is one that cannot be written at all."""
        spec = self._session.specs[row.stream]
        self._session.work.add_claims([row])
        contributions = self._session.work.contributions(row)
        kind = self._session.kinds.of(row, spec, contributions)
        desired = Desired.of(row, spec, contributions, self._now)
        try:
            wanted = desired.values(kind)
        except Rejected as rejected:
            self.reject(row, rejected.reason, rejected.field)
            return None
        there = desired.concerned(there)
        if spec.kind == "note":
            # what HighLevel does not show is not compared; without an author or a pin of ours it, or a person, may set any
            wanted = {name: value for name, value in wanted.items() if name in there}
            others = {"user", "pinned"} - set(wanted)
            there = {name: value for name, value in there.items() if name not in others}

        if spec.kind in DIARY:  # what we leave open HighLevel fills in
            there = {name: value for name, value in there.items() if name in wanted}

        def clocked(name: str, value: Any) -> bool:
            if name == "completed":
                return desired.fields.get("completed") is None and value is False
            return desired.is_clocked(name) and any(
                value == before.values(kind).get(name) for before in desired.earlier(self._loaded)
            )

        def was_written(name: str, value: Any) -> bool:
            return holds(row.written.get(name), spec.field(name), value, self._ledger.salt)

        def highlevels_own(name: str, value: Any) -> bool:
            return kind.is_highlevels_own(row, spec, name, value)

        case = Case(
            row,
            spec,
            wanted,
            there,
            was_written,
            clocked,
            highlevels_own,
            overwrite=self._session.settings.overwrite,
            our_tags=self._our_tags.get(spec.stream, frozenset()),
            waits=row.ref in self._findings.waiting,
        )
        return list(compare(case))

    def reject(self, row: Row, reason: str, field: str | None) -> None:
        """Keep that a record cannot be written as it is."""
        self._findings.outcome(row, "rejected")
        self.records.reject(row.ref, reason, field)

    def is_left_out(self, row: Row) -> bool:
        """Return whether a record is not in HighLevel because a load would not create it yet, and keep why."""
        spec, given = self._session.specs[row.stream], self._session.work.contributions(row)
        kind = self._session.kinds.of(row, spec, given)
        reason = None if row.hl_id else kind.not_yet(Desired.of(row, spec, given, self._now).fields)
        if reason:
            self.records.put_off(row.ref, Status.FILTERED, reason)
        return reason is not None

    def settle(self) -> None:
        """Leave the ledger as the report reads it."""
        self.records.settle(self._session.run)


def _last_load(ledger: Ledger) -> str:
    ended = (run for run in ledger.newest_of_each(1) if run["mode"] == "load" and run["exit_code"] in LOADED)
    return max((f"{run['started_at'][:19]}Z" for run in ended), default="")
