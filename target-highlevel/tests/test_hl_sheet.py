"""The sheet of a sample: every field of every patient as HighLevel holds it, beside what Cliniko says."""

from __future__ import annotations

import json
import re
import shutil
import time
from decimal import Decimal
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from hl_loading import Loader, a_sandbox, tap_lines
from playwright.sync_api import sync_playwright

from sandbox.highlevel.damage import Damage

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from hl_loading import Clinic

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PATIENTS = 20
PROFILE, INVOICE = "custom_objects.cliniko_patient_profile", "custom_objects.cliniko_invoice"
ITEM = f"{INVOICE}_line_item"
#: Fields that are not simply a value of the sandbox's: written under another name, or put together.
ELSEWHERE = {"owner", "tags", "user", "due", "dnd_email", "dnd_sms", "file_sha256"}

#: Fields that HighLevel gives a contact by itself, and the files, which have blocks of their own.
OF_HIGHLEVEL = {
    "id", "locationId", "dateAdded", "dateUpdated", "contactName", "type", "assignedTo", "companyId", "cliniko_files",
}  # fmt: skip

# One sample for all.
pytestmark = pytest.mark.xdist_group("sheet")


class Sheet(HTMLParser):
    """A sheet, read as a person reads it: patient → record → field → (kind, Cliniko's side, HighLevel's side)."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.patients: dict[str, dict[str, dict[str, tuple[str, list[str], str]]]] = {}
        self._texts: list[str] = []
        self._patient = self._ref = self._field = self._kind = ""
        self._depth: list[str] = []
        self._pieces: list[str] = []
        self._there = ""
        self.feed(page)
        self.text = "".join(self._texts)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where the text that follows belongs."""
        told = {name: value or "" for name, value in attrs}
        if "data-patient" in told:
            self._patient = told["data-patient"]
            self.patients[self._patient] = {}
        if "data-ref" in told:
            self._ref = told["data-ref"]
            self.patients[self._patient][self._ref] = {}
        if "data-field" in told:
            self._field, self._kind, self._pieces, self._there = told["data-field"], told["data-kind"], [], ""
        if tag == "span":
            self._depth.append(told.get("class", ""))
            if told.get("class") == "piece":
                self._pieces.append("")

    def handle_endtag(self, tag: str) -> None:
        """Keep a row when it ends."""
        if tag == "span" and self._depth:
            self._depth.pop()
        if tag == "tr" and self._field:
            record = self.patients[self._patient][self._ref]
            record[self._field] = (self._kind, self._pieces, self._there)
            self._field = ""

    def handle_data(self, data: str) -> None:
        """Take text."""
        self._texts.append(data)
        if self._depth and self._depth[-1] == "there":
            self._there += data
        elif "piece" in self._depth and "soft" not in self._depth:
            self._pieces[-1] += data


class Sample:
    """Twenty patients in Cliniko and HighLevel, and their sheets before and after the load."""

    def __init__(self, loader: Loader, lines: list[str]) -> None:
        self.loader, self.lines = loader, lines
        self.preview = self.sheet("plan")
        assert loader.load(lines).code in {0, 4}
        time.sleep(loader.sandbox.highlevel.state.options.search_lag)
        self.read_back = self.sheet("verify")
        self.rows: dict[str, dict[str, Any]] = {}
        for line in map(json.loads, lines):
            if line["type"] == "RECORD" and "id" in line["record"]:
                self.rows[f"{line['stream']}/{line['record']['id']}"] = line["record"]

    def sheet(self, mode: str) -> Sheet:
        """Return the sheet of a plan or a verification with values."""
        report = self.loader.load(self.lines, MODE=mode, SHOW_VALUES="true").report
        folder = self.loader.folder / "reports" / report["run_id"]
        self.told = json.loads((folder / "sheet.json").read_text(encoding="utf-8"))["patients"]
        assert {oct((folder / name).stat().st_mode & 0o777) for name in ("sheet.html", "sheet.json")} == {
            "0o600"
        }
        return Sheet((folder / "sheet.html").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sample]:
    """A sample of twenty of forty patients, previewed, loaded and read back."""
    folder = tmp_path_factory.mktemp("sample")
    with a_sandbox(40) as sandbox:
        with pytest.MonkeyPatch.context() as patch:  # other tests read whole clinics
            patch.setenv("TAP_CLINIKO_SAMPLE_PATIENTS", str(PATIENTS))
            lines = tap_lines(sandbox, folder)
        yield Sample(Loader(sandbox, folder), lines)


def test_the_sheet_is_written_as_json_too(sample: Sample) -> None:
    """The same patients, records, fields and sides as on the page."""
    told = {
        patient["patient"]: {
            block["ref"]: {item["name"]: (item["kind"], item["highlevel"]) for item in block["fields"]}
            for block in patient["blocks"]
        }
        for patient in sample.told
    }
    read = {
        patient: {
            ref: {name: (kind, there) for name, (kind, _, there) in fields.items()}
            for ref, fields in records.items()
        }
        for patient, records in sample.read_back.patients.items()
    }
    assert len(told) == PATIENTS
    assert told == read


