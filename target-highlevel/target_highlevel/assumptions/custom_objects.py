"""Open questions about custom objects, their records, and relations."""

from __future__ import annotations

from target_highlevel.assumptions.model import Assumption

_NO_OBJECT = "A custom object cannot be deleted through the API, so the probe makes none."
_RELATED = "Two contacts of the probe's own are related by an association of its own."

CUSTOM_OBJECTS = (
    Assumption(
        name="object_creation",
        question="May a sub-account's token create custom objects?",
        source="The description says no, some clients say yes",
        answers={
            "agency_only": "Missing objects are made with `agency_token`, else the run ends and names them.",
            "sub_account": "The same.",
        },
        default="agency_only",
        unmeasured=_NO_OBJECT,
        alike=True,
    ),
    Assumption(
        name="object_folders",
        question="May a token make folders for the fields of a custom object?",
        source="The description has the route; nobody has said that a new object comes with a folder of its own",
        answers={
            "made": "Fields stand in folders: identity, insurance, NDIS, clinical, other.",
            "refused": "They stand in whichever folder the object has, and the log says so.",
        },
        default="made",
        unmeasured=_NO_OBJECT,
        alike=True,
    ),
    Assumption(
        name="schema_lag",
        question="For how long may reading an object show its fields as they were?",
        source="The answer carries a `cache` flag",
        answers={
            "0": "Fields just made are known from the answer that made them.",
            "3": "The same: no reader is asked for what we made ourselves.",
        },
        default="3",
        unit="seconds",
        unmeasured=_NO_OBJECT,
        alike=True,
    ),
    Assumption(
        name="option_definitions",
        question="How are the options of an object's field described?",
        source="HighLevel's description does not say",
        answers={
            "objects": "Key and label are read.",
            "texts": "A text is the label, and the key is made of it as HighLevel makes it.",
        },
        default="objects",
        unmeasured=_NO_OBJECT,
        alike=True,
    ),
    Assumption(
        name="option_values",
        question="How is the chosen option of a record read back?",
        source="HighLevel's description does not say",
        answers={"keys": "The key is compared.", "objects": "The key inside is compared."},
        default="keys",
        unmeasured=_NO_OBJECT,
        alike=True,
    ),
    Assumption(
        name="record_dates",
        question="How are dates read back?",
        source="HighLevel's description does not say",
        answers={
            "as_written": "The day counts.",
            "date_time": "The day of the date-time counts.",
            "epoch": "The day of the number of milliseconds counts.",
        },
        default="as_written",
        measured="A date field of the probe's own is filled and read back.",
        alike=True,
    ),
    Assumption(
        name="record_owners",
        question="Does a record keep the owner that a write names?",
        source="HighLevel's description shows owners in answers only; a client sends them",
        answers={
            "kept": "Profile and invoice records have the owner of their contact.",
            "dropped": "Owners are sent; verification tells where none was kept.",
            "refused": "The record goes without an owner, and the report says so.",
        },
        default="kept",
        unmeasured=_NO_OBJECT,
    ),
    Assumption(
        name="unique_identity",
        question="Is our id property unique in the sub-account?",
        source="Only a person can make a field unique, and what a second create answers is not described",
        answers={
            "no": "A create whose answer was lost is looked for before it is sent again.",
            "yes": "The same; a refused second create is looked for and adopted.",
        },
        default="no",
        unmeasured="It is a setting that a person makes, and the answer to a second create is not described.",
        alike=True,
    ),
    Assumption(
        name="unknown_property",
        question="With which status is a property refused that an object does not have?",
        source="Clients report 422 and 400",
        answers={
            "422": "The record goes in without that property, which is listed; the next run notices the deleted field.",
            "400": "The same.",
        },
        default="422",
        unmeasured="It takes a record, and so an object.",
        alike=True,
    ),
    Assumption(
        name="record_search",
        question="How is a search for records told which page it shall answer?",
        source="HighLevel's description demands `page` and `searchAfter` of every request; contacts are searched for with either",
        answers={
            "both": "The first page is asked for by its number, each later one by the cursor of the last row as well.",
            "cursor_first": "The first page is asked for with an empty cursor too, as soon as one without was refused.",
            "either": "Later pages are asked for by their cursor alone, as soon as one with a number beside it was refused.",
            "number": "Where rows carry no cursor, pages are asked for by number: of the 10,000 records that numbers reach. Of"
            " more, none is taken for read: verification and the search for what a lost ledger had written say so.",
        },
        default="both",
        measured="A custom object that is there already is searched, of which a record must be there; none is made.",
        alike=True,
    ),
    Assumption(
        name="record_page",
        question="How many records may a page of their search be asked for?",
        source="HighLevel's description names no highest value; clients of others ask for 20 to 500",
        answers={
            "100": "Pages of 100 are asked for.",
            "20": "Pages of 50, 20 or 10, as soon as a longer one was refused.",
        },
        default="100",
        unit="records",
        measured="A custom object that is there already is searched; none is made.",
        alike=True,
    ),
    Assumption(
        name="record_filters",
        question="Does a search for records or contacts look for the value that a filter names?",
        source="HighLevel's description has no body of the search for contacts; filters by custom fields confuse its clients",
        answers={
            "heeded": "A lost create is found by our id in one request.",
            "ignored": "What comes has other ids: then every row is looked through, page by page.",
        },
        default="heeded",
        unmeasured="It takes two records or contacts of which one has a value.",
        alike=True,
    ),
    Assumption(
        name="property_keys",
        question="How are the properties of a record called where it is read?",
        source="Definitions carry the object's key before the property's, samples of records do not",
        answers={
            "short": "`source_system_id` is read as it is.",
            "whole": "`custom_objects.<key>.source_system_id` is read by its last part.",
        },
        default="short",
        unmeasured=_NO_OBJECT,
        alike=True,
    ),
    Assumption(
        name="relation_again",
        question="What answers a relation that is there already?",
        source="HighLevel's description does not say",
        answers={
            "refused": "The refusal says that it is there: done.",
            "same": "The relation that is there is answered: done.",
        },
        default="refused",
        measured=f"{_RELATED} The same relation is asked for twice.",
        alike=True,
    ),
    Assumption(
        name="relation_order",
        question="May the ends of a relation come in the other order than the association's?",
        source="HighLevel's description does not say",
        answers={"refused": "The order is always the association's.", "accepted": "The same."},
        default="refused",
        unmeasured="It takes a record, and so an object.",
        alike=True,
    ),
    Assumption(
        name="relations_outlive_ends",
        question="Do relations stay when one of their ends is deleted?",
        source="Seen: relations of a deleted contact are still listed",
        answers={
            "removed": "Nothing to do.",
            "kept": "Rollback removes relations of its own before it removes their ends.",
        },
        default="removed",
        measured=f"{_RELATED} One of them is deleted, and the relations of the other are listed.",
        alike=True,
    ),
    Assumption(
        name="relations_of_missing",
        question="What answers a list of relations of something that is not there?",
        source="HighLevel's description does not say",
        answers={"empty": "No relations.", "refused": "No relations."},
        default="empty",
        measured="The relations of an id that was deleted are listed.",
        alike=True,
    ),
)
