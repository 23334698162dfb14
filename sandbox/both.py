"""Both emulated systems together, as tests and the command line start them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox import cliniko, highlevel
from sandbox.clinic import build_clinic
from sandbox.control import Control
from sandbox.gate import Gate
from sandbox.server import LoopbackServer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime
    from typing import Self

    from sandbox.cliniko.account import Account

CLINIKO_WINDOW_SECONDS = 60.0
HIGHLEVEL_WINDOW_SECONDS = 10.0


@dataclass(frozen=True)
class ClinikoSide:
    """The emulated Cliniko: where it is, its data, and its control; files have a host of their own."""

    url: str
    api_key: str
    account: Account
    control: Control
    files_control: Control


@dataclass(frozen=True)
class HighLevelSide:
    """The emulated HighLevel: where it is, its data, and its control."""

    url: str
    location_id: str
    access_token: str
    agency_token: str
    state: Any
    control: Control


class Sandbox:
    """Starts both servers on entering and stops them on leaving.

    Args:
        seed: seed of the clinic and of faults by probability.
        patients: how many patients the clinic has.
        clock: epoch time of both servers; the real one by default.
        cliniko: options of `sandbox.cliniko.ClinikoOptions` by name.
        highlevel: options of the emulated HighLevel by name; its users are by default the clinic's
            practitioners but for one, so that an owner is missing.
        now: the day the clinic lives in, by default today.
        account: a clinic made by the caller, instead of `seed`, `patients` and `now`.
        record_contents: keep headers and bodies of requests in the logs.
        ports: ports of Cliniko and HighLevel; 0 takes a free one.
    """

    def __init__(  # noqa: PLR0913 - each argument is a choice of the test
        self,
        *,
        seed: int = 1,
        patients: int = 40,
        clock: Callable[[], float] | None = None,
        cliniko: Mapping[str, Any] | None = None,
        highlevel: Mapping[str, Any] | None = None,
        now: datetime | None = None,
        account: Account | None = None,
        record_contents: bool = False,
        ports: tuple[int, int] = (0, 0),
    ) -> None:
        """Make the data and bind the ports; nothing is served yet."""
        self._servers: list[LoopbackServer] = []
        clinic = build_clinic(seed, patients, now) if account is None else account

        def control(name: str, window: float) -> Control:
            return Control(
                name, window_seconds=window, clock=clock, seed=seed, record_contents=record_contents
            )

        self.cliniko = self._cliniko(clinic, cliniko, control("cliniko", CLINIKO_WINDOW_SECONDS), ports[0])
        self.highlevel = self._highlevel(
            {"seed": seed, "users": highlevel_users(clinic), **(highlevel or {})},
            control("highlevel", HIGHLEVEL_WINDOW_SECONDS),
            ports[1],
        )

    def _cliniko(
        self, account: Account, options: Mapping[str, Any] | None, control: Control, port: int
    ) -> ClinikoSide:
        apps = cliniko.create(account, options, control)
        files, api = LoopbackServer(apps.files), LoopbackServer(apps.api, port=port)
        apps.file_host.origin = files.origin
        self._servers += [files, api]
        role = cliniko.ClinikoOptions.parse(options).role
        return ClinikoSide(
            url=f"{api.origin}/v1",
            api_key=account.api_key(role),
            account=account,
            control=control,
            files_control=apps.files_control,
        )

    def _highlevel(self, options: Mapping[str, Any], control: Control, port: int) -> HighLevelSide:
        app, state = highlevel.create(options, control)
        server = LoopbackServer(Gate(app, control), port=port)
        self._servers.append(server)
        return HighLevelSide(
            url=server.origin,
            location_id=state.location_id,
            access_token=state.access_token,
            agency_token=state.agency_token,
            state=state,
            control=control,
        )

    def start(self) -> None:
        """Serve; returns when both accept requests."""
        for server in self._servers:
            server.start()

    def stop(self) -> None:
        """Stop serving."""
        for server in self._servers:
            server.stop()

    def __enter__(self) -> Self:
        """Start both servers."""
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        """Stop both servers."""
        self.stop()

    def addresses(self) -> dict[str, Any]:
        """Return what another process needs to use both, keys included."""
        users = [{"id": user["id"], "email": user["email"]} for user in self.highlevel.state.users.values()]
        return {
            "cliniko": {"url": self.cliniko.url, "api_key": self.cliniko.api_key},
            "highlevel": {
                "url": self.highlevel.url,
                "access_token": self.highlevel.access_token,
                "agency_token": self.highlevel.agency_token,
                "location_id": self.highlevel.location_id,
                "users": users,
            },
        }


def highlevel_users(account: Account) -> list[dict[str, str]]:
    """Return the clinic's people that have a HighLevel account: all active ones with e-mail but one."""
    users = account.tables["users"]
    people = [
        users[row["user_id"]]
        for row in account.tables["practitioners"].rows()
        if row.get("active") and row.get("user_id")
    ]
    return [
        {"first_name": user["first_name"], "last_name": user["last_name"], "email": user["email"]}
        for user in people
        if user.get("email") and not user["email"].startswith("umar.")
    ]
