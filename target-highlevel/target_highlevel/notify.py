"""Tells people how a run ended, over whatever they read: e-mail, chat, a push message (setting ``notify_urls``).

Apprise (https://github.com/caronc/apprise) knows the services and is imported only when somebody is to be told: loading it
takes seconds. An address holds the service's token, so no log record is made while Apprise works: at debug level its plugins
and urllib3 log paths and headers.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Iterator

    from apprise import NotifyBase

logger = logging.getLogger(__name__)

#: Seconds that all notifications together may delay the end of a run.
PATIENCE = 5.0
#: A comma may belong to an address (several recipients); before a scheme it separates two.
_BETWEEN = re.compile(r"\s+|,+(?=[A-Za-z][A-Za-z0-9+.-]*://)")
#: What an exit code means to who is told, and Apprise's type for it (a colour or an icon in most services).
_MEANS = {
    0: ("finished", "success"),
    4: ("needs you", "warning"),
    5: ("needs you", "warning"),
    6: ("needs you", "warning"),
    75: ("day's budget spent", "info"),
    130: ("interrupted", "warning"),
    143: ("interrupted", "warning"),
}
_FAILED = ("failed", "failure")


class UnusableUrl(ValueError):  # noqa: N818 - named for what is wrong
    """No notification can be sent to one of the addresses; the text says which, and never shows it."""


def checked_urls(value: Any) -> tuple[SecretStr, ...]:
    """Return the addresses that a setting holds: a text, separated by commas or blanks, or a list, also as JSON.

    Raises:
        UnusableUrl: Apprise has no service for one of them, or it lacks a part that its service needs.
    """
    urls = _listed(value)
    for number, url in enumerate(urls, start=1):
        if _service(url) is None:
            which = f"number {number} of {len(urls)} is none: " if len(urls) > 1 else ""
            message = f"must hold Apprise URLs: {which}see https://github.com/caronc/apprise/wiki for those of your service"
            raise UnusableUrl(message)
    return tuple(SecretStr(url) for url in urls)


def _listed(value: Any) -> list[str]:
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            value = json.loads(value)
        except ValueError:
            value = None
    if isinstance(value, str):
        value = [url for part in _BETWEEN.split(value) if (url := part.strip(","))]
    if not isinstance(value, list | tuple) or not all(isinstance(url, str) for url in value):
        message = "must hold Apprise URLs, separated by commas or blanks, or as a list in JSON"
        raise UnusableUrl(message)
    return [url.strip() for url in value]


@dataclass(frozen=True)
class Notice:
    """Whom to tell about the end of a run, and which run it is.

    Attributes:
        urls: the addresses, as `checked_urls` returns them
        what: the run's mode, or the command's name
        location: the sub-account's id
        run: the run's id; empty where no run was begun
    """

    urls: tuple[SecretStr, ...]
    what: str
    location: str
    run: str = ""

    def send(self, code: int, sentence: str) -> None:
        """Tell everybody how the run ended; whom it does not reach is logged, and changes nothing.

        Args:
            code: the exit code
            sentence: what the last line on standard error says, with the exit code
        """
        verdict, kind = _MEANS.get(code, _FAILED)
        where = ", ".join(part for part in (self.location, self.run and f"run {self.run}") if part)
        line = " ".join(f"{verdict}: {self.what} ({where}): {sentence}".split())
        sendings = [_Sending(url.get_secret_value(), line, kind) for url in self.urls]
        with _silence() as silence:
            silence.lasts = True  # also where a signal ends the waiting
            for sending in sendings:
                sending.start()
            until = time.monotonic() + PATIENCE
            for sending in sendings:
                sending.join(max(0.0, until - time.monotonic()))
            silence.lasts = any(sending.is_alive() for sending in sendings)
        for number, sending in enumerate(sendings, start=1):
            if not sending.arrived:
                why = "took too long" if sending.is_alive() else "could not be sent"
                logger.warning("notify_urls: notification %d of %d %s", number, len(sendings), why)


class _Sending(threading.Thread):
    """One notification on its way: a daemon, so that a service that does not answer cannot keep the process."""

    def __init__(self, url: str, line: str, kind: str) -> None:
        super().__init__(name="notification", daemon=True)
        self._url = url
        self._line = line
        self._kind = kind
        self.arrived = False

    def run(self) -> None:
        """Send it. Not through `Apprise.notify`: its pools of threads are waited for when the process ends."""
        try:
            service = _loaded(self._url)
            self.arrived = service is not None and bool(
                service.notify(body=self._line, notify_type=self._kind)
            )
        except Exception:  # noqa: BLE001 - a plugin's text may hold the address; that it failed is logged by `send`
            self.arrived = False


def _service(url: str) -> NotifyBase | None:
    with _silence():
        try:
            return _loaded(url)
        except (
            TypeError,
            ValueError,
            LookupError,
            AttributeError,
        ):  # a plugin that trips over it cannot use it
            return None


def _loaded(url: str) -> NotifyBase | None:
    """Return the service behind an address, or None; nothing is sent yet."""
    import apprise  # noqa: PLC0415 - takes seconds, and most runs notify nobody

    logging.getLogger("apprise").disabled = True
    asset = apprise.AppriseAsset(app_id="target-highlevel", app_desc="target-highlevel")
    return apprise.Apprise.instantiate(url, asset=asset)


@dataclass
class _Silence:
    """Whether something that must not log goes on when the silence is over."""

    lasts: bool = False


@contextmanager
def _silence() -> Iterator[_Silence]:
    """Let nothing log: the libraries behind Apprise's services are many, and their debug messages hold tokens.

    Where a notification is still under way afterwards, only warnings are let through again.
    """
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    silence = _Silence()
    try:
        yield silence
    finally:
        logging.disable(max(before, logging.INFO) if silence.lasts else before)
