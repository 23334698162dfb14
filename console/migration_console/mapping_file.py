"""The clinic's mapping file: what it says, and changes to it as a person would make them, each of which can be taken back."""

from __future__ import annotations

import hashlib
import os
import shutil
import threading
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from ruamel.yaml.error import YAMLError

from cliniko_to_highlevel import mapping_file as clinic_file
from cliniko_to_highlevel.clinic_fields import names_of
from cliniko_to_highlevel.errors import MappingError
from cliniko_to_highlevel.formats import folded
from cliniko_to_highlevel.mapping import load
from migration_console.yaml_lines import parsed, with_item, with_value, with_values

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

#: Where a custom field can go, in words. What the mapping itself accepts is checked by the mapping.
PLACES = {
    "insurer": "the patient's insurer",
    "member_number": "member number",
    "policy_number": "policy number",
    "claim_number": "claim number",
    "ndis_number": "NDIS number",
    "ndis_plan_start": "start of the NDIS plan",
    "ndis_plan_end": "end of the NDIS plan",
    "ndis_plan_manager": "manager of the NDIS plan",
    "employer": "employer",
    "school": "school",
    "contact_field": "a field of its own on the contact",
    "profile_field": "a field of its own on the patient profile",
    "keep": "with the other fields, as labelled text",
    "ignore": "not moved",
}
#: How bytes that are no UTF-8 are read, and told from others.
_AS_IT_IS = "surrogateescape"
#: What several people can share, and one of them keeps.
ADDRESSES = ("email", "phone")


class WrongChoiceError(ValueError):
    """A choice that the mapping cannot hold; the text says why, for whoever chose."""


class ChangedSinceError(Exception):
    """What a form decides about was changed by somebody else after the form was shown."""


