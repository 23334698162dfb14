"""Any tap: streams that nobody knows, that look like Cliniko's, that the settings describe, or that come in files."""

from __future__ import annotations

import gzip
import io
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hl_mapped import record

from cliniko_to_highlevel.core import MessageMapper
from target_highlevel import batches
from target_highlevel.descriptor import STEERING, incoming, stream_spec
from target_highlevel.endings import left_out_words
from target_highlevel.engine.state import StateOutput
from target_highlevel.errors import SettingsError
from target_highlevel.reader import BrokenInput, MessageReader, decode_line
from target_highlevel.settings import settings_from
from target_highlevel.source_streams import SourceStreams
from target_highlevel.target import TargetHighLevel

if TYPE_CHECKING:
    from collections.abc import Callable

    from hl_loading import Loader

#: What tap-csv-folder 0.0.1a1 put out for a file of thirty invented people.
RECORDED = Path(__file__).parent / "data" / "people.singer"
CLINIKO = {"origin": "tap-cliniko", "account": "1"}
PEOPLE = {
    "object": "contact",
    "id": "nr",
    "tags": ["imported"],
    "fields": {
        "first": "firstName",
        "last": "lastName",
        "mail": "email",
        "born": "dateOfBirth",
        "shoe": "Shoe size",
        "text": {"label": "Remarks", "type": "LARGE_TEXT"},
    },
}
PETS = {
    "object": "custom_objects.pet",
    "fields": {"name": "Name", "weight": {"label": "Weight", "type": "NUMERICAL"}},
}


def schema(
    stream: str, *properties: str, keys: tuple[str, ...] = ("id",), origin: Any = None, highlevel: Any = None
) -> dict[str, Any]:
    """A SCHEMA message, with what it says of its origin and of HighLevel."""
    described: dict[str, Any] = {"properties": {name: {"type": ["string", "null"]} for name in properties}}
    told = {"x-cliniko": origin, "x-highlevel": highlevel}
    described |= {name: value for name, value in told.items() if value is not None}
    return {"type": "SCHEMA", "stream": stream, "schema": described, "key_properties": list(keys)}


def row(stream: str, **values: Any) -> dict[str, Any]:
    """A RECORD message."""
    return {"type": "RECORD", "stream": stream, "record": values}


def streams(described: dict[str, Any] | None = None, *, ignore: bool = False) -> SourceStreams:
    """The streams of a run with the shipped mapper."""
    given = {"access_token": "t", "location_id": "l", "streams": json.dumps(described or {})}
    return SourceStreams(MessageMapper(), settings_from(given).streams, ignore_unknown=ignore)


@pytest.mark.parametrize(
    ("message", "words"),
    [
        (schema("people", "id"), ["people", "TARGET_HIGHLEVEL_STREAMS", "TARGET_HIGHLEVEL_UNKNOWN_STREAMS=ignore"]),
        (schema("contacts", "id"), ["contacts", "only tap-cliniko's own"]),
        (schema("patients", "id", origin={"origin": "tap-other"}), ["patients"]),
        (schema("patients", "id", origin="tap-cliniko"), ["patients"]),
        (schema("clients", "id", origin=CLINIKO), ["clients", "renamed by stream_maps"]),
        (schema("patients", "id", "links__self", origin=CLINIKO), ["patients", "flattened"]),
        (schema("patients", "links", origin=CLINIKO), ["patients", "key"]),
        (schema("patients", "id", keys=(), origin=CLINIKO), ["patients", "key"]),
    ],
    ids=["unknown", "alike", "another origin", "no origin", "renamed", "flattened", "without id", "without key"],
)  # fmt: skip
def test_a_stream_that_nobody_knows_is_refused(message: dict[str, Any], words: list[str]) -> None:
    """At its SCHEMA, which comes before its records: nothing of it can be lost in silence."""
    with pytest.raises(SettingsError) as caught:
        list(streams().schema(message))
    for word in words:
        assert word in caught.value.hint


