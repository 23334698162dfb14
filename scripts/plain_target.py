"""The plainest writers there are, to compare with: a Singer SDK target, and a script; each writes one contact after the other.

python scripts/plain_target.py --config ENV < contacts.singer
python scripts/plain_target.py script < contacts.singer
"""

from __future__ import annotations

import json
import os
import sys
from typing import Any

import requests
from singer_sdk import Target
from singer_sdk import typing as th
from singer_sdk.sinks import RecordSink
from typing_extensions import override

#: Address of the sub-account's HighLevel, its token and its id.
URL, TOKEN, LOCATION = "PLAIN_URL", "PLAIN_TOKEN", "PLAIN_LOCATION"


class Contacts:
    """Creates contacts with one request each."""

    def __init__(self) -> None:
        """Open a connection."""
        self._session = requests.Session()
        self._session.headers.update(
            {"Authorization": f"Bearer {os.environ[TOKEN]}", "Version": "2021-07-28"}
        )

    def create(self, record: dict[str, Any]) -> None:
        """Create one."""
        body = {
            "locationId": os.environ[LOCATION],
            "firstName": record["firstName"],
            "lastName": record["lastName"],
            "tags": record["tags"],
        }
        self._session.post(f"{os.environ[URL]}/contacts/", json=body, timeout=60).raise_for_status()


class ContactSink(RecordSink):
    """Writes each record as it comes."""

    _contacts = None

    @override
    def process_record(self, record: dict[str, Any], context: dict[str, Any]) -> None:
        if self._contacts is None:
            self._contacts = Contacts()
        self._contacts.create(record)


class PlainTarget(Target):
    """A target as the SDK's template makes it."""

    name = "plain-target"
    config_jsonschema = th.PropertiesList().to_dict()
    default_sink_class = ContactSink


def script() -> None:
    """Write one record after the other, without any framework."""
    contacts = Contacts()
    for line in sys.stdin:
        message = json.loads(line)
        if message["type"] == "RECORD":
            contacts.create(message["record"])


if __name__ == "__main__":
    script() if sys.argv[1:] == ["script"] else PlainTarget.cli()