def of_highlevel(sample: Sample) -> dict[str, dict[str, str]]:
    """Return what the sandbox holds, by ref and by the name of the field: an answer of its own to what a sheet says."""
    state = sample.loader.sandbox.highlevel.state
    keys = {field["id"]: field["fieldKey"].rpartition(".")[2] for field in state.contact_fields.values()}
    options = {
        (field["objectKey"], field["fieldKey"].rpartition(".")[2], option["key"]): option["label"]
        for field in state.object_fields.values()
        for option in field.get("options") or ()
    }
    found: dict[str, dict[str, str]] = {}
    for contact in state.contacts.values():
        values = {keys[name]: value for name, value in contact["customFields"].items()}
        ref = f"contact:{values['source_system_id']}"
        plain = {name: value for name, value in contact.items() if isinstance(value, str)}
        found[ref] = {
            name: said(value) for name, value in {**plain, **values}.items() if not isinstance(value, dict)
        }
    for record in state.records.values():
        key, properties = record["objectKey"], record["properties"]
        named = {
            name: said(
                [
                    options.get((key, name, each), each) if isinstance(each, str) else each
                    for each in listed(value)
                ]
            )
            for name, value in properties.items()
        }
        found[f"{key}:{properties['source_system_id']}"] = named
    for table, kind in (("notes", "note"), ("tasks", "appointment")):
        for row in getattr(state, table).values():
            marker = row["body"].rsplit("cliniko:", 1)[1].strip()
            found[f"{kind}:{marker}"] = {name: said(row.get(name)) for name in ("title", "body", "completed")}
            found[f"{kind}:{marker}"]["pinned"] = "yes" if row.get("pinned") else ""
    return found


def listed(value: Any) -> list[Any]:
    """Return several values, or one, as a list."""
    return value if isinstance(value, list) else [value]


