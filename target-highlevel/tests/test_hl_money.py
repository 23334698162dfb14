"""Sums of money agree to the cent on both sides, or the records that keep them from it are named."""

from __future__ import annotations

import csv
import json
import random
import time
from collections import Counter, defaultdict
from decimal import Decimal
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hl_report_ledger import handed_over

from cliniko_to_highlevel.core import MessageMapper
from sandbox.highlevel.damage import Damage
from target_highlevel.descriptor import Incoming, StreamSpec, incoming, stream_spec
from target_highlevel.ledger.intake import Intake
from target_highlevel.ledger.ledger import Ledger
from target_highlevel.ledger.money import money_rows
from target_highlevel.ledger.rows import Notes, Outcome, Status
from target_highlevel.ledger.tables import record
from target_highlevel.ledger.transitions import RECEIVED
from target_highlevel.ledger.work import Work
from target_highlevel.money import in_highlevel
from target_highlevel.report.money import content, summed, table
from target_highlevel.report.money_rows import money_row
from target_highlevel.report.window import window_content

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hl_loading import Clinic, Loader

INVOICE, ITEM = "custom_objects.cliniko_invoice", "custom_objects.cliniko_invoice_line_item"
STATUSES = {10: "Open", 20: "Paid", 30: "Closed", 40: "Open credit"}
CURRENCIES = {"AU": "AUD", "NZ": "NZD", "GB": "GBP", "IE": "EUR"}
PLACES = {"1": "Main Street", "2": "Harbour"}


class MadeUp:
    """A clinic's invoices as Cliniko's API writes them, and their sums in whole hundredths of a cent."""

    def __init__(self, seed: int) -> None:
        self.dice = random.Random(seed)  # noqa: S311 - a clinic, no secret
        self.country = self.dice.choice(sorted(CURRENCIES))
        self.rows: dict[str, list[dict[str, Any]]] = {"invoices": [], "invoice_items": []}
        self.sums: Counter[tuple[str, ...]] = Counter()
        self.numbers: Counter[tuple[str, ...]] = Counter()
        for number in range(self.dice.randrange(1, 9)):
            self._invoice(str(1000 + number))

    def _invoice(self, identity: str) -> None:
        status, year = self.dice.choice(sorted(STATUSES)), self.dice.choice(("2019", "2024", "2025"))
        place = self.dice.choice(sorted(PLACES))
        group = (CURRENCIES[self.country], PLACES[place], year, STATUSES[status])
        total = 0
        for item in range(self.dice.randrange(4)):
            hundredths = self.dice.randrange(-50_000, 900_000)
            total += hundredths
            amount = self._written(hundredths)
            # the API gives the price of a line as a number, the total of an invoice as text
            row = {"id": f"{identity}{item}", "invoice_id": identity, "total_including_tax": float(amount)}
            self.rows["invoice_items"].append(row)
            self._count(ITEM, group, hundredths)
        self.rows["invoices"].append(
            {
                "id": identity,
                "status": status,
                "issue_date": f"{year}-03-01",
                "business_id": place,
                "total_amount": self._written(total),
                "number": int(identity),
                # a date that nobody can read: the invoice is refused, and its amount counts all the same
                "closed_at": "soon" if self.dice.random() < 0.1 else None,
            }
        )
        self._count(INVOICE, group, total)

    def _count(self, object_: str, group: tuple[str, ...], hundredths: int) -> None:
        self.sums[object_, *group] += hundredths
        self.numbers[object_, *group] += 1

    def _written(self, hundredths: int) -> str:
        sign, whole = "-" if hundredths < 0 else "", f"{abs(hundredths):05}"
        return self.dice.choice((f"{sign}{whole[:-4]}.{whole[-4:]}", str(Decimal(hundredths) / 10_000)))

    def mapped(self) -> Iterator[Incoming]:
        """Yield the mapped records as the target takes them in."""
        mapper, specs = mapper_of(self.country)
        for stream, rows in self.rows.items():
            for row in rows:
                for message in mapper.record({"type": "RECORD", "stream": stream, "record": row}):
                    yield incoming(specs[message["stream"]], message["record"])


@cache
def mapper_of(country: str) -> tuple[MessageMapper, dict[str, StreamSpec]]:
    """Return a mapper that knows the account and its locations, and what it says of its streams."""
    mapper = MessageMapper()
    account = {"id": "1", "account": {"country_code": country}}
    list(mapper.record({"type": "RECORD", "stream": "public_settings", "record": account}))
    for identity, name in PLACES.items():
        place = {"id": identity, "business_name": name}
        list(mapper.record({"type": "RECORD", "stream": "businesses", "record": place}))
    schemas = [
        message
        for stream in ("invoices", "invoice_items")
        for message in mapper.schema({"type": "SCHEMA", "stream": stream})
    ]
    return mapper, {message["stream"]: spec for message in schemas if (spec := stream_spec(message))}


