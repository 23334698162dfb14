"""`migration-console`: serve the console of a project on loopback until Ctrl-C."""

from __future__ import annotations

import os
import socket
import sys
from pathlib import Path

import click
import uvicorn

from migration_console.app import Console
from migration_console.clinics import ClinicsError, clinics_of
from migration_console.security import Guard

_WRONG_SETTINGS = 2


@click.command()
@click.option(
    "--project",
    type=click.Path(file_okay=False, path_type=Path),
    default=lambda: os.environ.get("MELTANO_PROJECT_ROOT", "."),
    help="Folder with meltano.yml; by default Meltano's, else this one.",
)
@click.option(
    "--environment",
    default=lambda: os.environ.get("MELTANO_ENVIRONMENT") or "live",
    help="Meltano environment; by default the one that this was started in.",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="Port on loopback; by default a free one."
)
def main(project: Path, environment: str, port: int) -> None:
    """Show the migration in a browser, on this machine only."""
    os.umask(0o077)
    root = project.resolve()
    if not (root / "meltano.yml").is_file():
        click.echo(f"console: {root} has no meltano.yml; name the project's folder with --project", err=True)
        sys.exit(_WRONG_SETTINGS)
    try:
        clinics, problems = clinics_of(root, environment)
    except ClinicsError as error:
        click.echo(f"console: {error}", err=True)
        sys.exit(_WRONG_SETTINGS)
    for problem in problems:
        click.echo(f"console: left out: {problem}", err=True)
    # a socket that does not say so is none of TCP to asyncio, which then lets each page wait 40 ms for an acknowledgement
    listening = socket.socket(proto=socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind(("127.0.0.1", port))
        listening.listen()  # whoever follows the link at once waits instead of being refused
    except OSError as error:
        click.echo(
            f"console: port {port} cannot be used ({error.strerror}); choose another with --port", err=True
        )
        sys.exit(_WRONG_SETTINGS)
    guard = Guard(listening.getsockname()[1])
    click.echo(f"The console is at\n\n    {guard.link}\n\nIt ends with Ctrl-C; what it has started goes on.")
    application = Console(clinics, guard, problems).application()
    server = uvicorn.Server(
        uvicorn.Config(application, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    )
    server.run(sockets=[listening])


if __name__ == "__main__":
    main()
