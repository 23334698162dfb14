"""The mapping as a whole: Singer messages of Cliniko's streams in, messages of HighLevel's streams out.

Both hosts call it, the mapper plugin and the target in-process, so both give the same. It reads the mapping
file when it is made and nothing after that; it has no clock.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cliniko_to_highlevel import mapping as clinic
from cliniko_to_highlevel import mapping_file
from cliniko_to_highlevel.errors import Filter, MappingError, Reason, RecordError
from cliniko_to_highlevel.reference import Reference
from cliniko_to_highlevel.routes import IGNORED, ROUTES, STREAMS
from cliniko_to_highlevel.row import Row
from cliniko_to_highlevel.streams import Output
from cliniko_to_highlevel.survey import Survey

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cliniko_to_highlevel.custom_fields import FieldChoice
    from cliniko_to_highlevel.routes import Route

Message = dict[str, Any]

#: What the tap sets on the bare id of a row that Cliniko has no longer.
TOMBSTONE = "_sdc_deleted_at"
#: What the tap says in the schemas of a run that reads a sample only.
SAMPLE = "x-sample"


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
        self._reference = Reference(clinic.load(mapping_path))
        self._options: dict[str, dict[str, dict[str, None]]] = {
            stream.name: {
                name: dict.fromkeys((item.highlevel or {})["options"])
                for name, item in stream.pick_lists.items()
            }
            for stream in STREAMS.values()
        }
        self._unsent = set(STREAMS)
        self._sample = False
        self._named_insurers: set[str] = set()

    @staticmethod
    def mapping_text(mapping_path: str | None) -> str:
        """Return the text of the mapping in use: an approval counts for this text only."""
        return mapping_file.text(mapping_path)

    def handles(self, stream: str) -> bool:
        """Return whether a stream is Cliniko's: mapped, or left out on purpose."""
        return stream in ROUTES or stream in IGNORED

    @property
    def custom_fields(self) -> tuple[FieldChoice, ...]:
        """Return where each custom field of the account goes; empty before the settings were seen."""
        return self._reference.fields.choices

    def survey(self) -> Survey:
        """Return a count of what goes by, for the plan of a migration; it counts nothing on its own."""
        return Survey(self._reference, self._path)

    def declared(self) -> Iterator[Message]:
        """Yield the schema of every stream that the mapping can give, before any record was seen."""
        yield from map(self._declared, STREAMS)

    def _declared(self, name: str) -> Message:
        stream = STREAMS[name]
        schema = stream.schema({field: list(values) for field, values in self._options[name].items()})
        if self._sample:
            schema["x-highlevel"]["sample"] = True
        return {
            "type": "SCHEMA",
            "stream": name,
            "schema": schema,
            "key_properties": stream.key_properties,
        }

    def schema(self, message: Message) -> Iterator[Message]:
        """Yield the schemas of the streams that a Cliniko stream feeds: they exist even when it is empty."""
        self._sample = self._sample or bool(message.get("schema", {}).get(SAMPLE))
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
        route = ROUTES[row.resource]
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
        """Return whether an insurer was sent before: named by a hundred patients, it is one record."""
        source_id = output.record["source_id"]
        if not source_id.startswith("insurers/"):
            return False
        repeated = source_id in self._named_insurers
        self._named_insurers.add(source_id)
        return repeated

    def _schemas(self, streams: tuple[str, ...]) -> Iterator[Message]:
        for name in streams:
            if name in self._unsent:
                self._unsent.discard(name)
                yield self._declared(name)

    def _learn_reference_options(self, row: Row) -> None:
        """Declare appointment types and locations as options before any patient has one."""
        if row.resource == "appointment_types":
            self._declare("cliniko_appointment_type", self._reference.appointment_types.values())
        elif row.resource == "businesses":
            names = (self._reference.location(key) for key in self._reference.businesses)
            self._declare("cliniko_location", (name for name in names if name))

    def _declare(self, field: str, names: Iterable[str]) -> None:
        """Replace the options of a pick list of the contact by those known now."""
        self._options["hl_contacts"][field] = dict.fromkeys(names)
        self._unsent.add("hl_contacts")

    def _learn_options(self, output: Output) -> None:
        """Add options that a record uses and nothing declared: a code that is newer than this mapping."""
        for field, known in self._options[output.stream].items():
            value = output.record.get(field)
            values = value if isinstance(value, list) else [value]
            new = [item for item in values if item is not None and item not in known]
            if new:
                known.update(dict.fromkeys(new))
                self._unsent.add(output.stream)


def _withdrawn(row: Row, route: Route) -> Iterator[Output]:
    """Yield what takes back all that a record deleted for good has given to others."""
    for stream in route.streams:
        if "part" in STREAMS[stream].steering:
            blank = STREAMS[stream].blank(row.source_id)
            yield Output(stream, {**blank, "part": row.source_id, "filtered": Filter.DELETED.value})


def _gone(row: Row, stream: str) -> Output:
    """Return what is left of a record deleted for good: its identity.

    An empty record would empty the one in HighLevel. A relation must go; anything else stays, and is counted.
    """
    source_id = row.source_id
    declared = STREAMS[stream]
    if "absent" in declared.steering:
        return Output(stream, {**declared.blank(source_id), "absent": True})
    return Output(stream, {**declared.blank(source_id), "filtered": Filter.DELETED.value})


def _rejected(row: Row, stream: str, rejection: dict[str, str]) -> Output:
    try:
        source_id = row.source_id
    except RecordError:
        source_id = f"{row.resource}/?"
    return Output(stream, {**STREAMS[stream].blank(source_id), "rejected": rejection})
