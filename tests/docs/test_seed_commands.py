"""The two test commands that the lane names pass alone: on a clean clone, without Docker."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import copy_checkout

ROOT = Path(__file__).resolve().parents[2]
LANE = (ROOT / "docs/workflows/88mph/PRODISH_DEV.md").read_text()
COMMANDS = re.findall(r"`(python -m pytest [^`]+)`", LANE)
NO_ENGINE = {"DOCKER_HOST": "tcp://127.0.0.1:1"}


def test_the_lane_names_both() -> None:
    folders = [command.rsplit(" ", 1)[-1] for command in COMMANDS]
    assert folders == ["engines/bossman/tests", "engines/logging/events/tests"]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("command", COMMANDS)
def test_it_passes_alone(command: str, tmp_path: Path) -> None:
    copy_checkout(tmp_path)
    kept = {name: os.environ[name] for name in ("HOME", "TMPDIR", "LANG") if name in os.environ}
    # Python itself, and no docker, in PATH.
    path = os.pathsep.join(
        one for one in os.defpath.split(os.pathsep) if not shutil.which("docker", path=one)
    )
    done = subprocess.run(
        [sys.executable, *command.split()[1:], "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=kept | NO_ENGINE | {"PATH": path},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]
    assert re.search(r"\d+ passed", done.stdout)
    assert not re.search(r"\d+ (skipped|deselected|xfailed)", done.stdout)
