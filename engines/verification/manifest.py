"""The manifest of an export: what it was made of, what was left out, and how to check its parts."""

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel

from engines.nexus.backends.sink import SCHEMA_VERSION

Format = Literal["ndjson", "parquet"]
LeftOut = Literal["faulted", "synthetic", "not_trainable", "undecided", "copy", "arrived_later", "not_json"]


class PartEntry(BaseModel):
    """One object of the export."""

    name: str
    events: int
    bytes: int
    sha256: str


class Counts(BaseModel):
    """``read`` is ``exported`` and all of ``left_out`` together."""

    read: int = 0
    exported: int = 0
    left_out: dict[LeftOut, int] = {}


class Manifest(BaseModel):
    """Written last: an export without it is not complete."""

    tenant_id: str
    env: str | None
    since: datetime | None
    until: datetime
    sink: dict[str, Any]
    schema_version: int = SCHEMA_VERSION
    format: Format
    counts: Counts = Counts()
    faults: dict[str, int] = {}
    """Records that each rule of the verification names among those left out."""
    parts: list[PartEntry] = []
    configuration: dict[str, Any]

    def leave_out(self, reason: LeftOut) -> None:
        """Count one record that is not exported."""
        self.counts.left_out[reason] = self.counts.left_out.get(reason, 0) + 1
