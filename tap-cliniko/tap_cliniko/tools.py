"""Commands beside the extraction: the reference for rebuilding, and this package's own documents."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from singer_sdk.helpers._util import read_json_file

from tap_cliniko import documentation
from tap_cliniko import probe as probing
from tap_cliniko.document import as_html, as_markdown
from tap_cliniko.errors import SettingsError, TapClinikoError
from tap_cliniko.rebuild.reference import reference
from tap_cliniko.rebuild.sections import sections
from tap_cliniko.run import connect
from tap_cliniko.tap import TapCliniko
from tap_cliniko.timestamps import from_epoch

if TYPE_CHECKING:
    from collections.abc import Sequence

_TITLE = "What cannot move, and how to rebuild it"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command; it ends with one line that says what happened, a failure with its code too."""
    given = _parser().parse_args(arguments)
    os.umask(0o077)  # as the tap: a folder on the way is nobody else's either
    said, code = given.done, 0
    try:
        given.act(given)
    except TapClinikoError as error:
        said, code = str(error), error.exit_code
    if said:
        sys.stderr.write(f"tap-cliniko: {said} (exit {code})\n")
    if code:
        sys.exit(code)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="tap-cliniko-tools", description=__doc__)
    commands = parser.add_subparsers(required=True)
    rebuild = commands.add_parser(
        "rebuild-reference", help="write what has to be rebuilt by hand, as HTML, Markdown and JSON"
    )
    rebuild.add_argument("--config", help="configuration file; by default the TAP_CLINIKO_ variables")
    rebuild.add_argument("--output-dir", help="where to write; by default data/<Meltano environment>/reports")
    rebuild.set_defaults(
        act=_rebuild_reference, done="the reference for rebuilding is written: open rebuild-reference.html"
    )
    probe = commands.add_parser(
        "probe", help="measure what Cliniko's documents leave open, by reading only, and write probe.json"
    )
    probe.add_argument("--config", help="configuration file; by default the TAP_CLINIKO_ variables")
    probe.add_argument("--output-dir", help="where to write; by default data/<Meltano environment>/reports")
    probe.set_defaults(act=_probe, done="measured, by reading only; probe.json has the answers")
    document = commands.add_parser(
        "document", help="bring README and Hub definition up to date with the settings"
    )
    document.add_argument(
        "--check", action="store_true", help="change nothing, fail when they are not up to date"
    )
    document.add_argument("--folder", default=".", help="the folder of this package's sources")
    document.set_defaults(act=_document, done="")
    return parser


def _rebuild_reference(given: argparse.Namespace) -> None:
    client = connect(TapCliniko.settings_from(_config(given.config)))
    try:
        found = reference(client, from_epoch(client.now()))
    finally:
        client.close()
    folder = Path(given.output_dir or _reports_folder())
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    parts = sections(found)
    for ending, content in (
        ("html", as_html(_TITLE, parts)),
        ("md", as_markdown(_TITLE, parts)),
        ("json", json.dumps(found, indent=2, ensure_ascii=False) + "\n"),
    ):
        path = folder / f"rebuild-reference.{ending}"
        # names of users are in it
        with os.fdopen(
            os.open(path, os.O_CREAT | os.O_WRONLY | os.O_TRUNC, 0o600), "w", encoding="utf-8"
        ) as file:
            file.write(content)
        sys.stdout.write(f"{path}\n")


def _probe(given: argparse.Namespace) -> None:
    client = connect(TapCliniko.settings_from(_config(given.config)))
    try:
        measurements = probing.Probe(client).measure()
    finally:
        client.close()
    for each in measurements:
        sys.stdout.write(f"{each.question}: {each.answer or 'not measured'} ({each.evidence})\n")
    path = Path(given.output_dir or _reports_folder()) / "tap-cliniko" / "probe.json"
    probing.write(path, measurements)
    sys.stdout.write(f"{path}\n")


def _config(path: str | None) -> dict[str, Any]:
    if path is None:
        return TapCliniko.settings_from_environment()
    try:
        return dict(read_json_file(path))
    except (OSError, TypeError, ValueError) as error:
        msg = f"the file given with --config cannot be read, or holds no JSON object ({type(error).__name__})"
        raise SettingsError(msg) from None


def _reports_folder() -> Path:
    root, environment = os.environ.get("MELTANO_PROJECT_ROOT", "."), os.environ.get("MELTANO_ENVIRONMENT")
    return Path(root, "data", *([environment] if environment else []), "reports")


def _document(given: argparse.Namespace) -> None:
    stale = documentation.update(Path(given.folder), check=given.check)
    if stale and given.check:
        sys.stderr.write(f"not up to date: {', '.join(stale)}; run tap-cliniko-tools document\n")
        sys.exit(1)
    sys.stdout.write(json.dumps({"updated": stale}) + "\n")


if __name__ == "__main__":
    main()
