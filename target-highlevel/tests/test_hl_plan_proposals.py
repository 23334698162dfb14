"""What a plan proposes beside the mapping: users for practitioners, stages for appointment types."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hl_report_ledger import ReportedLedger, ledger_at

from target_highlevel.api.account import User
from target_highlevel.api.opportunities import Pipeline
from target_highlevel.plan.owners import owners
from target_highlevel.plan.prediction import stages

if TYPE_CHECKING:
    from pathlib import Path


def test_a_user_of_the_same_name_is_suggested_and_never_taken(tmp_path: Path) -> None:
    """Titles and order make no difference; two of a name, one who stands for somebody, and who has left suggest nobody."""
    reported = ReportedLedger(ledger_at(tmp_path))
    reported.begin("plan")
    reported.practitioner("practitioners/1", "u1")
    for number in (2, 3, 4, 5):
        reported.practitioner(f"practitioners/{number}", None, "no_user")
    reported.practitioner("practitioners/6", None, "inactive")
    names = {1: "Ann Sample", 2: "Dr. Bo Example", 3: "Cy Double", 4: "Ann Sample", 5: "", 6: "Di Left"}
    logins = {
        "u1": "Ann Sample",
        "u2": "EXAMPLE Bo",
        "u3": "Cy Double",
        "u4": "cy double",
        "u5": "",
        "u6": "Di Left",
    }
    users = {f"{key}@example.com": User(key, f"{key}@example.com", name) for key, name in logins.items()}
    told = {f"practitioners/{number}": name for number, name in names.items()}
    found = owners(reported.ledger, users, None, told, show_values=True)["practitioners"]
    assert {item["source"][-1]: item["suggested"] for item in found if item["suggested"]} == {"2": "u2"}
    assert {item["source"][-1]: item["user"] for item in found if item["user"]} == {"1": "u1"}
    assert next(item["email"] for item in found if item["suggested"]) == "u2@example.com"
    assert {item["source"]: item["name"] for item in found} == told
    masked = owners(reported.ledger, users, None, told)["practitioners"]
    assert not any(item["email"] or "name" in item for item in masked)


def test_a_stage_that_may_be_meant_is_named() -> None:
    """A stage is told by its exact name; one that differs a little is to be confirmed, and of others nothing is said."""
    pipeline = Pipeline("p", "Visits", {"First visit": "1", "review": "2", "Won": "3"})
    types = [
        {"source": f"appointment_types/{name}", "name": name} for name in ("First visit", "Review", "Massage")
    ]
    found = {item["name"]: (item["stage"], item["suggested"]) for item in stages(types, pipeline)}
    assert found == {
        "First visit": ("First visit", None),
        "Review": (None, "review"),
        "Massage": (None, None),
    }
    assert stages(types, None) == []
