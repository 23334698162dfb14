"""A refusal names a field in one of several ways; the record goes without it, unless it would be nobody's then."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_highlevel.descriptor import FieldSpec, StreamSpec
from target_highlevel.errors import Findings, Refused
from target_highlevel.http.error_messages import findings_of
from target_highlevel.marker import cut, marked
from target_highlevel.objects.refused_fields import leaner, names_nothing, refused_field, too_long
from target_highlevel.texts import utf16_length
from target_highlevel.withheld import tags

if TYPE_CHECKING:
    from collections.abc import Mapping

FIELDS = {
    **{name: FieldSpec(name, "standard", name) for name in ("firstName", "email", "phone", "website")},
    **{
        name: FieldSpec(name, "custom", name)
        for name in ("source_system_id", "cliniko_alerts", "cliniko_location")
    },
}
SPEC = StreamSpec("hl_contacts", "contact", "contact", fields=FIELDS)
SENT: dict[str, Any] = {
    "firstName": "Ada", "email": "x", "website": "", "source_system_id": "patients/1", "cliniko_alerts": "y",
    "cliniko_location": ["z"],
}  # fmt: skip
CUSTOM = ("source_system_id", "cliniko_alerts", "cliniko_location")


@pytest.mark.parametrize(
    ("properties", "name"),
    [
        (("email",), "email"),
        (("customFields.1.field_value",), "cliniko_alerts"),
        (("customFields.2",), "cliniko_location"),
        (("contact.cliniko_location",), "cliniko_location"),
        (("properties.cliniko_alerts",), "cliniko_alerts"),
        (("dndSettings", "email"), "email"),
        (("phone",), None),
        (("website",), None),
        (("firstName",), None),
        (("customFields.0.field_value",), None),
        (("customFields.9.field_value",), None),
        (("source_system_id",), None),
        (("customFields",), None),
        ((), None),
    ],
)
def test_the_field_of_a_refusal(properties: tuple[str, ...], name: str | None) -> None:
    """By name, by key or by its number in the body; never what was not sent, never what the record needs."""
    refused = Refused(findings=Findings(properties=properties))
    assert refused_field(refused, SPEC, SENT, CUSTOM) == name


def test_what_is_left_out_where_a_refusal_names_nothing() -> None:
    """Each address, then the rest in groups, then both: few attempts, and never what makes it somebody's."""
    kinds = {
        "firstName": FieldSpec("firstName", "standard", "firstName"),
        "email": FieldSpec("email", "standard", "email"),
        "phone": FieldSpec("phone", "standard", "phone"),
        "city": FieldSpec("city", "standard", "city"),
        "dnd_email": FieldSpec("dnd_email", "dnd", channel="Email"),
        "owner": FieldSpec("owner", "owner"),
        "tags": FieldSpec("tags", "tags"),
        "source_system_id": FieldSpec("source_system_id", "custom"),
        "rooms": FieldSpec("rooms", "custom", data_type="MULTIPLE_OPTIONS"),
        "alerts": FieldSpec("alerts", "custom", data_type="LARGE_TEXT"),
    }
    sent = {name: ["a"] if name in {"rooms", "tags"} else "x" for name in kinds} | {"dnd_email": True}
    spec = StreamSpec("hl_contacts", "contact", "contact", fields=kinds)
    spare = {"rooms", "alerts", "city"}
    assert list(leaner(spec, sent)) == [
        {"email"}, {"email", "phone"}, {"rooms"}, {"rooms", "alerts"}, spare, {"email", *spare}, {"email", "phone", *spare},
    ]  # fmt: skip
    assert names_nothing(Refused(findings=Findings("bad_request")), ())
    assert not names_nothing(Refused(findings=Findings("bad_request")), ("city",))
    assert not names_nothing(Refused(findings=Findings("limit_reached")), ())


@pytest.mark.parametrize(
    ("withheld", "told"),
    [
        ({"email": "refused", "cliniko_alerts": "refused"}, {"invalid-email"}),
        ({"phone": "another_person"}, {"shared-phone"}),
    ],
)
def test_only_of_addresses_a_tag_tells(withheld: Mapping[str, str], told: set[str]) -> None:
    """Whatever else was refused stands in the report."""
    assert tags(withheld) == told


@pytest.mark.parametrize(
    ("message", "found"),
    [
        ("body must be shorter than or equal to 5000 characters", ("body", 5000)),
        ("body must be longer than or equal to 1 and shorter than or equal to 5000 characters", ("body", 5000)),
        ("The body is too long: 6001 characters, 5,000 are allowed", ("body", 5000)),
        ("Body should not exceed 5000 characters", ("body", 5000)),
        ("body exceeds the maximum length of 5000", ("body", 5000)),
        ("Maximum length of body is 4 096", ("body", 4096)),
        ("title can't be longer than 255 characters", ("title", 255)),
        ("The text is too long", ("body", 5000)),
        ("text cannot have more than 2000 characters", ("body", 2000)),
        ("body must be shorter than 9000", ("body", 5000)),
        ("email must be shorter than 20 characters", None),
        ("Maximum of 100 records reached", None),
        ("Max 1000 relations", None),
        ("title should not be empty", None),
        ("Something went wrong", None),
    ],
)  # fmt: skip
def test_how_long_a_refused_text_may_be(message: str, found: tuple[str, int] | None) -> None:
    """By the number that the refusal names, or one below the length that was refused; a limit of something else is none."""
    texts = {"body": "x" * 6001, "title": "y" * 300}
    refused = Refused(findings=findings_of(422, {"message": [message]}))
    assert (
        too_long(refused, texts, [name for name in refused.properties if name in {*texts, "email"}]) == found
    )


@pytest.mark.parametrize(
    "message",
    [
        "assignedTo must be a user of the location",
        "User is not assignable",
        "User not found",
        "The user id is invalid",
        "userId invalid",
        "Assigned user does not belong to this location",
        "The assigned user was deleted",
        "No such user",
    ],
)
def test_a_refused_user_is_known_in_whatever_words(message: str) -> None:
    """The property is the one in which a user was sent; where none was, it is about somebody else."""
    body = {"message": message}
    for name in ("assignedTo", "assignedUserId", "userId"):
        assert name in findings_of(400, body, {"title", name}).properties
    assert not {"assignedUserId", "userId"} & set(findings_of(400, body, {"title"}).properties)


def test_of_a_refused_token_the_user_is_none_that_was_sent() -> None:
    """With these statuses it is the token's own user who may not."""
    body = {"message": "The user does not have access to this location."}
    assert findings_of(403, body, {"assignedTo"}).code == "foreign_location"


@pytest.mark.parametrize("longest", [5000, 100])
@pytest.mark.parametrize("text", ["wörd \U0001f642 " * 2000, "word " * 2000 + "\ncliniko:treatment_notes/7"])
def test_a_cut_text_is_as_long_as_it_may_be_and_keeps_its_marker(text: str, longest: int) -> None:
    """Characters that count twice are not halved; where there is room it says that it was cut."""
    short = cut(text, longest)
    assert longest - 3 <= utf16_length(short) <= longest
    assert marked(short) == marked(text)
    assert ("Cut here" in short) == (longest == 5000)
