"""What a file is, by its first bytes: names and declared types are often wrong, and HighLevel goes by the name."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from target_highlevel.objects.file_bytes import FileBytes

if TYPE_CHECKING:
    from collections.abc import Mapping

#: What POST /forms/upload-custom-files takes, by the end of the name, and what such a file is called when it is sent.
TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "doc": "application/msword",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "png": "image/png",
    "gif": "image/gif",
    "csv": "text/csv",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xls": "application/vnd.ms-excel",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "zip": "application/zip",
    "rar": "application/vnd.rar",
    "txt": "text/plain",
    "svg": "image/svg+xml",
}
#: Those that hold text, whatever text it is: programs have long written tables of HTML or tabs as ``.xls`` and ``.doc``.
_OF_TEXT = frozenset({"csv", "txt", "svg", "doc", "xls"})
#: Programs are left behind even in an archive: nobody is to find one among a patient's files, and start it.
PROGRAMS = frozenset(
    {"exe", "msi", "bat", "cmd", "com", "scr", "pif", "ps1", "vbs", "jse", "wsf", "hta", "jar", "lnk"}
)
_HEAD = 4096
_DICOM_PREAMBLE = 128
_LONGEST_EXTENSION = 5
#: Where the streams of an old Office file are named.
_OFFICE_NAMES = 4 << 20


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of file: the end of its name, and the other ends that are as good."""

    extension: str
    others: frozenset[str] = frozenset()

    def is_named(self, extension: str) -> bool:
        """Return whether a name with this end says what the file is."""
        return extension == self.extension or extension in self.others


@dataclass(frozen=True, slots=True)
class Shape:
    """How a file is sent: its name, and whether it goes inside an archive."""

    name: str
    zipped: bool