class MappingFile:
    """The mapping file of a clinic, and the versions it had before each change made here."""

    def __init__(self, path: Path, history: Path, first: Path | None = None) -> None:
        """Change this file; keep what it was in that folder.

        Args:
            path: the file
            history: the folder of what it was
            first: what it begins as; the first change makes it
        """
        self._path = path
        self._first = first or path
        self._history = history
        self._mutex = threading.RLock()  # two browsers may decide at once
        self._known: tuple[int, dict[str, Any]] = (0, {})
        self._draft = threading.local()  # what the file will say, in the thread that decides

    @property
    def version(self) -> str:
        """Return what tells one content of the file from another."""
        return digest(self._text())

    @contextmanager
    def of_version(self, seen: str) -> Iterator[None]:
        """Keep others from changing the file while a form decides that was shown when it had this version.

        What is decided meanwhile is written at the end, in one step, or not at all.

        Raises:
            ChangedSinceError: it has another one by now.
        """
        with self._mutex:
            if seen != self.version:
                raise ChangedSinceError
            before = self._draft.text = self._text()
            try:
                yield
                after = self._draft.text
            finally:
                self._draft.text = None
            if after != before:
                self._keep(before, after)

    @property
    def changed(self) -> str:
        """Return when the file was last changed, in UTC; empty when there is none."""
        try:
            return f"{datetime.fromtimestamp(self._read.stat().st_mtime, UTC):%Y-%m-%dT%H:%M:%SZ}"
        except FileNotFoundError:
            return ""

    def part(self, *path: str) -> dict[str, Any]:
        """Return a part of the mapping that holds names: the clinic's own lines over the shipped ones."""
        own: Any = self._content()
        shipped: Any = clinic_file.shipped()
        for name in path:
            own = own.get(name) if isinstance(own, dict) else None
            shipped = shipped.get(name) if isinstance(shipped, dict) else None
        if (
            len(path) > 1 or not shipped
        ):  # below a part, and where names are free, the clinic's list is the whole
            return own if isinstance(own, dict) else shipped or {}
        return {**shipped, **(own if isinstance(own, dict) else {})}

    def named(self) -> dict[str, str]:
        """Return what was decided field by field: section and label, and the place."""
        return {str(label): str(place) for label, place in self.part("custom_fields", "named").items()}

    def choices(self, fields: Iterable[tuple[str, str, str]]) -> list[str]:
        """Return the place that was decided for each field, as a run finds it; empty for one that is not named.

        Args:
            fields: section, label and what else it may be named by
        """
        named = {folded(name): place for name, place in self.named().items()}
        found = (map(named.get, names_of(*field)) for field in fields)
        return [next(filter(None, places), "") for places in found]

    def keeps(self) -> dict[str, list[str]]:
        """Return who was chosen to keep an address that others share: source id, and which addresses."""
        kept = self.part("keeps").items()
        return {str(source): names if isinstance(names, list) else [names] for source, names in kept}

    def decide(self, places: Mapping[str, str | None]) -> None:
        """Send fields to places, or leave them to the rules again.

        Args:
            places: by `Section / label`, as Cliniko shows it, one of `PLACES`; none to take the decision back

        Raises:
            WrongChoiceError: there is no such place, or the file cannot be changed.
        """
        if not set(places.values()) <= {None, *PLACES}:
            msg = "There is no such place."
            raise WrongChoiceError(msg)
        spelled = {folded(name): name for name in self.named()}  # however a person has written it
        self.put(
            {
                ("custom_fields", "named", spelled.get(folded(label), label)): place
                for label, place in places.items()
            }
        )

    def keep(self, choices: Iterable[tuple[str, str | None, Sequence[str]]]) -> None:
        """Let one of those who share an address keep it, or leave it to the rule again.

        Args:
            choices: an address of `ADDRESSES`; the source id of who keeps it, none to take the decision back; the source ids
                of all who share it

        Raises:
            WrongChoiceError: the keeper does not share it, or the file cannot be changed.
        """
        kept = {source: set(names) for source, names in self.keeps().items()}
        for address, keeper, sharers in choices:
            if address not in ADDRESSES or (keeper is not None and keeper not in sharers):
                msg = "Nobody of these shares that address."
                raise WrongChoiceError(msg)
            for source in sharers:
                kept.setdefault(source, set()).discard(address)
            if keeper is not None:
                kept[keeper].add(address)
        self.put(
            {
                ("keeps", source): [name for name in ADDRESSES if name in names] or None
                for source, names in kept.items()
            }
        )

    def put(self, values: Mapping[tuple[str, ...], Any]) -> None:
        """Set values of the file, in one step; an empty text leaves a name without one, and none removes the name.

        Raises:
            WrongChoiceError: the mapping cannot hold one, or the file cannot be changed.
        """

        def changed(text: str) -> str:
            known = parsed(text)
            new = {
                path: value
                for path, value in values.items()
                if _inner(known, path) != (None if value == "" else value)
            }
            return with_values(text, new) if new else text

        self._change(changed)

    def add(self, path: Sequence[str], item: str) -> None:
        """Put an item behind a list; a list that the file leaves to the shipped mapping is written out first.

        Raises:
            WrongChoiceError: the mapping cannot hold it, or the file cannot be changed.
        """
        *above, name = path
        known = self.part(*above).get(name) or []
        own = _inner(self._content(), path)
        self._change(
            lambda text: with_item(text, path, item) if own else with_value(text, path, [*known, item])
        )

    def respell(self, insurer: str, spellings: Sequence[str]) -> None:
        """List other spellings of an insurer; what the file leaves to the shipped mapping is written out first.

        Raises:
            WrongChoiceError: the mapping cannot hold it, or the file cannot be changed.
        """
        path = ("insurers", "spellings")
        own, known = _inner(self._content(), path), self.part("insurers")["spellings"]
        if own:
            self.put({(*path, insurer): list(spellings)})
        else:
            self.put({path: {**known, insurer: list(spellings)}})

    def undo(self) -> bool:
        """Bring back the version before the newest change; return whether there was one.

        Raises:
            WrongChoiceError: somebody has changed the file since, which would be lost.
        """
        with self._mutex:
            text = self._text()
            versions = self._versions()
            while versions and not _led_to(versions[-1], text) and versions[-1].read_text("utf-8") == text:
                versions.pop().unlink()  # its change was never made: the console was killed before
            if not versions:
                return False
            if not _led_to(versions[-1], text):
                msg = "The file was changed by hand after that choice; undo it in the file."
                raise WrongChoiceError(msg)
            _write(self._path, versions[-1].read_text(encoding="utf-8"))
            versions[-1].unlink()
            return True

    def can_undo(self) -> bool:
        """Return whether a change can be taken back."""
        return bool(self._versions())

    def _versions(self) -> list[Path]:
        return sorted(self._history.glob("*.yml")) if self._history.is_dir() else []

    @property
    def _drafted(self) -> str | None:
        """Return what the file will say, where this thread decides; none anywhere else."""
        drafted: str | None = getattr(self._draft, "text", None)
        return drafted

    @property
    def is_made(self) -> bool:
        """Return whether the file is there."""
        return self._path.exists()

    @property
    def _read(self) -> Path:
        """Return the file that counts: this one, or what it begins as."""
        return self._path if self.is_made else self._first

    def _text(self) -> str:
        if self._drafted is not None:
            return self._drafted
        # bytes of another encoding stay what they are, and are no YAML
        return self._read.read_text(encoding="utf-8", errors=_AS_IT_IS) if self._read.exists() else ""

    def _content(self) -> dict[str, Any]:
        """Return what the file says; empty while a person has left it unreadable, which the next run tells."""
        try:
            if self._drafted is not None:
                return parsed(self._drafted)
            at = self._read.stat().st_mtime_ns
            if self._known[0] != at:
                self._known = (at, parsed(self._text()))
        except (FileNotFoundError, YAMLError):
            return {}
        return self._known[1]

    def _change(self, changed: Callable[[str], str]) -> None:
        with self._mutex:
            text = self._text()
            try:
                new = changed(text)
            except YAMLError as error:
                msg = f"{self._path} is not valid YAML in UTF-8; correct it by hand first."
                raise WrongChoiceError(msg) from error
            except ValueError as error:
                raise WrongChoiceError(str(error)) from None
            if new == text:
                return
            if self._drafted is None:
                self._keep(text, new)
            else:
                self._draft.text = new

    def _keep(self, text: str, new: str) -> None:
        """Write what the file says from now on, and what it said before beside it.

        Raises:
            WrongChoiceError: the mapping cannot be used.
        """
        with self._mutex:
            self._history.mkdir(parents=True, exist_ok=True, mode=0o700)
            _check(self._history / "checked.yml.new", new)
            name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%f}-{digest(new)}.yml"
            _write(self._history / name, text)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            _write(self._path, new)


def _inner(content: Any, path: Sequence[str]) -> Any:
    for name in path:
        content = content.get(name) if isinstance(content, dict) else None
    return content


def _check(path: Path, text: str) -> None:
    """See that the mapping can be used as it would be.

    Raises:
        WrongChoiceError: it cannot.
    """
    _write(path, text)
    try:
        load(str(path))
    except MappingError as error:
        raise WrongChoiceError(str(error).removeprefix(f"{path}: ")) from None
    finally:
        path.unlink()


def digest(text: str) -> str:
    """Return what tells one text from another."""
    return hashlib.sha256(text.encode(errors=_AS_IT_IS)).hexdigest()[:16]


def _led_to(version: Path, text: str) -> bool:
    """Return whether the change that a version was kept for has made this text."""
    return version.stem.endswith(digest(text))


def _write(path: Path, text: str) -> None:
    """Write a file as a whole, where it lies; whoever could read it before still can."""
    path = path.resolve()
    unfinished = path.with_suffix(".yml.unfinished")
    unfinished.write_text(text, encoding="utf-8")
    if path.exists():
        shutil.copymode(path, unfinished)
    unfinished.replace(path)
    os.utime(path)
