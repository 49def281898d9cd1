"""The table of limits has a row for each of them, and each row's test exists."""

import re
from dataclasses import fields
from pathlib import Path

from engines.server.limits import ServerLimits

ROOT = Path(__file__).resolve().parents[2]
ROWS = re.findall(
    r"^\| `(\w+)` \| .* \| `([\w/.]+)::(\w+)` \|$", (ROOT / "docs/infra/LIMITS.md").read_text(), re.MULTILINE
)


def test_each_row_names_a_test_that_exists() -> None:
    assert ROWS
    for name, path, test in ROWS:
        assert re.search(rf"^(?:async )?def {test}\(", (ROOT / path).read_text(), re.MULTILINE), name


def test_the_table_and_the_limits_have_the_same_names() -> None:
    assert [name for name, _, _ in ROWS] == [field.name for field in fields(ServerLimits)]
