"""The status of the stand-in: one JSON file that the door serves as /kit/status."""

import json
import os
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal


@dataclass
class Status:
    """Fields of ``GET /kit/status``; times are UTC, sizes bytes, lengths seconds."""

    generation: str
    started_at: datetime
    restored_from: str | None
    restored_as_of: datetime | None
    stopped_at: datetime | None
    orderly: bool
    fell_back: bool
    saved_at: datetime | None = None
    save_seconds: float | None = None
    saved_bytes: int | None = None
    saving: Literal["ok", "failing"] = "ok"
    save_error: str | None = None
    save_failing_since: datetime | None = None
    writes: Literal["accepted", "refused"] = "accepted"
    refused_because: str | None = None
    memory_used_bytes: int = 0
    memory_limit_bytes: int = 0
    disk_free_bytes: int = 0
    service: str = "firestore"

    def write(self, path: Path) -> None:
        """Replace the file at once: a reader sees the old or the new one."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps({name: _plain(value) for name, value in asdict(self).items()}) + "\n")
        os.replace(draft, path)


def _plain(value: Any) -> Any:
    return f"{value:%Y-%m-%dT%H:%M:%S.%fZ}" if isinstance(value, datetime) else value


def read(path: Path) -> dict[str, Any]:
    """The status as the supervisor wrote it. Raises OSError or ValueError."""
    found: dict[str, Any] = json.loads(path.read_text())
    return found
