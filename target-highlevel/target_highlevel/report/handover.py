"""The handover: all that single reports list of a migration, once, each record with a way to it in HighLevel."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from target_highlevel.exit_codes import VERIFIED
from target_highlevel.ledger import counts
from target_highlevel.ledger.handover import Whereabouts, missed_records, unusable_addresses
from target_highlevel.ledger.identity import Identity
from target_highlevel.ledger.money import money_rows
from target_highlevel.ledger.unplaced import AWAITED
from target_highlevel.preflight.admission import mapping_digest, newest_plan
from target_highlevel.report import money
from target_highlevel.report.agreement import newest_of_everything
from target_highlevel.report.listed import Entry, undone, verified
from target_highlevel.report.moments import clinic_zone, moment
from target_highlevel.report.wording import NOT_TAKEN, WITHHELD, label, meaning
from target_highlevel.texts import counted
from target_highlevel.withheld import REFUSED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from target_highlevel.ledger.ledger import Ledger
    from target_highlevel.settings import Settings

TABLE = "handover.csv"
COLUMNS = (
    "section",
    "source",
    "object",
    "name",
    "field",
    "reason",
    "meaning",
    "what_to_do",
    "contact",
    "link",
)
#: In the order in which they are read.
SECTIONS = {
    "refused": "Refused by HighLevel or by the mapping",
    "undone": "Brought by an undone run, found missing or not compared yet, until a full read brings it again",
    "waiting": "Waiting",
    "left_out": "Left out on purpose",
    "withheld": "E-mails and phones not given to a contact, because another one has them",
    "unusable": "E-mails and phones that cannot be used",
    "not_taken": "Values that HighLevel did not take whole",
    "conflicts": "Changed by a person in HighLevel and in Cliniko",
    "practitioners": "Practitioners without a user",
    "practitioners_left": "Practitioners who have left",
    "money": "Sums of money that do not agree",
    "missing": "Missing in HighLevel, as the newest verification found",
    "different": "With other values than in Cliniko, as the newest verification found",
    "kept": "With what people entered, as the newest verification found",
    "extra": "In HighLevel only, as the newest verification found",
    "unreadable": "Not read back by the newest verification",
    "spared": "Left alone by an undo",
    "left": "Still there after an undo",
}
_OUTCOMES = {"rejected": "refused", "held": "waiting", "filtered": "left_out"}
_MOST_NAMED = 20
_APART = "The contact was made without it, and nobody was merged."
_DECIDE = (
    "Decide which contact should have it; in HighLevel, filter by the tag `shared-email` or `shared-phone`."
)
_MEND = "Correct it in Cliniko; the next run brings it."
#: What is said of a record that does not come to the same on both sides, and what its fields are called.
_UNEQUAL = {
    "different": "It has another {} in HighLevel.",
    "missing": "It is not in HighLevel.",
    "extra": "It is in HighLevel only.",
    "unknown": "What it comes to in HighLevel is not in the ledger: an earlier version loaded it.",
}
_SUMMED = {"business": "location"}
_REPAIR = (
    "Run `meltano run tap-cliniko target-highlevel-verify`, then `meltano invoke target-highlevel:repair`; with `--values`, if"
    " Cliniko's value is the right one."
)
_AGAIN = "Run `meltano run --full-refresh tap-cliniko target-highlevel`, which records it."
_CONFLICT = (
    "A person changed the field in HighLevel, and it changed in Cliniko too; the setting `overwrite` decided."
)
#: Settings that say what becomes of records; what else was decided stands in the mapping.
_DECIDING = (
    "overwrite", "appointments_as", "accept_rejects", "require_approved_plan", "unknown_streams", "pipeline", "locations",
)  # fmt: skip
#: Reasons for leaving out that a line of the mapping or a setting chose.
_CHOSEN = frozenset(
    {
        "archived_left_out", "confidential", "deleted_left_out", "not_requested", "too_old", "type_not_migrated",
        "invoice_left_out", "patient_left_out",
    }
)  # fmt: skip


@dataclass
class Handover:
    """Reads a ledger for its handover; ``names`` maps ids of contacts to names where values are shown."""

    ledger: Ledger
    settings: Settings
    run_ids: Iterable[str]
    names: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find out where everything is."""
        chosen = set(self.run_ids)
        self._runs = [item for item in self.ledger.runs() if item["id"] in chosen]
        self._where = Whereabouts(self.ledger)
        self.sums = money.summed(money_rows(self.ledger))

    def content(self) -> dict[str, Any]:
        """Return the handover's part of ``report.json``."""
        told: dict[str, dict[tuple[str, str, str], dict[str, Any]]] = {name: {} for name in SECTIONS}
        for entry in self.entries():
            self._group(told[entry.section], entry)
        return {
            "sections": [
                {
                    "section": name,
                    "title": title,
                    "count": sum(group["count"] for group in told[name].values()),
                    "groups": sorted(
                        told[name].values(), key=lambda group: (-group["count"], group["reason"])
                    ),
                }
                for name, title in SECTIONS.items()
            ],
            "decisions": list(self._decisions(told["left_out"].values())),
            "certificate": self._certificate(),
        }

    def rows(self) -> Iterator[tuple[str, ...]]:
        """Yield the rows of ``handover.csv``."""
        for entry in self.entries():
            named = self._named(entry)
            yield (
                SECTIONS[entry.section],
                entry.source,
                entry.object,
                named["name"],
                entry.field,
                entry.reason,
                entry.meaning,
                entry.next_step,
                named["highlevel_id"],
                named["link"],
            )

    def entries(self) -> Iterator[Entry]:
        """Yield all that the handover names, section by section; nothing twice, whoever has found it again."""
        told = set()
        for item in missed_records(self.ledger):
            said = meaning(item.outcome, item.reason)
            named = (item.source_id, item.object, item.field, item.reason, said.says, said.next_step)
            section = "undone" if item.reason in AWAITED else _OUTCOMES[item.outcome]
            told.add((item.object, item.source_id))
            yield Entry(section, *named, contact=item.contact, resource=item.resource)
        yield from self._addresses()
        for found in counts.remarks(self.ledger, None)["not_taken"]:
            because = found["because"]
            cut = (found["source"], "", found["field"], because, f"It {NOT_TAKEN[because]}.")
            yield Entry("not_taken", *cut, "Check whether the missing part matters; Cliniko still has it.")
        conflicts = self._conflicts()
        for source, name in conflicts:
            yield Entry("conflicts", source, "", name, "conflict", _CONFLICT, "Decide which side is right.")
        for section, found in (
            ("practitioners", counts.practitioners_without_user(self.ledger)),
            ("practitioners_left", counts.practitioners_left(self.ledger)),
        ):
            for source, because in found:
                said = meaning("filtered", because)
                yield Entry(section, source, "user", "", because, said.says, said.next_step)
        for found in self.sums.listed:
            if not found.explained:
                fields = ", ".join(found.fields)
                says = _UNEQUAL[found.kind].format(
                    ", ".join(_SUMMED.get(name, name) for name in found.fields)
                )
                unequal = (found.source, found.object, fields, found.reason or found.kind, says)
                yield Entry("money", *unequal, _AGAIN if found.kind == "unknown" else _REPAIR)
        for entry in self._reported():
            if (entry.object, entry.source) not in told and (entry.source, entry.field) not in conflicts:
                yield entry

    def _reported(self) -> Iterator[Entry]:
        """Yield what the newest verification of everything found, and what the last rollback of each run left."""
        reports = self.settings.report_dir
        verification = newest_of_everything(self.ledger.runs(), "verify", VERIFIED)
        yield from verified(verification, reports) if verification else ()
        rollbacks = {run["facts"].get("undoes"): run for run in self._runs if run["mode"] == "rollback"}
        for run in rollbacks.values():
            yield from undone(run, reports)

    def _addresses(self) -> Iterator[Entry]:
        unusable = set(unusable_addresses(self.ledger))
        for item in counts.remarks(self.ledger, None)["withheld"]:
            if item["because"] == REFUSED:
                unusable.add((item["source"], item["field"]))
                continue
            says = f"It {WITHHELD.get(item['because'], item['because'])}. {_APART}"
            yield Entry("withheld", item["source"], "contact", item["field"], item["because"], says, _DECIDE)
        for source, name in sorted(unusable):
            says = f"It {WITHHELD[REFUSED]}."
            yield Entry("unusable", source, "contact", name, REFUSED, says, _MEND)

    def _conflicts(self) -> dict[tuple[str, str], None]:
        """Return every conflict that a run of the window has met, or that stands."""
        met = {
            (item["source"], item["field"])
            for run in self._runs
            for item in run["facts"].get("report", {}).get("conflicts", {}).get("records", ())
        }
        standing = {
            (item["source"], item["field"]) for item in counts.remarks(self.ledger, None)["conflicts"]
        }
        return dict.fromkeys(sorted(met | standing))

    def _group(self, groups: dict[tuple[str, str, str], dict[str, Any]], entry: Entry) -> None:
        key = (entry.reason, entry.meaning, entry.next_step)
        told = dict(zip(("reason", "meaning", "next_step"), key, strict=True))
        group = groups.setdefault(key, {**told, "count": 0, "kinds": Counter(), "records": []})
        group["count"] += 1
        resource = entry.resource or entry.source.partition("/")[0]
        group["kinds"][label(entry.object, resource) if entry.object else resource] += 1
        named = self._named(entry)
        if len(group["records"]) < _MOST_NAMED and named not in group["records"]:
            group["records"].append(named)

    def _named(self, entry: Entry) -> dict[str, str]:
        where = self._where.contact(entry.object or "contact", entry.source, entry.contact)
        return {
            "source": entry.source,
            "field": entry.field,
            "name": self.names.get(where, ""),
            "highlevel_id": where,
            "link": contact_link(self.settings, where) if where else "",
        }

    def _decisions(self, left_out: Iterable[Mapping[str, Any]]) -> Iterator[dict[str, str]]:
        """Yield what a person decided: settings, the approval, what the mapping leaves behind, and what runs were for."""
        plan = newest_plan(self.ledger)
        if plan and self.ledger.fact(f"approved:{self.ledger.location}") == plan["digest"]:
            at = moment(plan["at"], clinic_zone(self.ledger))
            yield {"what": "The plan was approved", "decided": f"plan {plan['run']} of {at}"}
        fields = type(self.settings).model_fields
        for name in _DECIDING:
            value = getattr(self.settings, name, None)
            if name in fields and value not in ("", None, {}, False):
                decided = (
                    json.dumps(value)
                    if isinstance(value, dict)
                    else str(value).lower()
                    if value is True
                    else str(value)
                )
                yield {"what": f"{fields[name].title} ({name})", "decided": decided}
        for group in left_out:
            if group["reason"] in _CHOSEN:
                yield {
                    "what": f"Left behind: {group['meaning']}",
                    "decided": counted(group["count"], "record"),
                }
        for run in self._runs:
            facts, mode = run["facts"], run["mode"]
            for name, word in (("undoes", "undone"), ("repairs", "repaired after it")):
                if facts.get(name):
                    yield {"what": f"Run {facts[name]} was {word}", "decided": f"by run {run['id']}"}
            if mode == "retry":
                yield {"what": "Refused records were sent again", "decided": f"by run {run['id']}"}

    def _certificate(self) -> dict[str, Any]:
        """Return what proves later which migration this was: heads of the audit trail as runs left them."""
        heads = [
            {
                "run": run["id"],
                "mode": run["mode"],
                "ended_at": run["ended_at"],
                "entries": said["entries"],
                "head": said["head"],
            }
            for run in self._runs
            if run["mode"] not in {"plan", "verify"} and (said := run["facts"].get("report", {}).get("audit"))
        ]
        return {
            "written_at": f"{self.ledger.now():%Y-%m-%dT%H:%M:%SZ}",
            "version": version("target-highlevel"),
            "sub_account": self.ledger.location,
            "cliniko_account": Identity(self.ledger).account or "",
            "ledger": self.ledger.identity,
            "mapping": mapping_digest(self.settings),
            "heads": heads,
        }


def contact_link(settings: Settings, contact: str) -> str:
    """Return the address of a contact's page in HighLevel's web app."""
    return f"{settings.app_url.rstrip('/')}/v2/location/{settings.location_id}/contacts/detail/{contact}"
