"""The clinic's own fields as fields of their own: each with its type and options, and no answer lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from cliniko_records import record
from mapping_runs import run

if TYPE_CHECKING:
    from pathlib import Path

TYPES = {
    "text": "TEXT",
    "paragraph": "LARGE_TEXT",
    "date": "DATE",
    "checkboxes": "MULTIPLE_OPTIONS",
    "radiobuttons": "SINGLE_OPTIONS",
}


def field(
    label: str, kind: str = "text", *options: str, token: str | None = None, **more: Any
) -> dict[str, Any]:
    """Return one custom field, defined or answered."""
    offered = [
        {"name": name, "token": f"o-{name}", "selected": name in more.get("chosen", ())} for name in options
    ]
    told = {key: value for key, value in more.items() if key != "chosen"}
    return {"name": label, "type": kind, "token": token or f"t-{label}", "options": offered, **told}


def loaded(
    defined: list[dict[str, Any]],
    answered: list[dict[str, Any]],
    mapping: Path | None = None,
    section: str = "Intake",
    defined_in: str | None = None,
) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any], list[str]]:
    """Return a patient's contact and profile, the schemas of both by property, and the insurers made."""

    def tree(name: str, fields: list[dict[str, Any]]) -> dict[str, Any]:
        return {"sections": [{"name": name, "token": "s", "fields": fields}]}

    settings = record(
        "public_settings", patient_custom_fields_definition=tree(defined_in or section, defined)
    )
    patient = record(
        "patients", custom_fields=tree(section, answered), invoice_default_to=None, invoice_email=None
    )
    lines = [
        {"type": "RECORD", "stream": "public_settings", "record": settings},
        {"type": "RECORD", "stream": "patients", "record": patient},
    ]
    made = run(lines, str(mapping) if mapping else None)
    schemas: dict[str, Any] = {}
    records: dict[str, Any] = {}
    insurers = []
    for item in made:
        if item["type"] == "SCHEMA":
            schemas |= {item["stream"]: item["schema"]["properties"]}
        elif item["stream"] == "hl_insurers":
            insurers.append(item["record"]["insurer_name"])
        else:
            records[item["stream"]] = item["record"]
    contact, profile = records["hl_contacts"], records["hl_patient_profiles"]
    return contact, profile, schemas, insurers


def named(schemas: dict[str, Any], stream: str, label: str) -> tuple[str, dict[str, Any]]:
    """Return name and description of the property with that label."""
    found = schemas[stream].items()
    return next(
        (name, item["x-highlevel"])
        for name, item in found
        if item.get("x-highlevel", {}).get("label") == label
    )


@pytest.mark.parametrize("kind", TYPES)
def test_every_type_becomes_a_field_of_its_own(kind: str) -> None:
    """Text, paragraph, date, boxes and buttons arrive as such on the profile, options included."""
    options = ("Left", "Right") if kind in {"checkboxes", "radiobuttons"} else ()
    told: dict[str, Any] = {"chosen": ["Left"]} if options else {"value": "2030-07-01"}
    _, profile, schemas, _ = loaded([field("Leg", kind, *options)], [field("Leg", kind, *options, **told)])
    name, described = named(schemas, "hl_patient_profiles", "Leg")
    assert described["dataType"] == TYPES[kind]
    assert described.get("options", []) == list(options)
    expected: Any = "2030-07-01"
    if options:
        expected = ["Left"] if kind == "checkboxes" else "Left"
    assert (profile[name], profile["other_fields"]) == (expected, None)


def test_what_a_type_cannot_hold_is_kept_as_text() -> None:
    """A date that is none, what was typed under *other*, and a field that nobody defined."""
    buttons = {"enabled": True, "selected": True, "value": "Both, a bit"}
    defined = [field("Leg", "radiobuttons", "Left", other={"enabled": True}), field("Since", "date")]
    answered = [
        field("Leg", "radiobuttons", "Left", other=buttons),
        field("Since", "date", value="last spring"),
    ]
    _, profile, schemas, _ = loaded(defined, [*answered, field("Gone", value="x")])
    name, described = named(schemas, "hl_patient_profiles", "Leg")
    assert described["options"] == ["Left", "Other"]
    assert profile[name] == "Other"
    assert (
        profile["other_fields"] == "Intake / Leg: Both, a bit\nIntake / Since: last spring\nIntake / Gone: x"
    )


def test_a_removed_option_is_declared_again_where_a_patient_has_it() -> None:
    """Nothing is lost when a clinic takes an option away."""
    answered = field("Leg", "checkboxes", "Left", "Third", chosen=["Left", "Third"])
    _, profile, schemas, _ = loaded([field("Leg", "checkboxes", "Left")], [answered])
    name, described = named(schemas, "hl_patient_profiles", "Leg")
    assert profile[name] == ["Left", "Third"]
    assert described["options"] == ["Left", "Third"]


