"""What is sent of a file: its first bytes decide, then its name."""

from __future__ import annotations

import io
import zipfile
from typing import TYPE_CHECKING

import fsspec  # type: ignore[import-untyped]
import pytest

from target_highlevel.errors import SettingsError, Unavailable
from target_highlevel.objects.file_bytes import FileBytes
from target_highlevel.objects.file_types import content_type, shape

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
            archive.writestr(zipfile.ZipInfo(name), b"")
    return file.getvalue()


def program() -> bytes:
    """Return the beginning of a program of Windows."""
    return b"MZ" + b"\0" * 58 + (128).to_bytes(4, "little") + b"\0" * 64 + b"PE\0\0"


def open_document(kind: str) -> bytes:
    """Return a document that says what it is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mimetype"), f"application/vnd.oasis.opendocument.{kind}")
    return file.getvalue()


def stored(name: str, content: bytes) -> bytes:
    """Return a ZIP that holds a file as it is."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(zipfile.ZipInfo(name), content)
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
        # a page or a message in the place of a file
        ("report.pdf", b"\xef\xbb\xbf\n<!DOCTYPE html><html>", "report.pdf.html.zip", True),
        ("page", b"<!-- saved -->\n<HTML>", "page.html.zip", True),
        ("page", b"<?xml version='1.0'?><html><svg/>", "page.html.zip", True),
        ("letter.doc", b"<html xmlns:o=x>", "letter.doc", False),
        ("export.xls", b"a\tb\n1\t2\n", "export.xls", False),
        ("scan.jpg", b"File not found\n", "scan.jpg.txt", False),
        # text of any code
        ("note", "caf\u00e9".encode("cp1252"), "note.txt", False),
        ("note", "\u0437\u0430\u043c\u0435\u0442\u043a\u0430".encode("cp1251"), "note.txt", False),
        ("note", "\u65e5\u672c\u8a9e".encode("shift-jis"), "note.txt", False),
        ("note", "caf\u00e9".encode("utf-16"), "note.txt", False),
        ("note.csv", "gr\u00f6\u00dfe;1".encode("latin-1"), "note.csv", False),
        ("empty", b"", "empty.zip", True),
        ("empty.pdf", b"", "empty.pdf", False),
        # what only mentions a PDF, or holds one
        ("all.zip", stored("scan.pdf", PDF), "all.zip", False),
        ("about", b"such files begin with %PDF- and a number", "about.txt", False),
        # documents under another family's name
        ("letter.txt", DOCX, "letter.txt.docx", False),
        ("letter.doc", DOCX, "letter.doc.docx", False),
        ("sheet.csv", OLE + "Workbook".encode("utf-16-le"), "sheet.csv.xls", False),
        ("locked.docx", OLE + "EncryptedPackage".encode("utf-16-le"), "locked.docx", False),
        ("note", open_document("text"), "note.odt.zip", True),
        ("sum.pdf", open_document("spreadsheet"), "sum.pdf.ods.zip", True),
        ("broken", stored("\u00e9", b"x").replace("\u00e9".encode(), b"\xff\xff"), "broken.zip", False),
        ("broken", open_document("text")[:60] + open_document("text")[80:], "broken.zip", False),
        # what HighLevel takes, under a name that it does not know
        ("photo.jfif", b"\xff\xd8\xff\xe0..", "photo.jfif.jpg", False),
        ("film.m4v", b"\0\0\0\x18ftypM4V ....", "film.m4v.mp4", False),
        ("film.3gp", b"\0\0\0\x18ftyp3gp6....", "film.3gp.zip", True),
        ("scan.dcm", PDF, "scan.dcm.pdf", False),
        ("drawing", b"<!-- by a program -->\n<svg/>", "drawing.svg", False),
        ("drawing", b"<?xml version='1.0'?><!DOCTYPE svg PUBLIC 'x'><svg>", "drawing.svg", False),
        ("memo", b"\xff\xfb\x90\0", "memo.mp3.zip", True),
        ("memo", b"#!AMR\n\0\x01", "memo.amr.zip", True),
        ("art.jpg", b"8BPS\0\x01", "art.jpg.psd.zip", True),
        ("gait.jpg", b"\0\0\0\x08wide\0\x01\0\0mdat", "gait.jpg.mov.zip", True),
        ("gait.mp4", b"\0\x01\0\0mdat\0\0", "gait.mp4", False),
        ("gait", b"\0\0\x10\0moov\0\0\0lmvhd", "gait.mov.zip", True),
        ("gait.mov", b"\0\x01\0\0mdat\0\0", "gait.mov.zip", True),
        ("clip.mp4", b"FLV\x01\x05\0\0\0\t", "clip.mp4.flv.zip", True),
        ("scan.pdf", b"AT&TFORM\0\0\0\0DJVM", "scan.pdf.djvu.zip", True),
        ("plan.pdf", b"%!PS-Adobe-3.0 EPSF-3.0\n", "plan.pdf.eps.zip", True),
        ("plan.ai", b"%!PS-Adobe-3.0\n", "plan.ai.zip", True),
        ("old", OLE + "Book\0".encode("utf-16-le"), "old.xls", False),
        ("IM000005", b"\0\x08\0\x05CS\0\nISO_IR 100", "IM000005.dcm.zip", True),
        ("MZ", b"MZ is my name", "MZ.txt", False),
        ("gait.txt", b"The wide stance of this patient", "gait.txt", False),
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


@pytest.mark.parametrize(
    "content",
    [
        program(),
        b"\x7fELF\x02\x01",
        b"L\0\0\0\x01\x14\x02\0",
        b"\xcf\xfa\xed\xfe\x07\0\0\x01",
        b"\xca\xfe\xba\xbe\0\0\0\x34",
    ],
)
def test_a_program_under_another_name_is_one(content: bytes, tmp_path: Path) -> None:
    """Its first bytes say so, whatever it is called."""
    path = tmp_path / "bytes"
    path.write_bytes(content)
    assert shape({"file_name": "invoice.pdf", "file_path": str(path), "zip_others": True}) is None


@pytest.mark.parametrize(
    ("name", "called"),
    [("scan0001.pdf", "application/pdf"), ("A.JPEG", "image/jpeg"), ("x.dcm.zip", "application/zip")],
)
def test_a_file_is_sent_as_what_it_is(name: str, called: str) -> None:
    """What the source calls it (application/octet-stream, mostly) says nothing."""
    assert content_type(name) == called


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