class Load:
    """A load of a made-up clinic into a ledger: HighLevel refuses some records and leaves some waiting."""

    def __init__(self, clinic: MadeUp, url: str, location: str) -> None:
        self.ledger = Ledger(url, location)
        self.work = Work(self.ledger, self.ledger.begin_run("load"))
        items = list(clinic.mapped())
        Intake(self.ledger, self.work.run).take(items)
        self.written: dict[str, dict[str, str]] = {}
        specs = {item.spec.stream: item.spec for item in items}
        currency = CURRENCIES[clinic.country]
        for row in self.work.claim(1000, ()):
            if row.object == "relation" or clinic.dice.random() < 0.1:
                self.work.reject(row, "refused")
                continue
            self.written[row.ref] = in_highlevel(specs[row.stream], row.fields, currency)
            self.settle(row.ref)

    def settle(self, ref: str, **damaged: str) -> None:
        """Have a record hold what was written, or something else."""
        with self.ledger.transaction() as connection:
            again = record.update().where(record.c.ref == ref).values(status=Status.READY.value)
            connection.execute(again, execution_options=RECEIVED.options)
        row = self.work.row(ref)
        assert row is not None
        notes = Notes(money={**self.written[ref], **damaged})
        self.work.settle(row, Outcome.CREATED, hl_id=f"hl {ref}", written={}, notes=notes)


@pytest.mark.parametrize("clinics", [40, pytest.param(300, marks=pytest.mark.soak)])
def test_the_sums_of_many_clinics(clinics: int, tmp_path: Path) -> None:
    """Cliniko's sums are those of its rows, in the handover too; what HighLevel lacks is listed; a cent's damage is named."""
    seen: Counter[str] = Counter()
    for seed in range(clinics):
        clinic = MadeUp(seed)
        load = Load(clinic, f"sqlite:///{tmp_path}/ledger.db", f"clinic{seed}")
        told = content(summed(money_rows(load.ledger)))
        assert told is not None
        found: Counter[tuple[str, ...]] = Counter()
        numbers: Counter[tuple[str, ...]] = Counter()
        for item in told["sums"]:
            key = tuple(item[name] for name in ("object", "currency", "business", "year", "status"))
            found[key] = int(Decimal(item["cliniko"]) * 10_000)
            numbers[key] = item["cliniko_records"]
        assert found == clinic.sums, seed
        assert numbers == clinic.numbers, seed
        assert told["agrees"], told["differing"]
        if seed % 10 == 0:
            assert window_content(handed_over(load.ledger, [load.work.run]))["money"] == told, seed
        apart: defaultdict[str, Decimal] = defaultdict(Decimal)
        for item in told["explained"]:
            apart[item["object"]] += Decimal(item["amount"])
            seen[item["outcome"]] += item["records"]
        for item in told["totals"]:
            assert Decimal(item["highlevel"]) + apart[item["object"]] == Decimal(item["cliniko"]), seed
        if load.written:
            ref = clinic.dice.choice(sorted(load.written))
            amount = Decimal(load.written[ref].get("amount", "0")) + Decimal("0.01")
            load.settle(ref, amount=str(amount))
            damaged = content(summed(money_rows(load.ledger)))
            assert damaged is not None
            assert not damaged["agrees"]
            [named] = damaged["differing"]["records"]
            assert f"{named['object']}:{named['source']}" == ref
            assert (named["differs_in"], named["difference"]) == ("amount", "0.01")
            seen["damaged"] += 1
        load.ledger.close()
    assert seen["rejected"] > clinics, seen
    assert seen["damaged"] > clinics * 0.8, seen


@pytest.mark.parametrize(
    ("there", "differs_in"),
    [
        ({"status": "Open"}, "status"),
        ({"year": "1999"}, "year"),
        ({"business": "Elsewhere"}, "business"),
        ({"currency": "USD"}, "currency"),
        ({"amount": ""}, "amount"),
        ({"amount": "NaN"}, "amount"),
        ({"amount": "-Infinity"}, "amount"),
        ({"amount": "1E+999999"}, "amount"),
    ],
)
def test_whatever_a_sum_is_made_of_is_compared(
    ledger_url: str, there: dict[str, str], differs_in: str
) -> None:
    """Another status, year, location or currency puts a record into another sum: it is named."""
    clinic = MadeUp(3)
    clinic.rows["invoice_items"] = []
    clinic.rows["invoices"] = [{**clinic.rows["invoices"][0], "status": 20, "closed_at": None}]
    load = Load(clinic, ledger_url, "clinic")
    load.settle(next(iter(load.written)), **there)
    sums = summed(money_rows(load.ledger))
    told = content(sums)
    assert told is not None
    assert [item["differs_in"] for item in told["differing"]["records"]] == [differs_in]
    assert [row[0] for row in table(sums, show_values=False)] == ["invoices/1000"]
    [entry] = [each for each in handed_over(load.ledger, ()).entries() if each.section == "money"]
    word = "location" if differs_in == "business" else differs_in
    assert entry.meaning == f"It has another {word} in HighLevel."
    shown = [money_row(item) for item in told["sums"]]
    assert len({row[:4] for row in shown}) == len(
        shown
    )  # what is summed apart is told apart, its currency too
    load.ledger.close()