def test_a_field_is_the_same_when_it_is_renamed_and_another_when_its_type_changes() -> None:
    """Cliniko's token tells which field it is; HighLevel can change no type, so the old field keeps what it holds."""
    names = [
        named(loaded([item], [])[2], "hl_patient_profiles", item["name"])[0]
        for item in (field("Leg", token="t"), field("Limb", token="t"), field("Leg", "date", token="t"))
    ]
    assert names[0] == names[1] != names[2]


def test_a_field_goes_where_the_clinic_says(tmp_path: Path) -> None:
    """On the contact under a key HighLevel makes of the label, among the kept ones, or nowhere."""
    path = tmp_path / "mapping.yml"
    path.write_text(
        "custom_fields: {named: {Shoe size: contact_field, Email: contact_field, Sport: contact_field, 例: contact_field,"
        " Pet: keep, Team: ignore}}"
    )
    fields = [
        field("Shoe size"),
        field("Email"),
        field("Sport", "radiobuttons", "Golf"),
        field("例"),
        field("Pet"),
        field("Team"),
    ]
    answered = [{**item, "value": "44"} for item in fields if item["name"] != "Sport"]
    answered.append(field("Sport", "radiobuttons", "Golf", chosen=["Golf"]))
    contact, profile, schemas, _ = loaded(fields, answered, path)
    assert contact["cliniko_shoe_size"] == contact["cliniko_intake_email"] == "44"
    assert contact["cliniko_sport_choice"] == "Golf"
    assert contact["cliniko_email"] != "44"
    foreign = [
        name for name in schemas["hl_contacts"] if name.startswith("cliniko_") and contact.get(name) == "44"
    ]
    assert len(foreign) == 3
    assert profile["other_fields"] == "Intake / Pet: 44"
    labels = [
        item["x-highlevel"]["label"]
        for item in schemas["hl_contacts"].values()
        if "label" in item.get("x-highlevel", {})
    ]
    assert len(labels) == len(set(labels))


@pytest.mark.parametrize("name", [None, "", "What it was called before"])
def test_a_field_is_known_by_its_token(name: str | None, tmp_path: Path) -> None:
    """Of a patient's fields Cliniko promises the token only: section, label, type and options are those of the settings."""
    path = tmp_path / "mapping.yml"
    path.write_text(
        "custom_fields: {named: {Shoe size: ignore, Fund: insurer, Pet: keep, Team: contact_field}}"
    )
    defined = [
        field("Shoe size", token="t1"),
        field("Fund", token="t2"),
        field("Leg", "checkboxes", "Left", "Right", token="t3"),
        field("Since", "date", token="t4"),
        field("Pet", "radiobuttons", "Cat", "Dog", token="t5"),
        field("Team", token="t6"),
    ]
    told: list[dict[str, Any]] = [
        {"token": "t1", "value": "44"},
        {"token": "t2", "value": "Bupa"},
        {"token": "t3", "options": [{"token": "o-Left", "selected": True}, {"token": "o-Right"}]},
        {"token": "t4", "value": "2030-07-01"},
        {"token": "t5", "options": [{"token": "o-Cat", "selected": True, "name": name}]},
        {"token": "t6", "value": "Reds"},
    ]
    answered = [{**item, "name": name, "type": None} for item in told]
    contact, profile, schemas, insurers = loaded(defined, answered, path)
    held = {label: profile[named(schemas, "hl_patient_profiles", label)[0]] for label in ("Leg", "Since")}
    assert held == {"Leg": ["Left"], "Since": "2030-07-01"}
    assert (contact["cliniko_team"], profile["insurer"], insurers) == ("Reds", "Bupa", ["Bupa"])
    assert profile["other_fields"] == "Intake / Pet: Cat"


def test_a_field_without_a_token_is_known_by_its_name() -> None:
    """As in records that were written before there were tokens."""
    defined = [field("Leg", "checkboxes", "Left", token="t3")]
    answered = {**field("Leg", "checkboxes", "Left", chosen=["Left"]), "token": None}
    _, profile, schemas, _ = loaded(defined, [answered])
    assert profile[named(schemas, "hl_patient_profiles", "Leg")[0]] == ["Left"]
    assert profile["other_fields"] is None


def test_a_chosen_option_of_which_nothing_is_known_is_kept() -> None:
    """With its token, by which the clinic can find out what it was."""
    unknown = {"token": "o9", "name": None, "selected": True}
    defined = [field("Leg", "checkboxes", "Left", token="t3"), field("Fund", token="t2")]
    answered = [{"token": token, "options": [unknown]} for token in ("t3", "t2", "t9")]
    _, profile, schemas, insurers = loaded(defined, answered, section="Insurance")
    assert insurers == []
    assert profile[named(schemas, "hl_patient_profiles", "Leg")[0]] is None
    told = "(option o9 that Cliniko gives no name)"
    assert profile["other_fields"] == "\n".join(
        f"Insurance / {name}: {told}" for name in ("Leg", "Fund", "t9")
    )


