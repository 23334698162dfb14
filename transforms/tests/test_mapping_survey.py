"""The audit of an account, and the mapping file that a plan proposes from it."""

from __future__ import annotations

from copy import deepcopy
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from cliniko_records import record

from cliniko_to_highlevel.core import MessageMapper
from cliniko_to_highlevel.routes import STREAMS

if TYPE_CHECKING:
    from pathlib import Path


def message(stream: str, **changes: Any) -> dict[str, Any]:
    """Return a RECORD message of the tap."""
    return {"type": "RECORD", "stream": stream, "record": {**record(stream), **changes}}


def surveyed(messages: list[dict[str, Any]], mapping: Path | None = None) -> tuple[Any, list[Any]]:
    """Return the survey of these records, and what the mapping made of them."""
    mapper = MessageMapper(str(mapping) if mapping else None)
    survey = mapper.survey()
    outputs = []
    for item in messages:
        outputs += list(mapper.record(item))
        survey.see(item)
    return survey, [item["record"] for item in outputs if item["type"] == "RECORD"]


def settings(*fields: tuple[str, str, str]) -> dict[str, Any]:
    """Return the account's settings with these custom fields: (section, label, token)."""
    told = deepcopy(record("public_settings"))
    sections: dict[str, list[dict[str, Any]]] = {}
    for section, label, token in fields:
        sections.setdefault(section, []).append({"name": label, "type": "text", "token": token})
    kept = [{"name": name, "token": f"s-{name}", "fields": held} for name, held in sections.items()]
    told["patient_custom_fields_definition"] = {"sections": kept}
    return {"type": "RECORD", "stream": "public_settings", "record": told}


def test_rows_fields_and_files_are_counted() -> None:
    """Every row counts for its list; a custom field counts for each patient who has something in it."""
    messages = [
        message("public_settings"),
        message("businesses"),
        message("appointment_types"),
        message("patients"),
        message("patients", id="8", custom_fields=None),
        message("individual_appointments"),
        message("patient_attachments"),
        message(
            "patient_attachments",
            id="401",
            content_type="application/pdf; charset=x",
            size=2048,
            file_size=2048,
        ),
    ]
    content = surveyed(messages)[0].content()
    assert content["rows"]["patients"] == 2
    assert [(item["label"], item["filled"], item["confidence"]) for item in content["custom_fields"]] == [
        ("Health fund", 1, "high"),
        ("NDIS number", 1, "high"),
        ("Favourite colour", 1, "none"),
    ]
    assert sum(item["count"] for item in content["attachments"]) == 2
    pdf = next(item for item in content["attachments"] if item["type"] == "application/pdf")
    assert (pdf["count"], pdf["bytes"]) == (2, 2048 + pdf["largest"])
    assert len(content["appointment_types"]) == len(content["locations"]) == 1
    assert content["requires_hipaa"] is False


def test_the_survey_keeps_nothing_of_a_patient() -> None:
    """Names, addresses and answers of people are in no count and in no proposed file."""
    survey, _ = surveyed([message("public_settings"), message("practitioners"), message("patients")])
    text = str(survey.content()) + survey.proposed_mapping()
    people = [record("patients"), record("practitioners")]
    told = {item.get(name) for item in people for name in ("first_name", "last_name", "email", "notes")}
    assert [word for word in told if word and word in text] == []
    assert "430000000" not in text


def test_a_record_that_cannot_be_read_is_a_row_all_the_same() -> None:
    """The mapping rejects it; the audit counts it and goes on."""
    survey, _ = surveyed([message("public_settings"), message("patients", custom_fields="broken")])
    assert survey.content()["rows"]["patients"] == 1


OWN = """
default_country: NZ
tags: {patient: client}
custom_fields:
  named: {Favourite colour: school}
  recognise:
    - {target: insurer, labels: '\\bfund\\b'}
    - {target: member_number, labels: 'number'}
"""


@pytest.mark.parametrize("own", [None, OWN], ids=["shipped", "own"])
def test_the_proposed_file_maps_as_the_mapping_in_use(own: str | None, tmp_path: Path) -> None:
    """Loaded in its place, it gives the same records, with every field named."""
    used = tmp_path / "mapping.yml"
    if own:
        used.write_text(own, encoding="utf-8")
    messages = [
        message(name) for name in ("public_settings", "users", "practitioners", "businesses", "patients")
    ]
    survey, before = surveyed(messages, used if own else None)
    proposed = tmp_path / "mapping.proposed.yml"
    proposed.write_text(survey.proposed_mapping(), encoding="utf-8")
    again, after = surveyed(messages, proposed)
    assert before == after
    assert {item["confidence"] for item in again.content()["custom_fields"]} == {"certain"}
    assert again.proposed_mapping().count(": ") == survey.proposed_mapping().count(": ")


def test_awkward_labels_survive() -> None:
    """Quotes, colons, emoji and equal labels in one section: each field is found again by its name."""
    fields = [
        ("Funding", 'Fund: "primary" #1', "a1"),
        ("Funding", "Notiz: Größe 🦶", "a2"),
        ("Other", "Same", "a3"),
        ("Other", "same ", "a4"),
        ("", "yes", "a5"),
        ("", "- no", "a6"),
    ]
    survey, _ = surveyed([settings(*fields)])
    named = yaml.safe_load(survey.proposed_mapping())["custom_fields"]["named"]
    assert len(named) == len(fields)
    assert {"a3", "a4"} <= set(named)
    assert set(named.values()) == {"keep"}


def test_an_account_without_fields_gets_a_file_too(tmp_path: Path) -> None:
    """There is nothing to name, and the file is still one that loads."""
    path = tmp_path / "mapping.proposed.yml"
    path.write_text(surveyed([settings()])[0].proposed_mapping(), encoding="utf-8")
    assert MessageMapper(str(path)).custom_fields == ()


def test_every_stream_can_be_told_before_any_record() -> None:
    """What the mapping may ever send is known at once, and telling it changes nothing of what is sent."""
    mapper = MessageMapper()
    told = {item["stream"]: item for item in mapper.declared()}
    assert set(told) == set(STREAMS)
    sent = list(mapper.schema({"type": "SCHEMA", "stream": "invoices"}))
    assert [item["stream"] for item in sent] == ["hl_invoices"]
    assert sent[0] == told["hl_invoices"]
