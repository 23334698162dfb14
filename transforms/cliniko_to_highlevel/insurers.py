"""Insurers: payer contacts of Cliniko, and names that patients' custom fields or invoice fields hold."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from typing import TYPE_CHECKING, NamedTuple

from cliniko_to_highlevel.formats import joined, name_text, plain_characters, slug, without_dots
from cliniko_to_highlevel.labels import beginnings
from cliniko_to_highlevel.people import RECORD_STATES, STATE_OF_RECORD, address, hidden_at, record_state
from cliniko_to_highlevel.reference_types import PAYER_TYPE, contact_name
from cliniko_to_highlevel.streams import Output, Stream, custom

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cliniko_to_highlevel.custom_fields import Answers
    from cliniko_to_highlevel.reference import Reference
    from cliniko_to_highlevel.row import Row

#: A word, with what an apostrophe adds to it; of ``O'Brien`` the part behind is a word of its own.
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]{1,2}(?![^\W_]))?")
#: Signs that belong to a name: ``Teachers' Mutual``, ``Smith & Sons``. Any other tells no insurer from another.
_SIGNS = frozenset("'&")
_APOSTROPHES = dict.fromkeys(map(ord, "\u2018\u2019\u201b\u02b9\u02bb\u02bc\u2032`\u00b4\uff40"), "'")
_WORD_KINDS = frozenset("LMN")
#: What parts an insurer from the kind of cover, or from the next insurer.
_BETWEEN = re.compile(r"[(),:/&;+\[\]\n]|\s[-\u2013]\s|\s+(?:and|or)\s+", re.IGNORECASE)

#: What no insurer's name has, and an answer has that is about a patient too: an address, a second line, so many digits in a row.
_OF_A_PATIENT = re.compile(r"@|\n|\d(?:[ ./-]?\d){4}")

#: What says that an insurer is none any longer, and what says of another one that it is by now.
_LAPSED = re.compile(
    r"\b(?:cancell?ed|lapsed|expired|ceased|terminated|no longer|not any ?more|used to(?: be)?|previous(?:ly)?|former(?:ly)?)\b"
    r"|\b(?:was|not)\s+with\b",
    re.IGNORECASE,
)
_NOT = frozenset({"not", "ex", "was", "left"})
_NOW = re.compile(r"\W*(?:now|new|currently)\b", re.IGNORECASE)

ORIGINS = ("Payer contact", "Named on patients")

INSURERS = Stream(
    name="hl_insurers",
    kind="custom_object",
    key="custom_objects.cliniko_insurance_provider",
    labels=("Insurance provider", "Insurance providers"),
    description="Insurers and other payers: Cliniko's payer contacts, and names in patients' fields.",
    primary="insurer_name",
    searchable=("insurer_name", "source_system_id"),
    properties={
        "insurer_name": custom(
            "Insurer name", "The payer's company name, or the insurer's name as patients' fields have it."
        ),
        "source_system_id": custom(
            "Source System ID",
            "Identity in Cliniko: contacts/<id>; without a contact insurers/<name> of an insurer that a list of options or the"
            " mapping names, insurers/<hash> of one that was typed.",
        ),
        "origin": custom("Origin", "Where the insurer comes from.", kind="SINGLE_OPTIONS", options=ORIGINS),
        "email": custom("Email", "E-mail address as Cliniko has it."),
        "phone": custom("Phone", "First usable phone number."),
        "phone_numbers": custom(
            "Phone numbers", "Every number as typed in Cliniko, with its kind.", kind="LARGE_TEXT"
        ),
        "address": custom("Address", "Postal address.", kind="LARGE_TEXT"),
        "contact_person": custom("Contact person", "The person named on the payer contact."),
        "provider_number": custom("Provider number", "Provider number of the payer contact."),
        "notes": custom("Notes", "Notes on the payer contact.", kind="LARGE_TEXT"),
        **STATE_OF_RECORD,
    },
)


class Cover(NamedTuple):
    """An insurer of a patient; ``named`` is set when no payer contact stands for it."""

    source_id: str
    name: str
    named: bool


def from_payer(row: Row, reference: Reference) -> Iterator[Output]:
    """Yield the insurer that a payer contact is; nothing for other contacts."""
    if row.whole("type_code") != PAYER_TYPE:
        return
    place = address(row, reference.account_country)
    numbers = reference.phones(row, "phone_numbers", place.country)
    yield Output(
        INSURERS.name,
        {
            **INSURERS.blank(row.source_id),
            "insurer_name": contact_name(row),
            "source_system_id": row.source_id,
            "origin": ORIGINS[0],
            "email": row.text("email"),
            "phone": numbers.shown,
            "phone_numbers": numbers.listed,
            "address": place.lines,
            "contact_person": joined(" ", row.text("title"), row.name("first_name"), row.name("last_name")),
            "provider_number": row.text("provider_number"),
            "notes": row.text("notes"),
            "record_state": record_state(row),
            "hidden_at": reference.local_date(hidden_at(row)),
            "created_in_cliniko": reference.local_date(row.instant("created_at")),
        },
    )


def from_patient(row: Row, answers: Answers, reference: Reference) -> Iterator[Output]:
    """Yield the insurers that only this patient's fields name."""
    for cover in covers(row, answers, reference):
        if cover.named:
            yield Output(
                INSURERS.name,
                {
                    **INSURERS.blank(cover.source_id),
                    "insurer_name": cover.name,
                    "source_system_id": cover.source_id,
                    "origin": ORIGINS[1],
                    "record_state": RECORD_STATES[0],
                },
            )


