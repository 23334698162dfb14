"""The version of a release, written into the packages."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING

import pytest

from scripts.set_version import PACKAGES, ROOT, set_version

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder with the manifests of the packages."""
    for package in PACKAGES:
        (tmp_path / package).mkdir()
        (tmp_path / package / "pyproject.toml").write_text(
            '[project]\nversion = "0.1.0"\nname = "x"\n', encoding="utf-8"
        )
    return tmp_path


def test_all_packages_get_the_version_of_the_tag(root: Path) -> None:
    """One release has one version, and nothing else of a manifest changes."""
    set_version("1.2.3rc1", root)
    for package in PACKAGES:
        text = (root / package / "pyproject.toml").read_text(encoding="utf-8")
        assert text == '[project]\nversion = "1.2.3rc1"\nname = "x"\n'


def test_a_package_names_the_repository_that_releases_it(root: Path) -> None:
    """Code, documentation of this version, changes and issues, beside what the manifest has anyway."""
    set_version("1.2.3", root, "https://forge.example/clinic/move/")
    for package in PACKAGES:
        project = tomllib.loads((root / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert (project["version"], project["name"]) == ("1.2.3", "x")
        assert project["urls"] == {
            "Repository": "https://forge.example/clinic/move",
            "Documentation": f"https://forge.example/clinic/move/blob/v1.2.3/{package}/README.md",
            "Changelog": "https://forge.example/clinic/move/blob/v1.2.3/CHANGELOG.md",
            "Issues": "https://forge.example/clinic/move/issues",
        }
        assert (ROOT / package / "README.md").is_file()


def test_the_manifests_name_no_address_themselves() -> None:
    """A second table of the same name would be no TOML."""
    for package in PACKAGES:
        project = tomllib.loads((ROOT / package / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        assert "urls" not in project


@pytest.mark.parametrize("version", ["v1.2.3", "1.2", "latest", "1.2.3; rm"])
def test_what_is_no_version_is_refused(version: str, root: Path) -> None:
    """A tag of another kind releases nothing."""
    with pytest.raises(ValueError, match="not a version"):
        set_version(version, root)


def test_a_package_without_a_version_is_refused(root: Path) -> None:
    """It would be released with the version of the last time."""
    (root / PACKAGES[0] / "pyproject.toml").write_text("[project]\n", encoding="utf-8")
    with pytest.raises(ValueError, match="declares no version"):
        set_version("1.2.3", root)
