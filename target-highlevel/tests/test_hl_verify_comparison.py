"""What a verification calls equal, what it calls the same in other words, and what it does not let pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_highlevel.descriptor import FieldSpec, StreamSpec
from target_highlevel.fields import kind_of
from target_highlevel.fields.kinds import CLOSED_BY_OTHERS
from target_highlevel.ledger.rows import Notes, Row
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import HOWS, Case, compare

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = {
    "first_name": FieldSpec("first_name", "standard", "firstName"),
    "email": FieldSpec("email", "standard", "email"),
    "phone": FieldSpec("phone", "standard", "phone"),
    "country": FieldSpec("country", "standard", "country"),
    "birth": FieldSpec("birth", "standard", "dateOfBirth"),
    "gender": FieldSpec("gender", "standard", "gender", create_only=True),
    "fee": FieldSpec("fee", "custom", "fee", "MONETORY"),
    "tags": FieldSpec("tags", "tags"),
    "dnd_email": FieldSpec("dnd_email", "dnd", channel="Email"),
    "owner": FieldSpec("owner", "owner", fold="owner"),
    "stage": FieldSpec("stage", "stage", fold="stage"),
    "files": FieldSpec("files", "custom", "files", "FILE_UPLOAD"),
    "source_system_id": FieldSpec("source_system_id", "custom", "source_system_id"),
}
SPEC = StreamSpec("hl_contacts", "contact", "contact", fields=FIELDS)


def judge(  # noqa: PLR0913 - everything that a judgement may depend on
    name: str,
    wanted: Any,
    there: Any,
    *,
    written: Any = None,
    created: bool = True,
    clocked: Callable[[str, Any], bool] = lambda _name, _value: False,
    overwrite: str = "cliniko_wins",
    spec: StreamSpec = SPEC,
    our_tags: frozenset[str] = frozenset(),
    **notes: Any,
) -> tuple[Kind, str] | None:
    """Compare one field of a contact; what was written is the value itself here."""
    row = Row("contact:patients/1", "contact", "patients/1", "hl_contacts", "ready", 1, notes=Notes.of(notes))
    row.created_run = "run" if created else None
    row.written = {} if written is None else {name: str(written)}

    def was_written(which: str, value: Any) -> bool:
        return row.written.get(which) == str(value)

    def highlevels_own(which: str, value: Any) -> bool:
        return which not in row.written and kind_of(SPEC.field(which)).is_highlevels_own(
            value, row.notes, {"country": "AU"}
        )

    case = Case(
        row, spec, {name: wanted}, {name: there}, was_written, clocked, highlevels_own, overwrite, our_tags
    )
    found = list(compare(case))
    assert all(item.how in {"", *HOWS} for item in found)
    return (found[0].kind, found[0].how) if found else None


@pytest.mark.parametrize(
    ("name", "wanted", "there", "how"),
    [
        ("first_name", "Ann\r\nMay ", "Ann\nMay", "white_space"),
        ("email", "Ann@Example.org", "ann@example.org", "letter_case"),
        ("first_name", "van Loon", "Van Loon", "letter_case"),
        ("country", "AU", "au", "letter_case"),
        ("body", "1 < 2\n& 3", "<p>1 &lt; 2</p><p>&amp; 3</p>", "rich_text"),
        ("phone", "+61 491 570 156", "+61491570156", "phone_format"),
        ("fee", "90.50", "90.5", "number_form"),
        ("starts_at", "2024-05-01T10:00:00Z", "2024-05-01T20:00:00.000+10:00", "date_time_form"),
        ("starts_at", "2024-05-01T10:00:00Z", "2024-05-01 20:00:00.5+1000", "date_time_form"),
        ("starts_at", "2024-05-01T10:00:00Z", "2024-05-01T10:00", "date_time_form"),
        ("file_name", "cliniko:patient_attachments/5 x.pdf", "5 x.pdf", "path_cut"),
        (
            "file_name",
            "cliniko:patient_attachments/5 x.pdf",
            "cliniko_patient_attachments_5_x.pdf",
            "signs_replaced",
        ),
    ],
)
def test_the_same_in_another_spelling_is_normalised(name: str, wanted: str, there: str, how: str) -> None:
    """Each spelling that HighLevel may change is recognised by its own name."""
    assert judge(name, wanted, there) == (Kind.NORMALISED, how)


@pytest.mark.parametrize(
    ("name", "wanted", "there", "kind"),
    [
        ("first_name", "Ann", "Anne", Kind.DIFFERENT),
        ("city", "Perth", "perth", Kind.DIFFERENT),
        ("body", "one two", "<p>one</p>", Kind.DIFFERENT),
        ("first_name", "Ann", None, Kind.MISSING),
        ("first_name", None, "Ann", Kind.EXTRA),
        ("phone", "+61491570156", "+61491570157", Kind.DIFFERENT),
        ("starts_at", "2024-05-01T10:00:00Z", "2024-05-01T10:00:00+10:00", Kind.DIFFERENT),
        ("gender", "female", "male", Kind.DIFFERENT),
        ("tags", ["archived", "patient"], ["patient"], Kind.DIFFERENT),
        ("dnd_email", True, False, Kind.DIFFERENT),
        ("owner", "u1", "u2", Kind.DIFFERENT),
    ],
)
def test_another_value_is_a_difference(name: str, wanted: Any, there: Any, kind: Kind) -> None:
    """Nothing but a known spelling is let pass."""
    assert judge(name, wanted, there) == (kind, "")


def test_nothing_on_both_sides_is_not_counted() -> None:
    """Empty is empty, however it is written; the field that holds the files is compared file by file."""
    assert judge("first_name", None, "") is None
    assert judge("dnd_email", None, there=False) is None
    assert judge("files", None, {"a": {}}) is None


def test_a_shared_address_may_be_withheld_but_not_replaced() -> None:
    """Without the address, and tagged, the contact is right; with somebody's other address it is not."""
    withheld = {"email": "another_record"}
    assert judge("email", "a@example.org", None, withheld=withheld) == (Kind.NORMALISED, "withheld_shared")
    assert judge("email", "a@example.org", "b@example.org", withheld=withheld) == (Kind.DIFFERENT, "")
    shared = ["patient", "shared-email"]
    assert judge("tags", ["patient"], shared, withheld=withheld) == (Kind.NORMALISED, "withheld_shared")
    assert judge("tags", ["patient"], ["patient"], withheld=withheld) == (Kind.DIFFERENT, "")


