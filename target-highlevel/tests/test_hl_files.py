"""Files: what HighLevel would refuse is refused before a byte is sent, and what arrives is what was there."""

from __future__ import annotations

import csv
import io
import uuid
import zipfile
from typing import TYPE_CHECKING, Any

import requests
from hl_loading import rejects, tap_lines
from hl_mapped import person, record, schemas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hl_loading import Loader

HEAD = [*schemas("patients", "patient_attachments"), person("patients/1", "Ada", "Lovelace")]
UPLOAD = "/forms/upload-custom-files"


def a_file(number: int, path: Path | None, name: str, **more: Any) -> str:
    """Return the RECORD line of one file of the patient."""
    own = {
        "contact": "patients/1",
        "file_path": str(path) if path else None,
        "file_size": 3,
        "file_sha256": "a",
    }
    identity = f"patient_attachments/{number}"
    return record("hl_files", identity, **{**own, "file_name": f"cliniko:{identity} {name}", **more})


def uploads(loader: Loader) -> int:
    """Return how many files were sent."""
    return sum(item.path == UPLOAD for item in loader.sandbox.highlevel.control.requests)


def stored(loader: Loader) -> dict[str, bytes]:
    """Return the bytes of each file HighLevel holds, by its name."""
    state = loader.sandbox.highlevel.state
    return {item["name"]: state.file_bytes(key) for key, item in state.files.items()}


