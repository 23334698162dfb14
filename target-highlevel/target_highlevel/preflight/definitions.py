"""Whether the fields, objects and associations that earlier loads wrote to are still those of the sub-account.

Whoever deletes one in HighLevel deletes its values of every patient. Made anew it is empty, and records that have not changed in
Cliniko would never fill it: so the load stops, once, and the next full read writes all of them again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from target_highlevel.errors import SettingsError
from target_highlevel.ledger.definitions import ASSOCIATIONS, OBJECTS
from target_highlevel.setup.schema import defined_fields

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from target_highlevel.descriptor import StreamSpec
    from target_highlevel.ledger.definitions import Definitions
    from target_highlevel.setup.catalogue import Catalogue

logger = logging.getLogger(__name__)

_AGAIN = (
    "run once with `meltano run --full-refresh tap-cliniko target-highlevel`, which writes every value again"
)
#: The keys of objects that an account made, and HighLevel did not bring.
_CUSTOM = "custom_objects."


class DefinitionCheck:
    """Compares what the catalogue reads with what the ledger knows."""

    def __init__(
        self, definitions: Definitions, catalogue: Catalogue, specs: Mapping[str, StreamSpec]
    ) -> None:
        """Check for one run, whose streams are put into ``specs`` as they are declared."""
        self._definitions = definitions
        self._catalogue = catalogue
        self._specs = specs
        #: What was found deleted by this run, which writes no more.
        self._found: list[str] = []

    def check(self, *, goes_on: bool, settle: Callable[[], object]) -> None:
        """Compare before anything is made or written.

        Args:
            goes_on: whether only what has changed in Cliniko comes in this run.
            settle: waits until a list of definitions surely shows what an earlier run has made.

        Raises:
            SettingsError: some were deleted, and their values are not written again yet.
        """
        kinds = list(self._definitions.used())
        self._read_fields(kinds)
        if any(self._gone(kind) for kind in kinds):
            settle()
            self._catalogue.read_contact_fields()
            self._catalogue.read_objects()
            self._catalogue.read_associations()
            self._read_fields(kinds)
        self._stop_where_gone(kinds)
        if goes_on and (deleted := self._definitions.deleted()):
            raise SettingsError(_what_to_do(deleted))

    def _read_fields(self, kinds: Iterable[str]) -> None:
        """Read the fields of custom objects; those of contacts have a list of their own, and no other kind has fields of ours.

        HighLevel lists its own kinds of objects too, and has no such fields of contacts or opportunities.
        """
        for kind in kinds:
            if kind.startswith(_CUSTOM) and kind in self._catalogue.object_keys:
                self._catalogue.read_object(kind)

    def keep(self, *, all_came: bool) -> None:
        """Remember what this load has used; where everything came, what had been deleted is written again."""
        there: dict[str, dict[str, str]] = {}
        for spec in self._specs.values():
            kind = _kind(spec)
            _keep(there, kind, self._ids(kind), _names(spec))
            _keep(there, OBJECTS, self._ids(OBJECTS), [spec.object])
            _keep(there, ASSOCIATIONS, self._ids(ASSOCIATIONS), [each.key for each in spec.associations])
        self._definitions.use(there)
        if all_came:
            self._definitions.written_again()

    def _stop_where_gone(self, kinds: Iterable[str]) -> None:
        named = []
        for kind in kinds:
            if gone := self._gone(kind):
                files = kind == "contact" and any(spec.file_field in gone for spec in self._specs.values())
                self._definitions.forget(kind, gone, files=files)
                named += [f"{kind} {name}" for name in gone]
        if named:
            logger.warning("highlevel.definitions_deleted what=%s", ",".join(named))
            self._found += named
        if self._found:  # every thread that was about to write hears of it
            raise SettingsError(_what_to_do(self._found))

    def _gone(self, kind: str) -> list[str]:
        there = self._ids(kind)
        missed = [
            name for name, id_ in self._definitions.used().get(kind, {}).items() if there.get(name) != id_
        ]
        # earlier versions took every field of these names for ours, the clinic's own among them
        ours = {name for spec in self._specs.values() if _kind(spec) == kind for name in _names(spec)}
        return [name for name in missed if name in ours or not ours]

    def _ids(self, kind: str) -> dict[str, str]:
        catalogue = self._catalogue
        if kind == OBJECTS:
            return {key: key for key in catalogue.object_keys}
        if kind == ASSOCIATIONS:
            return catalogue.associations
        fields = catalogue.contact_fields if kind == "contact" else catalogue.object_fields.get(kind, {})
        return {name: field.id for name, field in fields.items()}


def _kind(spec: StreamSpec) -> str:
    """Return the kind of definitions that the fields of a stream are of."""
    return "contact" if spec.kind in {"contact", "file"} else spec.object


def _names(spec: StreamSpec) -> list[str]:
    """Return the names of the fields that a stream has defined."""
    return [*(declared.name for declared in defined_fields(spec)), spec.file_field]


def _keep(there: dict[str, dict[str, str]], kind: str, ids: Mapping[str, str], names: Iterable[str]) -> None:
    there.setdefault(kind, {}).update({name: ids[name] for name in names if name in ids})


def _what_to_do(names: Iterable[str]) -> str:
    return f"deleted in HighLevel since they were filled: {', '.join(names)}; {_AGAIN}"
