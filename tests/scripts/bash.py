"""Small scripts over the scripts' own library, in a checkout of their own."""

import subprocess
from pathlib import Path

from tests.support.docker import ROOT

PATH = "/usr/local/bin:/usr/bin:/bin"


def linked(folder: Path) -> Path:
    """A checkout in ``folder``: the real scripts and Compose files, and nothing generated."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("scripts", "compose", "compose.yaml", "engines", "requirements", "pyproject.toml"):
        (folder / name).symlink_to(ROOT / name)
    return folder


def started(text: str, checkout: Path, cwd: Path | None = None, *arguments: str) -> subprocess.Popen[str]:
    """A script of the checkout with ``text`` after its library, called from ``cwd``."""
    file = checkout / "script"
    file.write_text(f'#!/usr/bin/env bash\nset -euo pipefail\n. "{checkout}/scripts/lib/kit.sh"\n{text}\n')
    file.chmod(0o700)
    return subprocess.Popen(
        [str(file), *arguments],
        cwd=cwd or checkout,
        env={"PATH": PATH, "HOME": str(checkout)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def ran(text: str, checkout: Path, cwd: Path | None = None, *arguments: str) -> tuple[int, str]:
    """Exit code and output of it."""
    process = started(text, checkout, cwd, *arguments)
    output, _ = process.communicate(timeout=60)
    return process.returncode, output
