"""What a verification calls equal, what it calls the same in other words, and what it does not let pass."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from target_highlevel.descriptor import FieldSpec, StreamSpec
from target_highlevel.ledger.rows import Row
from target_highlevel.report.differences import Kind
from target_highlevel.verify.comparison import HOWS, Case, compare

if TYPE_CHECKING:
    from collections.abc import Callable

FIELDS = {
    "first_name": FieldSpec("first_name", "standard", "firstName"),
    "email": FieldSpec("email", "standard", "email"),
    "phone": FieldSpec("phone", "standard", "phone"),
    "country": FieldSpec("country", "standard", "country"),
    "gender": FieldSpec("gender", "standard", "gender", create_only=True),
    "fee": FieldSpec("fee", "custom", "fee", "MONETORY"),
    "tags": FieldSpec("tags", "tags"),
    "dnd_email": FieldSpec("dnd_email", "dnd", channel="Email"),
    "owner": FieldSpec("owner", "owner", fold="owner"),
    "files": FieldSpec("files", "custom", "files", "FILE_UPLOAD"),
}
SPEC = StreamSpec("hl_contacts", "contact", "contact", fields=FIELDS)


def judge(
    name: str,
    wanted: Any,
    there: Any,
    *,
    written: Any = None,
    created: bool = True,
    clocked: Callable[[str, Any], bool] = lambda _name, _value: False,
    overwrite: str = "cliniko_wins",
    **notes: Any,
) -> tuple[Kind, str] | None:
    """Compare one field of a contact; what was written is the value itself here."""
    row = Row("contact:patients/1", "contact", "patients/1", "hl_contacts", "ready", 1, notes=notes)
    row.created_run = "run" if created else None
    row.written = {} if written is None else {name: str(written)}

    def was_written(which: str, value: Any) -> bool:
        return row.written.get(which) == str(value)

    found = list(compare(Case(row, SPEC, {name: wanted}, {name: there}, was_written, clocked, overwrite)))
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


def test_do_not_disturb_set_by_the_clinic_is_respected() -> None:
    """Only what we had switched on ourselves must be off again when the patient agrees."""
    assert judge("dnd_email", wanted=False, there=True) == (Kind.NORMALISED, "set_in_highlevel")
    assert judge("dnd_email", wanted=False, there=True, written=True) == (Kind.NORMALISED, "set_in_highlevel")
    assert judge("dnd_email", wanted=False, there=True, dnd=["dnd_email"]) == (Kind.DIFFERENT, "")


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


def test_a_conflict_that_was_kept_on_purpose_is_no_difference() -> None:
    """With ``overwrite`` other than cliniko_wins the clinic's own value was to stay."""
    kept = judge("first_name", "Ann", "Annie", overwrite="never", conflicts=["first_name"])
    assert kept == (Kind.NORMALISED, "kept_on_purpose")
    assert judge("first_name", "Ann", "Annie", conflicts=["first_name"]) == (Kind.DIFFERENT, "")


@pytest.mark.parametrize(
    ("overwrite", "there", "kind"),
    [
        ("never", "Annie", Kind.NORMALISED),
        ("never", None, Kind.NORMALISED),
        ("fill_empty", "Annie", Kind.NORMALISED),
        ("fill_empty", None, Kind.MISSING),
        ("cliniko_wins", "Annie", Kind.DIFFERENT),
    ],
)
def test_an_edit_of_what_cliniko_has_not_changed(overwrite: str, there: str | None, kind: Kind) -> None:
    """No load will look at the field while Cliniko's value stays: where people's edits stay, it is no difference."""
    found = judge("first_name", "Ann", there, written="Ann", overwrite=overwrite)
    assert found == (kind, "kept_on_purpose" if kind is Kind.NORMALISED else "")