def test_what_highlevel_would_refuse_is_not_sent(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """A type it does not take, too many bytes by the row or on the disk, no path, no file: each rejected, the others go on."""
    loader = highlevel()
    (tmp_path / "small.pdf").write_bytes(b"pdf")
    with (tmp_path / "large.pdf").open("wb") as file:
        file.truncate(50 * 1024 * 1024 + 1)
    lines = [
        a_file(1, tmp_path / "small.pdf", "tool.exe"),
        a_file(2, tmp_path / "small.pdf", "told.pdf", file_size=60_000_000),
        a_file(3, tmp_path / "large.pdf", "large.pdf"),
        a_file(4, None, "none.pdf"),
        a_file(5, tmp_path / "gone.pdf", "gone.pdf"),
        a_file(6, tmp_path / "small.pdf", "small.pdf"),
    ]
    loaded = loader.load([*HEAD, *lines])
    assert loaded.code == 4, loaded.log[-2000:]
    with max((loader.folder / "reports").glob("*/rejects.csv")).open() as file:
        found = {
            row["source"].rpartition("/")[2]: (row["reason"], row["field"]) for row in csv.DictReader(file)
        }
    assert found == {
        "1": ("file_type_refused", "file_name"), "2": ("file_too_large", "file_size"),
        "3": ("file_too_large", "file_size"), "4": ("file_missing", "file_path"), "5": ("file_missing", "file_path"),
    }  # fmt: skip
    assert uploads(loader) == 1
    assert list(stored(loader).values()) == [b"pdf"]


def test_files_behind_an_address(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """What the tap has put into a store of another kind arrives as from the disk, and what is gone there is missing."""
    loader = highlevel()
    (tmp_path / "letter.pdf").write_bytes(b"pdf")
    there, gone = ((tmp_path / name).as_uri() for name in ("letter.pdf", "gone.pdf"))
    lines = [a_file(1, None, "letter.pdf", file_path=there), a_file(2, None, "gone.pdf", file_path=gone)]
    loaded = loader.load([*HEAD, *lines])
    assert loaded.code == 4, loaded.log[-2000:]
    assert list(stored(loader).values()) == [b"pdf"]
    assert [item["reason"] for item in loaded.report["rejects"]] == ["file_missing"]


def test_a_scan_goes_inside_an_archive_of_its_own(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """DICOM is zipped; the bytes inside are the same, and so is the archive each time it is made.

    One of 54 MB that packs well is sent: HighLevel's limit is on what it receives.
    """
    loader = highlevel()
    (tmp_path / "scan.dcm").write_bytes(b"DICM" * 1000)
    with (tmp_path / "large").open("wb") as file:
        file.write(b"\0" * 128 + b"DICM")
        file.truncate(54 * 1024 * 1024)
    lines = [a_file(number, tmp_path / "scan.dcm", "scan.dcm", zip=True) for number in (1, 2)]
    lines.append(a_file(3, tmp_path / "large", "IM000001", file_size=54 * 1024 * 1024))
    assert loader.load([*HEAD, *lines]).code == 0
    packed = stored(loader)
    assert sum(name.endswith("scan.dcm.zip") for name in packed) == 2
    large = next(content for name, content in packed.items() if name.endswith("IM000001.dcm.zip"))
    assert len(large) < 1024 * 1024
    for content in packed.values():
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            (inside,) = archive.infolist()
            assert inside.filename.endswith(".dcm")
            assert (
                inside.file_size == 54 * 1024 * 1024
                if content is large
                else archive.read(inside) == b"DICM" * 1000
            )


def test_a_file_that_is_there_is_left_as_it_is(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """Attachments never change in Cliniko: another checksum sends nothing, unless somebody has taken the file away."""
    loader = highlevel()
    path = tmp_path / "letter.pdf"
    path.write_bytes(b"one")
    assert loader.load([*HEAD, a_file(1, path, "letter.pdf")]).code == 0
    assert loader.load([*HEAD, a_file(1, path, "letter.pdf", file_sha256="b")]).code == 0
    assert uploads(loader) == 1
    state = loader.sandbox.highlevel.state
    state.damage.remove_file(next(iter(state.files)))
    assert loader.load([*HEAD, a_file(1, path, "letter.pdf", file_sha256="c")]).code == 0
    assert uploads(loader) == 2
    assert b"one" in stored(loader).values()
    assert loader.load([*HEAD, a_file(1, path, "letter.pdf", file_sha256="c")]).code == 0
    assert uploads(loader) == 2


def test_a_file_of_somebodys_that_begins_with_a_number(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """``12 month review.pdf`` is not attachment 12, also when the crosswalk is rebuilt: both are on the contact."""
    loader = highlevel()
    path = tmp_path / "scan.pdf"
    path.write_bytes(b"abc")
    assert loader.load([*HEAD, a_file(7, path, "2024-02-01 first.pdf")]).code == 0
    side = loader.sandbox.highlevel
    by_hand = requests.post(
        f"{side.url}{UPLOAD}",
        params={"contactId": next(iter(side.state.contacts)), "locationId": side.location_id},
        files={f"{file_field(loader)}_{uuid.uuid4()}": ("12 month review.pdf", b"theirs", "application/pdf")},
        headers={"Authorization": f"Bearer {side.access_token}", "Version": "2021-07-28"},
        timeout=10,
    )
    assert by_hand.status_code == 200, by_hand.text
    (loader.folder / "ledger.db").unlink()
    again = [a_file(7, path, "2024-02-01 first.pdf"), a_file(12, path, "2024-03-01 second.pdf")]
    assert loader.load([*HEAD, *again]).code == 0
    assert sorted(stored(loader).values()) == [b"abc", b"abc", b"theirs"]


def file_field(loader: Loader) -> str:
    """Return the id of the field that takes the files."""
    fields = loader.sandbox.highlevel.state.contact_fields.values()
    return str(next(item["id"] for item in fields if item["fieldKey"] == "contact.cliniko_files"))


def test_what_highlevel_itself_refuses_is_called_what_it_is(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """A limit or a type of its own, told by words or by the status alone: the reason says so, no field of Cliniko's does."""
    loader = highlevel(max_file_bytes=10)
    control = loader.sandbox.highlevel.control
    (tmp_path / "small.pdf").write_bytes(b"pdf")
    (tmp_path / "large.pdf").write_bytes(b"pdf" * 9)
    loader.load([*HEAD, a_file(1, tmp_path / "large.pdf", "large.pdf")])
    for status in (413, 415):
        match = {"method": "POST", "path_regex": f"^{UPLOAD}"}
        body = {"message": ["Content-Type must be known"]}
        control.add_fault({"match": match, "action": "status", "status": status, "body": body})
        loader.load([*HEAD, a_file(status, tmp_path / "small.pdf", "small.pdf")])
        control.clear_faults()
    assert rejects(loader) == {
        ("patient_attachments/1", "file_too_large"),
        ("patient_attachments/413", "file_too_large"),
        ("patient_attachments/415", "file_type_refused"),
    }


def test_a_signature_that_came_later_than_its_form(highlevel: Callable[..., Loader], tmp_path: Path) -> None:
    """Cliniko did not give it at first; the run that gets it does not read its form, which has not changed."""
    loader = highlevel()
    cliniko, state = loader.sandbox.cliniko, loader.sandbox.highlevel.state
    (signature,) = cliniko.account.tables["signatures"]
    match = {"path_regex": f"/signatures/{signature}$"}
    cliniko.control.add_fault({"action": "status", "status": 400, "match": match})
    first = loader.load(tap_lines(loader.sandbox, tmp_path))
    assert f"signatures/{signature}" not in state.sources()["files"]
    cliniko.control.clear_faults()
    cliniko.control.advance(1000)
    loader.load(tap_lines(loader.sandbox, tmp_path, first.states[-1]))
    assert f"signatures/{signature}" in state.sources()["files"]
