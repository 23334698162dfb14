"""What is sent of a file: its first bytes decide, then its name."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import fsspec  # type: ignore[import-untyped]
import pytest

from target_highlevel.errors import SettingsError, Unavailable
from target_highlevel.objects.file_bytes import FileBytes
from target_highlevel.objects.file_types import shape

if TYPE_CHECKING:
    from pathlib import Path

DICOM = b"\0" * 128 + b"DICM" + b"\0" * 200
PDF = b"%PDF-1.7 ..."
PNG = b"\x89PNG\r\n\x1a\n...."
HEIC = b"\0\0\0\x18ftypheic\0\0\0\0"
BMP = b"BM6\0\0\0\0\0\0\x006\0\0\0\x28\0\0\0\xff"
OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"


def packed(*names: str) -> bytes:
    """Return a ZIP with these (empty) files."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, b"")
    return file.getvalue()


DOCX = packed("[Content_Types].xml", "word/document.xml")


@pytest.mark.parametrize(
    ("name", "content", "sent", "zipped"),
    [
        ("IM000001", DICOM, "IM000001.dcm.zip", True),
        ("scan.jpg", DICOM, "scan.jpg.dcm.zip", True),
        ("scan.IMA", DICOM, "scan.IMA.zip", True),
        ("IM000002", b"\x08\0\x05\0CS\n\0ISO_IR 100", "IM000002.dcm.zip", True),
        ("IM000003", b"\x02\0\0\0UL\x04\0....", "IM000003.dcm.zip", True),
        ("IM000004", b"\x08\0\x16\0\x1a\0\0\x001.2.840.10008.5.1\0", "IM000004.dcm.zip", True),
        ("scan0001", PDF, "scan0001.pdf", False),
        ("scan.tmp", b"\r\n" + PDF, "scan.tmp.pdf", False),
        ("Letter Dr. Smith", PDF, "Letter Dr. Smith.pdf", False),
        ("letter.PDF", PDF, "letter.PDF", False),
        ("photo", PNG, "photo.png", False),
        ("photo.pdf", PNG, "photo.pdf.png", False),
        ("photo.jpeg", b"\xff\xd8\xff\xe0..", "photo.jpeg", False),
        ("photo.jpg", HEIC, "photo.jpg.heic.zip", True),
        ("photo.jpg", b"\0\0\0\x18ftypheis\0\0\0\0", "photo.jpg.heic.zip", True),
        ("photo", b"\0\0\0\x18ftypavis\0\0\0\0", "photo.avif.zip", True),
        ("photo.jpg", BMP, "photo.jpg.bmp.zip", True),
        ("BMI", b"BMI 24 kg/m2, weight 70", "BMI.txt", False),
        ("ID3.csv", b"ID3,a\n", "ID3.csv", False),
        ("memo", b"ID3\x04\0", "memo.mp3.zip", True),
        ("scan.jpg", b"II+\0\x08\0\0\0", "scan.jpg.tif.zip", True),
        ("report.pdf", DOCX, "report.pdf.docx", False),
        ("report.pdf", OLE + "WordDocument".encode("utf-16-le"), "report.pdf.doc", False),
        ("IMG_0001.HEIC", HEIC, "IMG_0001.HEIC.zip", True),
        ("anim", b"GIF89a..", "anim.gif", False),
        ("pic", b"RIFF\0\0\0\0WEBPVP8 ", "pic.webp.zip", True),
        ("scan.tif", b"II*\0....", "scan.tif.zip", True),
        ("film", b"\0\0\0\x18ftypisom....", "film.mp4", False),
        ("film.mpg", b"\0\0\x01\xba..", "film.mpg.mpeg", False),
        ("report", DOCX, "report.docx", False),
        ("report.docx", DOCX, "report.docx", False),
        ("sheet", packed("[Content_Types].xml", "xl/workbook.xml"), "sheet.xlsx", False),
        ("talk.pptx", packed("[Content_Types].xml", "ppt/x.xml"), "talk.pptx.zip", True),
        ("all", packed("a.txt"), "all.zip", False),
        ("all.zip", packed("a.txt"), "all.zip", False),
        ("broken", b"PK\x03\x04 cut off", "broken.zip", False),
        ("mail.msg", OLE, "mail.msg.zip", True),
        ("old", OLE + "WordDocument".encode("utf-16-le"), "old.doc", False),
        ("note.rtf", b"{\\rtf1 x}", "note.rtf.zip", True),
        ("readme", "caf\u00e9".encode(), "readme.txt", False),
        ("data.csv", b"a,b\n", "data.csv", False),
        ("page.html", b"<p>x</p>", "page.html.zip", True),
        ("drawing", b"<?xml version='1.0'?><svg/>", "drawing.svg", False),
        ("tool.dat", b"MZ\x90\0\xff\xfe", "tool.dat.zip", True),
        ("unknown", b"\x01\x02\xff\xfe", "unknown.zip", True),
        ("scan.dcm", b"\x01\x02\xff", "scan.dcm.zip", True),
    ],
)
def test_the_first_bytes_decide(name: str, content: bytes, sent: str, zipped: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """DICOM and what HighLevel refuses is zipped under its own name; a name that misleads gets the right end."""
    path = tmp_path / "bytes"
    path.write_bytes(content)
    for address in (str(path), path.as_uri()):  # on the disk, and behind an address that fsspec opens
        made = shape({"file_name": name, "file_path": address, "zip": name == "scan.dcm", "zip_others": True})
        assert made is not None
        assert (made.name, made.zipped) == (sent, zipped)


def test_without_the_setting_only_dicom_is_zipped(tmp_path: Path) -> None:
    """Other types are refused, by their bytes too; a file that is not on the disk is what its name says."""
    path = tmp_path / "bytes"
    path.write_bytes(HEIC)
    assert shape({"file_name": "photo.jpg", "file_path": str(path)}) is None
    path.write_bytes(DICOM)
    made = shape({"file_name": "photo.jpg", "file_path": str(path)})
    assert made is not None
    assert made.zipped
    gone = shape({"file_name": "photo.jpg", "file_path": str(tmp_path / "gone")})
    assert gone is not None
    assert (gone.name, gone.zipped) == ("photo.jpg", False)
    assert shape({"file_name": "tool.exe", "file_path": None}) is None


@pytest.mark.parametrize("name", ["viewer.exe", "Setup.MSI", "start.bat"])
def test_programs_are_left_behind(name: str) -> None:
    """A program is not packed either: nobody is to start one from a patient's files."""
    assert shape({"file_name": name, "file_path": None, "zip_others": True}) is None


def test_bytes_behind_an_address() -> None:
    """They are fetched from wherever fsspec reaches; who has nothing to open them with is told what is missing."""
    fsspec.filesystem("memory").pipe_file("/bytes/1.pdf", b"%PDF-1.7 and more")
    there, gone = FileBytes("memory://bytes/1.pdf"), FileBytes("memory://bytes/2.pdf")
    assert there.head(4) == b"%PDF"
    assert gone.head(4) is None
    with there.on_disk() as copy, gone.on_disk() as nothing:
        assert copy is not None
        assert copy.read_bytes() == b"%PDF-1.7 and more"
        assert nothing is None
    with pytest.raises(SettingsError, match="nothing here opens nowhere:// addresses"):
        FileBytes("nowhere://bucket/1.pdf")


def test_a_store_that_does_not_answer_is_no_verdict_on_the_file() -> None:
    """The run ends and can be tried again; nothing is rejected. The store's own words are not repeated."""
    closed = FileBytes("memory://bytes/1.pdf")
    closed._files = Broken()
    with pytest.raises(Unavailable, match=r"does not answer \(PermissionError\)"):
        closed.head(4)
    with pytest.raises(Unavailable), closed.on_disk():
        pass


class Broken:
    """A store whose key was taken away."""

    def isfile(self, name: str) -> bool:
        """Refuse."""
        raise PermissionError(name)
