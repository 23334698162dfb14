"""Write the version of a release into every package; the release workflow calls it with the tag's version.

The packages keep a fixed version between releases, so that a copy without git's history can be installed.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tap-cliniko", "transforms", "target-highlevel", "console")
_DECLARED = re.compile(r'^version = "[^"]*"$', re.MULTILINE)
_RELEASE = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")


def set_version(version: str, root: Path = ROOT) -> None:
    """Set the version of all packages below a folder.

    Raises:
        ValueError: it is no version of a release, or a package declares none.
    """
    if not _RELEASE.fullmatch(version):
        message = f"{version!r} is not a version such as 1.2.3 or 1.2.3rc1"
        raise ValueError(message)
    for package in PACKAGES:
        manifest = root / package / "pyproject.toml"
        text, changes = _DECLARED.subn(
            f'version = "{version}"', manifest.read_text(encoding="utf-8"), count=1
        )
        if not changes:
            message = f"{manifest} declares no version"
            raise ValueError(message)
        manifest.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="as in 1.2.3, without the v of the tag")
    set_version(parser.parse_args().version)
