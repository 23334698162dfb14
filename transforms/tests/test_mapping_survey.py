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
        message("patients", id="8", custom_fields=None, email="nowhere"),
        message("individual_appointments"),
        message("patient_attachments"),
        message(
            "patient_attachments",
            id="401",
            content_type="application/pdf; charset=x",
            size=2048,
            file_size=2048,
            file_status="not_requested",
        ),
    ]
    content = surveyed(messages)[0].content()
    assert content["rows"]["patients"] == 2
    assert [(item["label"], item["filled"], item["confidence"]) for item in content["custom_fields"]] == [
        ("Health fund", 1, "high"),
        ("NDIS number", 1, "high"),
        ("Favourite colour", 1, "high"),
    ]
    assert sum(item["count"] for item in content["attachments"]) == 2
    pdf = next(item for item in content["attachments"] if item["type"] == "application/pdf")
    assert (pdf["count"], pdf["bytes"]) == (2, 2048 + pdf["largest"])
    assert content["attachment_bytes_to_download"] == 2048  # the other one is downloaded already
    assert len(content["appointment_types"]) == len(content["locations"]) == 1
    assert content["requires_hipaa"] is False
    assert content["unusable_addresses"] == {"email": ["patients/8"], "phone": []}


def test_patients_who_become_no_contacts_are_rows_only(tmp_path: Path) -> None:
    """One who was merged away or is left out has no insurer, no unusable address and no answer that anybody will find."""
    path = tmp_path / "mapping.yml"
    path.write_text("move: {archived_patients: false}")
    gone = {"email": "nowhere", "accepted_privacy_policy": False, "invoice_default_to": None}
    survey, _ = surveyed(
        [
            message("public_settings"),
            message("patients", id="8", **gone, archived_at="2024-03-11T03:00:00Z"),
            message("patients", id="9", **gone, merged_at="2024-03-11T03:00:00Z"),
            message("patients"),
        ],
        path,
    )
    content = survey.content()
    assert content["rows"]["patients"] == 3
    assert {item["filled"] for item in content["custom_fields"]} == {1}
    assert {item["patients"] for item in content["insurers"]["made"]} == {1}
    assert {*map(tuple, survey.findings().values())} == {()}
    assert "filled for 1 of 1 patients" in survey.proposed_mapping()


def test_what_answers_look_like_is_shown_masked() -> None:
    """The three most frequent forms of what was typed, and options as the clinic wrote them."""

    def answered(number: int, *values: str) -> dict[str, Any]:
        options = [{"name": "Bupa", "selected": True}, {"name": "HCF"}]
        typed = {"name": "Number", "type": "text", "token": "t-1"}
        chosen = {"name": "Fund", "type": "radiobuttons", "token": "t-2", "options": options}
        fields = [*({**typed, "value": value} for value in values), chosen]
        return message(
            "patients", id=str(number), custom_fields={"sections": [{"name": "Cover", "fields": fields}]}
        )

    told = ["AB 12-3", "xy", "CD 98-7", "  Zoë\n9 ", "x" * 40, "QQ"]
    rows = [answered(number, value) for number, value in enumerate(told)]
    definition = settings(("Cover", "Number", "t-1"), ("Cover", "Fund", "t-2"))
    survey, _ = surveyed([definition, *rows])
    number, fund = survey.content()["custom_fields"]
    assert (number["name"], number["type"], number["filled"]) == ("Cover / Number", "text", 6)
    assert number["answers"] == ["AA 99-9", "aa", "Aaa 9"]
    assert fund["answers"] == ["Bupa"]
    survey, _ = surveyed([definition, answered(1, "x" * 40)])
    assert survey.content()["custom_fields"][0]["answers"] == ["a" * 24 + "…"]


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
    - {target: ndis_number, labels: 'number'}
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
    assert set(named.values()) == {"profile_field"}


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
    assert [item["stream"] for item in sent] == ["hl_invoices", "hl_contacts"]
    assert sent[0] == told["hl_invoices"]


def test_insurers_that_would_be_made_are_counted_and_typed_names_are_not_shown() -> None:
    """A listed one is sure; what a patient typed may be anybody's name, and is sure when several typed it."""
    section = ("Funding", "Health fund", "t")

    def patient(number: int, answer: str) -> dict[str, Any]:
        field = {"name": section[1], "type": "text", "token": section[2], "value": answer}
        fields = {"sections": [{"name": section[0], "fields": [field]}]}
        nobody = {"invoice_default_to": None, "invoice_email": None}
        return message("patients", id=str(number), custom_fields=fields, **nobody)

    answers = [
        "Bupa",
        "BUPA",
        "Teachers' Mutual",
        "Odd Fellow Fund",
        "odd fellow fund",
        "Odd Fellow Fund",
        "self funded",
    ]
    survey, _ = surveyed(
        [settings(section), *(patient(number, item) for number, item in enumerate(answers, 20))]
    )
    made = survey.content()["insurers"]["made"]
    told = sorted((item["name"], item["patients"], item["confidence"]) for item in made if item["name"])
    typed = sorted((item["patients"], item["confidence"]) for item in made if not item["name"])
    assert (told, typed) == ([("Bupa", 2, "high")], [(1, "medium"), (3, "high")])
    assert "odd" not in str(made).lower()
