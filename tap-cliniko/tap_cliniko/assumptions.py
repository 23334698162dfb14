"""What Cliniko's documents leave open, as declarations: each question, its possible answers, and what the tap does under each.

`docs/assumptions.md` is made from this register, the sandbox plays every answer, and `tap-cliniko-tools probe` measures what
reading alone can tell.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumption:
    """An open question about Cliniko.

    Attributes:
        name: how code, `probe.json` and the sandbox call it.
        question: one sentence that ends with a question mark.
        source: where the question comes from.
        answers: each possible answer and what the tap does under it.
        default: the answer assumed until something was measured.
        measured: how the probe finds out.
        unmeasured: why the probe does not; exactly one of the two is filled in.
        unit: what a number counts; empty, because no answer here is a number.
        alike: nothing in the tap asks for the answer: it meets each of them as it finds it.
    """

    name: str
    question: str
    source: str
    answers: Mapping[str, str] = field(repr=False)
    default: str
    measured: str = ""
    unmeasured: str = ""
    unit: str = ""
    alike: bool = False

    def __post_init__(self) -> None:
        """Refuse a declaration that contradicts itself."""
        if self.default not in self.answers or bool(self.measured) == bool(self.unmeasured):
            msg = f"the assumption {self.name} contradicts itself"
            raise ValueError(msg)


SORT_BY_ID = Assumption(
    name="sort_by_id",
    question="Can every list be sorted by id?",
    source='API documentation, "Sorting": any column; nobody was seen to sort by id',
    answers={
        "accepted": "Lists are read in order of their ids, each page from the last id of the page before.",
        "refused": "Lists are cut into ranges of ids until each fits on one page, which needs no order.",
        "ignored": "The same, as soon as rows come in another order than the one asked for.",
    },
    default="accepted",
    measured="Ten patients are asked for in descending order of their ids.",
    alike=True,
)
HIDING_MOVES_UPDATED_AT = Assumption(
    name="hiding_moves_updated_at",
    question="Does archiving, cancelling or deleting a row move its updated_at?",
    source="samples in the API documentation contradict each other; issue 148 of its tracker assumes it",
    answers={
        "moves": "A run asks each list for changes first and reads nothing if there are none; hidden rows come with the changed.",
        "stays": "Every run reads, and asks each list for rows hidden since as well as for rows changed since.",
    },
    default="stays",
    measured="Rows hidden in the last two years are compared: updated_at of each is as late as its archived_at, "
    "cancelled_at or deleted_at, or not. Every run that reads measures it again.",
)
UNHIDING_MOVES_UPDATED_AT = Assumption(
    name="unhiding_moves_updated_at",
    question="Does it move a row's updated_at when it is brought back, or its cancellation taken back?",
    source="nothing is said about it; what hides a row may not move it either (hiding_moves_updated_at)",
    answers={
        "moves": "The row comes with the changed.",
        "stays": "With `detect_deletions`, once in 20 hours each list is asked how many of its rows are hidden, and those that "
        "no longer are, are read again. Without, such a row comes with its next change, or when everything is read anew.",
    },
    default="stays",
    unmeasured="It takes a change.",
    alike=True,
)
PAYING_MOVES_UPDATED_AT = Assumption(
    name="paying_moves_updated_at",
    question="Does a payment move updated_at of the invoice that it settles?",
    source="payments are not served; nothing says what a payment does to the row of its invoice",
    answers={
        "moves": "The invoice comes with the changed.",
        "stays": "Each run asks for invoices settled since as well as for invoices changed since, one request. That one is open "
        "again, because its payment was taken back, comes with its next change.",
    },
    default="stays",
    measured="Invoices settled in the last two years are compared: updated_at of each is as late as its closed_at, or not.",
    alike=True,
)
MERGE_MOVES_ROWS = Assumption(
    name="merge_moves_rows",
    question="Does a merge of two patients move updated_at of the rows that change their patient?",
    source="help pages on merging say that the rows move, nothing says what they show",
    answers={
        "stays": "Rows of both patients are read again after each merge, changed or not.",
        "moves": "The same: it costs one request for each list and merge.",
    },
    default="stays",
    unmeasured="It takes a merge.",
    alike=True,
)
RECALLS = Assumption(
    name="recalls",
    question="Does the account serve recalls, which no document names?",
    source="a client of 2026 reads /recalls on one shard; issue 252 of the API's tracker asks for them since 2019",
    answers={
        "absent": "The streams recalls and recall_types stay empty, and the table of permissions says so.",
        "served": "They are read page by page in every run that reads, since nothing is known of their filters.",
    },
    default="absent",
    measured="One page of /recalls is asked for.",
    alike=True,
)
INACTIVE_PRACTITIONERS = Assumption(
    name="inactive_practitioners",
    question="Is the list of inactive practitioners served?",
    source="API documentation, practitioners: the only list of its kind that is still described",
    answers={
        "served": "It is read with the active ones.",
        "absent": "The active ones are read; notes and bookings of the others name an id without a practitioner.",
    },
    default="served",
    measured="The list is asked for one row.",
    alike=True,
)
INVOICE_DETAIL = Assumption(
    name="invoice_detail",
    question="Does an invoice that is read alone carry keys that the list does not have?",
    source="a client claims that it carries payments, without having had an invoice to look at",
    answers={
        "same": "Invoices are taken from the list.",
        "more": "The same; the probe names the further keys, which stay in Cliniko.",
    },
    default="same",
    measured="The newest invoice is read from the list and alone, and the names of its keys are compared.",
    alike=True,
)
TOTAL_ENTRIES = Assumption(
    name="total_entries",
    question="Does every list say how many rows match?",
    source="API documentation: samples of patient forms and their templates lack it",
    answers={
        "given": "It decides whether a page has a successor, and how far a long list is.",
        "missing": "A full page is taken to have a successor; a list without a total is read in every run.",
    },
    default="given",
    measured="The first page of each list that is read by its changes.",
    alike=True,
)
PUBLIC_ACCOUNT_ID = Assumption(
    name="public_account_id",
    question="Do the public settings hold the account's id?",
    source="OpenAPI description: a sample of /settings/public has it, its schema has no fields",
    answers={
        "given": "Every SCHEMA and every state names the account, so that two clinics are never taken for one.",
        "missing": "They do not, and the log says so; a target then goes by what it has written.",
    },
    default="given",
    measured="The public settings are read.",
    alike=True,
)
TIMESTAMPS = Assumption(
    name="timestamps",
    question="Are moments written in whole seconds?",
    source="every sample in the API documentation; how they are stored is not said",
    answers={
        "seconds": "They are passed on as they are.",
        "fractions": "They are passed on as they are; windows and bookmarks go by whole seconds, which begin before them.",
    },
    default="seconds",
    measured="updated_at of a page of patients.",
    alike=True,
)
LATE_ROWS = Assumption(
    name="late_rows",
    question="Can a row become visible later than its updated_at says?",
    source="true of any database whose transactions take time; appointments come from a cache (telehealth guide)",
    answers={
        "at_once": "Nothing to do.",
        "late": "Windows end `lag_seconds` before now and begin `overlap_seconds` before the last one ended: what was late "
        "by no more than both comes with the next run.",
    },
    default="late",
    unmeasured="It takes a write.",
    alike=True,
)

REGISTER: Mapping[str, Assumption] = {
    each.name: each
    for each in (
        SORT_BY_ID,
        HIDING_MOVES_UPDATED_AT,
        UNHIDING_MOVES_UPDATED_AT,
        PAYING_MOVES_UPDATED_AT,
        MERGE_MOVES_ROWS,
        RECALLS,
        INACTIVE_PRACTITIONERS,
        INVOICE_DETAIL,
        TOTAL_ENTRIES,
        PUBLIC_ACCOUNT_ID,
        TIMESTAMPS,
        LATE_ROWS,
    )
}