DICOM = Kind("dcm", frozenset({"dicom", "dic", "ima"}))
_ARCHIVE = Kind("zip")
_PDF = Kind("pdf")
_OFFICE = Kind("doc", frozenset({"xls", "ppt", "msg", "pub", "vsd", "mpp", "wps", "dot", "xlt", "pps"}))
_TEXT = Kind("txt")
_HTML = Kind("html", _OF_TEXT)
_PROGRAM = Kind("exe")
_RTF = Kind("rtf", frozenset({"doc"}))
_PREFIXES: tuple[tuple[bytes, Kind], ...] = (
    (b"\x89PNG\r\n\x1a\n", Kind("png")),
    (b"\xff\xd8\xff", Kind("jpg", frozenset({"jpeg", "jpe", "jfif"}))),
    (b"GIF87a", Kind("gif")),
    (b"GIF89a", Kind("gif")),
    (b"II*\x00", Kind("tif", frozenset({"tiff", "dng", "nef", "cr2", "arw"}))),
    (b"MM\x00*", Kind("tif", frozenset({"tiff", "dng", "nef"}))),
    (b"II+\x00", Kind("tif", frozenset({"tiff"}))),
    (b"MM\x00+", Kind("tif", frozenset({"tiff"}))),
    (b"\x00\x00\x00\x0cJXL ", Kind("jxl")),
    (b"\x00\x00\x00\x0cjP  ", Kind("jp2", frozenset({"jpf", "jpx", "j2k"}))),
    *((prefix, Kind("jxl")) for prefix in (b"\xff\x0a\x00", b"\xff\x0a\xfa", b"\xff\x0a\x7f")),
    (b"\xffO\xffQ", Kind("j2k", frozenset({"jp2", "jpf", "jpx", "j2c", "jpc"}))),
    *(
        (prefix, Kind("mp3"))
        for prefix in (b"ID3\x02", b"ID3\x03", b"ID3\x04", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2")
    ),
    *((prefix, Kind("aac")) for prefix in (b"\xff\xf1", b"\xff\xf9")),
    (b"fLaC", Kind("flac")),
    (b"#!AMR", Kind("amr")),
    (b"8BPS", Kind("psd", frozenset({"psb"}))),
    (b"\xffWPC", Kind("wpd", frozenset({"wp", "wp5", "wp6"}))),
    (b"\x00\x00\x01\x00", Kind("ico")),
    (b"\xd7\xcd\xc6\x9a", Kind("wmf")),
    (b"BZh", Kind("bz2", frozenset({"tbz"}))),
    (b"\xfd7zXZ\x00", Kind("xz", frozenset({"txz"}))),
    (b"FLV\x01", Kind("flv")),
    (b"AT&TFORM", Kind("djvu", frozenset({"djv"}))),
    *(
        (prefix, Kind("eps", frozenset({"ps", "ai", "epsf"})))
        for prefix in (b"\xc5\xd0\xd3\xc6", b"%!PS-Adobe-")
    ),
    *(
        (prefix, _PROGRAM)
        for prefix in (b"\xca\xfe\xba\xbe", b"\xce\xfa\xed\xfe", b"\xcf\xfa\xed\xfe", b"\xfe\xed\xfa")
    ),
    (b"\x7fELF", _PROGRAM),
    (b"L\x00\x00\x00\x01\x14\x02\x00", _PROGRAM),
    (b"OggS\x00", Kind("ogg", frozenset({"oga", "ogv", "opus"}))),
    (b"\x1aE\xdf\xa3", Kind("mkv", frozenset({"webm", "mka"}))),
    (b"0&\xb2u\x8ef\xcf\x11", Kind("wmv", frozenset({"wma", "asf"}))),
    (b"PK\x03\x04", _ARCHIVE),
    (b"PK\x05\x06", _ARCHIVE),
    (b"Rar!\x1a\x07", Kind("rar")),
    (b"7z\xbc\xaf\x27\x1c", Kind("7z")),
    (b"\x1f\x8b", Kind("gz", frozenset({"tgz"}))),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OFFICE),
    (b"{\\rtf", _RTF),
    (b"\x00\x00\x01\xba", Kind("mpeg")),
    (b"\x00\x00\x01\xb3", Kind("mpeg")),
)
#: A film without a brand, as cameras and old programs write it, and what it begins with.
_UNBRANDED = Kind("mov", frozenset({"qt", "mp4"}))
_ATOMS = frozenset({b"moov", b"mdat", b"wide", b"pnot"})
#: Brands of the ISO media container (the word behind ``ftyp``).
_BRANDS: dict[bytes, Kind] = {
    **dict.fromkeys(
        (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"),
        Kind("heic", frozenset({"heif"})),
    ),
    **dict.fromkeys((b"avif", b"avis"), Kind("avif")),
    b"crx ": Kind("cr3"),
    b"qt  ": Kind("mov"),
    **dict.fromkeys((b"M4A ", b"M4B "), Kind("m4a", frozenset({"m4b"}))),
}  # fmt: skip
_3GP = Kind("3gp", frozenset({"3g2", "3gpp"}))
_MP4 = Kind("mp4")
_RIFF = {b"WEBP": Kind("webp"), b"WAVE": Kind("wav"), b"AVI ": Kind("avi")}
_BMP = Kind("bmp", frozenset({"dib"}))
#: Families of types that are told apart by their names, and which names HighLevel takes are of them; an office document that
#: needs a password is packed like those of old.
_FAMILIES = {_ARCHIVE: ("zip", "docx", "xlsx"), _OFFICE: ("doc", "xls", "docx", "xlsx")}
#: What a page of HTML begins with, and what a drawing does, behind comments and head lines.
_BEFORE = rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*|<!--.*?-->\s*)*"
_PAGE = re.compile(_BEFORE + rb"<(?:!doctype\s+html|html|head|body)\b", re.IGNORECASE | re.DOTALL)
_DRAWING = re.compile(
    _BEFORE + rb"(?:<!doctype\s+svg\b[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:\w+:)?svg\b", re.IGNORECASE | re.DOTALL
)
_CONTROLS = re.compile(rb"[\x00-\x08\x0b\x0e-\x1f\x7f]")
#: Sizes of the header that follows the first 14 bytes of a bitmap.
_BITMAP_HEADERS = frozenset({12, 40, 52, 56, 64, 108, 124})
#: A data set of DICOM without the preamble of a file: the first element is of group 0002 or 0008, with its kind of value.
_BARE_DICOM = re.compile(
    rb"(?:[\x02\x08]\x00.\x00|\x00[\x02\x08]\x00.)(?:UL|CS|UI|OB|DA|TM|SH|LO)", re.DOTALL
)
#: Where no kinds of values are written: such a group, and the root of all identifiers of the standard.
_BARE_GROUPS = (b"\x02\x00", b"\x08\x00")
_DICOM_ROOT = b"1.2.840.10008."
#: What Python says of an archive that is broken, locked or packed in a way that it does not know.
_UNREADABLE = (zipfile.BadZipFile, EOFError, OSError, ValueError, RuntimeError)
#: What a ZIP holds when it is a document, and what its name then ends in.
_PACKED = {"word/": "docx", "xl/": "xlsx", "ppt/": "pptx"}
#: What the packed documents of other office programs say of themselves.
_LONGEST_TYPE = 100
_OPEN_DOCUMENTS = {"text": "odt", "spreadsheet": "ods", "presentation": "odp", "graphics": "odg"}
_STREAMS = {
    "WordDocument": "doc",
    "Workbook": "xls",
    "__substg1.0_": "msg",
    "PowerPoint Document": "ppt",
    "Book\0": "xls",
}


