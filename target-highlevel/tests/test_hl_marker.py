"""Our marker counts in its own place only; what a person wrote is never taken for ours."""

from __future__ import annotations

import pytest

from target_highlevel.marker import (
    attachment_of,
    in_its_place,
    marked,
    marker,
    originals,
    with_marker,
    without_marker,
)

NOTE = "treatment_notes/88"
TEXT = "Date: 17 Jun 2024\nAuthor: Dr R\n\nBetter."
OURS = f"{TEXT}\n{marker(NOTE)}"
#: As earlier versions wrote it.
OLD = f"{marker(NOTE)}\n{TEXT}"


@pytest.mark.parametrize(
    ("text", "source_id"),
    [
        (OURS, NOTE),
        (OLD, NOTE),
        (f"{OURS}\n\n ", NOTE),
        (f"<p>Better.</p><p>{marker(NOTE)}</p>", NOTE),
        (f"<p>{marker(NOTE)}</p><p>Status: Arrived</p>", NOTE),
        (marker(f"{NOTE}#2"), f"{NOTE}#2"),
        (f"As in {marker(NOTE)} I said", None),
        (f"{OURS}\nI do not agree.", None),
        (f"See above: {marker(NOTE)}", None),
        (f"{marker(NOTE)} is wrong", None),
        (f"{marker(NOTE)}\nis what I mean", None),
        (f"> {OLD}", None),
        (f"Quote:\n{OLD}\nEnd of the quote", None),
        ("cliniko:treatment_notes/x", None),
        ("", None),
        (None, None),
    ],
)
def test_the_marker_counts_in_its_own_place(text: str | None, source_id: str | None) -> None:
    """Alone in the last line, or first as earlier versions put it before the first fact; a quotation has it elsewhere."""
    assert marked(text) == source_id


def test_the_marker_is_put_last_wherever_it_was() -> None:
    """Below what an appointment shares with its group; a text without one gets one."""
    assert with_marker(NOTE, OLD) == with_marker(NOTE, OURS) == with_marker(NOTE, TEXT) == OURS
    assert with_marker(NOTE, OLD, "Type: Pilates") == f"{TEXT}\nType: Pilates\n{marker(NOTE)}"
    assert with_marker(NOTE, None, None) == marker(NOTE)
    assert in_its_place(OLD) == in_its_place(OURS) == OURS
    for theirs in (f"{marker(NOTE)} is wrong", "no marker", None, ""):
        assert in_its_place(theirs) == theirs


def test_a_text_that_stays_behind_loses_its_marker_and_keeps_its_quotations() -> None:
    """Only the marker's own place is emptied."""
    quoting = f"See {marker(NOTE)}\n{marker(NOTE)}"
    assert without_marker(quoting, "Moved") == f"See {marker(NOTE)}\nMoved"
    assert without_marker("theirs", "Moved") == "theirs"


def test_of_several_with_one_marker_the_oldest_is_ours() -> None:
    """Who copies a note of ours whole does it later, in whatever order they are listed."""
    ours, copy = {"id": "1", "dateAdded": "2024-01-01"}, {"id": "2", "dateAdded": "2024-06-01"}
    for items in ([ours, copy], [copy, ours]):
        assert originals((NOTE, item) for item in items) == {NOTE: ours}
    assert originals([(None, ours)]) == {}


@pytest.mark.parametrize(
    ("name", "number"),
    [
        ("x-ray 2024-05-01 cliniko:patient_attachments/5.jpg", "5"),
        ("IM0001.dcm cliniko:patient_attachments/5.zip", "5"),
        ("scan cliniko:patient_attachments/5", "5"),
        ("scan_cliniko_patient_attachments_5.pdf", "5"),
        ("cliniko:patient_attachments/5 2024-05-01 x.pdf", "5"),
        ("cliniko_patient_attachments_5_x.pdf", "5"),
        ("5 2024-05-01 x.pdf", "5"),
        ("12 month review.pdf", None),
        ("re cliniko:patient_attachments/5 again.pdf", None),
        ("5.pdf", None),
    ],
)
def test_a_files_name_says_which_attachment_it_is(name: str, number: str | None) -> None:
    """Last before the ending, or first; signs may be replaced, and a path be cut."""
    assert attachment_of(name) == (number and f"patient_attachments/{number}")


@pytest.mark.parametrize("sign", [":/", "__", "--", " ."])
def test_signatures_are_files_of_ours_too(sign: str) -> None:
    """A signature's name carries its own resource, whatever a server makes of the signs in it."""
    name = f"Signature on New patient 2026-11-03 cliniko{sign[0]}signatures{sign[1]}1731489221836801033.png"
    assert attachment_of(name) == "signatures/1731489221836801033"
