"""The clinic's mapping file: what may stand in it, and what a mistake in it says."""

from __future__ import annotations

from pathlib import Path

import pytest
from cliniko_records import record
from mapping_runs import one

from cliniko_to_highlevel import mapping
from cliniko_to_highlevel.core import MessageMapper
from cliniko_to_highlevel.errors import MappingError


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """Return the path of a mapping file to be written."""
    return tmp_path / "mapping.yml"


def test_the_shipped_mapping_is_the_one_people_read() -> None:
    """The file at the top of the distribution is the one that applies."""
    assert Path(__file__).parents[1] / "mapping.yml" == mapping.SHIPPED
    assert mapping.load().tags["practitioner"] == "practitioner"


def test_a_short_file_changes_only_what_it_names(written: Path) -> None:
    """Lines left out come from the shipped file; an empty tag is no tag."""
    written.write_text("default_country: nz\ntags: {patient: client, archived: }\n")
    loaded = mapping.load(str(written))
    assert loaded.default_country == "NZ"
    assert loaded.tag("patient", "archived", "doctor") == ["client", "doctor"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("default_country: Atlantis", ["default_country", "two letters such as AU"]),
        ("default_country: NO", ["default_country", '"NO"']),
        ("time_zone: Melbourne", ["time_zone", "Australia/Melbourne"]),
        ("move: {files: maybe}", ["move.files", "true or false"]),
        ("move: {fils: true}", ["move.fils", "treatment_notes, files"]),
        ("moves: {}", ["moves", "default_country"]),
        ("tags: {patient: 7}", ["tags.patient", "no tag"]),
        ("custom_fields: {named: {Fund: somewhere}}", ["custom_fields.named.Fund", "insurer, member_number"]),
        ("custom_fields: {named: [Fund]}", ["custom_fields.named", "Health fund"]),
        ("custom_fields: {recognise: [{target: insurer}]}", ["entry 1", "labels"]),
        (
            "custom_fields: {recognise: [{target: insurer, labels: [health fund, insurer]}]}",
            ["entry 1", "one pattern in quotes"],
        ),
        ("custom_fields: {recognise: [{target: insurer, labels: ''}]}", ["entry 1", "labels"]),
        ("custom_fields: {recognise: [{target: insurer, labels: }]}", ["entry 1", "labels"]),
        ("custom_fields: {recognise: [{target: insurer, labels: a, sections: }]}", ["entry 1", "sections"]),
        ("custom_fields: {recognise: [{target: x, labels: y}]}", ["entry 1", "unknown target"]),
        ("custom_fields: {recognise: [{target: insurer, labels: '('}]}", ["entry 1", "no valid pattern"]),
        ("insurers: {not_an_insurer: [no]}", ["insurers.not_an_insurer", "quotes"]),
        ("insurers: {words_of_no_insurer: [no]}", ["insurers.words_of_no_insurer", "quotes"]),
        ("custom_fields: {recognise: [{target: insurer, labels: 'fund|'}]}", ["entry 1", "fit every field"]),
        (
            "custom_fields: {named: {Health fund: insurer, health  fund: keep}}",
            ["custom_fields.named.health  fund", 'same field as "Health fund"'],
        ),
        ("custom_fields:\n  named:\n    No: insurer", ["line 3", "No ", 'write it in quotes: "No"']),
        ("custom_fields: {named: {2024: insurer}}", ["line 1", '"2024"']),
        ("move: {files: true}\ntags: {}\nmove: {files: false}", ["line 1", "move stands there twice"]),
        ("custom_fields: {abbreviations: [memb]}", ["custom_fields.abbreviations", "member: [memb, mem]"]),
        ("custom_fields: {abbreviations: {a: [x.], b: [X]}}", ["abbreviations.b", '"x"', "also a"]),
        ("custom_fields: {abbreviations: {a: ['.']}}", ["abbreviations.a", "no letter"]),
        ("custom_fields: {abbreviations: {a: [no]}}", ["abbreviations.a", "quotes"]),
        ("insurers: {spellings: {Fund A: [fa], Fund B: [FA]}}", ["Fund B", '"FA"', "also Fund A"]),
        ("insurers: {spellings: {Fund A: ['-']}}", ["Fund A", "no letter"]),
        ('insurers: {words: ["", insur]}', ["insurers.words", "no letter"]),
        ("insurers: {words: ['-']}", ["insurers.words", "'-'"]),
        ("insurers: {words: ['*']}", ["insurers.words", "no letter"]),
        ("insurers: {spellings: [a]}", ["insurers.spellings", "Medibank"]),
        ("insurers: 7", ["insurers", "words, not_an_insurer"]),
        ("- a", ["named parts"]),
        ("a: [", ["not valid YAML", "line"]),
    ],
)
def test_a_mistake_says_where_it_is_and_what_to_write(written: Path, text: str, words: list[str]) -> None:
    """Each mistake names its line and what may stand there."""
    written.write_text(text)
    with pytest.raises(MappingError) as caught:
        MessageMapper(str(written))
    assert all(word in str(caught.value) for word in words), caught.value