@pytest.mark.parametrize("name", ["people", "contacts"])
def test_it_may_be_left_out_on_purpose(name: str) -> None:
    """Then its records are counted, also where there are none."""
    taken = streams(ignore=True)
    (passed,) = taken.schema(schema(name, "id"))
    assert stream_spec(passed) is None
    assert taken.left_out == {name: 0}
    assert [list(taken.record(row(name, id=str(number)))) for number in range(3)] == [[], [], []]
    assert taken.left_out == {name: 3}


def test_clinikos_own_are_mapped_and_mapped_ones_pass() -> None:
    """A mapper may stand before the target, or within it."""
    taken = streams()
    mapped = list(taken.schema(schema("patients", "id", "links", origin=CLINIKO)))
    assert {"hl_contacts", "hl_patient_profiles"} <= {message["stream"] for message in mapped}
    again = streams()
    assert list(again.schema(mapped[0])) == [mapped[0]]
    line = json.loads(record("hl_contacts", "patients/1"))
    assert list(again.record(line)) == [line]


def test_a_last_line_counts_what_was_left_out() -> None:
    """A run is not complete without a word of it."""
    assert left_out_words({"people": 1200, "pets": 0}) == (
        "; records left out by unknown_streams or stream_maps: 1,200 of people, 0 of pets"
    )


# Described in the settings


def test_a_described_stream_becomes_contacts() -> None:
    """Standard fields, custom fields, tags and an owner; identity is the stream and its key."""
    taken = streams({"people": PEOPLE})
    message = schema("people", "nr", "first", "last", "mail", "born", "shoe", "text", "more", keys=())
    (declared,) = taken.schema(message)
    spec = stream_spec(declared)
    assert spec is not None
    assert spec.by_api_name == {name: name for name in ("firstName", "lastName", "email", "dateOfBirth")}
    assert {(item.name, item.label, item.data_type) for item in spec.custom} == {
        ("source_system_id", "Source System ID", "TEXT"),
        ("shoe_size", "Shoe size", "TEXT"),
        ("remarks", "Remarks", "LARGE_TEXT"),
    }  # fmt: skip
    (loaded,) = taken.record(
        row(
            "people",
            nr=17,
            first=" Ada ",
            last="",
            mail=None,
            born="1990-02-03T00:00:00",
            shoe=43,
            text=True,
            more="x",
        )
    )
    item = incoming(spec, loaded["record"])
    assert item.ref == "contact:people/17"
    assert item.fields == {
        "firstName": "Ada", "dateOfBirth": "1990-02-03", "shoe_size": "43", "remarks": "Yes", "tags": ["imported"],
        "source_system_id": "people/17",
    }  # fmt: skip


def test_a_described_stream_becomes_a_custom_object() -> None:
    """Its first field is its name; its key is the stream's own."""
    taken = streams({"pets": PETS})
    (declared,) = taken.schema(schema("pets", "id", "name", "weight"))
    spec = stream_spec(declared)
    assert spec is not None
    assert (spec.kind, spec.object, spec.singular, spec.primary) == (
        "custom_object",
        "custom_objects.pet",
        "Pet",
        "name",
    )
    (loaded,) = taken.record(row("pets", id="a", name="Rex", weight=12.5))
    assert incoming(spec, loaded["record"]).fields == {
        "name": "Rex", "weight": "12.5", "source_system_id": "pets/a",
    }  # fmt: skip


@pytest.mark.parametrize("key", [None, "", "  ", [], {}])
def test_a_record_without_its_key_is_rejected_alone(key: Any) -> None:
    """It stops nobody else."""
    taken = streams({"pets": PETS})
    (declared,) = taken.schema(schema("pets", "id", "name", "weight"))
    spec = stream_spec(declared)
    assert spec is not None
    (loaded,) = taken.record(row("pets", id=key, name="Rex"))
    assert incoming(spec, loaded["record"]).rejected == {"reason": "invalid_record", "field": "id"}


@pytest.mark.parametrize("key", ["17", "17.0", "1.7E+1", '"17"'])
def test_one_number_is_one_identity(key: str) -> None:
    """However a tap spells it: who comes as 17.0 the next time is nobody new."""
    taken = streams({"pets": PETS})
    list(taken.schema(schema("pets", "id", "name", "weight")))
    (loaded,) = taken.record(row("pets", id=decode_line(f'{{"id": {key}}}')["id"], name="Rex"))
    assert loaded["record"]["source_id"] == "pets/17"


