"""What each page shows: pure reading of what the runs have left. What a page can start is in its template."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from migration_console.decisions import POINTS
from migration_console.mapping_file import PLACES
from migration_console.open_questions import fields as fields_of
from migration_console.open_questions import needs_decision, plan_of, sharing
from migration_console.project import VARIABLES
from migration_console.reports import WRITING_MODES, length, rows
from migration_console.requests import Refused
from migration_console.steps import State, current
from target_highlevel.assumptions.register import REGISTER
from target_highlevel.exit_codes import COMPLETE
from target_highlevel.plan.quality import DUPLICATES, PAIR
from target_highlevel.report.differences import COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from migration_console.console import Clinic
    from migration_console.reports import Report

#: How a report calls values that agree, as they are or in another spelling.
_AGREE = frozenset({"equal", "normalised"})
#: What tells of a difference where it is, and nothing of anybody.
_WHERE = frozenset({"source", "object", "field", "kind"})
#: Clinics whose ledgers are asked at the same time.
_AT_ONCE = 16
#: How many patients a sample has by itself, in a clinic that is large enough for it; of a small one a quarter.
_SAMPLE = 100
#: Rows of a long table on one page.
_PER_PAGE = 100
_PLACE = re.compile(r"\d{1,9}")


def clinics(known: Iterable[Clinic]) -> list[dict[str, Any]]:
    """Return a line for each clinic: where it is, what needs a person, and the step to go on with."""
    with ThreadPoolExecutor(_AT_ONCE) as pool:  # each asks its own ledger, on a server that may be far away
        return list(pool.map(_line, known))


def _line(clinic: Clinic) -> dict[str, Any]:
    steps = clinic.steps()
    return {
        "name": clinic.name,
        "newest": next(iter(clinic.reports.all()), None),
        "needs": [step for step in steps if step.state in {State.NEEDS_YOU, State.OUT_OF_DATE}],
        "running": clinic.jobs.running(),
        "is_begun": any(step.state is not State.NOT_STARTED for step in steps),
        "next": current(steps),
    }


def _zone(clinic: Clinic) -> str:
    """Return the clinic's time zone, as the newest plan found it."""
    account = _plan_of(clinic).get("account") or {}
    return account.get("time_zone") or "UTC"


