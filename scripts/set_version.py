"""Write the version of a release into every package, and where its repository is; the release workflow calls it.

The packages keep a fixed version between releases, so that a copy without git's history can be installed. They name no
address: a fork that releases them is not to send its users elsewhere.
"""

from __future__ import annotations

import argparse
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("tap-cliniko", "transforms", "target-highlevel", "console")
_DECLARED = re.compile(r'^version = "[^"]*"$', re.MULTILINE)
_URLS = {
    "Repository": "{at}",
    "Documentation": "{at}/blob/v{version}/{package}/README.md",
    "Changelog": "{at}/blob/v{version}/CHANGELOG.md",
    "Issues": "{at}/issues",
}
_RELEASE = re.compile(r"\d+\.\d+\.\d+((a|b|rc)\d+)?")


def set_version(version: str, root: Path = ROOT, repository: str | None = None) -> None:
    """Set the version of all packages below a folder, and the addresses that an index shows beside them.

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
        if repository:
            text += _urls(repository.rstrip("/"), version, package)
        manifest.write_text(text, encoding="utf-8")


def _urls(repository: str, version: str, package: str) -> str:
    """Return the table of a manifest that names the addresses."""
    lines = (
        f'{name} = "{address.format(at=repository, version=version, package=package)}"\n'
        for name, address in _URLS.items()
    )
    return f"\n[project.urls]\n{''.join(lines)}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("version", help="as in 1.2.3, without the v of the tag")
    parser.add_argument("--repository", help="the address of the repository that releases it")
    given = parser.parse_args()
    set_version(given.version, repository=given.repository)
