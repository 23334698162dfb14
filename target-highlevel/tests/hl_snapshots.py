"""What a sub-account of the sandbox holds, kept in a file and put into another sandbox: a load need not be made twice."""

from __future__ import annotations

import pickle
import shutil
from dataclasses import fields
from typing import TYPE_CHECKING, Any

from sandbox.highlevel.account import Account

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from sandbox import Sandbox

#: The tables that hold what a load creates before its first record.
SCHEMA = ("contact_fields", "objects", "object_fields", "folders", "associations")
#: What an account gets from its own sandbox, or what is built anew from the tables.
_OWN = {
    "id", "name", "company_id", "options", "ids", "users", "contact_search", "record_search", "files_folder",
    "schema_seen",
}  # fmt: skip
CONTENT = tuple(field.name for field in fields(Account) if field.name not in _OWN)


def take(sandbox: Sandbox, folder: Path, names: Iterable[str] = CONTENT) -> None:
    """Write tables of the main sub-account, and the uploaded files, into a folder."""
    account = sandbox.highlevel.state.main
    folder.mkdir(parents=True, exist_ok=True)
    kept = {name: getattr(account, name) for name in names}
    if "children" not in kept:
        kept["children"] = {key: rows for key, rows in account.children.items() if key[0] in kept}
    content = {"ids": account.ids.counts, "tables": kept, "url": sandbox.highlevel.url}
    folder.joinpath("account.pickle").write_bytes(pickle.dumps(content))
    shutil.copytree(account.files_folder, folder / "files", dirs_exist_ok=True)


def put(sandbox: Sandbox, folder: Path) -> None:
    """Put what was taken into a sandbox with the same seed and users; its search knows everything at once."""
    account = sandbox.highlevel.state.main
    content: dict[str, Any] = pickle.loads(folder.joinpath("account.pickle").read_bytes())  # noqa: S301 - our own file
    account.ids.counts = content["ids"]
    for name, table in content["tables"].items():
        setattr(account, name, _elsewhere(table, content["url"], sandbox.highlevel.url))
    for identity, contact in account.contacts.items():
        account.contact_search.note(identity, contact, visible_at=0)
    for identity, record in account.records.items():
        account.records_index(record["objectKey"]).note(identity, record, visible_at=0)
    shutil.copytree(folder / "files", account.files_folder, dirs_exist_ok=True)


def _elsewhere(value: Any, before: str, now: str) -> Any:
    """Return a table with the addresses of files at the port of another sandbox."""
    if isinstance(value, str):
        return value.replace(before, now)
    if type(value) is dict:
        return {key: _elsewhere(item, before, now) for key, item in value.items()}
    return [_elsewhere(item, before, now) for item in value] if isinstance(value, list) else value