def shape(fields: Mapping[str, Any]) -> Shape | None:
    """Return how a file is sent; None when HighLevel takes no file of this type.

    ``zip`` says that the source calls it DICOM, ``zip_others`` that other types HighLevel refuses go inside an archive too.
    A file that is not on the disk (any longer) is what its name says.
    """
    name, source = str(fields.get("file_name") or ""), FileBytes(str(fields.get("file_path") or ""))
    head = source.head(_HEAD)
    kind = None if head is None else _kind(head)
    extension = extension_of(name)
    if kind is _PROGRAM:
        return None
    if kind and _is_wrong(kind, extension):
        extension = _named(kind, source)
        name = f"{name}.{extension}"
    if kind is DICOM or (kind is None and fields.get("zip")):
        return Shape(f"{name}.zip", zipped=True)
    if extension in TYPES:
        return Shape(name, zipped=False)
    taken = fields.get("zip_others") and extension not in PROGRAMS
    return Shape(f"{name}.zip", zipped=True) if taken else None


def content_type(name: str) -> str:
    """Return what a file of this name is called when it is sent: the source's own word for it is as often wrong as its name."""
    return TYPES.get(extension_of(name), "application/octet-stream")


def extension_of(name: str) -> str:
    """Return the end of a name, in small letters; nothing when it is none (``Letter Dr. Smith``)."""
    stem, dot, extension = name.rpartition(".")
    plain = extension.isascii() and extension.isalnum() and len(extension) <= _LONGEST_EXTENSION
    return extension.lower() if stem and dot and plain else ""


def _is_wrong(kind: Kind, extension: str) -> bool:
    """Return whether the end of a name misleads: what HighLevel refuses anyway may be named as it was."""
    if not extension:
        return True
    if kind in _FAMILIES:
        others = {_PDF, _MP4, *(other for _, other in _PREFIXES)} - {*_FAMILIES, _RTF}
        return (extension in TYPES and extension not in _FAMILIES[kind]) or any(
            other.is_named(extension) for other in others
        )
    if kind is _TEXT:
        return extension in TYPES and extension not in _OF_TEXT
    if extension in TYPES:
        return not kind.is_named(extension)
    return kind.extension in TYPES  # which HighLevel takes, but not by this name: photo.jfif


