"""The CSV files of a report, and the comparison of fields."""

from __future__ import annotations

import csv
import io
from typing import TYPE_CHECKING

import pytest

from target_highlevel.report.differences import Difference, DifferenceTable, Kind, masked
from target_highlevel.report.run_report import write_content
from target_highlevel.report.tables import cell, read_table, write_table
from target_highlevel.report.wording import REJECTED

if TYPE_CHECKING:
    from pathlib import Path


def table_of(path: Path, encoding: str = "utf-8") -> list[dict[str, str]]:
    """Return a CSV file as a spreadsheet would read it."""
    with path.open(newline="", encoding=encoding) as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize(
    "value", ['=HYPERLINK("//x")', "+61400000000", "-1", "@SUM(A1)", "\tx", "\rx", "＝1"]  # noqa: RUF001 - meant
)  # fmt: skip
def test_no_cell_is_run_as_a_formula(tmp_path: Path, value: str) -> None:
    """Whatever a spreadsheet would calculate is shown as text instead."""
    write_table(tmp_path / "table.csv", ["name"], [[value]])
    (row,) = table_of(tmp_path / "table.csv")
    assert row["name"].startswith("'")


def test_ordinary_cells_are_left_alone(tmp_path: Path) -> None:
    """Ids, codes, quotes and commas come back as they were."""
    values = ["patients/1", 'a "quoted", value', "file_too_large", "a=b", ""]
    write_table(tmp_path / "table.csv", ["name"], [[value] for value in values])
    assert [row["name"] for row in table_of(tmp_path / "table.csv")] == values


@pytest.mark.parametrize("value", [None, "a,b", 'a "b"', "a\r\nb", "a\nb", "=1", "-", "a\tb", "", "\r"])
@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("number", [1000, 1200, 1499])
def test_rows_written_together_are_those_written_one_by_one(
    tmp_path: Path, value: str | None, place: int, number: int
) -> None:
    """One cell among a thousand others that needs care gets it, and changes no other."""
    rows = [[f"patients/{each}", "contact", f"id{each}"] for each in range(1500)]
    if value is not None:
        rows[number][place] = value
    write_table(tmp_path / "table.csv", ["source", "object", "id"], rows)
    written = io.StringIO(newline="")
    csv.writer(written).writerows(
        [["source", "object", "id"], *([cell(item) for item in row] for row in rows)]
    )
    assert tmp_path.joinpath("table.csv").read_bytes().decode() == written.getvalue()


def test_a_value_of_any_length_is_read_again(tmp_path: Path) -> None:
    """Where values are shown, differences.csv holds whole notes: longer ones than Python's csv takes by itself."""
    csv.field_size_limit(131_072)
    rows = [["treatment_notes/1", "note " * 40_000], ["patients/1", "Bern"]]
    write_table(tmp_path / "table.csv", ["source", "value"], rows)
    found = read_table(tmp_path / "table.csv", ["source", "value"])
    assert [(row["source"], len(row["value"])) for row in found] == [
        ("treatment_notes/1", 199_999),  # read_table strips cells
        ("patients/1", 4),
    ]


def test_one_record_is_one_line(tmp_path: Path) -> None:
    """A line break inside a value is written visibly, so that no line is half a record."""
    write_table(tmp_path / "table.csv", ["name", "more"], [["first\r\nsecond", "x"]])
    assert (tmp_path / "table.csv").read_bytes() == b"name,more\r\nfirst\\r\\nsecond,x\r\n"


def test_tables_are_readable_by_their_owner_only(tmp_path: Path) -> None:
    """A crosswalk tells who was moved; a table is nobody else's business."""
    write_table(tmp_path / "table.csv", ["name"], [])
    assert (tmp_path / "table.csv").stat().st_mode & 0o077 == 0


def test_advice_in_rejects_csv_is_plain_ascii() -> None:
    """The file has no mark of its encoding, so every spreadsheet must read it right without one."""
    assert all(said.next_step.isascii() for said in REJECTED.values())


def _found() -> list[Difference]:
    return [
        Difference(
            "patients/1", "contact", "phone", Kind.NORMALISED, "0412 345 678", "+61412345678", "phone_format"
        ),
        Difference("patients/2", "contact", "phone", Kind.EQUAL, "+61412345678", "+61412345678"),
        Difference("patients/3", "contact", "city", Kind.MISSING, "Zürich\nNord", None),
    ]