def covers(row: Row, answers: Answers, reference: Reference) -> list[Cover]:
    """Return a patient's insurers: of the custom fields first, then of the invoice fields."""
    names = [
        name for answer in answers.targets.get("insurer", ()) for name in _insurers_in(answer, reference)
    ]
    names.extend(name for line in _invoiced_to(row, reference) for name in _insurers_in(line, reference))
    found = {cover.source_id: cover for name in names if (cover := _cover(name, reference))}
    payer = reference.payer_reached_at(row.text("invoice_email"))
    if payer and payer not in found:
        found[payer] = Cover(payer, reference.contacts[payer.partition("/")[2]], named=False)
    return list(found.values())


def _insurers_in(answer: str, reference: Reference) -> list[str]:
    """Return the insurers that an answer names: known ones without what stands beside them, else the whole as one name.

    What stands beside one is a kind of cover or about the patient (``Bupa (hospital)``, ``HCF 12345678``), and an insurer is
    shared: nothing of that belongs into its name. The answer stays whole on the profile.
    """
    names_nobody = reference.mapping.names_nobody
    named = [piece for piece in _BETWEEN.split(answer) if slug(piece) and not names_nobody(piece)]
    if not named or names_nobody(answer):
        return []
    present, former = _without_former(answer, reference)
    if former:
        return [*_insurers_in(present, reference), *_by_now(former, reference)]
    if _LAPSED.search(answer) or _says_not(answer, reference):
        return _by_now(answer, reference)
    if whole := _recognised(answer, reference):
        return [whole]
    known = [name for piece in named if (name := _recognised(piece, reference))] or _known_first(
        answer, reference
    )
    return known or ([] if _OF_A_PATIENT.search(plain_characters(answer)) else [answer])


def _without_former(answer: str, reference: Reference) -> tuple[str, str]:
    """Return an answer without what it says behind it of another insurer, and that: ``Bupa`` and ``previously HCF)``."""
    for sign in _BETWEEN.finditer(answer):
        behind = answer[sign.end() :].lstrip()
        lapsed = _LAPSED.match(behind)
        if lapsed and slug(answer[: sign.start()]) and _known_first(behind[lapsed.end() :], reference):
            return answer[: sign.start()], behind
    return answer, ""


def _by_now(answer: str, reference: Reference) -> list[str]:
    """Return the known insurers of which an answer says that they are the present ones: ``now HCF``."""
    pieces = _BETWEEN.split(answer)
    return [name for piece in pieces if _NOW.match(piece) for name in _known_first(piece, reference)]


def _says_not(answer: str, reference: Reference) -> bool:
    """Return whether an answer begins by saying that a known insurer is none: ``not Bupa``, ``ex Bupa``."""
    word, _, rest = slug(answer).partition("-")
    return word in _NOT and bool(_known_first(rest, reference))


def _recognised(name: str, reference: Reference) -> str | None:
    """Return the name by which an insurer is known: without its dots if need be, ``B.U.P.A.`` is Bupa.

    The dots of any other name stay: they are a part of its identity.
    """
    return next((each for each in (name, without_dots(name)) if _known(each, reference)), None)


def _known_first(answer: str, reference: Reference) -> list[str]:
    """Return the known insurer with which an answer begins, the longest name if there are several."""
    known = next((name for name in beginnings(answer) if _known(name, reference)), None)
    return [known] if known else []


def is_listed(name: str, reference: Reference) -> bool:
    """Return whether the mapping or a field's options name an insurer, so that its name says nothing of any patient."""
    return _known(name, reference)


def _invoiced_to(row: Row, reference: Reference) -> Iterator[str]:
    """Yield the insurer that invoices go to; often it is a parent or an employer, and then nobody."""
    lines = (row.text("invoice_default_to") or "").splitlines()
    name = name_text(lines[0]) if lines else None
    if name and (_known(name, reference) or reference.mapping.insurer_words.search(slug(name))):
        yield name


def _known(name: str, reference: Reference) -> bool:
    identity = slug(name)
    if reference.payer_named(name) or identity in reference.mapping.insurer_names:
        return True
    return any(slug(option) == identity for option in reference.fields.insurer_options)


def _cover(name: str, reference: Reference) -> Cover | None:
    payer = reference.payer_named(name)
    if payer:
        return Cover(payer, reference.contacts[payer.partition("/")[2]], named=False)
    identity = reference.mapping.insurer_identity(name)
    if not identity:
        return None
    if _known(name, reference):
        return Cover(f"insurers/{identity}", _listed(name, reference), named=True)
    spelled = _evenly(name)
    if not _SIGNS.isdisjoint(spelled):
        identity = spelled
    # free text may hold anything, a person's name too, and identities stand in reports
    identity = hashlib.sha256(identity.encode()).hexdigest()[:16]
    shown = _WORD.sub(lambda word: word.group().capitalize(), spelled)
    return Cover(f"insurers/{identity}", shown, named=True)


def _listed(name: str, reference: Reference) -> str:
    """Return a known insurer's name: as the mapping lists it, else as an option spells it."""
    identity = slug(name)
    options = (option for option in reference.fields.insurer_options if slug(option) == identity)
    return reference.mapping.insurer_names.get(identity) or next(options)


def _evenly(name: str) -> str:
    """Return a typed name as it is told from others, all in small letters: it alone decides what is shown.

    Otherwise the patient who happens to be read first would decide in every run between ``Smith Co`` and ``SMITH, Co.``.
    """
    plain = unicodedata.normalize("NFKC", plain_characters(name.translate(_APOSTROPHES)).casefold())
    kept = (char if char in _SIGNS or unicodedata.category(char)[0] in _WORD_KINDS else " " for char in plain)
    return " ".join("".join(kept).split()).strip(" '&")