def test_what_was_refused_is_not_called_shared() -> None:
    """A value that HighLevel refused is no address of another contact; a pin that was refused reads back as off."""
    refused = {"email": "refused"}
    assert judge("email", "a@example", None, withheld=refused) == (Kind.NORMALISED, "withheld_refused")
    told = ["invalid-email", "patient"]
    assert judge("tags", ["patient"], told, withheld=refused) == (Kind.NORMALISED, "withheld_refused")
    told.append("shared-phone")
    both = refused | {"phone": "another_record"}
    assert judge("tags", ["patient"], told, withheld=both) == (Kind.NORMALISED, "withheld_shared")
    pin, on, off = {"pinned": "refused"}, True, False
    assert judge("pinned", on, off, withheld=pin) == (Kind.NORMALISED, "withheld_refused")
    assert judge("pinned", off, on, withheld=pin) == (Kind.DIFFERENT, "")


def test_tags_of_others_stay_but_ours_that_are_given_up_must_go() -> None:
    """A tag the clinic gave is none of our business; an archived tag that should be gone is."""
    assert judge("tags", ["patient"], ["Patient", "vip"], tags=["patient"]) == (
        Kind.NORMALISED,
        "further_tags",
    )
    assert judge("tags", ["patient"], ["archived", "patient"], tags=["archived", "patient"]) == (
        Kind.DIFFERENT,
        "",
    )


def test_an_opportunity_stays_in_its_stage_without_a_visit() -> None:
    """No load moves it where no visit is left; while one is there, its type decides."""
    assert judge("stage", None, "Review", written="Review") == (Kind.NORMALISED, "stays_in_its_stage")
    assert judge("stage", "Massage", "Review", written="Massage") == (Kind.DIFFERENT, "")


def test_do_not_disturb_set_by_the_clinic_is_respected() -> None:
    """Only what we had switched on ourselves must be off again when the patient agrees."""
    assert judge("dnd_email", wanted=False, there=True) == (Kind.NORMALISED, "set_in_highlevel")
    assert judge("dnd_email", wanted=False, there=True, written=True) == (Kind.NORMALISED, "set_in_highlevel")
    assert judge("dnd_email", wanted=False, there=True, dnd=["dnd_email"]) == (Kind.DIFFERENT, "")
    assert judge("dnd_email", None, there=True, dnd=["dnd_email"]) == (Kind.NORMALISED, "consent_unknown")


def test_only_an_untouched_value_is_excused_by_the_clock() -> None:
    """An owner of last week is right when it is what was written and time alone made another one due."""

    def of_an_earlier_visit(_name: str, value: Any) -> bool:
        return value in {"u1", "u2"}

    excused = judge("owner", "u1", "u2", written="u2", clocked=of_an_earlier_visit)
    assert excused == (Kind.NORMALISED, "by_the_clock")
    assert judge("owner", "u1", "u2", written="u1", clocked=of_an_earlier_visit) == (Kind.DIFFERENT, "")
    assert judge("owner", "u1", "u3", written="u3", clocked=of_an_earlier_visit) == (Kind.DIFFERENT, "")


