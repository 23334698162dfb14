"""What all streams of one run share: the account, the run's end in time, the permissions, the stores."""

from __future__ import annotations

import logging
import sqlite3
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_cliniko import timestamps
from tap_cliniko.attachments import AttachmentStore
from tap_cliniko.bookmarks import told_of
from tap_cliniko.changes import ChangeCheck, Remembered
from tap_cliniko.client import ClinikoClient, base_url
from tap_cliniko.deletions import DeletionFinder
from tap_cliniko.errors import SettingsError
from tap_cliniko.governor import Governor
from tap_cliniko.known_ids import KnownIds
from tap_cliniko.merges import Merges
from tap_cliniko.preflight import (
    Access,
    Outcome,
    Preflight,
    access_table,
    account_of,
    remembered_access,
)
from tap_cliniko.progress import Progress
from tap_cliniko.records import Normaliser
from tap_cliniko.resources import BY_NAME, Shape
from tap_cliniko.sample import Sample, SampleFinder
from tap_cliniko.settings import variable
from tap_cliniko.shared_budget import GRANTED, SharedBudget

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tap_cliniko.client import Row
    from tap_cliniko.resources import Resource
    from tap_cliniko.settings import Settings

logger = logging.getLogger("tap-cliniko")


@dataclass(slots=True)
class Run:
    """One run over one account.

    Attributes:
        settings: the checked settings.
        client: the account.
        end: the moment up to which every stream is read, the same for all.
        access: what the preflight found for each stream.
        reader: whose key it is: the role and the id.
        account: the id of the Cliniko account, None when it cannot be read.
        remembered: what the next run is told about the account.
        merges: who was merged with whom.
        attachments: where files go, None when they are not fetched.
        known: the ids seen, None when deletions are not looked for.
        sample: the patients of a sample run.
        public_settings: the account's public settings, as the preflight read them.
        quiet: whether nothing has changed, so that nothing is read.
        progress: tells how far the run is.
        read_since: where the first window of each list began that this run has read, None for a list read whole.
        withheld: the streams that the key's role was refused, or refused a part of, and that are left out therefore.
    """

    settings: Settings
    client: ClinikoClient
    end: str
    access: dict[str, Access]
    reader: str
    account: str | None
    remembered: Remembered
    merges: Merges
    progress: Progress
    attachments: AttachmentStore | None = None
    public_settings: Row = field(default_factory=dict)
    quiet: bool = False
    known: KnownIds | None = None
    sample: Sample | None = None
    read_since: dict[str, str | None] = field(default_factory=dict)
    withheld: set[str] = field(default_factory=set)
    _looked_for_gone: set[str] = field(default_factory=set)
    _normalisers: dict[str, Normaliser] = field(default_factory=dict)

    @classmethod
    def begin(
        cls,
        settings: Settings,
        selected: Iterable[Resource],
        sampled: list[str] | None = None,
        remembered: Remembered | None = None,
    ) -> Run:
        """Check the permissions of every selected stream, print them, and fix the run's end.

        Args:
            settings: the checked settings.
            selected: the streams to be read.
            sampled: the patients of an earlier sample run, which this one continues.
            remembered: what the last run found out; permissions it has checked lately are not checked again.
        """
        client, selected, known = connect(settings), list(selected), remembered or Remembered()
        preflight = Preflight(client)
        if known.permissions_known(preflight.reader, selected, client.now()):
            access = {each.name: remembered_access(known.access)[each.name] for each in selected}
            logger.info("permissions as checked at %s", known.checked_at)
        else:
            access = preflight.check(selected)
            for line in access_table(preflight.role, access):
                logger.info("%s", line)
            known.reader, known.checked_at = preflight.reader, timestamps.from_epoch(client.now())
            known.access = {name: each.dump() for name, each in access.items()}
        preflight.refuse(access, skip=settings.skip_refused_streams)
        public_settings = preflight.public_settings()
        account = account_of(public_settings)
        if account is None:
            logger.warning("/settings/public names no account: a target cannot tell this clinic from another")
        run = cls(
            settings,
            client,
            timestamps.from_epoch(client.now() - settings.lag_seconds),
            access,
            preflight.reader,
            account,
            known,
            Merges(client),
            Progress(client.governor),
            public_settings=public_settings,
        )
        run._open_stores(sampled)
        return run

    def ask_before_reading(self, bookmarks: Mapping[str, dict[str, Any]], *, same_reader: bool) -> None:
        """Find out whether anything has changed, where an answer can be had, and read nothing if not.

        Args:
            bookmarks: the state of each stream, which a complete run has left.
            same_reader: whether that run had this key: another one may see rows that have not changed.
        """
        now = self.client.now()
        if (
            same_reader
            and self.sample is None
            and self.known is None
            and self.remembered.hiding() == "moves"
            and self.remembered.read_recently(now)
        ):
            check = ChangeCheck(self.client, self.access, bookmarks, self.end, self.settings.overlap_seconds)
            self.quiet = check.nothing_changed()
        if self.quiet:
            logger.info("nothing has changed since %s: no list is read", self.remembered.read_at)
        else:
            self.remembered.read_at = self.end

    def _open_stores(self, sampled: list[str] | None) -> None:
        settings = self.settings
        if settings.download_attachments and "patient_attachments" in self.access:
            with _usable("attachments_dir"):
                self.attachments = AttachmentStore(
                    self.client, settings.attachments_folder, settings.largest_file, self.account
                )
        if settings.sample_ids is not None:
            self.sample = SampleFinder(self.client).named(list(settings.sample_ids))
        elif settings.sample_patients is not None:
            self.sample = SampleFinder(self.client).find(settings.sample_patients, sampled)
        elif settings.detect_deletions:
            with _usable("known_ids_path"):
                self.known = self.merges.known = KnownIds(settings.known_ids_file)

    def claim_known_ids(self, state: Mapping[str, Any]) -> None:
        """Make sure that the ids seen are those of this account.

        Raises:
            SettingsError: they are another clinic's.
        """
        if self.known is None or self.account is None:
            return
        owner = self.known.claim(self.account, told_of(state, self.account, self.known.number))
        if owner != self.account:
            msg = (
                f"known_ids_path ({variable('known_ids_path')}): the file holds the rows of Cliniko account {owner}, and "
                f"the key is of account {self.account}; name a file of its own for each clinic"
            )
            raise SettingsError(msg)

    def close(self) -> None:
        """Close what the run holds open."""
        self.client.close()
        if self.known is not None:
            self.known.close()

    def normaliser(self, resource: Resource) -> Normaliser:
        """Return what turns rows of a resource into records."""
        if resource.name not in self._normalisers:
            made = Normaliser(resource, access_links=self.settings.include_access_links)
            self._normalisers[resource.name] = made
        return self._normalisers[resource.name]

    def note_gone(self, resource: Resource, seen: set[int] | None = None) -> None:
        """Look for rows that were deleted for good, and note them for every destination."""
        if self.known is not None and self.tells_of_deletions(resource):
            gone = DeletionFinder(self.client, self.known, self.notice).gone(resource, seen)
            self.known.mark_gone(resource.name, list(gone))
            self._looked_for_gone.add(resource.name)

    def note_gone_once(self, resource: Resource) -> None:
        """Look for them unless that was done in this run."""
        if resource.name not in self._looked_for_gone:
            self.note_gone(resource)

    def tells_of_deletions(self, resource: Resource) -> bool:
        """Whether a row that is not in the list is gone; one that the role may not see looks just the same."""
        found = self.access.get(resource.name)
        own_list = resource.shape is Shape.ROWS and not self.must_go_below(resource)
        return own_list and found is not None and found.outcome is Outcome.FULL

    def sees_all_of(self, resource: Resource) -> bool:
        """Whether the role sees every row of a stream."""
        return self.access[resource.name].outcome is Outcome.FULL

    def readable(self, resource: Resource) -> bool:
        """Whether the stream is read at all."""
        return self.access[resource.name].outcome.readable

    def must_go_below(self, resource: Resource) -> bool:
        """Whether the account lacks the list it should have, so that the rows are read below each parent.

        Their parents tell nothing of their changes, other than those of rows that never have a list.
        """
        found = self.access.get(resource.name)
        return found is not None and found.below and resource.shape is not Shape.UNDER_PARENT

    @staticmethod
    def parent_of(resource: Resource) -> Resource:
        """Return the resource below which another one is found."""
        return BY_NAME[resource.below[0] if resource.below else resource.name]

    @staticmethod
    def notice(text: str) -> None:
        """Warn the user."""
        logger.warning("%s", text)


@contextmanager
def _usable(setting: str) -> Iterator[None]:
    """Say which setting names a place that cannot be used."""
    try:
        yield
    except ImportError:
        reason = "this kind of address needs a package that is not installed, such as s3fs for s3://"
    except (OSError, sqlite3.Error) as error:
        reason = f"it cannot be used ({getattr(error, 'strerror', None) or type(error).__name__})"
    except ValueError:
        reason = "no such kind of address is known"
    else:
        return
    msg = f"{setting} ({variable(setting)}): {reason}"
    raise SettingsError(msg)


def connect(settings: Settings) -> ClinikoClient:
    """Make the client of the account that the settings name."""
    key, limit = settings.api_key.get_secret_value(), settings.requests_per_minute
    base = base_url(key, settings.api_url)
    # more than Cliniko grants is meant for some other server, and no budget to share
    shared = SharedBudget.of(base, key, limit) if limit <= GRANTED else None
    return ClinikoClient(base, key, settings.contact_email, governor=Governor(limit, shared=shared))