@pytest.mark.parametrize("order", [1, -1])
def test_fields_of_one_label_do_not_change_places_with_their_sections(order: int, tmp_path: Path) -> None:
    """The key on the contact is made of the label: of several that share one, each has its section, whichever comes first."""
    path = tmp_path / "mapping.yml"
    path.write_text(
        "custom_fields: {named: {Leg: contact_field, Knee: contact_field, Visit Knee: contact_field}}"
    )
    sections = [
        ("Intake", [("Leg", "a"), ("Knee", "b")]),
        ("Visit", [("Leg", "c")]),
        ("Twice", [("Leg", "d"), ("Leg", "e"), ("Visit Knee", "f")]),
    ][::order]
    tree = {
        "sections": [
            {
                "name": name,
                "token": f"s-{name}",
                "fields": [{**field(label, token=token), "value": token} for label, token in fields][::order],
            }
            for name, fields in sections
        ]
    }
    settings = record("public_settings", patient_custom_fields_definition=tree)
    lines = [
        {"type": "RECORD", "stream": "public_settings", "record": settings},
        {"type": "RECORD", "stream": "patients", "record": record("patients", custom_fields=tree)},
    ]
    contact = next(
        item["record"]
        for item in run(lines, str(path))
        if item["type"] == "RECORD" and item["stream"] == "hl_contacts"
    )
    keys = {value: name for name, value in contact.items() if value in tuple("abcdef")}
    assert {token: keys[token] for token in "abcf"} == {
        "a": "cliniko_intake_leg",
        "b": "cliniko_knee",  # no other field has this label: a clinic that was loaded keeps its key
        "c": "cliniko_visit_leg",
        "f": "cliniko_visit_knee",
    }
    assert [keys[token].rpartition("_")[0] for token in "de"] == ["cliniko_leg"] * 2


FUNDS = ("Bupa", "Medibank", "HCF", "NIB")


@pytest.mark.parametrize(
    ("section", "label", "options", "answer", "target"),
    [
        ("Health fund", "Fund", FUNDS, "HCF", "insurer"),
        ("Intake", "Which one are you with?", FUNDS, "HCF", "insurer"),
        ("Health Insurance", "Provider", (), "Some Mutual", "insurer"),
        ("Insurance", "Company name", (), "Some Mutual", "insurer"),
        ("NDIS", "Number", (), "430000000", "ndis_number"),
        ("NDIS details", "Participant no.", (), "430000000", "ndis_number"),
        ("N.D.I.S.", "Number", (), "430000000", "ndis_number"),
        ("National Disability Insurance Scheme", "Number", (), "430000000", "ndis_number"),
        ("NDIS", "End date", (), "2031-06-30", "ndis_plan_end"),
        ("Health fund", "Number", (), "00 12", "member_number"),
        ("Private health", "No.", (), "00 12", "member_number"),
        ("Workcover claim", "Number", (), "C-7", "claim_number"),
    ],
)  # fmt: skip
def test_section_label_and_options_are_judged_together(
    section: str, label: str, options: tuple[str, ...], answer: str, target: str
) -> None:
    """A bare *Number* or *Fund* is about what its section is about; known funds tell what a field offers."""
    kind = "radiobuttons" if options else "text"
    told: dict[str, Any] = {"chosen": [answer]} if options else {"value": answer}
    _, profile, _, insurers = loaded(
        [field(label, kind, *options)], [field(label, kind, *options, **told)], section=section
    )
    assert (profile[target], profile["other_fields"]) == (answer, None)
    assert insurers == ([answer] if target == "insurer" else [])


@pytest.mark.parametrize(
    ("label", "options"),
    [
        ("Insurance coverage", ("Self funded", "DVA", "Private insurance")),
        ("Health insurance", ("Yes", "No")),
        ("Private health insurance", ("Hospital", "Extras", "Hospital and extras", "None")),
        ("Insurer", ("Private", "Medicare", "Workers Comp", "NDIS")),
        ("Health fund", ("Gold", "Silver", "Bronze")),
        ("Insurer", ("Self-paid", "D.V.A.", "No health insurance")),
    ],
)
def test_kinds_of_cover_are_no_insurers(label: str, options: tuple[str, ...]) -> None:
    """A field that asks how somebody pays makes nobody an insurer, whatever its label says."""
    answered = field(label, "radiobuttons", *options, chosen=[options[0]])
    _, profile, schemas, insurers = loaded(
        [field(label, "radiobuttons", *options)], [answered], section="Insurance"
    )
    assert insurers == []
    assert profile["insurer"] is None
    name, _ = named(schemas, "hl_patient_profiles", label if label != "Insurer" else f"Insurance / {label}")
    assert profile[name] == options[0]


def test_a_patient_who_refers_is_no_number() -> None:
    """Who referred is a name or nothing: a patient's name is not known yet when referrals are read."""
    patient = record("referral_sources", referrer_type="Patient", referrer_id="1946563")
    made = run([{"type": "RECORD", "stream": "referral_sources", "record": patient}])
    found = [item["record"] for item in made if item["stream"] == "hl_patient_profiles" and "record" in item]
    assert [item["referrer"] for item in found] == [None]