def test_what_a_tap_says_was_deleted_is_left_out() -> None:
    """It is not made, and counted."""
    taken = streams({"pets": PETS})
    (declared,) = taken.schema(schema("pets", "id", "name", "weight", "_sdc_deleted_at"))
    spec = stream_spec(declared)
    assert spec is not None
    for moment, why in ((None, None), ("2026-01-01T00:00:00Z", "deleted_in_source")):
        (loaded,) = taken.record(row("pets", id="a", name="Rex", _sdc_deleted_at=moment))
        assert incoming(spec, loaded["record"]).filtered == why


def test_what_is_no_number_is_no_value() -> None:
    """Some taps write NaN."""
    assert decode_line('{"a": NaN, "b": -Infinity}') == {"a": None, "b": None}


@pytest.mark.parametrize("line", ["[" * 100_000, "3", '{"a"'])
def test_a_line_that_is_no_message_ends_the_run_without_being_shown(line: str) -> None:
    """Nested beyond all measure, no object, cut off."""
    with pytest.raises(BrokenInput, match="line 1 of the input"):
        MessageReader().deserialize_json(line)


def test_numbers_in_a_state_are_passed_on_digit_by_digit() -> None:
    """A tap may keep its bookmark as a number."""
    output = io.StringIO()
    states = StateOutput(output)
    passed = states.gate()
    passed(states.came(decode_line('{"since": 1700000000.123456789}')))
    assert output.getvalue() == '{"since": 1700000000.123456789}\n'


def target(folder: Path, **settings: Any) -> TargetHighLevel:
    """Return a target with a new ledger, which never comes to write anything."""
    given = {"access_token": "t", "location_id": "l", "streams": json.dumps({"pets": PETS})}
    return TargetHighLevel(
        config={**given, "ledger_url": f"sqlite:///{folder}/l.db", **settings}, validate_config=False
    )


@pytest.mark.parametrize(
    "maps",
    [
        {"pets": {"__alias__": "animals"}},
        {"animals": {"__source__": "pets"}},
        {"pets": {"__filter__": "weight > 3"}},
        {"pets": {"source_id": None}},
        {"pets": {"name": "1/0"}},
        {"pets": "x"},
    ],
    ids=["renamed", "copied", "names of before", "key removed", "failing", "no map"],
)
def test_a_stream_map_that_would_lose_records_is_a_wrong_setting(
    tmp_path: Path, maps: dict[str, Any]
) -> None:
    """Nothing is loaded under a name that nobody knows."""
    mapped = target(tmp_path, stream_maps=maps)
    with pytest.raises(SettingsError, match="STREAM_MAPS"):  # noqa: PT012 - some fail at the first record only
        mapped._process_schema_message(schema("pets", "id", "name", "weight"))
        mapped._process_record_message(row("pets", id="a", name="Rex", weight=5))


def test_a_stream_map_of_what_is_mapped_first_is_a_wrong_setting(tmp_path: Path) -> None:
    """It would change nothing, and somebody means it to."""
    mapped = target(tmp_path, stream_maps={"patients": None})
    with pytest.raises(SettingsError, match="hl_contacts"):
        mapped._process_schema_message(schema("patients", "id", "links", origin=CLINIKO))


def test_a_message_without_its_object_is_broken_input(tmp_path: Path) -> None:
    """It says which line, and that it is the tap's doing."""
    taken = target(tmp_path)
    taken._process_schema_message(schema("pets", "id", "name", "weight"))
    for broken in ({"schema": None}, {"schema": [1]}, {"record": None}, {"record": [1]}):
        (content,) = broken
        process = taken._process_schema_message if content == "schema" else taken._process_record_message
        with pytest.raises(BrokenInput, match=f"has no {content} of a stream"):
            process({"stream": "pets", **broken})


