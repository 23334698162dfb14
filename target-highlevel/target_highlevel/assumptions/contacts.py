"""Open questions about contacts, their addresses and their custom fields."""

from __future__ import annotations

from target_highlevel.assumptions.model import Assumption

_BY_PROBE = "A contact of the probe's own, without any address, is made and read back."
_NEEDS_ADDRESS = "It takes an address, and the probe gives its contact none, so that nobody can be reached."

CONTACTS = (
    Assumption(
        name="contact_without_address",
        question="May a contact be made with neither e-mail nor phone?",
        source="CSV import takes a bare name, some clients report 400",
        answers={
            "accepted": "The patient is created like any other.",
            "refused": "The patient is rejected with `address_required`, listed, and what belongs to them is held.",
        },
        default="accepted",
        measured="The probe's contact has neither; where it is refused, nothing else about contacts is measured.",
    ),
    Assumption(
        name="duplicate_match",
        question="By which address does the sub-account recognise a duplicate?",
        source="The preference is a setting that the API does not show",
        answers={
            "email_then_phone": "The address that the refusal names is withheld and kept as text.",
            "phone_then_email": "The same.",
            "email_only": "The same; a shared phone is written on each contact.",
            "phone_only": "The same; a shared e-mail is written on each contact.",
        },
        default="email_then_phone",
        unmeasured=_NEEDS_ADDRESS,
        alike=True,
    ),
    Assumption(
        name="duplicate_refusal",
        question="Does the refusal of a duplicate name the other contact?",
        source="Several clients rely on `meta`, the description has none",
        answers={
            "named": "The contact it names is looked at before anything else is decided.",
            "bare": "The holder of each address is looked up, then it is decided alike.",
        },
        default="named",
        unmeasured=_NEEDS_ADDRESS,
        alike=True,
    ),
    Assumption(
        name="refused_address",
        question="Can HighLevel refuse an address that is well formed?",
        source="Seen: 422 `email must be an email` for one patient",
        answers={
            "never": "Nothing to do.",
            "sometimes": "The patient goes in without that address, which is kept as text, tagged and listed.",
        },
        default="never",
        unmeasured=_NEEDS_ADDRESS,
        alike=True,
    ),
    Assumption(
        name="email_spelling",
        question="How is an e-mail address read back?",
        source="HighLevel's description does not say",
        answers={
            "as_written": "Compared letter by letter.",
            "lower_case": "Known as HighLevel's own spelling: no difference and nobody's change.",
        },
        default="as_written",
        unmeasured=_NEEDS_ADDRESS,
        alike=True,
    ),
    Assumption(
        name="phone_spelling",
        question="How is a phone number read back?",
        source="HighLevel's description does not say",
        answers={
            "as_written": "Compared digit by digit.",
            "spaced": "The same digits in groups are no difference and nobody's change.",
        },
        default="as_written",
        unmeasured=_NEEDS_ADDRESS,
        alike=True,
    ),
    Assumption(
        name="name_spelling",
        question="How are first and last name read back?",
        source="Lower case beside `firstNameRaw`, recorded in July 2025",
        answers={
            "as_written": "The names are compared as they are.",
            "lower_case": "The names beside them as they were written are read instead.",
        },
        default="as_written",
        measured=_BY_PROBE,
        alike=True,
    ),
    Assumption(
        name="country_of_contact",
        question="Does a contact that was made without a country have one?",
        source="Every contact had one, recorded in July 2025",
        answers={
            "left_empty": "Nothing to do.",
            "filled_in": "Where Cliniko has no country, that of HighLevel is its own: no difference, nobody's change.",
        },
        default="left_empty",
        measured=_BY_PROBE,
        alike=True,
    ),
    Assumption(
        name="country_spelling",
        question="How is a country read back?",
        source="HighLevel's description does not say",
        answers={
            "as_written": "The code is compared as it is.",
            "lower_case": "The same code in small letters is no difference and nobody's change.",
        },
        default="as_written",
        measured="The probe's contact gets the sub-account's country and is read back.",
        alike=True,
    ),
    Assumption(
        name="unlisted_country",
        question="What becomes of a country that is not in HighLevel's list?",
        source="HighLevel's description does not say",
        answers={
            "refused": "Only codes of the list are sent; another country stays as text.",
            "left_empty": "The same.",
        },
        default="refused",
        measured="The probe's contact is given the country `ZZ`.",
        alike=True,
    ),
    Assumption(
        name="national_phone",
        question="May a phone number be written without its country code?",
        source="HighLevel's description does not say",
        answers={
            "refused": "Numbers are sent in international form; one that has none is kept as text.",
            "kept": "The same.",
        },
        default="refused",
        unmeasured=_NEEDS_ADDRESS,
        alike=True,
    ),
    Assumption(
        name="tag_spelling",
        question="In which letters are tags kept?",
        source="HighLevel's description does not say",
        answers={
            "lower_case": "Ours are in small letters anyway; those of others are compared without regard to case.",
            "as_written": "The same.",
        },
        default="lower_case",
        unmeasured="A new tag would stay in the sub-account's list of tags.",
        alike=True,
    ),
    Assumption(
        name="closed_channel",
        question="Does a write open a channel that the patient closed (`permanent`)?",
        source="The description has the word and does not say what a write does to it",
        answers={
            "kept": "A channel the patient closed is sent back as it was found.",
            "reopened": "The same: what we send never opens it.",
        },
        default="kept",
        unmeasured="Only a patient can close a channel.",
        alike=True,
    ),
    Assumption(
        name="closed_words",
        question="By which word does a channel say that the patient closed it?",
        source="The description has `active`, `inactive` and `permanent` for writes, and no list for reads",
        answers={
            "known": "`active` is ours to open again, `permanent` is not; `inactive` is open.",
            "others": "A word that nobody knows is taken for `permanent`: a patient's *no* must not be overheard.",
        },
        default="known",
        unmeasured="Only a patient can close a channel.",
        alike=True,
    ),
    Assumption(
        name="field_keys",
        question="Which key does a custom field of contacts get whose name makes one that a removed field still holds?",
        source="The key is made of the name and stays; what holds it after a removal is not said",
        answers={
            "of_name": "The field is known by its key, whatever the clinic calls it later.",
            "numbered": "The field is known by its name, as long as its key begins with what the name makes.",
        },
        default="of_name",
        unmeasured="It takes a field that was removed, and a second one of its name.",
        alike=True,
    ),
    Assumption(
        name="clearing",
        question="Which empty value clears a custom field of a contact?",
        source="HighLevel's description does not say",
        answers={
            "both": "An empty text is sent, for several options an empty list.",
            "text": "The same.",
            "null": "Once measured, null is sent; until then verification lists what could not be cleared.",
        },
        default="both",
        measured="A text field of the probe's own is filled, and emptied each way.",
    ),
    Assumption(
        name="wrong_option",
        question="What becomes of a text that is no option of its field?",
        source="HighLevel's description does not say",
        answers={
            "refused": "Options are added to the field before a value uses them, so that it cannot happen.",
            "left_empty": "The same; verification would list the value as missing.",
        },
        default="refused",
        measured="A choice field of the probe's own is given a text that is none of its options.",
        alike=True,
    ),
    Assumption(
        name="unknown_field",
        question="What becomes of the value of a custom field that does not exist?",
        source="HighLevel's description does not say",
        answers={
            "refused": "The contact goes in without that value, which is listed; the next run notices the deleted field.",
            "ignored": "Definitions are read at the start of each run; a deleted field is noticed there.",
        },
        default="refused",
        measured="The probe's contact is given a value for a field that was deleted.",
        alike=True,
    ),
    Assumption(
        name="field_values",
        question="What does a reader call the value of a contact's custom field?",
        source="HighLevel's description does not say",
        answers={"value": "Each name is understood.", "field_value": "Each name is understood."},
        default="value",
        measured="A field of the probe's own is read back.",
        alike=True,
    ),
    Assumption(
        name="several_options",
        question="How are several options of one field read back?",
        source="Written as a list, readers are not described",
        answers={
            "list": "Compared without regard to their order.",
            "joined": "A text that joins them is taken apart by the field's own options.",
        },
        default="list",
        measured="A field with several options of the probe's own is filled and read back.",
        alike=True,
    ),
    Assumption(
        name="options_per_field",
        question="How many options may a field have?",
        source="HighLevel's description does not say",
        answers={
            "unlimited": "Every option that Cliniko knows is added.",
            "50": "As many are made as HighLevel takes. A record that needs another one goes in without it, and is listed.",
        },
        default="unlimited",
        unit="options",
        tried=250,
        measured="A choice field of the probe's own is made with 250 options.",
        alike=True,
    ),
)
