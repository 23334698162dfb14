"""The mapping as a whole: Singer messages of Cliniko's streams in, messages of HighLevel's streams out.

Both hosts call it, the mapper plugin and the target in-process, so both give the same. It reads the mapping
file when it is made and nothing after that; it has no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel import mapping as clinic
from cliniko_to_highlevel import mapping_file
from cliniko_to_highlevel.alerts import ALERT_NOTES
from cliniko_to_highlevel.contacts import CONTACTS
from cliniko_to_highlevel.errors import Filter, MappingError, Reason, RecordError
from cliniko_to_highlevel.reference import Reference
from cliniko_to_highlevel.routes import IGNORED, OWN_STREAMS, PEOPLE, ROUTES, STREAMS, TAKEN
from cliniko_to_highlevel.row import Row
from cliniko_to_highlevel.streams import Output
from cliniko_to_highlevel.survey import Survey
from cliniko_to_highlevel.tracing import Tracer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cliniko_to_highlevel.custom_fields import FieldChoice
    from cliniko_to_highlevel.routes import Route
    from cliniko_to_highlevel.streams import Property

Message = dict[str, Any]

#: What the tap sets on the bare id of a row that Cliniko has no longer.
TOMBSTONE = "_sdc_deleted_at"
#: What the tap says in the schemas of a run that reads a sample only.
SAMPLE = "x-sample"
#: What the tap says in its schemas of itself and of the Cliniko account: ``{"origin": "tap-cliniko", "account": "1"}``.
ORIGIN = "x-cliniko"
TAP = "tap-cliniko"


class MessageMapper:
    """Maps the messages of one run.

    Its only memory is the reference records it has seen and what it has sent of schemas and named insurers.
    """

    def __init__(self, mapping_path: str | None = None) -> None:
        """Read the clinic's mapping, or the shipped one.

        Raises:
            MappingError: the file cannot be used.
        """
        self._path = mapping_path
        self._reference = Reference(clinic.load(mapping_path), TAKEN)
        self._own_fields: dict[str, dict[str, Property]] = {}
        self._options: dict[str, dict[str, dict[str, None]]] = {
            stream.name: {
                name: dict.fromkeys((item.highlevel or {})["options"])
                for name, item in stream.pick_lists.items()
            }
            for stream in STREAMS.values()
        }
        self._unsent = set(STREAMS)
        self._sample = False
        self._origin: dict[str, Any] | None = None
        self._streams: set[str] = set()
        self._stream = ""
        self._people_came = False
        self._sent: set[tuple[str, str, str | None]] = set()

    @staticmethod
    def mapping_text(mapping_path: str | None) -> str:
        """Return the text of the mapping in use: an approval counts for this text only."""
        return mapping_file.text(mapping_path)

    def handles(self, stream: str | None, schema: Mapping[str, Any] | None = None) -> bool:
        """Return whether a message is for the mapping: of a stream of Cliniko's, mapped or left out on purpose.

        A SCHEMA, which is given with its ``schema``, has to say that tap-cliniko wrote it: other taps have ``contacts``, too.
        Any other message belongs to the SCHEMA of its stream that came before.
        """
        if schema is None:
            return stream in self._streams
        told = schema.get(ORIGIN)
        return (
            isinstance(told, dict) and told.get("origin") == TAP and (stream in ROUTES or stream in IGNORED)
        )

    @property
    def custom_fields(self) -> tuple[FieldChoice, ...]:
        """Return where each custom field of the account goes; empty before the settings were seen."""
        return self._reference.fields.choices

    def places(self) -> frozenset[str]:
        """Return the ids of the account's businesses; none of them before the tap has gone on to another list."""
        return frozenset(self._reference.businesses) if self._stream != "businesses" else frozenset()

    def survey(self) -> Survey:
        """Return a count of what goes by, for the plan of a migration; it counts nothing on its own."""
        return Survey(self._reference, self._path)

    def tracer(self) -> Tracer:
        """Return what finds out of which values of a row each field is made, for the sheet of a sample."""
        return Tracer(self._reference, self._own_fields)

    def declared(self) -> Iterator[Message]:
        """Yield the schema of every stream that the mapping can give, before any record was seen."""
        yield from map(self._declared, STREAMS)

    def _declared(self, name: str, *, complete: bool = False) -> Message:
        stream = STREAMS[name]
        options = {field: list(values) for field, values in self._options[name].items()}
        schema = stream.schema(options, self._own_fields.get(name))
        if self._sample:
            schema["x-highlevel"]["sample"] = True
        if complete:
            schema["x-highlevel"]["complete"] = True
        if self._origin:
            schema[ORIGIN] = self._origin
        return {
            "type": "SCHEMA",
            "stream": name,
            "schema": schema,
            "key_properties": stream.key_properties,
        }

    def schema(self, message: Message) -> Iterator[Message]:
        """Yield the schemas of the streams that a Cliniko stream feeds: they exist even when it is empty.

        The tap reads one list after the other: with the first that tells of no people, all people have come.
        """
        schema = message.get("schema", {})
        if not self._people_came and message["stream"] not in PEOPLE and self._streams >= PEOPLE:
            self._people_came = True
            yield self._declared(CONTACTS.name, complete=True)
        self._stream = message["stream"]
        self._streams.add(self._stream)
        self._sample = self._sample or bool(schema.get(SAMPLE))
        self._origin = schema.get(ORIGIN) or self._origin
        route = ROUTES.get(message["stream"])
        if route:
            yield from self._schemas(route.streams)

    def record(self, message: Message) -> Iterator[Message]:
        """Yield what a Cliniko record becomes, each schema before the first record that needs it.

        Raises:
            MappingError: the mapping names a custom field that the account does not have.
        """
        route = ROUTES.get(message["stream"])
        if not route:
            return
        row = Row(message["stream"], message["record"])
        for output in self._outputs(row):
            if self._is_repeated(output):
                continue
            self._learn_options(output)
            yield from self._schemas((output.stream,))
            yield {"type": "RECORD", "stream": output.stream, "record": output.record}

    def _outputs(self, row: Row) -> list[Output]:
        """Return all that a record becomes, or its rejection: one bad record does not stop the run."""
        outputs = self._mapped_or_rejected(row, ROUTES[row.resource])
        for output in outputs:
            if output.record.get("filtered") and "contact" in STREAMS[output.stream].steering:
                output.record.setdefault("contact", _patient(row))  # there somebody will look for it
            money = STREAMS[output.stream].money
            if money and not row.values.get(TOMBSTONE):
                output.record["money"] = money.source(row, self._reference)
        return outputs

    def _mapped_or_rejected(self, row: Row, route: Route) -> list[Output]:
        try:
            return self._mapped(row, route)
        except MappingError:
            raise
        except RecordError as error:
            rejection = {"reason": error.reason.value, "field": error.field}
        except Exception as error:  # noqa: BLE001 - the one place that isolates a record
            rejection = {"reason": Reason.MAPPING_FAILED.value, "field": type(error).__name__}
        return [_rejected(row, stream, rejection) for stream in route.rejected_on]

    def _mapped(self, row: Row, route: Route) -> list[Output]:
        if row.values.get(TOMBSTONE):
            return (
                [*_withdrawn(row, route), *(_gone(row, stream) for stream in route.rejected_on)]
                if route.makers
                else []
            )
        self._reference.learn(row)
        self._learn_reference_options(row)
        return [output for make in route.makers for output in make(row, self._reference)]

    def _is_repeated(self, output: Output) -> bool:
        """Return whether the same was sent before: an insurer named by a hundred patients, the note of several alerts."""
        source_id, contributor = output.record["source_id"], output.record.get("contributor")
        is_note = output.stream == ALERT_NOTES.name and contributor in {None, source_id}
        if not is_note and not source_id.startswith("insurers/"):
            return False
        key = (output.stream, source_id, contributor)
        repeated = key in self._sent
        self._sent.add(key)
        return repeated

    def _schemas(self, streams: tuple[str, ...]) -> Iterator[Message]:
        for name in streams:
            if name in self._unsent:
                self._unsent.discard(name)
                yield self._declared(name)

    def _learn_reference_options(self, row: Row) -> None:
        """Declare appointment types and locations as options before any patient has one."""
        if row.resource == "public_settings":
            self._declare_own_fields()
        elif row.resource == "appointment_types":
            self._declare("cliniko_appointment_type", self._reference.appointment_types.values())
        elif row.resource == "businesses":
            names = (self._reference.location(key) for key in self._reference.businesses)
            self._declare("cliniko_location", (name for name in names if name))

    def _declare_own_fields(self) -> None:
        """Declare the clinic's own fields as they are now."""
        for place, name in OWN_STREAMS.items():
            fields = self._reference.fields.properties(place)
            if fields or self._own_fields.get(name):
                self._own_fields[name] = fields
                self._options[name].update(
                    {
                        key: dict.fromkeys((item.highlevel or {})["options"])
                        for key, item in fields.items()
                        if item.is_pick_list
                    }
                )
                self._unsent.add(name)

    def _declare(self, field: str, names: Iterable[str]) -> None:
        """Replace the options of a pick list of the contact by those known now."""
        self._options["hl_contacts"][field] = dict.fromkeys(names)
        self._unsent.add("hl_contacts")

    def _learn_options(self, output: Output) -> None:
        """Add options that a record uses and nothing declared: a code that is newer than this mapping."""
        for field, known in self._options[output.stream].items():
            value = output.record.get(field)
            if value is None:
                continue
            values = value if isinstance(value, list) else [value]
            new = [item for item in values if item is not None and item not in known]
            if new:
                known.update(dict.fromkeys(new))
                self._unsent.add(output.stream)


