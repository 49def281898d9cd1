"""The table of spellings in PHASE_04_GAPS.md says what is measured."""

import re
from pathlib import Path

from tests.support.spellings import ROWS

GAPS = (Path(__file__).resolve().parents[2] / "docs/workflows/88mph/PHASE_04_GAPS.md").read_text()
TABLE = re.findall(r"^\| (.+?) \| ([\d.]+)% \| ([\d.]+)% \|$", GAPS.split("### Spellings")[1], re.MULTILINE)


def test_row_13_the_table_has_every_spelling_with_its_rates() -> None:
    assert [name for name, _, _ in TABLE] == [row.name for row in ROWS]
    for row, (_, missed, left) in zip(ROWS, TABLE, strict=True):
        found_missed, found_left = (100 * rate for rate in row.rates(200))
        assert abs(found_missed - float(missed)) < 15, row.name  # of fewer samples than the table's
        assert found_left == float(left), row.name
