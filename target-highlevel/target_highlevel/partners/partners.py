"""The protocol by which a run makes sure that it writes to the right sub-account, knowing what is there, and alone.

A run *meets* its partners before it takes anything in, and *claims* the sub-account before its first write: it puts a lease
there, which it renews while it runs and turns into a mark when it ends. HighLevel refuses a second custom value of one name;
where it should not, whoever sees another lease beside its own steps back. So of two runs at most one goes on, wherever they were
started. Within one machine the lock beside the ledger has decided that before.

The mark tells how far the ledger was (a counter of its runs, and the length of its audit trail, which grows before every write):
a ledger that has not come so far is an older copy. Clocks decide nothing but when a killed run's lease has expired, and then
it is watched for a while.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, Protocol

from target_highlevel.api import endpoints
from target_highlevel.api.answers import AnswerNotUnderstood
from target_highlevel.crashpoints import reach
from target_highlevel.errors import (
    CredentialsRefused,
    HighLevelError,
    Interrupted,
    NotFound,
    Refused,
    SettingsError,
    Unavailable,
    Unknown,
)
from target_highlevel.partners.mark import LEASE, MARK, Mark, mark_from

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from target_highlevel.api.custom_values import CustomValue
    from target_highlevel.ledger.identity import Identity

logger = logging.getLogger(__name__)

#: What a run asks of HighLevel to claim and to release a sub-account.
COST = (
    endpoints.LIST_CUSTOM_VALUES,
    endpoints.CREATE_CUSTOM_VALUE,
    endpoints.LIST_CUSTOM_VALUES,
    endpoints.UPDATE_CUSTOM_VALUE,
    endpoints.DELETE_CUSTOM_VALUE,
)
BEAT = 20.0
#: Seconds for which a lease holds without being renewed.
TERM = 120.0
_CLAIMS = 3
#: Statuses with which a server says that it has no such route, in whatever words.
_NO_SUCH_ROUTE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.METHOD_NOT_ALLOWED, HTTPStatus.NOT_IMPLEMENTED})
_NO_MARK = (
    "the token cannot use the custom values of the location (scopes locations/customValues.readonly and .write): whether another"
    " ledger or machine writes here, or this ledger is an older copy, cannot be told; only the lock on this machine holds"
)


class Store(Protocol):
    """Custom values of a location."""

    def listed(self) -> list[CustomValue]:
        """Return all of them."""

    def create(self, name: str, value: str) -> str:
        """Create one; return its id."""

    def change(self, identity: str, name: str, value: str) -> None:
        """Change one."""

    def delete(self, identity: str) -> None:
        """Delete one."""


@dataclass(frozen=True, slots=True)
class Ourselves:
    """Who asks: a run with its ledger, in its place."""

    run: str
    ledger: str
    place: str
    location: str
    take_over: bool = False


@dataclass(frozen=True, slots=True)
class _Seen:
    identity: str
    name: str
    #: None when somebody has put something else there.
    mark: Mark | None


class Partners:
    """Meets, claims, renews and releases, for one run."""

    def __init__(
        self,
        store: Store,
        identity: Identity,
        ourselves: Ourselves,
        *,
        wait: Callable[[float], Any] = time.sleep,
        beat: float = BEAT,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Prepare; nothing is sent yet.

        Args:
            store: custom values of the sub-account.
            identity: what the ledger knows of its partners.
            ourselves: who asks.
            wait: waits for some seconds, or until the run is to stop.
            beat: seconds between two renewals of the lease.
            clock: seconds that have passed since some moment, while the machine was awake.
        """
        self._store = store
        self._identity = identity
        self._self = ourselves
        self._wait = wait
        self._beat = beat
        self._clock = clock
        #: Whether the sub-account can keep a mark; None until somebody has looked.
        self.has_mark: bool | None = None
        self._account = identity.account
        self._marked_account: str | None = None
        self._ahead = 0
        #: Marks and leases as they were when this run met its partners; None before.
        self._met: list[_Seen] | None = None
        self._finds_again = False
        self._lease: str | None = None
        self._marks: list[_Seen] = []
        self._counter = 0
        #: When the renewal that came through last was sent: from then on the lease has its term.
        self._renewed = 0.0
        self._gone = False
        self._ended = threading.Event()
        self._heart: threading.Thread | None = None
        self._mutex = threading.RLock()

    @property
    def is_marked(self) -> bool:
        """Return whether there should be a mark of this ledger: a token may read custom values and write none."""
        return bool(self.has_mark and self._identity.has_marked)

    @property
    def account(self) -> str | None:
        """Return the id of the Cliniko account, if a tap has named it."""
        return self._account

    # Who belongs to whom

    def check_account(self, account: str | None) -> None:
        """Take note of the Cliniko account that a tap names; it is kept with the first write.

        Raises:
            SettingsError: ledger or sub-account hold the records of another one.
        """
        if account is None:
            return
        for known, setting in (
            (self._account, "the ledger (TARGET_HIGHLEVEL_LEDGER_URL)"),
            (self._marked_account, "the sub-account (TARGET_HIGHLEVEL_LOCATION_ID)"),
        ):
            if known is not None and known != account:
                msg = (
                    f"the key in TAP_CLINIKO_API_KEY is of Cliniko account {account}, and {setting} holds the records of"
                    f" account {known}: set the key of that account, or give this one a ledger and a sub-account of its own"
                )
                raise SettingsError(msg)
        self._account = account

    def meet(self, *, only_look: bool = False) -> bool:
        """Look at the sub-account's mark; return whether what it holds must be found again before anything is written.

        Args:
            only_look: for a run that writes nothing: another ledger or run is none of its business.

        Raises:
            SettingsError: the sub-account belongs to another account or ledger, or another run is writing to it.
        """
        with self._mutex:
            try:
                seen = self._read()
            except CredentialsRefused:
                if only_look:  # what it reads next is refused as well, and says so in its own words
                    return False
                raise
            self._check_account_of(seen)
            if only_look:
                return False
            self._check_ledgers(seen)
            self._check_leases(seen)
            self._met, self._finds_again = seen, self._is_behind(seen)
            return self._finds_again

    def _read(self) -> list[_Seen]:
        """Return marks and leases; none where the sub-account cannot keep any."""
        if self.has_mark is False:
            return []
        try:
            found = self._store.listed()
        except HighLevelError as error:
            self._do_without(error)
            return []
        self.has_mark = True
        return [
            _Seen(item.id, item.name, mark_from(item.value)) for item in found if item.name in {MARK, LEASE}
        ]

    def _do_without(self, error: HighLevelError) -> None:
        """Go on without a mark where the token has no scope for it, or the API no such route.

        An answer that may mean something else as well is believed only as long as this ledger has kept no mark there.
        """
        if not _is_refused(error) and (self._identity.has_marked or not _seems_absent(error)):
            raise error
        self.has_mark = False
        logger.warning("highlevel.no_mark reason=%s", _NO_MARK)

    def _check_account_of(self, seen: Iterable[_Seen]) -> None:
        accounts = [item.mark.account for item in seen if item.mark and item.mark.account]
        self._marked_account = accounts[0] if accounts else None
        self.check_account(self._account)

    def _check_ledgers(self, seen: Iterable[_Seen]) -> None:
        others = [item for item in seen if _other_ledger(item, self._self.ledger)]
        # one that was in this very place is gone: whoever holds the lock of the place knows that nobody uses it here
        gone = all(item.mark and item.mark.place == self._self.place for item in others)
        if not gone and not self._self.take_over:
            msg = (
                f"sub-account {self._self.location} was last written to with another ledger than the one in"
                " TARGET_HIGHLEVEL_LEDGER_URL: go on with that one; if it is lost, set TARGET_HIGHLEVEL_TAKE_OVER=true once:"
                " what the sub-account holds is found first, and nothing is created twice"
            )
            raise SettingsError(msg)

    def _check_leases(self, seen: Iterable[_Seen]) -> None:
        """Refuse to start beside a run under way."""
        for item in seen:
            if self._is_others(item) and item.mark and not item.mark.expired(datetime.now(UTC)):
                raise SettingsError(_busy(item.mark))

    def _is_others(self, item: _Seen) -> bool:
        """Return whether a lease may be of a run under way; none from this place can be, for we hold its lock."""
        return item.name == LEASE and (item.mark is None or item.mark.place != self._self.place)

    def _is_behind(self, seen: list[_Seen]) -> bool:
        """Return whether the sub-account was written to without this ledger knowing: it is an older copy, or a new ledger."""
        known = (self._identity.counter, self._identity.entries)
        marks = [item.mark for item in seen]
        self._ahead = max([self._ahead, *(mark.counter for mark in marks if mark)])
        if self._identity.is_put_back:
            return True
        if self.is_marked and not marks:  # somebody has deleted it
            return True
        if self._identity.is_elsewhere and any(item.name == LEASE for item in seen):
            return True  # what its run wrote where it was killed, after this copy was made, is nowhere but in HighLevel
        return any(
            mark is None
            or mark.ledger != self._self.ledger
            or mark.counter > known[0]
            or mark.entries > known[1]
            for mark in marks
        )

    # One run at a time

    def claim(self) -> None:
        """Claim the sub-account for this run, once; afterwards no other one starts to write.

        Raises:
            SettingsError: another run is writing to it.
        """
        with self._mutex:
            if self._lease is None and self.has_mark is not False:
                self._claim()
            if self._account is not None:
                self._identity.keep_account(self._account)

    def _claim(self) -> None:
        for number in range(_CLAIMS):
            seen = self._met if self._met is not None else self._look_once_more()
            self._met = None  # when it is tried again, what was seen before is old
            if self.has_mark is False:
                return
            for item in seen:
                if item.name == LEASE:
                    self._clear(item)
            if not self._counter:
                self._counter = self._identity.claim(self._self.run, self._ahead + 1)
            reach("before_lease")
            if self._take(seen):
                reach("after_lease")
                self._own_mark()
                return
            self._wait(random.random() * (number + 1))  # noqa: S311 - separates two that have met
        raise SettingsError(_busy(None))

    def _look_once_more(self) -> list[_Seen]:
        seen = self._read()
        self._check_account_of(seen)
        self._check_ledgers(seen)
        self._check_leases(seen)
        if self._is_behind(seen) and not self._counter and not self._finds_again:
            raise SettingsError(_busy(None))  # it has ended meanwhile; the next run finds out what it did
        return seen

    def _clear(self, item: _Seen) -> None:
        """Remove the lease of a run that was killed; one from elsewhere is watched first: our clock may be wrong.

        A run whose lease goes meanwhile was alive as well, and what it has written is not known here yet.
        """
        if self._is_others(item):
            self._wait(2 * self._beat)
            now = next((one for one in self._read() if one.identity == item.identity), None)
            if now is None or now.mark != item.mark:
                raise SettingsError(_busy(now.mark if now else item.mark))
        try:
            self._delete(item.identity)
        except CredentialsRefused as error:
            # who may remove no lease may put none there either, and hears that next
            if not _is_refused(error):
                raise

    def _take(self, seen: list[_Seen]) -> bool:
        """Put our lease there; return whether it is the only one.

        Args:
            seen: what was there when this run decided what to find again; long ago, where much came before its first write.

        Raises:
            SettingsError: another run has come and gone since; the next one finds out what it did.
        """
        self._renewed = self._clock()
        try:
            lease = self._put_lease()
        except HighLevelError as error:
            if isinstance(error, Refused) and any(item.name == LEASE for item in self._read()):
                return False
            self._do_without(error)
            self._identity.keep_marked(marked=False)
            return True
        self._marks = self._read()
        if any(item.name == LEASE and item.identity != lease for item in self._marks):
            self._delete(lease)
            return False
        if self.has_mark and _marks_in(self._marks) != _marks_in(seen):
            self._delete(lease)
            raise SettingsError(_busy(None))
        self._lease = lease
        self._identity.keep_marked(marked=True)
        self._heart = threading.Thread(target=self._renew_all, name="lease", daemon=True)
        self._heart.start()
        return True

    def _put_lease(self) -> str:
        """Create our lease and return its id; one lost answer ends no run: the lease is looked for, and sent once more."""
        try:
            return self._store.create(LEASE, self._text(lease=True))
        except Unknown:
            for item in self._read():
                if item.name == LEASE and item.mark and item.mark.run == self._self.run:
                    return item.identity
            return self._store.create(LEASE, self._text(lease=True))

    def _own_mark(self) -> None:
        """Make the mark of a ledger that was taken over our own, so that no later run needs the setting."""
        for item in self._marks:
            if item.name == MARK and _other_ledger(item, self._self.ledger):
                self._store.change(item.identity, MARK, self._text(lease=False))

    def _text(self, *, lease: bool) -> str:
        until = datetime.now(UTC) + timedelta(seconds=TERM)
        mark = Mark(
            ledger=self._self.ledger,
            counter=self._counter,
            entries=self._identity.entries,
            account=self._account or self._marked_account,
            place=self._self.place,
            run=self._self.run,
        )
        return replace(mark, until=until.isoformat(timespec="milliseconds")).text() if lease else mark.text()

    def _renew_all(self) -> None:
        """Renew the lease until the run ends, or until it is not ours any more."""
        while not self._is_lost and not self._ended.wait(self._beat):
            began = self._clock()
            try:
                self._store.change(str(self._lease), LEASE, self._text(lease=True))
            except NotFound:
                self._gone = True
            except Interrupted:  # the run is ending, and writes nothing any more
                return
            except Exception as error:  # noqa: BLE001 - whatever it is, the next beat may reach HighLevel
                logger.warning("highlevel.lease_not_renewed error=%s", type(error).__name__)
            else:
                self._renewed = began

    @property
    def _is_lost(self) -> bool:
        """Return whether others may take our lease for that of a killed run: a renewal may hang for longer than it holds."""
        return self._lease is not None and (self._gone or self._clock() - self._renewed > TERM)

    def check(self) -> None:
        """Make sure that the lease is still ours.

        Raises:
            Unavailable: it expired, or another run has taken the sub-account over: this one must write no more.
        """
        if self._is_lost:
            hint = "another run may have taken the sub-account over, for this one could not renew its lease; run again"
            raise Unavailable(hint)

    def release(self) -> None:
        """Turn the lease into a mark: the run is over. What cannot be sent now is found out by the next run."""
        self._ended.set()
        if self._heart is not None:
            self._heart.join()
        with self._mutex:
            if self._lease is None or self._is_lost:
                return
            try:
                mark = next((item for item in self._marks if item.name == MARK), None)
                if mark is not None:
                    self._store.change(mark.identity, MARK, self._text(lease=False))
                else:
                    self._store.create(MARK, self._text(lease=False))
                reach("after_mark")
                self._delete(self._lease)
            except HighLevelError as error:
                logger.warning("highlevel.lease_left error=%s", error)
            self._lease = None

    def _delete(self, identity: str) -> None:
        try:
            self._store.delete(identity)
        except NotFound:
            logger.debug("highlevel.lease_gone")


def _is_refused(error: HighLevelError) -> bool:
    """Return whether HighLevel has said that this token, or anybody, gets no custom values."""
    if isinstance(error, CredentialsRefused):
        return error.missing.startswith("scope")
    return isinstance(error, Refused)


def _seems_absent(error: HighLevelError) -> bool:
    """Return whether an answer looks like that of a service without custom values; one that is down has not said so."""
    if isinstance(error, CredentialsRefused):  # a dead token answers 401, and refuses what comes next as well
        return error.missing == "token" and error.status == HTTPStatus.FORBIDDEN
    return isinstance(error, AnswerNotUnderstood) or error.status in _NO_SUCH_ROUTE


def _marks_in(seen: Iterable[_Seen]) -> dict[str, Mark | None]:
    return {item.identity: item.mark for item in seen if item.name == MARK}


def _other_ledger(item: _Seen, ledger: str) -> bool:
    return item.mark is not None and item.mark.ledger != ledger


def _busy(mark: Mark | None) -> str:
    which = f"run {mark.run}" if mark and mark.run else "another run"
    return (
        f"{which} is writing to this sub-account from another machine or folder: wait for it to end. If it was killed, its lease"
        f" expires {int(TERM)} seconds after its last sign of life"
    )