def _withdrawn(row: Row, route: Route) -> Iterator[Output]:
    """Yield what takes back all that a record deleted for good has given to others."""
    for stream in route.streams:
        if "contributor" in STREAMS[stream].steering:
            blank = STREAMS[stream].blank(row.source_id)
            yield Output(stream, {**blank, "contributor": row.source_id, "filtered": Filter.DELETED.value})


def _gone(row: Row, stream: str) -> Output:
    """Return what is left of a record deleted for good: its identity.

    An empty record would empty the one in HighLevel. A relation must go; anything else stays, and is counted.
    """
    source_id = row.source_id
    declared = STREAMS[stream]
    if "absent" in declared.steering:
        return Output(stream, {**declared.blank(source_id), "absent": True})
    left = {**declared.blank(source_id), **declared.when_gone}
    return Output(stream, {**left, "filtered": Filter.DELETED.value})


def _patient(row: Row) -> str | None:
    try:
        return row.linked("patient_id", "patients")
    except RecordError:
        return None


def _rejected(row: Row, stream: str, rejection: dict[str, str]) -> Output:
    try:
        source_id = row.source_id
    except RecordError:
        source_id = f"{row.resource}/?"
    return Output(stream, {**STREAMS[stream].blank(source_id), "rejected": rejection})
