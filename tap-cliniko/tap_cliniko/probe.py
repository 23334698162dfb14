"""Measures in a real account what Cliniko's documents leave open, by reading alone."""

from __future__ import annotations

import json
import os
from collections import Counter
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from tap_cliniko import assumptions, timestamps
from tap_cliniko.client import Query
from tap_cliniko.errors import ContractChanged, NotFound, RoleRefused
from tap_cliniko.filters import with_archived
from tap_cliniko.preflight import Preflight, account_of
from tap_cliniko.resources import BY_NAME, RESOURCES, Shape
from tap_cliniko.windows import is_readable, moment_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from tap_cliniko.assumptions import Assumption
    from tap_cliniko.client import ClinikoClient, Page, Row
    from tap_cliniko.resources import Resource

_TWO_YEARS = 2 * 365 * 86400
_SAME_SAVE = 2
_ROWS = 10
_HIDING = ("patients", "individual_appointments", "attendees", "treatment_notes", "invoices", "contacts")


@dataclass(frozen=True, slots=True)
class Measurement:
    """The answer to one question.

    Attributes:
        question: its name in the register.
        answer: one of its answers, None when the account does not show it.
        evidence: what was seen, in numbers and names of fields.
        at: when, in UTC.
    """

    question: str
    answer: str | None
    evidence: str
    at: str


class Probe:
    """Asks an account the questions of the register that reading can answer."""

    def __init__(self, client: ClinikoClient) -> None:
        """Read with this client; nothing is written."""
        self._client = client

    def measure(self) -> list[Measurement]:
        """Answer every question that can be measured, in the order of the register."""
        Preflight(self._client)  # a wrong key or address ends here, with its own words
        how: dict[str, Callable[[], tuple[str | None, str]]] = {
            assumptions.SORT_BY_ID.name: self._sort_by_id,
            assumptions.HIDING_MOVES_UPDATED_AT.name: self._hiding,
            assumptions.PAYING_MOVES_UPDATED_AT.name: self._paying,
            assumptions.RECALLS.name: self._recalls,
            assumptions.INACTIVE_PRACTITIONERS.name: self._inactive,
            assumptions.INVOICE_DETAIL.name: self._invoice,
            assumptions.TOTAL_ENTRIES.name: self._totals,
            assumptions.PUBLIC_ACCOUNT_ID.name: self._account,
            assumptions.TIMESTAMPS.name: self._timestamps,
        }
        return [
            self._measured(each, how[name]) for name, each in assumptions.REGISTER.items() if each.measured
        ]

    def _measured(self, asked: Assumption, ask: Callable[[], tuple[str | None, str]]) -> Measurement:
        try:
            answer, evidence = ask()
        except RoleRefused:
            answer, evidence = None, "the role of the key's owner may not read it"
        return Measurement(asked.name, answer, evidence, timestamps.from_epoch(self._client.now()))

    # ------------------------------------------------------------------ one question each

    def _sort_by_id(self) -> tuple[str | None, str]:
        try:
            rows = self._page("patients", ("archived_at:*",), sort="id:desc", size=_ROWS).rows
        except ContractChanged:
            return "refused", "sort=id was refused"
        ids = [int(row["id"]) for row in rows]
        if len(ids) < 2:  # noqa: PLR2004
            return None, f"{len(ids)} patients have no order"
        sorted_ = ids == sorted(ids, reverse=True)
        return ("accepted" if sorted_ else "ignored"), f"{len(ids)} patients, sort=id:desc"

    def _hiding(self) -> tuple[str | None, str]:
        asked = ((BY_NAME[each], column) for each in _HIDING for column in BY_NAME[each].reveal)
        return self._moving(asked, "rows hidden")

    def _paying(self) -> tuple[str | None, str]:
        invoices = BY_NAME["invoices"]
        return self._moving(((invoices, column) for column in invoices.moves_alone), "invoices settled")

    def _moving(self, asked: Iterable[tuple[Resource, str]], what: str) -> tuple[str | None, str]:
        """Compare a moment of rows with their updated_at."""
        since = timestamps.earlier(timestamps.from_epoch(self._client.now()), _TWO_YEARS)
        found: Counter[bool] = Counter()
        for listed, column in asked:
            others = tuple(each for each in with_archived(listed) if not each.startswith(column))
            for row in self._rows(listed.name, (*others, f"{column}:>={since}")):
                hidden, changed = moment_of(row.get(column)), moment_of(row.get("updated_at"))
                if is_readable(hidden) and is_readable(changed):
                    found[timestamps.earlier(hidden, _SAME_SAVE) <= changed] += 1
        if not found:
            return None, f"no {what} in the last two years"
        evidence = f"{found[True]} of {found.total()} {what} in the last two years show it in updated_at"
        return ("stays" if found[False] else "moves"), evidence

    def _recalls(self) -> tuple[str | None, str]:
        try:
            page = self._page("recalls", (), size=1)
        except (NotFound, RoleRefused, ContractChanged) as refusal:
            return "absent", f"/recalls: {type(refusal).__name__}"
        keys = ", ".join(sorted(page.rows[0])) if page.rows else "no row"
        return "served", f"{page.total} rows; keys: {keys}"

    def _inactive(self) -> tuple[str | None, str]:
        try:
            page = self._client.page("/practitioners/inactive", "practitioners", Query(size=1))
        except (NotFound, ContractChanged) as refusal:
            return "absent", f"/practitioners/inactive: {type(refusal).__name__}"
        return "served", f"{page.total} rows"

    def _invoice(self) -> tuple[str | None, str]:
        rows = self._page("invoices", (), size=1).rows
        if not rows:
            return None, "there is no invoice"
        alone = self._client.object(f"/invoices/{rows[0]['id']}")
        more = sorted(set(alone) - set(rows[0]))
        return ("more" if more else "same"), f"further keys: {', '.join(more) or 'none'}"

    def _totals(self) -> tuple[str | None, str]:
        asked = [each for each in RESOURCES if each.shape is Shape.ROWS and not each.in_full]
        without = []
        for each in asked:
            try:
                if self._page(each.name, (), size=1).total is None:
                    without.append(each.name)
            except (NotFound, RoleRefused):
                continue
        return ("missing" if without else "given"), f"without a total: {', '.join(without) or 'none'}"

    def _account(self) -> tuple[str | None, str]:
        account = account_of(Preflight(self._client).public_settings())
        return ("given" if account else "missing"), "account.id in /settings/public"

    def _timestamps(self) -> tuple[str | None, str]:
        rows = self._page("patients", ("archived_at:*",)).rows
        if not rows:
            return None, "there is no patient"
        fine = sum("." in str(row.get("updated_at")) for row in rows)
        return ("fractions" if fine else "seconds"), f"{fine} of {len(rows)} patients with fractions"

    # ------------------------------------------------------------------ reading

    def _page(self, name: str, filters: tuple[str, ...], **more: Any) -> Page:
        return self._client.page(BY_NAME[name].url_path, name, Query(filters, **more))

    def _rows(self, name: str, filters: tuple[str, ...]) -> Iterator[Row]:
        """Yield one page of rows: enough to tell."""
        try:
            yield from self._page(name, filters).rows
        except RoleRefused:
            return


def write(path: Path, measurements: list[Measurement]) -> None:
    """Write what was measured, readable by its owner only."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with os.fdopen(
        os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as file:
        json.dump([asdict(each) for each in measurements], file, indent=2)
        file.write("\n")
