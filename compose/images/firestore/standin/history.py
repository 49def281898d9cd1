"""What the volume tells the next start: until when a run served, and whether it stopped in good order."""

import json
import os
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

HEARTBEAT = "heartbeat"
ORDERLY = "orderly"


@dataclass(frozen=True)
class Heartbeat:
    """The last sign of a run."""

    served_until: datetime
    export: str | None
    """Newest export of the run."""
    as_of: datetime | None
    """Everything that was acknowledged before is in that export."""


class History:
    """The two files on the volume."""

    def __init__(self, folder: Path) -> None:
        self._heartbeat = folder / HEARTBEAT
        self._orderly = folder / ORDERLY

    def last(self) -> Heartbeat | None:
        """The last sign of the run before."""
        try:
            found = json.loads(self._heartbeat.read_text())
            as_of = found["as_of"]
            return Heartbeat(
                datetime.fromisoformat(found["served_until"]),
                found["export"],
                datetime.fromisoformat(as_of) if as_of else None,
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def beat(self, beat: Heartbeat) -> None:
        """Write a sign. Raises OSError when the volume takes no new file, which is how that is noticed."""
        text = json.dumps(
            {
                "served_until": beat.served_until.isoformat(),
                "export": beat.export,
                "as_of": beat.as_of.isoformat() if beat.as_of else None,
            }
        )
        draft = self._heartbeat.with_suffix(".new")
        draft.write_text(text)
        draft.rename(self._heartbeat)

    def orderly_export(self) -> str | None:
        """The export that an orderly stop made; empty when there was nothing to export, None without one."""
        try:
            return self._orderly.read_text().strip()
        except OSError:
            return None

    def begin(self) -> None:
        """Writes are accepted from now on: only an orderly stop says again that nothing is missing."""
        self._orderly.unlink(missing_ok=True)
        _sync(self._orderly.parent)

    def end(self, export: str | None) -> None:
        """The stop was orderly, and this export holds everything."""
        with self._orderly.open("w") as file:
            file.write(f"{export or ''}\n")
            file.flush()
            os.fsync(file.fileno())
        _sync(self._orderly.parent)


@dataclass(frozen=True)
class Restored:
    """From where this start came."""

    export: str | None
    as_of: datetime | None
    stopped_at: datetime | None
    orderly: bool
    fell_back: bool


def judge(
    export: str | None,
    began_at: datetime | None,
    fell_back: bool,
    last: Heartbeat | None,
    orderly: str | None,
) -> Restored:
    """What a start from ``export`` (None: empty) may have lost, by what the volume tells."""
    as_of = began_at
    if last and last.export == export and last.as_of and (as_of is None or last.as_of > as_of):
        as_of = last.as_of if export else None
    # Without any trace of a run before, nothing can be missing.
    in_order = export is None and last is None if orderly is None else orderly == (export or "")
    stopped_at = last.served_until if last else None
    if stopped_at and as_of:
        # The last save may have begun after the last sign.
        stopped_at = max(stopped_at, as_of)
    return Restored(export, as_of, stopped_at, in_order and not fell_back, fell_back)


def utc_now() -> datetime:
    """The time, in UTC."""
    return datetime.now(UTC)


def _sync(folder: Path) -> None:
    file = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(file)
    finally:
        os.close(file)
