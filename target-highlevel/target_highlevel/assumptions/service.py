"""Open questions about the service itself: limits, searches, answers and the sub-account's own texts."""

from __future__ import annotations

from target_highlevel.assumptions.model import Assumption

SERVICE = (
    Assumption(
        name="search_lag",
        question="How long does it take until the search shows a new contact?",
        source="HighLevel's description does not say",
        answers={
            "0": "A lost create is looked for after `search_lag_seconds`.",
            "10": "The same.",
            "30": "The longer one of what was measured and of `search_lag_seconds` is waited for.",
        },
        default="10",
        unit="seconds",
        measured="The search is asked for the probe's contact until it shows, for up to two minutes.",
    ),
    Assumption(
        name="page_rows",
        question="How many rows does a page of a search have at most?",
        source="HighLevel's description does not say",
        answers={
            "500": "A page with fewer rows than asked for is not taken for the last one.",
            "20": "The same.",
        },
        default="500",
        unit="rows",
        unmeasured="It takes more rows than the probe makes.",
        alike=True,
    ),
    Assumption(
        name="refused_creates",
        question="Can a create be refused and be carried out all the same?",
        source="Seen: 422 for a contact that was made (issue 64 of the vendor's documentation)",
        answers={
            "undone": "What gave no reason, or 422, is looked for all the same: one look for each such refusal.",
            "done": "It is found and adopted; nothing is there twice, and nothing is taken for refused that is there.",
        },
        default="undone",
        unmeasured="Nobody knows when it happens.",
        alike=True,
    ),
    Assumption(
        name="counted_rows",
        question="Up to where does a search count its rows?",
        source="Search engines of this kind count to 10,000; HighLevel's description does not say",
        answers={
            "all": "The count ends the search, but for one of exactly 10,000, which is not believed.",
            "10000": "A count of 10,000 is not believed: an empty page ends the search.",
        },
        default="all",
        unmeasured="It takes more rows than the probe makes.",
        alike=True,
    ),
    Assumption(
        name="list_shape",
        question="Are lists of associations and relations wrapped in an object?",
        source="HighLevel's description does not say",
        answers={"wrapped": "Both are understood.", "bare": "Both are understood."},
        default="wrapped",
        measured="The associations are listed.",
        alike=True,
    ),
    Assumption(
        name="envelopes",
        question="Under which name does an answer hold what it is about?",
        source="HighLevel's description differs from what clients read: `note`, `data`, or nothing around it",
        answers={
            "named": "`contact`, `note`, `task` and so on, or the thing itself.",
            "data": "The same under `data`.",
        },
        default="named",
        measured="The sub-account's own settings are read.",
        alike=True,
    ),
    Assumption(
        name="id_names",
        question="How is the id of a thing called?",
        source="The description has `id`; some answers of clients carry the database's own `_id`",
        answers={"id": "It is read as it is.", "_id": "It is taken for the id."},
        default="id",
        measured="The sub-account's own settings are read.",
        alike=True,
    ),
    Assumption(
        name="switches",
        question="Are yes and no written as such in answers?",
        source="HighLevel's description has booleans; clients read texts in places",
        answers={
            "booleans": "`true` and `false` are read.",
            "words": '`"true"` and `"false"` are understood as well.',
        },
        default="booleans",
        unmeasured="Each place may differ; all of them are understood everywhere.",
        alike=True,
    ),
    Assumption(
        name="deleted_rows",
        question="Do lists still show things that were deleted?",
        source="Lists of users carry `deleted`; of other lists nothing is said",
        answers={
            "absent": "Nothing to do.",
            "marked": "A row that says `deleted: true`, or when it was deleted, is no row.",
        },
        default="absent",
        unmeasured="A row may be shown for as long as nobody has looked; what is marked is never taken for there.",
        alike=True,
    ),
    Assumption(
        name="odd_rows",
        question="Has every field, object, user, calendar and pipeline of a sub-account an id, a key or name, and a type?",
        source="HighLevel's description demands none of them in answers",
        answers={
            "absent": "Nothing to do.",
            "there": "One of the clinic's own without them is left alone, counted in the log and listed by the plan. A field of"
            " ours without a key goes by its label, and one without a type is tried.",
        },
        default="absent",
        unmeasured="It depends on what people have made there; every run looks.",
        alike=True,
    ),
    Assumption(
        name="totals",
        question="Does a list say how many rows there are?",
        source="HighLevel's description does not say",
        answers={
            "told": "It ends the list a request earlier.",
            "absent": "The list ends with an empty page. Before a rollback deletes a contact, each kind of sign that"
            " somebody works with it is asked for contact by contact.",
        },
        default="told",
        measured="The probe's contact is searched for.",
        alike=True,
    ),
    Assumption(
        name="missing_thing",
        question="What answers a request for something that is not there?",
        source="HighLevel's description does not say",
        answers={
            "404": "It is gone.",
            "400": "It is gone, where the message says so.",
        },
        default="404",
        unit="status",
        measured="A note that was deleted is read.",
        alike=True,
    ),
    Assumption(
        name="missing_event",
        question="What answers a request for an appointment that was deleted?",
        source="400 `The event id is invalid`, recorded in July 2025",
        answers={"like_others": "It is gone.", "invalid_id": "It is gone."},
        default="like_others",
        measured="An appointment of the probe's own is deleted and read.",
        alike=True,
    ),
    Assumption(
        name="users_list",
        question="Is the old list of users still served?",
        source="Deprecated, gone in v3",
        answers={
            "served": "It is asked first.",
            "gone": "The search for users is asked instead.",
        },
        default="served",
        measured="The list is read.",
        alike=True,
    ),
    Assumption(
        name="custom_values",
        question="May the token write custom values of the sub-account?",
        source="HighLevel's description does not say",
        answers={
            "writable": "The mark that says which ledger belongs to the sub-account is a custom value.",
            "refused": "Without a mark the ledger alone tells; the plan says that two ledgers would not be noticed.",
        },
        default="writable",
        measured="A custom value of the probe's own is made and read back.",
        alike=True,
    ),
    Assumption(
        name="retry_after",
        question="Does a 429 say when to come back?",
        source="HighLevel's description does not say",
        answers={
            "absent": "One window is waited for, longer each time.",
            "seconds": "It is waited for as long as it says.",
            "date": "It is waited for until then.",
        },
        default="absent",
        unmeasured="It takes more requests than the budget allows.",
        alike=True,
    ),
    Assumption(
        name="day_zone",
        question="At which midnight does the day's allowance start again?",
        source="HighLevel's description does not say",
        answers={
            "UTC": "The allowance is counted in UTC's days, and the header that tells what is left decides.",
            "Australia/Sydney": "The same: the header decides.",
        },
        default="UTC",
        unmeasured="It takes a day.",
        alike=True,
    ),
)