@pytest.mark.parametrize(
    ("described", "message", "words"),
    [
        (PEOPLE, schema("people", "nr", "first"), "last"),
        (PETS, schema("people", "name", "weight", keys=()), "id"),
        (PETS, schema("people", "name", "weight", "a", "b", keys=("a", "b")), "id"),
    ],
)
def test_a_description_that_does_not_fit_the_stream_is_refused(
    described: dict[str, Any], message: dict[str, Any], words: str
) -> None:
    """Before its first record."""
    with pytest.raises(SettingsError, match=words):
        list(streams({"people": described}).schema(message))


@pytest.mark.parametrize(
    ("described", "words"),
    [
        ({"object": "contact"}, "people.fields: Field required"),
        ({"object": "deal", "fields": {"a": "b"}}, "object must be contact"),
        ({"object": "contact", "fields": {"a": "b"}, "ids": "a"}, "people.ids"),
        ({"object": "contact", "fields": {"a": {"label": "b", "type": "MAP"}}}, "people.fields.a"),
        ({"object": "contact", "fields": {"a": "Source system id"}}, "source_system_id"),
        ({"object": "contact", "fields": {"a": "Shoe size", "b": "shoe Size"}}, "shoe_size"),
        ({"object": "contact", "fields": {"a": "Größe"}}, "letters, digits and blanks"),
        ({"object": "custom_objects.pet", "fields": {"a": "b"}, "tags": ["x"]}, "tags are for contacts"),
    ],
)
def test_a_wrong_description_is_a_wrong_setting(described: dict[str, Any], words: str) -> None:
    """It says where."""
    with pytest.raises(SettingsError, match="TARGET_HIGHLEVEL_STREAMS") as caught:
        streams({"people": described})
    assert words in caught.value.hint


@pytest.mark.parametrize(
    ("target", "key"),
    [
        *(("contact", key) for key in (*sorted(STEERING), "part", "unless", "pieces", "tags", "owner")),
        ("custom_objects.pet", "source_id"),
        ("custom_objects.pet", "source_system_id"),
        ("custom_objects.pet", "part"),
    ],
)
def test_a_label_takes_no_name_that_means_something_else(target: str, key: str) -> None:
    """Its values would be the identity of records, or say that they are parts of others, or are to be left out."""
    label = key.replace("_", " ").title()
    with pytest.raises(SettingsError, match="TARGET_HIGHLEVEL_STREAMS: people: ") as caught:
        streams({"people": {"object": target, "fields": {"origin": label}}})
    assert f"fields.origin ({key})" in caught.value.hint


def test_a_custom_object_may_have_tags_of_its_own() -> None:
    """Only contacts have others."""
    pets = {"object": "custom_objects.pet", "fields": {"name": "Name", "a": "Tags", "b": "Owner"}}
    (declared,) = streams({"pets": pets}).schema(schema("pets", "id", "name", "a", "b"))
    spec = stream_spec(declared)
    assert spec is not None
    assert {item.name for item in spec.custom} == {"name", "tags", "owner", "source_system_id"}


@pytest.mark.parametrize(
    "described",
    [{"object": "custom_object"}, {"object": "deal"}, "contact", {"object": "contact", "associations": [{}]}],
)
def test_a_stream_that_describes_itself_wrongly_is_refused(described: Any) -> None:
    """As a setting, not as a fault of this program."""
    with pytest.raises(SettingsError, match="stream people"):
        stream_spec(schema("people", "id", highlevel=described))


