"""Definitions made by several threads at once: none is made twice, none is lost."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest
from hl_http_server import HighLevelServer, Reply, Seen
from typing_extensions import override

from target_highlevel.api.definitions import Field
from target_highlevel.api.live import LiveHighLevel
from target_highlevel.descriptor import FieldSpec, StreamSpec
from target_highlevel.errors import SettingsError
from target_highlevel.http.client import HighLevelClient
from target_highlevel.http.governor import Governor, Limits
from target_highlevel.http.tokens import PrivateToken
from target_highlevel.setup.catalogue import Catalogue
from target_highlevel.setup.schema import SchemaSetup

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

#: Seconds for other threads to go as far as they can.
LONG_ENOUGH = 0.3


class Keys(set[str]):
    """Whoever goes through it first is held up until somebody has added to it."""

    def __init__(self, keys: Iterable[str]) -> None:
        super().__init__(keys)
        self._grown = threading.Event()
        self._first = iter([True])

    @override
    def __iter__(self) -> Iterator[str]:
        first = next(self._first, False)
        for item in super().__iter__():
            if first:
                self._grown.wait(LONG_ENOUGH)
            yield item

    @override
    def add(self, item: str) -> None:
        super().add(item)
        self._grown.set()


class Fields(dict[str, Field]):
    """Says when a field was put into it."""

    def __init__(self, grown: threading.Event, **fields: Field) -> None:
        super().__init__(**fields)
        self._grown = grown

    @override
    def __setitem__(self, name: str, field: Field) -> None:
        super().__setitem__(name, field)
        self._grown.set()


class Definitions:
    """A server of definitions: it makes what it is asked for, and keeps what it made."""

    def __init__(self, server: HighLevelServer) -> None:
        server.respond = self.respond
        self.made: list[str] = []
        #: Where each thing that was made was put: the folder of a property, the position of a field of contacts.
        self.places: dict[str, Any] = {}
        self.contact_fields: list[dict[str, Any]] = []
        #: What is answered instead of making a folder.
        self.no_folder: Reply | None = None
        #: The list of contact fields is answered, as it was when it was asked for, only when this is set.
        self.grown = threading.Event()

    def respond(self, seen: Seen) -> Reply:
        """Answer one request."""
        body = json.loads(seen.body) if seen.body else {}
        if seen.method == "GET" and seen.path.endswith("/customFields"):
            listed = list(self.contact_fields)
            self.grown.wait(LONG_ENOUGH)
            return Reply(body={"customFields": listed})
        if seen.method == "GET":
            return Reply(body={"fields": [], "folders": [{"id": "f"}]})
        if self.no_folder and seen.path.endswith("/folder"):
            return self.no_folder
        name = body.get("key") or body.get("fieldKey") or body["name"]
        if seen.method == "POST":
            self.made.append(name)
            self.places[name] = body.get("parentId", body.get("position"))
        made = {"id": name, "dataType": "TEXT", "fieldKey": f"contact.{name.lower()}"}
        return Reply(
            body={"object": made, "field": {**made, "fieldKey": name}, "customField": made, "id": name}
        )


@pytest.fixture
def server() -> Iterator[HighLevelServer]:
    """A server whose answers are scripted."""
    running = HighLevelServer()
    yield running
    running.stop()


@pytest.fixture
def catalogue(server: HighLevelServer) -> Iterator[tuple[Catalogue, SchemaSetup]]:
    """What is known of a sub-account without anything, and what makes the rest."""
    token = PrivateToken("token")
    client = HighLevelClient(server.url, token, Governor(Limits(requests=1000)), agency_tokens=token)
    highlevel = LiveHighLevel(client, "location")
    known = Catalogue(highlevel, None)
    yield known, SchemaSetup(highlevel, known, agency=True)
    client.close()


def custom_object(name: str) -> StreamSpec:
    """Return a stream of a custom object with one property."""
    label = {"name": FieldSpec("name", label="Name")}
    return StreamSpec(f"hl_{name}", "custom_object", f"custom_objects.{name}", primary="name", fields=label)


def test_several_objects_of_a_fresh_sub_account(
    server: HighLevelServer, catalogue: tuple[Catalogue, SchemaSetup]
) -> None:
    """One thread looks at all objects there are, for their number is limited, while others would add theirs."""
    known, schema = catalogue
    definitions = Definitions(server)
    known.object_keys = Keys({"contact", "opportunity"})
    names = ("profile", "invoice", "service", "insurer")
    schema.ensure_missing([custom_object(name) for name in names])
    assert set(known.object_keys) == {"contact", "opportunity", *(f"custom_objects.{name}" for name in names)}
    assert sorted(name for name in definitions.made if name.count(".") == 1) == sorted(
        f"custom_objects.{name}" for name in names
    )


def test_two_streams_of_contacts_on_a_fresh_sub_account(
    server: HighLevelServer, catalogue: tuple[Catalogue, SchemaSetup]
) -> None:
    """A field that both of them have is made once."""
    _, schema = catalogue
    definitions = Definitions(server)
    shared = {"shared": FieldSpec("shared", "custom", label="Shared")}
    schema.ensure_missing([StreamSpec(f"hl_{name}", "contact", "contact", fields=shared) for name in "ab"])
    assert definitions.made == ["Shared"]


def test_a_list_that_was_asked_for_before_a_field_was_made(
    server: HighLevelServer, catalogue: tuple[Catalogue, SchemaSetup]
) -> None:
    """It lacks the field; whoever asked for it, to add an option to another, does not make the field forgotten."""
    known, schema = catalogue
    definitions = Definitions(server)
    definitions.contact_fields = [
        {"id": "c", "dataType": "RADIO", "fieldKey": "contact.choice", "picklistOptions": ["A"]}
    ]
    known.contact_fields = Fields(definitions.grown, choice=Field("c", "RADIO", {"A": "A"}))
    fields = {
        "choice": FieldSpec("choice", "custom", data_type="RADIO", label="Choice", options=("A", "B")),
        "late": FieldSpec("late", "custom", label="Late"),
    }
    schema.ensure(StreamSpec("hl_a", "contact", "contact", fields=fields))
    assert set(known.contact_fields) == {"choice", "late"}
    assert set(known.contact_fields["choice"].options) == {"A", "B"}


def test_fields_stand_in_folders_and_in_order(
    server: HighLevelServer, catalogue: tuple[Catalogue, SchemaSetup]
) -> None:
    """Folders and the properties of each are made in turn; fields of contacts, which the API gives no folder, are numbered."""
    known, schema = catalogue
    definitions = Definitions(server)
    folders = {"name": "Identity", "start": "NDIS", "born": "Identity", "end": "NDIS"}
    fields = {name: FieldSpec(name, "custom", label=name, folder=folder) for name, folder in folders.items()}
    schema.ensure(StreamSpec("hl_a", "custom_object", "custom_objects.a", primary="name", fields=fields))
    assert definitions.made[:3] == ["custom_objects.a", "Identity", "NDIS"]
    made = [name.rpartition(".")[2] for name in definitions.made[3:]]
    assert made.index("name") < made.index("born")
    assert made.index("start") < made.index("end")
    assert {name: definitions.places[f"custom_objects.a.{name}"] for name in folders} == folders
    theirs = {"id": "t", "dataType": "TEXT", "fieldKey": "contact.theirs", "position": 7}
    definitions.contact_fields = [theirs]
    known.read_contact_fields()
    own = {name: FieldSpec(name, "custom", label=name) for name in ("first", "second")}
    schema.ensure(StreamSpec("hl_b", "contact", "contact", fields=own))
    assert [definitions.places[name] for name in own] == [8, 9]


@pytest.mark.parametrize(
    "answer", [Reply(403), Reply(404), Reply(400, {"message": "no more folders"}), Reply(500), Reply(200, {})]
)
def test_fields_are_made_where_no_folder_can_be(
    answer: Reply, server: HighLevelServer, catalogue: tuple[Catalogue, SchemaSetup]
) -> None:
    """They stand in the folder that the object has by itself."""
    _, schema = catalogue
    definitions = Definitions(server)
    definitions.no_folder = answer
    fields = {"name": FieldSpec("name", "custom", label="name", folder="Identity")}
    schema.ensure(StreamSpec("hl_a", "custom_object", "custom_objects.a", primary="name", fields=fields))
    assert definitions.places["custom_objects.a.name"] == "f"


def test_fields_of_other_types_are_all_named_before_anything_is_made(
    server: HighLevelServer, catalogue: tuple[Catalogue, SchemaSetup]
) -> None:
    """A date that an earlier version made as a text goes on as one; what cannot take its values stops the load, all at once."""
    known, schema = catalogue
    there = {"day": "TEXT", "story": "DATE", "sum": "TEXT", "types": "CHECKBOX", "place": "RADIO"}
    known.contact_fields = {name: Field(name, kind, {"A": "A"}) for name, kind in there.items()}
    wanted = {
        "day": "DATE", "story": "TEXT", "sum": "NUMERICAL", "types": "MULTIPLE_OPTIONS", "place": "SINGLE_OPTIONS"
    }  # fmt: skip
    fields = {
        name: FieldSpec(name, "custom", data_type=kind, label=name.title(), options=("A",))
        for name, kind in wanted.items()
    }
    spec = StreamSpec("hl_a", "contact", "contact", fields=fields)
    named = [problem.split(";")[0] for problem in schema.obstacles([spec], first=True)]
    assert named == [
        "contact.story exists in HighLevel with type DATE, not TEXT",
        "contact.sum exists in HighLevel with type TEXT, not NUMERICAL",
    ]
    with pytest.raises(SettingsError, match="story"):
        schema.ensure(spec)
    assert server.seen == []
