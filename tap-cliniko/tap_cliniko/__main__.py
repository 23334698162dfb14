"""The command line: any failure ends with one line that says what to do, and a code that says what it was."""

from __future__ import annotations

import gc
import os
import sys
import traceback

from singer_sdk.exceptions import ConformedNameClashException, MapExpressionError, StreamMapConfigError

from tap_cliniko.errors import SettingsError, TapClinikoError
from tap_cliniko.tap import SIGNALLED, TapCliniko

_READS_CONFIG = "from_cli_args"  # of the SDK
#: Objects that come to be before the collector looks for circles among them: a page of rows holds many, and no circle.
_MANY_OBJECTS = 50_000


def main() -> None:
    """Run the tap."""
    gc.freeze()  # what was imported stays
    gc.set_threshold(_MANY_OBJECTS)
    os.umask(0o077)  # no folder that is made on the way to a patient's file is anybody else's
    try:
        TapCliniko.cli()
    except SystemExit as end:
        if isinstance(end.code, int) and end.code > SIGNALLED:
            _report("interrupted; run again, it goes on where the last state says", end.code)
        raise
    except TapClinikoError as error:
        sys.exit(_report(str(error), error.exit_code))
    except (ConformedNameClashException, MapExpressionError, StreamMapConfigError) as error:
        # the error's own text can hold values of a record
        sys.exit(
            _report(f"stream_maps: a map is not valid ({type(error).__name__})", SettingsError.exit_code)
        )
    except Exception as error:  # noqa: BLE001 - the last line of defence against a text that holds a record
        frames = traceback.extract_tb(error.__traceback__)
        if any(frame.name == _READS_CONFIG for frame in frames):
            text = f"the file given with --config cannot be read, or holds no JSON ({type(error).__name__})"
            sys.exit(_report(text, SettingsError.exit_code))
        where = frames[-1]
        text = f"unexpected {type(error).__name__} in {where.name} ({where.filename}:{where.lineno})"
        sys.exit(_report(text, 1))


def _report(text: str, code: int) -> int:
    sys.stderr.write(f"tap-cliniko: {text} (exit {code})\n")
    return code


if __name__ == "__main__":
    main()