def test_thirty_contacts_of_a_csv_arrive_exactly_once(
    highlevel: Callable[..., Loader], tmp_path: Path
) -> None:
    """As a real tap for CSV files has put them out: its key is a line of a file, and empty cells are texts.

    Unknown streams beside them are left out and counted; a second load writes nothing; a batch is read like the pipe.
    """
    loader = highlevel()
    recorded = [json.loads(line) for line in RECORDED.read_text(encoding="utf-8").splitlines()]
    people = [message["record"] for message in recorded if message["type"] == "RECORD"]
    described = {
        "people": {
            "object": "contact",
            "id": "Client No",
            "fields": {
                "First": "firstName",
                "Last": "lastName",
                "E-mail": "email",
                "Mobile": "phone",
                "Born": "dateOfBirth",
                "Notes": {"label": "Remarks", "type": "LARGE_TEXT"},
            },
        }
    }
    (tmp_path / "b.gz").write_bytes(
        gzip.compress("".join(f"{json.dumps(one)}\n" for one in people[20:]).encode())
    )
    encoding = {"format": "jsonl", "compression": "gzip"}
    manifest = [(tmp_path / "b.gz").as_uri()]
    messages = [
        *recorded[:22],
        {"type": "BATCH", "stream": "people", "encoding": encoding, "manifest": manifest},
        schema("deals", "id"),
        row("deals", id="1"),
        recorded[-1],
    ]
    lines = [json.dumps(message) for message in messages]
    given = {"STREAMS": json.dumps(described)}
    refused = loader.load([lines[-3], *lines], **given)
    assert (refused.code, refused.states) == (2, [])
    assert "deals" in refused.log.splitlines()[-1]
    assert loader.sandbox.highlevel.control.stats()["writes"] == 0
    loaded = loader.load(lines, **given, UNKNOWN_STREAMS="ignore")
    assert loaded.code == 0, loaded.log[-2000:]
    assert loaded.log.splitlines()[-1].endswith("stream_maps: 1 of deals (exit 0)")
    assert loaded.report["left_out"] == {"deals": 1}
    contacts = loader.sandbox.highlevel.state.contacts.values()
    told = [(one.get("email", ""), one["lastName"], one["dateOfBirth"]) for one in contacts]
    assert sorted(told) == sorted((one["E-mail"], one["Last"], one["Born"]) for one in people)
    assert {bool(contact["assignedTo"]) for contact in contacts} == {True}
    before = loader.sandbox.highlevel.control.stats()["writes"]
    assert loader.load(lines, **given, UNKNOWN_STREAMS="ignore").code == 0
    assert loader.sandbox.highlevel.control.stats()["writes"] == before


# Batches


def batch(*manifest: str, **encoding: Any) -> dict[str, Any]:
    """A BATCH message."""
    told = {"format": "jsonl", "compression": "gzip"} | encoding
    return {"type": "BATCH", "stream": "people", "encoding": told, "manifest": list(manifest)}


def test_a_batch_is_read_exactly(tmp_path: Path) -> None:
    """Packed or not, by its path or its address, numbers digit by digit."""
    lines = b'{"id": 1, "amount": 12.30}\n\n{"id": 2, "name": "a\\u0000b"}\n'
    plain, packed = tmp_path / "a b.jsonl", tmp_path / "b.gz"
    plain.write_bytes(lines)
    packed.write_bytes(gzip.compress(lines))
    wanted = list(batches.records(batch(str(packed))))
    assert [str(one.get("amount")) for one in wanted] == ["12.30", "None"]
    assert wanted[1]["name"] == "ab"
    assert list(batches.records(batch(packed.as_uri()))) == wanted
    assert list(batches.records(batch(plain.as_uri(), compression="none"))) == wanted


@pytest.mark.parametrize(
    "message",
    [
        batch("file:///x", format="parquet"),
        batch("file:///x", compression="zstd"),
        batch("s3://bucket/x"),
        batch("file://elsewhere/x"),
        {**batch(), "encoding": None},
    ],
)
def test_a_batch_of_another_form_or_place_is_a_wrong_setting(message: dict[str, Any]) -> None:
    """One line that names the setting of the tap."""
    with pytest.raises(SettingsError, match="batch_config"):
        list(batches.records(message))


@pytest.mark.parametrize(
    "content",
    [None, b"no archive", gzip.compress(b'{"id": 1}\n')[:-12], gzip.compress(b"Jane\n")],
    ids=["removed", "no archive", "cut off", "no JSON"],  # an archive holds the second in which it was made
)
def test_a_broken_batch_ends_the_run_without_showing_a_line(content: bytes | None, tmp_path: Path) -> None:
    """Cut off, removed, or no JSON."""
    file = tmp_path / "b.gz"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(BrokenInput) as caught:
        list(batches.records(batch(file.as_uri())))
    assert "people" in str(caught.value)
    assert "Jane" not in str(caught.value)
