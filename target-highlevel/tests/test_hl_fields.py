"""Kinds of fields: what each sends, what it makes of what it reads, what it calls the same, and what it may write."""

from __future__ import annotations

from decimal import Decimal
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from target_highlevel.api.definitions import Field
from target_highlevel.descriptor import FieldSpec, StreamSpec
from target_highlevel.errors import Refused
from target_highlevel.fields import (
    ContactAnswer,
    ContactBody,
    ObjectProperty,
    is_empty,
    kind_of,
    mark,
    own_currency,
    same,
)
from target_highlevel.fields.base import FieldKind
from target_highlevel.fields.kinds import CLOSED_BY_OTHERS
from target_highlevel.fields.places import CustomField, StandardField
from target_highlevel.ledger.rows import NO_NOTES, Notes
from target_highlevel.objects.contact import filled_in
from target_highlevel.values import canonical
from target_highlevel.verify.comparison import HOWS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from target_highlevel.fields.places import Place

OPTIONS = Field(
    "f",
    "RADIO",
    {"Physio": "physio", "Pilates, group": "pilates_group"},
    ids={"6650": "Physio", "6651": "Pilates, group"},
)
PROPERTY = ObjectProperty(lambda: OPTIONS, lambda: LookupError("unknown_option"))
CUSTOM = CustomField(OPTIONS.labels)


def field(data_type: str = "TEXT", **more: Any) -> FieldSpec:
    """Return a custom field."""
    return FieldSpec("thing", "custom", "thing", data_type, **more)


def standard(api_name: str, **more: Any) -> FieldSpec:
    """Return a standard field of a contact."""
    return FieldSpec(api_name, "standard", api_name, **more)


