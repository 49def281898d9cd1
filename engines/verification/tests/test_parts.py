"""Parts hold what they are given, and DuckDB reads them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engines.verification.manifest import Format
from engines.verification.parts import LARGEST, columns, encoded, line_of
from tests.support.records import dataset_event

EVENT: dict[str, Any] = {
    "event_id": "e1",
    "ingested_at": "2026-01-02T03:04:05.678901Z",
    "schema_version": 1,
} | dataset_event(input={"text": "grüße 🚀", "n": [1, None, 1.5]}).model_dump()


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_duckdb_reads_a_part(form: Format, tmp_path: Path) -> None:
    line = line_of(EVENT)
    assert line is not None
    part = tmp_path / f"part.{form}"
    part.write_bytes(encoded([line] * 3, form))
    found = "epoch_us(ingested_at), train_ok, env, input ->> '$.text', utm_term"
    rows = duckdb.connect().execute(f"SELECT {found} FROM '{part}'").fetchall()
    stored = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
    assert rows == [(int(stored.timestamp() * 1_000_000), True, "dev", "grüße 🚀", None)] * 3


def test_parquet_has_a_column_for_every_field() -> None:
    assert columns().keys() == EVENT.keys()
    assert (columns()["input"], columns()["train_ok"], columns()["utm_term"]) == (
        "JSON",
        "BOOLEAN",
        "VARCHAR",
    )


@pytest.mark.parametrize("form", ["ndjson", "parquet"])
def test_the_largest_event_is_a_part_of_its_own(form: Format) -> None:
    line = line_of(EVENT | {"input": {"x": "y" * (LARGEST - 1_000)}})
    assert line is not None
    assert encoded([line], form)


def test_what_no_part_can_hold_is_no_line() -> None:
    assert line_of(EVENT | {"input": {"x": float("nan")}}) is None
    assert line_of(EVENT | {"input": {"x": b"bytes"}}) is None
    assert line_of(EVENT | {"input": {"x": "\ud800"}}) is None
    assert line_of(EVENT | {"input": {"x": "y" * LARGEST}}) is None
