"""The scripts write into no file that somebody else put there, and remove nothing of another project."""

import re
import subprocess
from pathlib import Path

import yaml

from tests.support.docker import ROOT

LIBRARY = """
set -euo pipefail
root=$1 project=kit
debian_suite=trixie
for name in common output host images stack state; do . "scripts/lib/$name.sh"; done
"""
PREDICTABLE = re.compile(r"(TMPDIR|/tmp\b|[\w./}-]\$\$)")
"""A name in a folder that others may write to, or one that can be guessed."""


def bash(script: str, folder: Path) -> tuple[int, str]:
    """Exit code and output of a script after the library is loaded; TMPDIR is ``folder``."""
    done = subprocess.run(
        ["bash", "-c", LIBRARY + script, "kit", str(folder)],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_a_link_in_the_temporary_folder_is_not_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("kept")
    (tmp_path / "kit-down.log").symlink_to(victim)
    code, said = bash("compose() { echo written; }; stop_stack ./scripts/down", tmp_path)
    assert (code, said, victim.read_text()) == (0, "", "kept")
    code, said = bash("compose() { echo broken; return 1; }; stop_stack ./scripts/down", tmp_path)
    assert (code, "broken" in said, victim.read_text()) == (1, True, "kept")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kit-down.log", "victim"]


def test_a_private_file_is_written_through_no_name_that_can_be_guessed(tmp_path: Path) -> None:
    code, said = bash('echo secret | write_private "$1/login"', tmp_path)
    assert (code, said, (tmp_path / "login").read_text()) == (0, "", "secret\n")
    assert (tmp_path / "login").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["login"]


def test_temporary_files_of_scripts_are_made_by_mktemp() -> None:
    lines = {
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted((ROOT / "scripts").rglob("*"))
        if path.is_file() and path.suffix != ".py" and "__pycache__" not in path.parts
        for line in path.read_text().splitlines()
        if PREDICTABLE.search(line) and "mktemp" not in line and not line.lstrip().startswith("#")
        # A container's own /tmp is nobody else's.
        if "docker exec" not in line
    }
    assert lines == set()


def test_reset_names_its_own_images_alone(tmp_path: Path) -> None:
    images = ["kit-bossman:latest", "kit-bigquery-init:latest", "<none>:<none>", "kit-two-bossman:latest"]
    images += ["kit-bossman-two:latest", "kitbossman:latest", "kit-s3-firestore:latest", "xkit-s3:latest"]
    lines = "".join(f"{name}|0123|1MB\\n" for name in images)
    code, said = bash(f"docker() {{ printf '{lines}'; }}; project_images", tmp_path)
    assert code == 0, said
    named = {line.split("|")[0] for line in said.splitlines()}
    assert named == {"kit-bossman:latest", "kit-bigquery-init:latest", "<none>:<none>"}


def test_every_service_that_is_built_is_known_by_name(tmp_path: Path) -> None:
    services = yaml.safe_load((ROOT / "compose/compose.yaml").read_text())["services"]
    code, said = bash('printf "%s" "$image_services"', tmp_path)
    assert (code, set(said.split())) == (0, {name for name, found in services.items() if "build" in found})