def said(value: Any) -> str:
    """Return a value as people would write it."""
    if isinstance(value, list):
        return "; ".join(sorted(said(item) for item in value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return said(value["value"])
    if isinstance(value, (int, float, Decimal)):
        return f"{Decimal(str(value)).normalize():f}"
    return "" if value is None else str(value)


def test_twenty_sheets_equal_an_independent_comparison(sample: Sample) -> None:
    """Each field on the right is what the sandbox holds, and nothing that it holds of the patient is left away."""
    there = of_highlevel(sample)
    sheets = sample.read_back.patients
    contacts = {ref for ref in there if ref.startswith("contact:patients/")}
    shown = {ref for records in sheets.values() for ref in records if ref.startswith("contact:")}
    assert shown == contacts
    assert len(sheets) >= PATIENTS
    compared = 0
    seen: set[str] = set()
    for records in sheets.values():
        for ref, fields in records.items():
            seen.add(ref)
            if ref.startswith("file:"):
                continue
            for name, (kind, _, value) in fields.items():
                assert kind in {"equal", "normalised"}, (ref, name)
                if name not in ELSEWHERE:
                    assert value.casefold() == there[ref].get(name, "").casefold(), (ref, name)
                    compared += 1
            named = {name for name, value in there[ref].items() if value}
            missed = {
                name
                for name in named - fields.keys() - OF_HIGHLEVEL
                if not name.endswith(("Raw", "LowerCase"))
            }
            assert not missed, ref
    assert compared > 2000
    patients = [
        ref for ref in there if ref.partition(":")[0] in {"note", "appointment", PROFILE, INVOICE, ITEM}
    ]
    assert not [ref for ref in patients if ref not in seen]


def test_the_left_side_is_what_cliniko_says(sample: Sample) -> None:
    """Names, birth dates, addresses and totals on the left are the very values of Cliniko's rows."""
    checked = 0
    for records in sample.read_back.patients.values():
        for ref, fields in records.items():
            row = sample.rows.get(ref.partition(":")[2].partition("#")[0])
            for name, raw in (
                ("firstName", "first_name"),
                ("lastName", "last_name"),
                ("dateOfBirth", "date_of_birth"),
                ("city", "city"),
                ("total_amount", "total_amount"),
                ("item_name", "name"),
            ):
                if row and name in fields and row.get(raw) and fields[name][1]:
                    assert said(row[raw]).strip() in {said(piece).strip() for piece in fields[name][1]}, (
                        ref,
                        name,
                    )
                    checked += 1
    assert checked > 150


def test_every_value_on_the_left_stands_in_a_row_of_this_patient(sample: Sample) -> None:
    """Each of Cliniko's values on a sheet, field for field, is in that field of a row of the patient's or of the clinic's."""
    owned: dict[str, list[dict[str, Any]]] = {}
    for ref, row in sample.rows.items():
        invoice = sample.rows.get(f"invoices/{row.get('invoice_id')}", {})
        itself = row["id"] if ref.startswith("patients/") else ""
        owner = row.get("patient_id") or invoice.get("patient_id") or itself
        owned.setdefault(str(owner or ""), []).append(row)
    checked = 0
    for patient in sample.told:
        rows = [*owned[patient["patient"].rpartition("/")[2]], *owned[""]]
        for block in patient["blocks"]:
            for field in block["fields"]:
                for piece in field["cliniko"]:
                    assert any(holds(row, piece) for row in rows), (
                        block["ref"],
                        field["name"],
                        piece["field"],
                    )
                    checked += 1
    assert checked > 3000


def holds(row: dict[str, Any], piece: dict[str, str]) -> bool:
    """Return whether a row has a value of a sheet in its field: a reference with its name, an answer below its question."""
    column, *below = re.sub(r" \d+$", "", piece["field"]).split(" / ")  # the second of several phones, say
    if column not in row:
        return False
    value = row[column]
    if not isinstance(value, (dict, list)):
        return piece["value"] in {said(value), f"{said(value)} {piece['value'].partition(' ')[2]}"}
    inside = {said(item) for item in leaves(value)}
    named = set(below) - {word for word in below if word.isdecimal()}
    answers = [{piece["value"]}, set(piece["value"].split(" · ")), set(piece["value"].split(", "))]
    return named <= inside and any(found <= inside for found in answers)


def leaves(value: Any) -> Iterator[Any]:
    """Yield every value within a value."""
    if isinstance(value, (dict, list)):
        for item in value.values() if isinstance(value, dict) else value:
            yield from leaves(item)
    else:
        yield value


def test_a_preview_shows_what_the_load_then_makes(sample: Sample) -> None:
    """Before the load the right side says what is to come; afterwards the same is read back."""
    before, after = sample.preview.patients, sample.read_back.patients
    assert before.keys() == after.keys()
    for patient, records in before.items():
        assert records.keys() == after[patient].keys()
        for ref, fields in records.items():
            for name, (kind, pieces, value) in fields.items():
                assert kind == "planned"
                if name in {"completed"} | ELSEWHERE:
                    continue
                _, pieces_then, value_then = after[patient][ref].get(name, ("", [], ""))
                assert (value.casefold(), pieces) == (value_then.casefold(), pieces_then), (ref, name)


def test_a_sheet_says_that_others_may_keep_what_is_shared(sample: Sample) -> None:
    """Who shares an e-mail or phone with somebody outside the sample is not known to it."""
    for sheet in (sample.preview, sample.read_back):
        assert "an e-mail or phone that is shared with another patient may stay with that one" in sheet.text


def test_what_is_left_out_is_said(sample: Sample) -> None:
    """A patient's refused and left-out records stand on the page with their reasons, and so do fields that do not move."""
    text = sample.read_back.text
    assert "Not in HighLevel, and why" in text
    assert "The patient has not filled in the form yet." in text
    assert "Fields that do not move, and why" in text
    assert "This sheet is a patient record." in text
    assert "name, date, signature" in text
    secrets = [row["telehealth_url"] for row in sample.rows.values() if row.get("telehealth_url")]
    assert not [secret for secret in secrets if secret in text]


@pytest.mark.browser
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the sheet was not looked at in a browser")
@pytest.mark.parametrize("width", [1280, 360])
def test_the_sheet_in_a_browser(sample: Sample, width: int) -> None:
    """Nothing is fetched, nothing is wider than the screen, and each patient begins a printed page."""
    page_file = max(sample.loader.folder.glob("reports/*/sheet.html"))
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900})
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(page_file.as_uri())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert asked == [page_file.as_uri()]
        page.emulate_media(media="print")
        assert page.evaluate("getComputedStyle(document.querySelector('.patient')).breakBefore") == "page"
        browser.close()


def test_a_person_s_change_stands_out(sample: Sample) -> None:
    """Another value in HighLevel is shown beside Cliniko's, marked."""
    state = sample.loader.sandbox.highlevel.state
    identity, record = next(item for item in state.records.items() if item[1]["objectKey"] == INVOICE)
    Damage(state.main, sample.loader.sandbox.highlevel.control).edit_record(identity, invoice_number="9999-x")
    time.sleep(state.options.search_lag)
    ref = f"{INVOICE}:{record['properties']['source_system_id']}"
    sheet = sample.sheet("verify")
    [fields] = [records[ref] for records in sheet.patients.values() if ref in records]
    kind, pieces, value = fields["invoice_number"]
    assert (kind, value) == ("different", "9999-x")
    assert pieces[0].strip() == record["properties"]["invoice_number"]


def test_no_sheet_without_values_or_without_a_sample(
    sample: Sample, tmp_path: Path, small_clinic: Clinic
) -> None:
    """Personal data is written only where it was asked for, and never of a whole clinic."""
    report = sample.loader.load(sample.lines, MODE="plan").report
    folder = sample.loader.folder / "reports" / report["run_id"]
    assert not (folder / "sheet.html").exists()
    with a_sandbox() as sandbox:
        loader = Loader(sandbox, tmp_path)
        report = loader.load(small_clinic.lines, MODE="plan", SHOW_VALUES="true").report
    assert not (tmp_path / "reports" / report["run_id"] / "sheet.html").exists()
