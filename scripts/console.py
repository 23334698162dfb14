"""Show the console on a made-up clinic: both services run on loopback, and the console on them, until Ctrl-C.

Started by `make console`. The bookmarks and reports of an earlier start are removed: the clinic is a new one each time.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys

from demo import DATA, MELTANO, ROOT, interrupted, sandbox, sandbox_environment


def main() -> int:
    """Serve until Ctrl-C."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patients", type=int, default=40, help="size of the clinic (40)")
    parser.add_argument("--seed", type=int, default=1, help="which clinic (1)")
    parser.add_argument("--port", type=int, default=0, help="port of the console (a free one)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupted)
    shutil.rmtree(DATA, ignore_errors=True)
    DATA.mkdir(parents=True, mode=0o700)
    # A copy of its own, so that what is tried here leaves the project's mapping as it is.
    mapping = DATA / "mapping.yml"
    shutil.copyfile(ROOT / "transforms" / "mapping.yml", mapping)
    command = [str(MELTANO), f"--env-file={os.devnull}", "--environment=sandbox", "invoke", "console"]
    with sandbox(options.patients, options.seed) as addresses:
        environment = sandbox_environment(addresses) | {"TARGET_HIGHLEVEL_MAPPING": str(mapping)}
        process = subprocess.Popen([*command, "--port", str(options.port)], cwd=ROOT, env=environment)
        try:
            return process.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            process.terminate()
            process.wait()


if __name__ == "__main__":
    sys.exit(main())