@pytest.mark.parametrize("value", ["", "''", '""', "'  '"])
def test_an_empty_text_is_empty(written: Path, value: str) -> None:
    """Empty quotes leave the decision open, as nothing at all does."""
    written.write_text(f"default_country: {value}\ntime_zone: {value}\n")
    loaded = mapping.load(str(written))
    assert (loaded.default_country, loaded.time_zone) == (None, None)


def test_what_names_no_insurer_is_the_clinics_to_say(written: Path) -> None:
    """The words that only say how somebody pays are a list of the mapping, too."""
    assert mapping.load().names_nobody("Self-paid, no insurance")
    written.write_text("insurers: {words_of_no_insurer: [gym]}")
    loaded = mapping.load(str(written))
    assert loaded.names_nobody("gym")
    assert not loaded.names_nobody("Self-paid, no insurance")
    assert loaded.names_nobody("self paying")  # of the other list


def test_all_mistakes_are_told_at_once(written: Path) -> None:
    """A person mends the file once."""
    written.write_text("default_country: Atlantis\nmove: {files: maybe}\n")
    with pytest.raises(MappingError, match=r"default_country.*move\.files"):
        mapping.load(str(written))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A path that leads nowhere is an error of the settings."""
    with pytest.raises(MappingError, match="cannot be read"):
        mapping.load(str(tmp_path / "none.yml"))


@pytest.mark.parametrize("name", ["Favourite colour", "funding / FAVOURITE  colour", "t5"])
def test_a_field_can_be_named_by_label_section_or_token(written: Path, name: str) -> None:
    """A custom field that the mapping names goes where it says."""
    written.write_text(f"custom_fields: {{named: {{'{name}': school}}}}")
    found = one("patients", "hl_patient_profiles", str(written))
    assert (found["school"], found["other_fields"]) == ("Teal", None)


def test_a_named_field_can_be_left_out_or_kept(written: Path) -> None:
    """A field can be ignored, and one that a pattern fits can be kept with the others instead."""
    written.write_text("custom_fields: {named: {Favourite colour: ignore, NDIS number: keep}}")
    found = one("patients", "hl_patient_profiles", str(written))
    assert (found["other_fields"], found["ndis_number"]) == ("Funding / NDIS number: 430000000", None)


def test_a_field_that_the_account_has_not_stops_the_run(written: Path) -> None:
    """A mapping that names a custom field that does not exist is wrong, and says what exists."""
    written.write_text("custom_fields: {named: {Shoe size: keep}}")
    mapper = MessageMapper(str(written))
    settings = {"type": "RECORD", "stream": "public_settings", "record": record("public_settings")}
    with pytest.raises(MappingError, match=r"Shoe size.*does not have.*Funding / Health fund"):
        list(mapper.record(settings))


def test_the_plan_can_list_where_each_field_goes() -> None:
    """After the settings were read, each custom field has its target and what decided it."""
    mapper = MessageMapper()
    list(mapper.record({"type": "RECORD", "stream": "public_settings", "record": record("public_settings")}))
    assert [(item.label, item.target, item.decided_by) for item in mapper.custom_fields] == [
        ("Health fund", "insurer", "recognised by its label, section and options (1 of 1 names or words)"),
        ("NDIS number", "ndis_number", "recognised by its label and section"),
        ("Favourite colour", "profile_field", "recognised by its label"),
    ]


def test_consent_can_be_switched_off(written: Path) -> None:
    """A clinic that wants reminders to go on can leave do-not-disturb alone."""
    written.write_text("consent: {no_to_email_marketing_means_do_not_disturb: false}")
    found = one(
        "patients", "hl_contacts", str(written), accepted_email_marketing=False, accepted_sms_marketing=False
    )
    assert (found["dnd_email"], found["dnd_sms"]) == (None, True)


@pytest.mark.parametrize(
    ("part", "resource", "stream"),
    [("treatment_notes", "treatment_notes", "hl_notes"), ("files", "patient_attachments", "hl_files")],
)
def test_a_part_that_is_switched_off_is_counted(written: Path, part: str, resource: str, stream: str) -> None:
    """What a clinic does not want moved is counted, not written."""
    written.write_text(f"move: {{{part}: false}}")
    assert one(resource, stream, str(written))["filtered"] == "type_not_migrated"


def test_the_default_country_goes_before_the_accounts(written: Path) -> None:
    """Numbers without a country are read in the mapping's country."""
    written.write_text("default_country: NZ")
    numbers = [{"number": "021 555 1234", "phone_type": "Mobile"}]
    assert (
        one("patients", "hl_contacts", str(written), patient_phone_numbers=numbers)["phone"] == "+64215551234"
    )
    assert one("patients", "hl_contacts", patient_phone_numbers=numbers)["phone"] != "+64215551234"


def test_a_patients_own_country_goes_before_the_accounts() -> None:
    """A patient from New Zealand of an Australian clinic has a number there, not that of a stranger in Australia."""
    numbers = [{"number": "027 412 3456", "phone_type": "Mobile"}]
    assert (
        one("patients", "hl_contacts", country_code="NZ", patient_phone_numbers=numbers)["phone"]
        == "+64274123456"
    )
