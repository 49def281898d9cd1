"""Every code that a script can print has its row in the runbook, and every row its code."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = [path for path in (*ROOT.glob("scripts/*"), *ROOT.glob("scripts/lib/*.sh")) if path.is_file()]
PRINTED = re.compile(
    r"""\b(?:die|confirm_project|report\s+(?:pass|warn|fail|"\$\([^)]*\)"))\s+"?((?:[A-Z][A-Z0-9]*-?)+)(?=["$\s])"""
)
PER_SERVICE = "STACK-"
PROBES = re.compile(r"^ +((?:\w+ \| )+\w+)\) printf '%s' \"\$1\" \| tr", re.MULTILINE)


def printed() -> set[str]:
    """Codes in the scripts; one that ends with a service's name ends with a dash here."""
    lines = [line for path in SCRIPTS for line in path.read_text().splitlines()]
    text = "\n".join(line for line in lines if not line.lstrip().startswith("#"))
    [services] = PROBES.findall(text)
    return set(PRINTED.findall(text)) | {name.upper() for name in services.split(" | ")}


def listed() -> set[str]:
    """Codes in the first column of the runbook's table."""
    runbook = (ROOT / "docs/infra/PRODISH_DEV_RUNBOOK.md").read_text()
    table = runbook[runbook.index("Troubleshooting by code") :]
    cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {code.replace("…", "") for cell in cells for code in re.findall(r"`([^`]+)`", cell)}


def test_the_search_finds_codes_of_every_kind() -> None:
    assert {"DOCKER-ENGINE", "BUILDX", PER_SERVICE, "STACK", "OBJECTSTORE", "BUILD", "RESTORE"} <= printed()


def test_the_runbooks_table_and_the_scripts_have_the_same_codes() -> None:
    assert listed() == printed()