def _kind(head: bytes) -> Kind | None:
    if head[_DICOM_PREAMBLE : _DICOM_PREAMBLE + 4] == b"DICM" or _is_bare_dicom(head):
        return DICOM
    known = next((kind for prefix, kind in _PREFIXES if head.startswith(prefix)), None)
    looks = (_program, _pdf, _media, _riff, _bitmap, _page, _drawing, _text)
    return known or next((kind for look in looks if (kind := look(head))), None)


def _program(head: bytes) -> Kind | None:
    """Return the type of a program of Windows: two letters alone would be the beginning of many a text."""
    header = int.from_bytes(head[60:64], "little")
    return _PROGRAM if head.startswith(b"MZ") and head[header : header + 4] == b"PE\0\0" else None


def _pdf(head: bytes) -> Kind | None:
    return _PDF if re.search(rb"%PDF-\d", head[:1024]) else None


def _is_bare_dicom(head: bytes) -> bool:
    return bool(_BARE_DICOM.match(head)) or (head.startswith(_BARE_GROUPS) and _DICOM_ROOT in head)


def _bitmap(head: bytes) -> Kind | None:
    """Return the type of a bitmap: two letters alone would be the beginning of many a text."""
    header = int.from_bytes(head[14:18], "little")
    return _BMP if head.startswith(b"BM") and header in _BITMAP_HEADERS else None


def _media(head: bytes) -> Kind | None:
    if head[4:8] != b"ftyp":
        # a text may say *wide* there, but has no control characters
        return _UNBRANDED if head[4:8] in _ATOMS and _CONTROLS.search(head) else None
    return _3GP if head[8:10] == b"3g" else _BRANDS.get(head[8:12], _MP4)


def _riff(head: bytes) -> Kind | None:
    return _RIFF.get(head[8:12]) if head.startswith(b"RIFF") else None


def _page(head: bytes) -> Kind | None:
    return _HTML if _PAGE.match(head) else None


def _drawing(head: bytes) -> Kind | None:
    return Kind("svg") if _DRAWING.match(head) else None


def _text(head: bytes) -> Kind | None:
    """Return the type of what can be read as text: UTF-16 that says so, else any code, none of which has signs below 32."""
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        text = head[: len(head) // 2 * 2].decode("utf-16", errors="replace")
        return _TEXT if text.count("\ufffd") <= 1 and _is_printed(text) else None
    return _TEXT if head.strip() and not _CONTROLS.search(head) else None


def _is_printed(text: str) -> bool:
    return bool(text.strip()) and all(char.isprintable() or char in "\t\r\n\f" for char in text)


def _named(kind: Kind, source: FileBytes) -> str:
    """Return the end of the name that a file ought to have; of a family of types the one that its content tells."""
    if kind is _ARCHIVE:
        return _packed(source)
    if kind is _OFFICE:
        content = source.head(_OFFICE_NAMES) or b""
        return next(
            (name for stream, name in _STREAMS.items() if stream.encode("utf-16-le") in content), "doc"
        )
    return kind.extension


def _packed(source: FileBytes) -> str:
    try:
        with source.on_disk() as path, zipfile.ZipFile(path or "") as archive:
            names = archive.namelist()
            said = _said(archive)
    except _UNREADABLE:
        return _ARCHIVE.extension
    if "[Content_Types].xml" not in names:
        return next((name for kind, name in _OPEN_DOCUMENTS.items() if kind in said), _ARCHIVE.extension)
    found = (name for folder, name in _PACKED.items() if any(item.startswith(folder) for item in names))
    return next(found, _ARCHIVE.extension)


def _said(archive: zipfile.ZipFile) -> str:
    """Return what a packed document says it is: its first member, which lies there as it is."""
    first = next(iter(archive.infolist()), None)
    if first is None or first.filename != "mimetype" or first.compress_type != zipfile.ZIP_STORED:
        return ""
    with archive.open(first) as content:
        return content.read(_LONGEST_TYPE).decode("latin-1")