def _connect(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    project = clinic.project
    tried = {key: clinic.jobs.newest(key) for key in ("probe-cliniko", "try-highlevel")}
    return {
        "variables": [(item, project.is_set(item.name)) for item in VARIABLES],
        "missing": project.missing(),
        "env_file": project.root / ".env",
        "tried": tried,
        "is_fine": {key: job is not None and job.state == "done" for key, job in tried.items()},
        "zone": _zone(clinic),
    }


def _probe(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    probe = clinic.probe()
    answers = [{**item, **_asked(item["question"], str(item["answer"]))} for item in probe.get("answers", ())]
    return {"probe": {**probe, "answers": answers} if probe else {}, "zone": _zone(clinic)}


def _asked(name: str, answer: str) -> dict[str, str]:
    """Return a question and its answer in words; a question of another version stands by its name."""
    known = REGISTER.get(name)
    unit = known.unit if known and known.unit != "status" else ""
    if unit and answer.isdecimal():
        told = f"{int(answer):,} {unit}"
    elif known and known.tried and answer == "unlimited":
        told = f"no limit up to {known.tried:,} {unit}"
    else:
        told = answer.replace("_", " ")
    return {"question": known.question if known else name.replace("_", " "), "answer": told}


def _plan(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    return {"report": clinic.reports.newest("plan", sample=False), "zone": _zone(clinic)}


def _plan_of(clinic: Clinic) -> dict[str, Any]:
    """Return what the newest plan of everything says; empty when there is none."""
    return plan_of(clinic.reports.newest("plan", sample=False))


def _is_stale(clinic: Clinic, plan: Report | None) -> bool:
    """Return whether the mapping was changed after a plan."""
    return plan is not None and clinic.mapping.changed > plan.started


def _map(clinic: Clinic, query: Mapping[str, str]) -> dict[str, Any]:
    plan = clinic.reports.newest("plan", sample=False)
    account = _plan_of(clinic).get("account") or {}
    fields = fields_of(_plan_of(clinic), clinic.mapping)
    chosen = query.get("show", "all")
    shown = [item for item in fields if _FILTERS.get(chosen, _FILTERS["all"])(item)]
    page, pages = _paged(query, len(shown))
    return {
        "plan": plan,
        "fields": shown[page * _PER_PAGE : (page + 1) * _PER_PAGE],
        "total": len(fields),
        "matching": len(shown),
        "page": page,
        "pages": pages,
        "show": chosen if chosen in _FILTERS else "all",
        "filters": list(_FILTERS),
        "places": PLACES,
        "account": account,
        "practitioners": [
            {**item, "number": item["source"].partition("/")[2]}
            for item in (_plan_of(clinic).get("owners") or {}).get("practitioners") or ()
        ],
        "revealed": query.get("values") == "shown",
        "without_user": len(plan.content.get("practitioners_without_user") or ()) if plan else 0,
        "owners": clinic.mapping.part("owners"),
        "move": [(name, MOVES.get(name, name), value) for name, value in clinic.mapping.part("move").items()],
        "insurers": _insurers(clinic, account),
        "made": (account.get("insurers") or {}).get("made") or [],
        "stages": {item["source"]: item for item in _plan_of(clinic).get("stages") or ()},
        "pipeline": clinic.project.variables.get("TARGET_HIGHLEVEL_PIPELINE", ""),
        "patients": account.get("patients") or (account.get("rows") or {}).get("patients"),
        "can_undo": clinic.mapping.can_undo(),
        "mapping_path": clinic.project.mapping,
        "zone": _zone(clinic),
    }


#: What the switches and days of the mapping's `move` are about.
MOVES = {
    "treatment_notes": "Treatment notes",
    "files": "Files of patients",
    "other_file_types": "Files of types that HighLevel refuses, each in a ZIP",
    "patient_forms": "Completed patient forms",
    "communications": "E-mails, SMS and memos kept in Cliniko, as notes",
    "confidential_communications": "Confidential memos among them",
    "archived_patients": "Archived patients",
    "deleted_records": "Deleted and archived bookings, notes and invoices",
    "oldest_visit": "Visits from this day on",
    "oldest_note": "Treatment notes from this day on",
    "oldest_invoice": "Invoices from this day on",
}


def _insurers(clinic: Clinic, account: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the insurers that fields of the clinic name, and what the mapping says of each."""
    part = clinic.mapping.part("insurers")
    nobody = {str(name).casefold() for name in part["not_an_insurer"] or ()}
    of = {str(also).casefold(): name for name, others in part["spellings"].items() for also in others or ()}
    names = (account.get("insurers") or {}).get("named_by_fields") or ()
    return [
        (name, "no insurer" if name.casefold() in nobody else of.get(name.casefold(), "")) for name in names
    ]


_FILTERS: dict[str, Callable[[dict[str, Any]], bool]] = {
    "all": lambda _: True,
    "needs a decision": needs_decision,
    "low confidence": lambda item: item.get("confidence") in {"medium", "none"},
    "filled": lambda item: bool(item.get("filled")),
    "decided": lambda item: bool(item["choice"]),
    "not as proposed": lambda item: bool(item["choice"]) and item["choice"] != item["target"],
}


def _paged(query: Mapping[str, str], total: int) -> tuple[int, int]:
    pages = max(1, -(-total // _PER_PAGE))
    return min(_place(query.get("page", "0")), pages - 1), pages


def _rows_of(
    report: Report | None, table: str, page: int, columns: Sequence[str], **without: Collection[str]
) -> list[dict[str, str]]:
    """Return a page of a table of a report, without the rows that have one of these values in a column."""
    return rows(report.folder / table, page * _PER_PAGE, _PER_PAGE, columns, without) if report else []


def _differences_of(report: Report | None, page: int) -> tuple[list[dict[str, str]], str]:
    """Return a page of what differs, and what is wrong with the table where a person has made it unreadable."""
    try:
        return _rows_of(report, "differences.csv", page, COLUMNS, kind=_AGREE), ""
    except ValueError as error:
        return [], str(error)


def _place(told: str) -> int:
    """Return the number that an address or a form names; 0 where it is none."""
    return int(told) if _PLACE.fullmatch(told) else 0


def _approve(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    plan = clinic.reports.newest("plan", sample=False)
    if plan is not None and not plan.content["plan"]:
        plan = None  # it did not come to its end
    return {
        "report": plan,
        "approved": clinic.approved,
        "approval": clinic.jobs.newest("approve"),
        "signature": clinic.signatures.all().get(f"plan/{plan.id}") if plan else None,
        "stale": _is_stale(clinic, plan),
        "location": clinic.project.location,
        "zone": _zone(clinic),
    }


def _sample(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    preview = clinic.reports.newest("plan", sample=True)
    patients = ((_plan_of(clinic).get("account") or {}).get("rows") or {}).get("patients")
    return {
        "preview": preview,
        "patients": patients,
        "proposed": _SAMPLE if patients is None else min(_SAMPLE, max(1, patients // 4)),
        "everything": clinic.reports.newest(*WRITING_MODES, sample=False),
        "shows": bool(preview and (preview.folder / "sheet.json").is_file()),
        "signature": clinic.signatures.all().get(f"sample/{preview.id}") if preview else None,
        "loaded": clinic.reports.newest("load", sample=True),
        "zone": _zone(clinic),
    }


def preview(clinic: Clinic, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return one patient of the newest preview, as both sides have it.

    Raises:
        Refused: there is no preview with values.
    """
    report = clinic.reports.newest("plan", sample=True)
    patients = clinic.reports.sheet(report).get("patients") if report else None
    if not report or not patients:
        raise Refused(404, "There is no preview with values. Make one on the page of the sample first.")
    place = min(_place(fields.get("patient", "0")), len(patients) - 1)
    return {
        "report": report,
        "patient": patients[place],
        "place": place,
        "number": len(patients),
        "zone": _zone(clinic),
    }


def _families(clinic: Clinic, query: Mapping[str, str]) -> dict[str, Any]:
    plan = clinic.reports.newest("plan", sample=False)
    total = length(plan.folder / DUPLICATES) if plan else 0
    page, pages = _paged(query, total)
    families = sharing(_plan_of(clinic), clinic.mapping)
    shown, family_pages = _paged({"page": query.get("family", "0")}, len(families))
    return {
        "report": plan,
        "shared": _plan_of(clinic).get("shared_addresses") or {},
        "families": families[shown * _PER_PAGE : (shown + 1) * _PER_PAGE],
        "families_total": len(families),
        "family_page": shown,
        "family_pages": family_pages,
        "can_undo": clinic.mapping.can_undo(),
        "stale": _is_stale(clinic, plan),
        "duplicates": _rows_of(plan, DUPLICATES, page, PAIR),
        "total": total,
        "page": page,
        "pages": pages,
        "zone": _zone(clinic),
    }


def _load(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "report": clinic.reports.newest(*WRITING_MODES, sample=False),
        "plan": clinic.reports.newest("plan", sample=False),
        "approved": clinic.approved,
        "job": clinic.jobs.newest("load", "full-refresh", "retry"),
        "zone": _zone(clinic),
    }


def _check(clinic: Clinic, query: Mapping[str, str]) -> dict[str, Any]:
    report = clinic.reports.newest("verify", sample=False)
    fields = [item for item in (report.content["differences"] or ()) if _differs(item)] if report else []
    fields.sort(key=_differs, reverse=True)
    total = sum(map(_differs, fields))
    page, pages = _paged(query, total)
    shown, unreadable = _differences_of(report, page) if total else ([], "")
    revealed = query.get("values") == "shown"
    is_hidden = bool(report and report.content["shows_values"]) and not revealed
    columns = [name for name in shown[0] if name in _WHERE or not is_hidden] if shown else []
    return {
        "report": report,
        "fields": [(item, differing(item["counts"])) for item in fields],
        "rows": shown,
        "unreadable": unreadable,
        "columns": columns,
        "total": total,
        "page": page,
        "pages": pages,
        "revealed": revealed,
        "zone": _zone(clinic),
    }


def _differs(item: Mapping[str, Any]) -> int:
    """Return how many records differ in a field."""
    return sum(number for _, number in differing(item["counts"]))


def differing(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Return the counts of a field that are differences, by their kind."""
    return [(kind, number) for kind, number in counts.items() if number and kind not in _AGREE]


def _go_live(clinic: Clinic, _query: Mapping[str, str]) -> dict[str, Any]:
    return {
        "load": clinic.reports.newest(*WRITING_MODES, sample=False),
        "checked": clinic.reports.newest("verify", sample=False),
        "answer": clinic.answer,
        "asked": clinic.jobs.newest("go-live"),
        "points": POINTS,
        "signed": clinic.signatures.all(),
        "zone": _zone(clinic),
    }


def _undo(clinic: Clinic, query: Mapping[str, str]) -> dict[str, Any]:
    reports = clinic.reports.all()
    results = [item for item in reports if item.mode == "rollback"]
    undone = {item.undoes for item in results if item.exit_code == COMPLETE}
    writing = [item for item in reports if item.mode in WRITING_MODES and item.may_be_undone]
    standing = next((item for item in writing if item.id not in undone), None)
    preview = clinic.jobs.newest("undo-plan")
    shown = preview.line if preview and writing and preview.at > writing[0].started else ""
    looked_at = next((item for item in writing if item.id in shown and item.id not in undone), standing)
    chosen = next((item for item in writing if item.id == query.get("run")), looked_at)
    return {
        "choices": writing[:_PER_PAGE],
        "undone": undone,
        "chosen": chosen,
        "preview": preview if preview and chosen and chosen.id in preview.line else None,
        "result": next(iter(results), None),
        "zone": _zone(clinic),
    }


def _runs(clinic: Clinic, query: Mapping[str, str]) -> dict[str, Any]:
    reports: list[Report] = clinic.reports.all()
    page, pages = _paged(query, len(reports))
    return {
        "reports": reports[page * _PER_PAGE : (page + 1) * _PER_PAGE],
        "total": len(reports),
        "oldest": reports[-1] if reports else None,
        "handover": clinic.jobs.newest("handover"),
        "handovers": clinic.reports.of_several()[:_PER_PAGE],
        "page": page,
        "pages": pages,
        "zone": _zone(clinic),
    }


PAGES: dict[str, Callable[[Clinic, Mapping[str, str]], dict[str, Any]]] = {
    "connect": _connect,
    "probe": _probe,
    "plan": _plan,
    "map": _map,
    "approve": _approve,
    "sample": _sample,
    "families": _families,
    "load": _load,
    "check": _check,
    "go-live": _go_live,
    "undo": _undo,
    "runs": _runs,
}