@pytest.mark.parametrize("place", [CUSTOM, PROPERTY])
@pytest.mark.parametrize(
    ("data_type", "value"),
    [
        ("NUMERICAL", "heavy"), ("NUMERICAL", "NaN"), ("NUMERICAL", "1,200"), ("MONETORY", "$5"), ("MONETORY", "-Infinity"),
        ("DATE", "31/12/1999"), ("DATE", "2020-13-45"), ("DATE", "gestern"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_refused_as_by_highlevel(data_type: str, value: str, place: Place) -> None:
    """It names the field, so that the record goes without it and no run ends."""
    with pytest.raises(Refused) as caught:
        kind_of(field(data_type)).encode(value, place)
    assert caught.value.properties == ("thing",)


@pytest.mark.parametrize(
    ("data_type", "value", "on_contact", "on_record"),
    [
        ("TEXT", "a", "a", "a"),
        ("DATE", "2024-02-29", "2024-02-29", "2024-02-29"),
        ("NUMERICAL", "90.50", Decimal("90.50"), Decimal("90.50")),
        ("MONETORY", "90.5", Decimal("90.5"), {"currency": "default", "value": Decimal("90.5")}),
        ("SINGLE_OPTIONS", "Pilates, group", "Pilates, group", "pilates_group"),
        ("MULTIPLE_OPTIONS", ["Physio"], ["Physio"], ["physio"]),
    ],
)
def test_a_value_is_written_and_read_back_in_each_place(
    data_type: str, value: Any, on_contact: Any, on_record: Any
) -> None:
    """Each place wants its own JSON, and both give the value back in our shape; nothing empties the field."""
    kind = kind_of(field(data_type))
    assert kind.encode(value, CUSTOM) == on_contact
    assert kind.encode(value, PROPERTY) == on_record
    assert kind.equal(value, kind.decode(on_contact, CUSTOM))
    assert kind.equal(value, kind.decode(on_record, PROPERTY))
    assert kind.encode(None, CUSTOM) == ([] if kind.several else "")
    assert kind.encode(None, PROPERTY) is None
    assert is_empty(kind.decode("", CUSTOM))


def test_a_standard_field_is_emptied_as_the_api_wants_it() -> None:
    """Null is refused for some."""
    assert kind_of(standard("city")).encode(None, StandardField("city")) == ""
    assert kind_of(standard("email")).encode(None, StandardField("email")) is None


@pytest.mark.parametrize("place", [PROPERTY, CUSTOM], ids=["record", "contact"])
@pytest.mark.parametrize(
    "there",
    [
        ["Physio", "Pilates, group"],
        ["pilates_group", "physio"],
        ["PHYSIO", "pilates, Group"],
        ["6650", "6651"],
        [{"key": "physio"}, {"id": "6651"}],
        [{"label": "Physio", "value": "x"}, {"name": "Pilates, group"}],
        "Physio, Pilates, group",
        "Pilates, group;Physio",
        "physio,pilates_group",
    ],
    ids=str,
)
def test_options_are_known_by_all_their_names(there: Any, place: Any) -> None:
    """By label, key or id, in an object, in other letters, joined: the label is what is compared."""
    assert sorted(kind_of(field("CHECKBOX")).decode(there, place)) == ["Physio", "Pilates, group"]
    first = there[:1] if isinstance(there, list) else "physio"
    assert kind_of(field("RADIO")).decode(first, place) in {"Physio", "Pilates, group"}
    assert kind_of(field("CHECKBOX")).decode({"id": "6650"}, place) == ["Physio"]


def test_options_of_a_record_are_changed_one_by_one() -> None:
    """One that nobody knows is refused before anything is sent."""
    several, one = kind_of(field("CHECKBOX")), kind_of(field("RADIO"))
    assert several.change(["Pilates, group"], ["Physio"], PROPERTY) == {
        "add": ["pilates_group"],
        "remove": ["physio"],
    }
    with pytest.raises(LookupError, match="unknown_option"):
        one.encode("Yoga", PROPERTY)


@pytest.mark.parametrize(
    ("declared", "wanted", "there"),
    [
        (standard("email"), "Ann@Example.org", "ann@example.org "),
        (standard("lastName"), "van  der Berg", "Van Der Berg"),
        (standard("lastName"), "O'Neill & Sons", "o&#39;neill &amp; sons"),
        (standard("lastName"), "Zoe\u0308", "Zo\u00eb"),
        (standard("country"), "AU", "au"),
        (standard("phone"), "+61 491 570 156", "+61491570156"),
        (standard("phone"), "+61491570156", "0491 570 156"),
        (standard("phone"), "+447911123456", "(07911) 123-456"),
        (standard("phone"), "+15551234567", "5551234567"),
        (standard("phone"), "+353861234567", "086 123 4567"),
        (field("DATE"), "2024-02-29", "2024-02-29 "),
        (field("DATE"), "2024-02-29", "29-02-2024"),
        (field("DATE"), "2024-02-03", "02/03/2024"),
        (field("NUMERICAL"), "90.50", "90.5"),
        (field("MONETORY"), "81.818", "81.82"),
        (field(), "2024-05-01T10:00:00Z", "2024-05-01T20:00:00.000+10:00"),
        (FieldSpec("body"), "one\r\ntwo ", "one\ntwo"),
        (FieldSpec("body"), "one  two\nthree", "one two\nthree"),
        (FieldSpec("body"), "1 < 2\n3", "<html><body><pre class='x'>1 &lt; 2\n3</pre></body></html>"),
        (FieldSpec("body"), "1 < 2\n\n& 3", "<p>1 &lt; 2</p><p><b>&amp;</b> 3</p>"),
        (FieldSpec("body"), "one\ntwo", "one<br>two"),
    ],
    ids=lambda value: value.name if isinstance(value, FieldSpec) else None,
)
def test_a_tolerated_spelling_is_one_for_load_verification_and_rollback(
    declared: FieldSpec, wanted: str, there: str
) -> None:
    """What a verification tolerates has the same normal form, by which the ledger knows its own values again."""
    kind = kind_of(declared)
    assert kind.spelling(wanted, there)
    assert kind.equal(wanted, there)
    assert kind.normal(wanted) == kind.normal(there)


@pytest.mark.parametrize(
    ("declared", "wanted", "there"),
    [
        (FieldSpec("body"), "one\ntwo", "one two"),
        (FieldSpec("body"), "one\ntwo", "<p>one two</p>"),
        (FieldSpec("body"), "BP <80 at rest>", "BP"),
        (standard("city"), "Perth", "perth"),
        (standard("phone"), "+61491570156", "+61491570157"),
        (standard("phone"), "+61491570156", "0491 570 157"),
        (standard("phone"), "+61 3 9000 0000 ext 12", "+6139000000012"),
        (standard("phone"), "+353861234567", "01234567"),
        (standard("phone"), "+16045550123", "5550123"),
        (standard("phone"), "+16045550123", "6045550124"),
        (FieldSpec("body"), "b\nc", "<p>a</p><p>c</p>"),
        (FieldSpec("phone", "custom", "phone"), "+61 3 9000 0000", "+61 3 9000 0001"),
        (field("DATE"), "2024-02-03", "02-04-2024"),
        (field("NUMERICAL"), "90.5", "90.4"),
        (field("MONETORY"), "81.818", "81.83"),
        (standard("dateOfBirth"), "2024-02-29", "2024-02-28"),
    ],
    ids=lambda value: value.name if isinstance(value, FieldSpec) else None,
)
def test_another_value_is_not_the_same(declared: FieldSpec, wanted: str, there: str) -> None:
    """Lost line breaks are lost words' neighbours: a list of medicines on one line reads as one medicine."""
    kind = kind_of(declared)
    assert not kind.equal(wanted, there)
    assert not kind.equal(there, wanted)
    assert kind.normal(wanted) != kind.normal(there)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("+61491570156", "+61491570156"),
        ("+61 (3) 9000-0000", "+61390000000"),
        ("+61 3 9000 0000 ext 12", None),
        ("+61 3 9000 0000 / 0491 570 156", None),
        ("+61 (0)3 9000 0000", None),
        ("+61 3 9000 0000 0491 570 156", None),  # two numbers: none has so many digits
        ("+49 1234 5678 90123", "+491234567890123"),  # fifteen digits
        ("+49 1234 5678 901234", None),
        ("+", None),
        ("0491 570 156", None),
    ],
)
def test_a_text_is_never_made_somebody_elses_number(text: str, written: str | None) -> None:
    """Only what is one international number is written without what stands between its digits; anything else as it is."""
    assert kind_of(standard("phone")).encode(text, StandardField("phone")) == (written or text)
    assert kind_of(field("PHONE")).encode(text, PROPERTY) == (written or text)


@pytest.mark.parametrize(
    "name", ["phone", "email", "country", "firstName", "dateOfBirth", "user", "file_name"]
)
def test_a_text_field_of_the_clinic_is_a_text_whatever_its_name(name: str) -> None:
    """HighLevel keeps it letter by letter: another case or other signs are another value."""
    kind = kind_of(FieldSpec(name, "custom", name))
    text = "+61 3 9000 0000, Ask for Jo"
    assert kind.encode(text, PROPERTY) == text
    assert not kind.equal(text, text.lower())
    assert not kind.guarded
    assert not kind.filled_in


def test_every_tolerated_spelling_has_words() -> None:
    """A verification counts them by name and says what each is."""

    def kinds(kind: type[FieldKind]) -> Iterator[type[FieldKind]]:
        yield kind
        for under in kind.__subclasses__():
            yield from kinds(under)

    named = {how for kind in kinds(FieldKind) for how in getattr(kind, "spellings", ())}
    assert named <= set(HOWS)


def test_halves_of_a_cent_are_rounded_either_way() -> None:
    """Nobody says which way HighLevel rounds them."""
    money = kind_of(field("MONETORY"))
    assert [money.equal("0.125", there) for there in ("0.12", "0.13", "0.11")] == [True, True, False]


def test_what_an_update_may_write() -> None:
    """What is said at creation only is never written again; a stage is moved, and never taken away."""
    assert kind_of(standard("gender")).may_change(None, NO_NOTES)
    assert not kind_of(standard("gender", create_only=True)).may_change("f", NO_NOTES)
    stage = kind_of(FieldSpec("stage", "stage"))
    assert stage.may_change("Initial", NO_NOTES)
    assert not stage.may_change(None, NO_NOTES)


def test_tags_are_wanted_in_small_letters_and_order() -> None:
    """Where the source says nothing of them, none are wanted."""
    tags = kind_of(FieldSpec("tags", "tags"))
    assert tags.wanted(["VIP", "archived", "vip"], lambda _: None) == ["archived", "vip"]
    assert tags.wanted(None, lambda _: None) == []


@pytest.mark.parametrize(
    ("declared", "traits"),
    [
        (field(), []),
        (standard("email"), []),
        (standard("phone"), []),
        (standard("firstName"), ["guarded"]),
        (standard("dateOfBirth"), ["guarded"]),
        (standard("country"), ["filled_in"]),
        (field("DATE"), []),
        (field("NUMERICAL"), []),
        (field("MONETORY"), ["guarded"]),
        (field("RADIO"), []),
        (field("CHECKBOX"), ["always_wanted", "several"]),
        (FieldSpec("source_system_id", "custom", "source_system_id"), ["guarded"]),
        (FieldSpec("file_name"), ["guarded"]),
        (FieldSpec("user"), ["guarded"]),
        (FieldSpec("tags", "tags"), ["always_wanted", "several", "shared"]),
        (FieldSpec("dnd_email", "dnd", channel="Email"), ["is_channel"]),
        (FieldSpec("owner", "owner"), ["always_wanted", "guarded", "of_record"]),
        (FieldSpec("stage", "stage"), ["stays"]),
        (FieldSpec("location", "routing"), ["is_not_written", "routes"]),
        (FieldSpec("keeps", "standing"), ["is_not_written"]),
        (FieldSpec("visits", "fact"), ["is_not_written"]),
        (field("FILE_UPLOAD"), ["is_not_written"]),
    ],
    ids=lambda value: f"{value.name} {value.kind} {value.data_type}" if isinstance(value, FieldSpec) else "",
)
def test_what_each_kind_declares(declared: FieldSpec, traits: list[str]) -> None:
    """Everything else asks for these, and for no kind by its name."""
    kind = kind_of(declared)
    names = [name for name, value in vars(FieldKind).items() if isinstance(value, bool)]
    declares = {name for name in names if name != "written" and getattr(kind, name)}
    assert sorted({*declares, *([] if kind.written else ["is_not_written"])}) == traits


def test_options_that_a_pick_list_lacks_can_be_left_out() -> None:
    """Of one option nothing is left then, of several the others; no options are an empty list of them."""
    one, several = kind_of(field("RADIO")), kind_of(field("CHECKBOX"))
    assert list(one.options_in("Physio")) == ["Physio"]
    assert one.without_options("Physio", ["Physio"]) is None
    assert one.without_options("Physio", ["Yoga"]) == "Physio"
    assert several.options_in(["Physio", "Yoga"]) == ["Physio", "Yoga"]
    assert several.without_options(["Physio", "Yoga"], ["Yoga"]) == ["Physio"]
    assert list(several.options_in(None)) == several.without_options(None, ["Yoga"]) == []
    assert list(kind_of(field()).options_in("Physio")) == []
    assert kind_of(field()).without_options("Physio", ["Physio"]) == "Physio"


@pytest.mark.parametrize(
    ("there", "came"),
    [(["patient"], False), (["patient", "vip"], True), (["patient", "vip", "x"], True), (["x"], False), (None, False)],
)  # fmt: skip
def test_tags_came_with_a_create_when_all_of_them_are_there(there: list[str] | None, came: bool) -> None:  # noqa: FBT001
    """Others may have added theirs meanwhile; of another kind nothing is known."""
    assert kind_of(FieldSpec("tags", "tags")).came_with_create(["patient", "vip"], there) is came
    assert kind_of(FieldSpec("tags", "tags")).came_with_create([], there)
    assert not kind_of(field()).came_with_create("x", "x")


@pytest.mark.parametrize(
    ("wanted", "there", "spelling"),
    [
        ("x-ray #12.pdf", "x-ray #12.pdf ", "white_space"),
        ("2024/x-ray.pdf", "x-ray.pdf", "path_cut"),
        ("a/b/x-ray.pdf", "b/x-ray.pdf", ""),
        ("x-ray 1.pdf", "x_ray_1.pdf", "signs_replaced"),
        ("x-ray 1.pdf", "x-ray 2.pdf", ""),
        ("x-ray 2.pdf", "x-ray 1.pdf", ""),
        ("x-ray cliniko patient_attachments 12.pdf", "other cliniko-patient_attachments-12.pdf", "named_when_uploaded"),
        ("x-ray cliniko patient_attachments 12.pdf", "other cliniko-patient_attachments-13.pdf", ""),
        ("x-ray cliniko patient_attachments 13.pdf", "other cliniko-patient_attachments-12.pdf", ""),
        ("report.pdf", "picture.pdf", ""),
    ],
)  # fmt: skip
def test_a_files_name_as_servers_keep_it(wanted: str, there: str, spelling: str) -> None:
    """Without its folders, with other signs, or as it was named when it was uploaded."""
    assert kind_of(FieldSpec("file_name")).spelling(wanted, there) == spelling


def test_highlevel_fills_in_what_it_is_known_to_fill_in() -> None:
    """A country, as the sub-account has it, and whatever came with a create that we had not sent."""
    country, city = kind_of(standard("country")), kind_of(standard("city"))
    account = {"country": "AU", "city": "Perth"}
    assert country.is_highlevels_own("AU", NO_NOTES, account)
    assert not country.is_highlevels_own("NZ", NO_NOTES, account)
    assert not city.is_highlevels_own("Perth", NO_NOTES, account)
    assert city.is_highlevels_own("Perth", Notes(filled={"city": "Perth"}), {})
    assert not city.is_highlevels_own("", Notes(filled={"city": ""}), {})
    assert not city.is_highlevels_own(None, NO_NOTES, {})
    assert not country.is_highlevels_own(None, NO_NOTES, {"country": ""})


@pytest.mark.parametrize(("wanted", "there", "equal"), [
    ("2024-02-03", "02/03/2024", True), ("2024-02-03", "03/02/2024", True), ("2024-02-03", "03/03/2024", False),
    ("2024-03-03", "03/03/2024", True), ("2024-02-13", "13/02/2024", True),
])  # fmt: skip
def test_a_day_in_figures_may_name_two(wanted: str, there: str, equal: bool) -> None:  # noqa: FBT001
    """Then both are taken; figures that can name one day only are that day."""
    kind = kind_of(field("DATE"))
    read = kind.decode(there, CUSTOM)
    assert kind.equal(wanted, read) is equal
    assert (read == there) is (there in {"02/03/2024", "03/02/2024"})


@pytest.mark.parametrize("declared", [
    FieldSpec("stage", "stage", "stage"), FieldSpec("keeps", "standing", "keeps"), FieldSpec("visits", "fact", "visits"),
], ids=lambda declared: declared.kind)  # fmt: skip
def test_what_is_no_field_of_a_contact_has_no_place_in_one(declared: FieldSpec) -> None:
    """Neither when it is created nor later."""
    assert body({declared.name: "x"}, [declared]) == {}
    assert body({declared.name: "x"}, [declared], current={}) == {}


def test_empty_is_one_thing() -> None:
    """Whatever way of saying nothing; a switch that is off says no more than one that nobody touched."""
    nothing: list[Any] = [None, "", [], {}]
    assert all(is_empty(value) for value in nothing)
    assert not is_empty(0)
    assert same(None, [])
    off = False
    assert same(off, None)
    assert not same(off, "x")


def body(fields: dict[str, Any], specs: list[FieldSpec], **more: Any) -> dict[str, Any]:
    """Return a contact's body."""
    known = SimpleNamespace(answer=lambda _: "both")
    catalogue: Any = SimpleNamespace(contact_field=lambda name: Field(f"id-{name}", "TEXT"), known=known)
    made = ContactBody(catalogue, **more)
    for declared in specs:
        if declared.name in fields:
            kind_of(declared).put(made, fields[declared.name])
    return made.json()


CONTACT = [
    standard("firstName"),
    standard("gender", create_only=True),
    field("DATE"),
    FieldSpec("tags", "tags"),
    FieldSpec("owner", "owner"),
    FieldSpec("dnd_email", "dnd", channel="Email"),
    FieldSpec("location", "routing"),
    FieldSpec("attendee"),
]
VALUES = {
    "firstName": "Ann", "gender": "f", "thing": "2024-02-29", "tags": ["patient"], "owner": "u1",
    "dnd_email": True, "location": ["1"], "attendee": "7",
}  # fmt: skip


def test_each_kind_has_its_place_in_a_contact() -> None:
    """What is said at creation only is said at creation only; routing and what is no field of a contact have none."""
    created = body(VALUES, CONTACT)
    assert created == {
        "firstName": "Ann",
        "gender": "f",
        "tags": ["patient"],
        "assignedTo": "u1",
        "customFields": [{"id": "id-thing", "field_value": "2024-02-29"}],
        "dndSettings": {"Email": {"status": "active"}},
    }
    current = {"tags": ["archived", "vip"], "_dnd": {"SMS": {"status": "permanent"}}}
    updated = body(VALUES, CONTACT, current=current, our_tags=["archived"])
    assert "gender" not in updated
    assert updated["tags"] == ["patient", "vip"]
    assert updated["dndSettings"]["SMS"] == {"status": "permanent"}


def test_a_contact_is_read_back_field_by_field() -> None:
    """A custom field that the sub-account has no definition of is not there; files and routing are not read."""
    contact = {
        "firstName": "Ann",
        "customFields": [{"id": "id-thing", "value": "2024-02-29T00:00:00Z"}],
        "tags": ["vip", "patient"],
        "assignedTo": "u1",
        "dndSettings": {"Email": {"status": "permanent"}},
    }
    catalogue: Any = SimpleNamespace(contact_fields={"thing": Field("id-thing", "DATE")}, settings={})
    answer = ContactAnswer(contact, catalogue)
    read: dict[str, Any] = {}
    for declared in [
        *CONTACT,
        FieldSpec("files", "custom", data_type="FILE_UPLOAD"),
        FieldSpec("more", "custom"),
    ]:
        read |= kind_of(declared).take(answer)
    assert read["firstName"] == "Ann"
    assert read["thing"] == "2024-02-29"
    assert (read["tags"], read["owner"]) == (["patient", "vip"], "u1")
    assert read["dnd_email"] == CLOSED_BY_OTHERS
    assert not {"files", "more", "location", "attendee"} & set(read)


def test_a_channel_is_opened_only_where_we_had_closed_it() -> None:
    """And a kind keeps track of which those are; nothing opens a channel of a contact that is being made."""
    kind = kind_of(FieldSpec("dnd_email", "dnd", channel="Email"))
    on, off = True, False
    assert kind.may_change(on, NO_NOTES)
    assert not kind.may_change(off, NO_NOTES)
    assert not kind.may_change(None, Notes(dnd=("dnd_email",)))
    assert kind.may_change(off, Notes(dnd=("dnd_email",)))
    closed: set[str] = set()
    kind.track(closed, on)
    assert closed == {"dnd_email"}
    kind.track(closed, off)
    assert not closed
    assert body({"dnd_email": False}, CONTACT) == {}


@pytest.mark.parametrize(
    ("contact", "found"),
    [
        ({"dndSettings": {"Email": {"status": "active"}}}, True),
        ({"dndSettings": {"email": {"status": "active", "message": "", "code": None}}}, True),
        ({"dndSettings": {"Email": {"status": "inactive"}}}, False),
        ({"dndSettings": None}, False),
        ({"dndSettings": {"Email": {"status": "permanent"}}}, CLOSED_BY_OTHERS),
        ({"dndSettings": {"Email": {"status": "active", "message": "STOP"}}}, CLOSED_BY_OTHERS),
        ({"dndSettings": {"Email": {"status": "active", "code": "unsubscribed"}}}, CLOSED_BY_OTHERS),
        ({"dndSettings": {"Email": {"status": "active"}}, "dnd": True}, CLOSED_BY_OTHERS),
    ],
)
def test_a_channel_that_others_closed_is_told_from_ours_and_never_opened(
    contact: dict[str, Any], found: Any
) -> None:
    """A STOP, an unsubscription, a switch for all channels: neither a load nor an undoing may open it."""
    kind, off = kind_of(FieldSpec("dnd_email", "dnd", channel="Email")), False
    there = kind.take(ContactAnswer(contact, SimpleNamespace(contact_fields={}, settings={})))["dnd_email"]  # type: ignore[arg-type]
    assert there == found
    opened = body({"dnd_email": off}, CONTACT, current={"dnd_email": there, "_dnd": {}})
    assert opened == ({"dndSettings": {"Email": {"status": "inactive"}}} if found is True else {})
    assert kind.is_done(off, there) is (found is not True)
    assert kind.equal(True, there) is (found is True)  # noqa: FBT003 - what we wrote


def test_a_name_is_read_as_it_was_written() -> None:
    """Some answers show it in small letters and what was written beside it; without that the case of its letters says nothing."""
    catalogue: Any = SimpleNamespace(contact_fields={}, settings={})
    kind = kind_of(standard("firstName"))
    answer = ContactAnswer({"firstName": "deangelo", "firstNameRaw": "DeAngelo"}, catalogue)
    assert kind.take(answer) == {"firstName": "DeAngelo"}
    answer = ContactAnswer({"firstName": "anne", "firstNameRaw": "Somebody"}, catalogue)
    assert kind.take(answer) == {"firstName": "anne"}
    assert kind.spelling("DeAngelo", "deangelo") == "letter_case"


@pytest.mark.parametrize("data_type", ["NUMERICAL", "MONETORY"])
@pytest.mark.parametrize("value", [5, 5.0, Decimal("5.00"), "5"], ids=repr)
def test_a_number_is_compared_as_a_text(data_type: str, value: Any) -> None:
    """Whatever it comes as: what is read back is one, and a verification would list it for ever."""
    kind = kind_of(field(data_type))
    wanted = kind.wanted(canonical(value), lambda _: None)
    for place in (CUSTOM, PROPERTY):
        assert same(wanted, kind.decode(kind.encode(wanted, place), place))
    assert mark(kind.declared, wanted, b"salt") == mark(kind.declared, "5", b"salt")


@pytest.mark.parametrize("value", ["81.80", "five", True, ["5"], None], ids=repr)
def test_what_comes_as_a_text_or_is_no_number_stays_what_it_is(value: Any) -> None:
    """The ledgers there are have the spelling of our own mapping; what is no number is refused by its name."""
    assert kind_of(field("NUMERICAL")).wanted(value, lambda _: None) is value


@pytest.mark.parametrize(
    "there",
    [
        {"currency": "default", "value": None},
        {"currency": "USD", "value": ""},
        {"currency": "USD", "amount": None},
        {"currency": "AUD"},
    ],
    ids=repr,
)
def test_a_sum_without_an_amount_is_empty(there: Any) -> None:
    """A cleared sum may keep its currency."""
    money = kind_of(field("MONETORY"))
    place = ObjectProperty(lambda: OPTIONS, LookupError, own_currency({"country": "AU"}))
    assert money.decode(there, place) is None
    assert money.decode({"currency": "default", "value": 0}, place) == "0"


def test_a_sum_tells_another_currency_than_the_sub_accounts() -> None:
    """Written it is *default*; read it may be that, its name, or what somebody has made of it."""
    kind = kind_of(field("MONETORY"))
    place = ObjectProperty(lambda: OPTIONS, LookupError, own_currency({"country": "AU"}))
    for named in ("default", "AUD", "", None):
        assert kind.decode({"currency": named, "value": 90.50}, place) == "90.5"
    there = kind.decode({"currency": "USD", "value": 90.50}, place)
    assert there == "90.5 USD"
    assert not kind.equal("90.5", there)
    assert kind.encode(there, place) == {"currency": "USD", "value": Decimal("90.5")}
    assert own_currency({"country": "IE"}) == "EUR"
    assert own_currency({}) is None  # then every name of one currency will do
    assert kind.decode({"currency": "USD", "value": 1}, PROPERTY) == "1"


def test_a_country_may_be_highlevels_own() -> None:
    """A country like that of the sub-account, and whatever came with a create that had sent none."""
    kind = kind_of(standard("country"))
    assert kind.is_highlevels_own("au", NO_NOTES, {"country": "AU"})
    assert kind.is_highlevels_own("US", Notes(filled={"country": "US"}), {"country": "AU"})
    assert not kind.is_highlevels_own("NZ", Notes(filled={"country": "US"}), {"country": "AU"})
    city = kind_of(standard("city"))
    assert not city.is_highlevels_own("Perth", NO_NOTES, {"city": "Perth"})
    assert city.is_highlevels_own("Perth", Notes(filled={"city": "Perth"}), {})
    people = StreamSpec(
        "p", "contact", "contact", fields={name: standard(name) for name in ("city", "country", "state")}
    )
    there = {"city": "Perth", "country": "AU", "state": "WA"}
    assert filled_in(people, {"state": "WA"}, there, just_made=True) == {"city": "Perth", "country": "AU"}
    assert filled_in(people, {"state": "WA"}, there) == {"country": "AU"}


@pytest.mark.parametrize("there", ["Australia", "AUS", "au", " australia "])
def test_a_country_may_be_read_back_by_its_name(there: str) -> None:
    """It is no difference, and nobody's change; another country, or one that nobody knows, is one."""
    kind = kind_of(FieldSpec("country", "standard", "country"))
    assert kind.equal("AU", there)
    assert kind.normal(there) == kind.normal("AU") == "au"
    assert kind.encode(there, StandardField("country")) == "AU"
    assert not kind.equal("AT", there)
    assert not kind.equal("Atlantis", "Utopia")