def test_what_was_in_a_contact_before_the_migration_may_stay() -> None:
    """A field Cliniko knows nothing of, and one that HighLevel takes only with a new contact."""
    assert judge("phone", None, "+61491570156", created=False) == (Kind.NORMALISED, "there_before")
    assert judge("phone", None, "+61491570156", created=False, written="x") == (Kind.EXTRA, "")
    assert judge("gender", "female", None, created=False) == (Kind.NORMALISED, "set_at_creation_only")


def test_what_a_person_entered_and_the_setting_leaves_is_counted_apart() -> None:
    """With ``overwrite`` other than cliniko_wins the clinic's own value stays: neither equal nor a fault."""
    kept = judge("city", "Perth", "Peth", overwrite="never", conflicts=["city"])
    assert kept == (Kind.KEPT, "kept_on_purpose")
    assert judge("city", "Perth", "Peth", conflicts=["city"]) == (Kind.DIFFERENT, "")


@pytest.mark.parametrize(
    ("overwrite", "there", "kind"),
    [
        ("never", "Peth", Kind.KEPT),
        ("never", None, Kind.KEPT),
        ("fill_empty", "Peth", Kind.KEPT),
        ("fill_empty", None, Kind.MISSING),
        ("cliniko_wins", "Peth", Kind.DIFFERENT),
    ],
)
def test_an_edit_of_what_cliniko_has_not_changed(overwrite: str, there: str | None, kind: Kind) -> None:
    """No load will look at the field while Cliniko's value stays: it is counted under every setting."""
    found = judge("city", "Perth", there, written="Perth", overwrite=overwrite)
    assert found == (kind, "kept_on_purpose" if kind is Kind.KEPT else "")


NOTES = StreamSpec("hl_notes", "note", "note")


@pytest.mark.parametrize("overwrite", ["cliniko_wins", "fill_empty", "never"])
@pytest.mark.parametrize(
    ("name", "wanted", "there", "spec"),
    [
        ("source_system_id", "patients/1", "patients/2", SPEC),
        ("first_name", "Ann", "Anne", SPEC),
        ("birth", "1980-05-01", "1980-05-02", SPEC),
        ("owner", "u1", "u2", SPEC),
        ("fee", "90.5", "90.5 USD", SPEC),
        ("fee", "90.5", "90.4", SPEC),
        ("file_name", "cliniko:patient_attachments/5 x.pdf", "cliniko:patient_attachments/6 x.pdf", SPEC),
        ("body", "one\ntwo", "another patient's", NOTES),
        ("body", "one\ntwo", "one two", NOTES),
        ("user", "u1", "u2", NOTES),
    ],
)
def test_what_no_person_would_change_is_a_difference_under_every_setting(
    name: str, wanted: str, there: str, spec: StreamSpec, overwrite: str
) -> None:
    """Who somebody is, what is owed, what was noted: where it differs, two patients may have been taken for each other."""
    found = judge(name, wanted, there, written=wanted, overwrite=overwrite, spec=spec, conflicts=[name])
    assert found == (Kind.DIFFERENT, "")


def test_a_country_that_highlevel_fills_in_is_no_difference() -> None:
    """Unless Cliniko has had one, or it is neither the sub-account's nor what came with the create."""
    assert judge("country", None, "AU") == (Kind.NORMALISED, "set_by_highlevel")
    assert judge("country", None, "US", filled={"country": "US"}) == (Kind.NORMALISED, "set_by_highlevel")
    assert judge("country", None, "NZ", filled={"country": "US"}) == (Kind.EXTRA, "")
    assert judge("country", None, "AU", written="AU") == (Kind.EXTRA, "")


def test_a_tag_of_ours_on_the_wrong_contact_is_a_difference() -> None:
    """Also one that tells of a shared address; a contact from before the migration may have had it."""
    ours = frozenset({"patient", "practitioner"})
    added = ["patient", "practitioner"]
    assert judge("tags", ["patient"], added, our_tags=ours) == (Kind.DIFFERENT, "")
    assert judge("tags", ["patient"], ["patient", "shared-email"]) == (Kind.DIFFERENT, "")
    assert judge("tags", ["patient"], added, our_tags=ours, created=False) == (
        Kind.NORMALISED,
        "further_tags",
    )


def test_a_channel_that_the_patient_closed_is_respected() -> None:
    """Whatever we had set, and whatever Cliniko says."""
    stopped = CLOSED_BY_OTHERS
    assert judge("dnd_email", wanted=True, there=stopped) == (Kind.EQUAL, "")
    assert judge("dnd_email", wanted=False, there=stopped, dnd=["dnd_email"]) == (
        Kind.NORMALISED,
        "set_in_highlevel",
    )