def test_what_an_earlier_version_has_loaded(tmp_path: Path) -> None:
    """Records whose amounts nobody has kept are counted apart: nothing is said to agree that nobody knows."""
    clinic = MadeUp(3)
    clinic.rows["invoice_items"] = []
    clinic.rows["invoices"] = [{**row, "closed_at": None} for row in clinic.rows["invoices"]]
    load = Load(clinic, f"sqlite:///{tmp_path}/ledger.db", "clinic")
    assert len(load.written) > 1
    old = min(load.written)
    with load.ledger.transaction() as connection:
        connection.execute(record.update().where(record.c.ref == old).values(money=None, notes=None))
    told = content(summed(money_rows(load.ledger)))
    assert told is not None
    assert (told["unknown"], told["differing"]["count"], told["agrees"]) == ({INVOICE: 1}, 0, False)
    load.ledger.close()


def test_what_somebody_deleted_in_highlevel_counts_there_no_more(tmp_path: Path) -> None:
    """The ledger learned of it when it could not change the invoice: the sum there is without it, and it is named."""
    load = Load(MadeUp(1), f"sqlite:///{tmp_path / 'ledger.db'}", "place1")
    ref = next(ref for ref in load.written if ref.startswith(f"{INVOICE}:"))
    before = content(summed(money_rows(load.ledger)))
    row = load.work.row(ref)
    assert before is not None
    assert row is not None
    with load.ledger.transaction() as connection:
        again = record.update().where(record.c.ref == ref).values(status=Status.READY.value)
        connection.execute(again, execution_options=RECEIVED.options)
    load.work.reject(row, "deleted_in_highlevel")
    told = content(summed(money_rows(load.ledger)))
    assert told is not None
    numbers = [item["totals"][0]["highlevel_records"] for item in (before, told)]
    assert numbers[1] == numbers[0] - 1
    assert ("missing", "deleted_in_highlevel") in {
        (item["kind"], item["reason"]) for item in told["explained"]
    }
    load.ledger.close()


def money_of(loader: Loader, lines: list[str], **more: str) -> dict[str, Any]:
    """Return what a run says of money; its page and its table say the same."""
    report = loader.load(lines, **more).report
    folder = loader.folder / "reports" / report["run_id"]
    with (folder / "money.csv").open(encoding="utf-8", newline="") as file:
        listed = list(csv.DictReader(file))
    told: dict[str, Any] = report["money"]
    named = [item["source"] for item in told["differing"]["records"]]
    assert [row["source"] for row in listed if row["kind"] == "different"] == named
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Sums of money" in page
    return told


def test_a_cent_in_highlevel(highlevel: Callable[..., Loader], small_clinic: Clinic) -> None:
    """Plan, load, verify and the report of several agree on the sums; a cent of somebody's is found by record."""
    loader = highlevel()
    lines = small_clinic.lines
    rows = [json.loads(line) for line in lines]
    cliniko = sum(
        Decimal(str(row["record"]["total_amount"]))
        for row in rows
        if row["type"] == "RECORD" and row["stream"] == "invoices"
    )
    planned = money_of(loader, lines, MODE="plan")
    loaded = money_of(loader, lines)
    read = money_of(loader, lines, MODE="verify")
    for told in (planned, loaded, read):
        assert told["agrees"]
        assert told["totals"] == loaded["totals"]
        assert told["sums"] == loaded["sums"]
    assert Decimal(loaded["totals"][0]["cliniko"]) == Decimal(loaded["totals"][0]["highlevel"]) == cliniko
    assert (loaded["read_back"], read["read_back"]) == (False, True)
    assert "the same in HighLevel" in loader.tool("go-live").stdout
    state = loader.sandbox.highlevel.state
    identity, found = next(item for item in sorted(state.records.items()) if item[1]["objectKey"] == INVOICE)
    there = found["properties"]["total_amount"]
    before = Decimal(str(there["value"]))
    changed = {**there, "value": float(before + Decimal("0.01"))}
    Damage(state.main, loader.sandbox.highlevel.control).edit_record(identity, total_amount=changed)
    time.sleep(state.options.search_lag)
    damaged = money_of(loader, lines, MODE="verify")
    assert not damaged["agrees"]
    [named] = damaged["differing"]["records"]
    source = found["properties"]["source_system_id"]
    assert (named["source"], named["difference"], named["cliniko"]) == (source, "0.01", None)
    shown = money_of(loader, lines, MODE="verify", SHOW_VALUES="true")["differing"]["records"][0]
    assert Decimal(shown["cliniko"]) == before
    ended = loader.tool("go-live")
    assert ended.returncode == 5
    assert "(0.01)" in ended.stdout
