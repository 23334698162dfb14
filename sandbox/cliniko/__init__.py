"""An emulated Cliniko: its lists, filters, paging, limits, roles and files, as two ASGI apps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sandbox.cliniko.api import WINDOW_SECONDS, ClinikoApi
from sandbox.cliniko.changes import apply_change
from sandbox.cliniko.files import FileHost
from sandbox.cliniko.options import ClinikoOptions
from sandbox.control import Control
from sandbox.gate import Gate

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.cliniko.account import Account


@dataclass(frozen=True)
class ClinikoApps:
    """The API and the file host, each behind its gate; set `file_host.origin` once its port is known."""

    api: Gate
    files: Gate
    file_host: FileHost
    files_control: Control


def create(account: Account, options: Mapping[str, Any] | None, control: Control) -> ClinikoApps:
    """Put an account behind an API; `options` are those of `ClinikoOptions`."""
    chosen = ClinikoOptions.parse(options)
    account.clock = control.now
    account.hiding_bumps_updated_at = chosen.hiding_bumps_updated_at
    account.unhiding_bumps_updated_at = chosen.unhiding_bumps_updated_at
    account.paying_bumps_updated_at = chosen.paying_bumps_updated_at
    account.merging_bumps_children = chosen.merging_bumps_children
    account.settle_hidden_rows()
    account.settle_paid_invoices()
    control.dump = lambda: {
        name: {row["id"]: row for row in table.rows()} for name, table in account.tables.items()
    }
    control.mutate = lambda change: apply_change(account, change)
    files_control = Control("cliniko files", window_seconds=WINDOW_SECONDS, clock=control.now)
    host = FileHost(account, files_control)
    api = ClinikoApi(account, chosen, control, host)
    return ClinikoApps(Gate(api, control), Gate(host, files_control), host, files_control)


__all__ = ["ClinikoApps", "ClinikoOptions", "create"]
