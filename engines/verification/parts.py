"""Events as the bytes of one part: newline-delimited JSON, or Parquet made of it."""

import json
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from engines.dataset.events.schemas import DatasetEvent
from engines.verification.manifest import Format

LARGEST = 8_000_000
"""Bytes of one part as JSON, so that it fits into one create-only request, memory and a small /tmp."""

DUCKDB: dict[str, str | bool | int | float | list[str]] = {"memory_limit": "128MB", "threads": "1"}


def line_of(fields: dict[str, Any]) -> bytes | None:
    """One line; None for what JSON cannot carry, like NaN, or what is larger than a part."""
    try:
        line = json.dumps(fields, ensure_ascii=False, allow_nan=False).encode() + b"\n"
    except (ValueError, TypeError, RecursionError):
        return None
    return line if len(line) <= LARGEST else None


def encoded(lines: Sequence[bytes], form: Format) -> bytes:
    """The part's content."""
    return b"".join(lines) if form == "ndjson" else _parquet(lines)


def columns() -> dict[str, str]:
    """Each field with its type in Parquet; what is free in form stays JSON text."""
    envelope = {"event_id": "VARCHAR", "ingested_at": "TIMESTAMP", "schema_version": "INTEGER"}
    return envelope | {name: _type(field.annotation) for name, field in DatasetEvent.model_fields.items()}


def _type(annotation: Any) -> str:
    if annotation is bool:
        return "BOOLEAN"
    return "JSON" if getattr(annotation, "__origin__", None) is dict else "VARCHAR"


def _parquet(lines: Sequence[bytes]) -> bytes:
    import duckdb  # 40 MB of memory that only this format needs

    with TemporaryDirectory() as folder, duckdb.connect(config=DUCKDB) as connection:
        source, target = Path(folder, "part.ndjson"), Path(folder, "part.parquet")
        source.write_bytes(b"".join(lines))
        events = connection.read_json(
            str(source), format="newline_delimited", columns=columns(), maximum_object_size=LARGEST
        )
        events.write_parquet(str(target), compression="zstd")
        return target.read_bytes()
