"""`python -m many_clinics check|pools|databases`: what is done by hand when the file of clinics has changed."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from many_clinics.clinics import FILE, Clinics, read
from many_clinics.databases import sql
from many_clinics.meltano_project import MeltanoProject
from many_clinics.summary import counted

_HERE = Path(__file__).resolve().parent.parent
_PRINTS = {
    "check": lambda clinics: f"{counted(len(clinics.clinics), 'clinic')}, nothing to put right\n",
    "pools": lambda clinics: json.dumps(clinics.pools(), indent=2) + "\n",
    "databases": lambda clinics: sql(clinics.clinics),
}


def main() -> int:
    """Print what was asked for; 2 when something is wrong in the file, with everything that is."""
    parser = argparse.ArgumentParser(prog="many_clinics", description=__doc__)
    parser.add_argument(
        "what", choices=_PRINTS, help="check the file; print the pools; print SQL for the databases"
    )
    parser.add_argument("--file", type=Path, default=_HERE / FILE, help=f"the file of clinics ({FILE})")
    given = parser.parse_args()
    clinics: Clinics = read(given.file, MeltanoProject.of(_HERE.parent))
    for problem in clinics.problems:
        sys.stderr.write(f"{problem}\n")
    if clinics.problems:
        return 2
    for advice in clinics.advice:
        sys.stderr.write(f"{advice}\n")
    sys.stdout.write(_PRINTS[given.what](clinics))
    return 0


if __name__ == "__main__":
    sys.exit(main())