def test_differences_are_counted_per_field_and_masked(tmp_path: Path) -> None:
    """Equal values are only counted; of the others the file names record and field, and the kind of value."""
    table = DifferenceTable()
    table.write(tmp_path / "differences.csv", _found())
    rows = table_of(tmp_path / "differences.csv")
    names = ["source", "object", "field", "kind", "source_value", "highlevel_value", "how"]
    assert list(rows[0]) == names
    assert [(row["source"], row["kind"], row["source_value"]) for row in rows] == [
        ("patients/1", "normalised", "(phone)"),
        ("patients/3", "missing", "(text)"),
    ]
    city, phone = table.summary()
    assert (phone["counts"]["equal"], phone["counts"]["normalised"]) == (1, 1)
    sample = {"kind": "missing", "source_value": "(text)", "highlevel_value": "(empty)", "how": ""}
    assert city["samples"] == [{"source": "patients/3", **sample}]
    assert phone["samples"][0]["how"] == rows[0]["how"] == "phone_format"
    assert [(item["source"], item["field"]) for item in table.first] == [("patients/3", "city")]


def test_an_extra_record_is_named_by_its_highlevel_id(tmp_path: Path) -> None:
    """It is in no crosswalk, so without the id nobody would find it; an id is no personal value."""
    table = DifferenceTable()
    extra = Difference("patients/1", "contact", "", Kind.EXTRA, None, "hlid123", "doubled")
    table.write(tmp_path / "differences.csv", [extra] * 30)
    (row, *_) = table_of(tmp_path / "differences.csv")
    assert (row["source_value"], row["highlevel_value"], row["how"]) == ("", "hlid123", "doubled")
    assert len(table.first) == 20


def test_values_are_shown_only_when_asked_for(tmp_path: Path) -> None:
    """Shown values survive a spreadsheet: marked as UTF-8, on one line, a leading plus harmless."""
    DifferenceTable(show_values=True).write(tmp_path / "differences.csv", _found())
    assert (tmp_path / "differences.csv").read_bytes().startswith(b"\xef\xbb\xbf")
    phone, city = table_of(tmp_path / "differences.csv", "utf-8-sig")
    assert phone["highlevel_value"] == "'+61412345678"
    assert (city["source_value"], city["highlevel_value"]) == ("Zürich\\nNord", "")


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ((None, "", [], {}), "(empty)"),
        ((True, False), "(yes or no)"),
        ((1, 2.5, "12.50", "-3"), "(number)"),
        (("1980-02-29", "1980-02-29T10:00:00Z"), "(date)"),
        (("someone@clinic.example",), "(e-mail)"),
        (("0412 345 678", "+61 2 9999 0000"), "(phone)"),
        (("male", "female", "a long text"), "(text)"),
        ((["a"], {"a": 1}), "(list)"),
    ],
)
def test_a_masked_value_tells_its_kind_only(values: tuple[object, ...], shown: str) -> None:
    """Two values of a kind look the same, whatever their length."""
    assert {masked(value) for value in values} == {shown}


@pytest.mark.parametrize(
    ("encoding", "separator", "end", "top"),
    [
        ("utf-8", ",", "\n", ""),
        ("utf-8-sig", ";", "\r\n", ""),
        ("cp1252", ";", "\r\n", ""),
        ("utf-16", "\t", "\r\n", ""),
        ("utf-8", ";", "\r", "sep=;"),
    ],
)
def test_a_table_is_read_as_any_spreadsheet_saves_it(
    tmp_path: Path, encoding: str, separator: str, end: str, top: str
) -> None:
    """Whatever its country's encoding and separator; columns may have changed places, blank lines been added."""
    rows = [
        ["Kind", "source", "value"],
        ["missing", "patients/1", "Zoë"],
        ["", "", ""],
    ]
    lines = [*([top] if top else []), *(separator.join(row) for row in rows)]
    path = tmp_path / "differences.csv"
    path.write_bytes(end.join(lines).encode(encoding))
    assert list(read_table(path, ("source", "kind"))) == [{"source": "patients/1", "kind": "missing"}]
    assert list(read_table(path, ("source",), ("kind", "source", "how"))) == [
        {"source": "patients/1", "kind": "missing"}
    ]
    with pytest.raises(ValueError, match="there is no column field"):
        list(read_table(path, ("source", "field")))


def test_who_reads_a_report_that_is_written_again_has_the_whole_of_one(tmp_path: Path) -> None:
    """A console or a scheduler may look at it just then: what it has begun to read is not cut off."""
    write_content(tmp_path, {"run_id": "first"}, "first page")
    before = [(tmp_path / name).open(encoding="utf-8") for name in ("report.json", "report.html")]
    write_content(tmp_path, {"run_id": "second"}, "second page")
    assert ["first" in file.read() for file in before] == [True, True]
    for file in before:
        file.close()
    assert {path.name for path in tmp_path.iterdir()} == {"report.json", "report.html"}
    assert "second" in (tmp_path / "report.json").read_text(encoding="utf-8")
