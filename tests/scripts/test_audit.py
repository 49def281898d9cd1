"""What ./scripts/audit makes of pip-audit's answer: only a package that was asked about counts as good."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

READER = Path(__file__).resolve().parents[2] / "scripts/lib/audit_read.py"
GOOD: dict[str, Any] = {"name": "good", "version": "1.0", "vulns": []}
WEAK = {"name": "weak", "version": "2.0", "vulns": [{"id": "PYSEC-1", "fix_versions": ["2.1"]}]}
OPEN = {"name": "open", "version": "3.0", "vulns": [{"id": "PYSEC-2", "fix_versions": []}]}
SKIPPED = {"name": "skipped", "skip_reason": "Dependency not found on PyPI and could not be audited"}


@pytest.mark.parametrize(
    ("found", "code", "lines"),
    [
        ([GOOD, GOOD], 0, ["a.txt: 2 packages, no weakness is known"]),
        ([GOOD, WEAK], 1, ["a.txt: weak 2.0: PYSEC-1, mended in 2.1"]),
        ([SKIPPED, OPEN], 1, ["a.txt: open 3.0: PYSEC-2, mended in nothing yet"]),
        ([GOOD, SKIPPED], 3, ["a.txt: the package index answered for 1 of 2 packages"]),
        ([SKIPPED], 3, ["a.txt: the package index answered for 0 of 1 packages"]),
        ([], 3, ["a.txt: the package index answered for 0 of 0 packages"]),
    ],
)
def test_only_what_was_asked_about_counts(found: list[Any], code: int, lines: list[str]) -> None:
    assert read(json.dumps({"dependencies": found, "fixes": []})) == (code, lines)


@pytest.mark.parametrize("text", ["", "ERROR: no connection", "[]", "{}"])
def test_no_answer_is_no_good_answer(text: str) -> None:
    line = "a.txt: not asked, the package index does not answer (.kit/audit.log)"
    assert read(text) == (3, [line])


def read(text: str) -> tuple[int, list[str]]:
    command = [sys.executable, str(READER), "a.txt"]
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False)
    assert done.stderr == ""
    return done.returncode, [line.strip() for line in done.stdout.splitlines()]
