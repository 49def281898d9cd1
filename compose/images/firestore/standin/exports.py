"""Exports on the volume: one counts only under its final name and with the right checksums.

A crash at any moment leaves the one before usable. The last two are kept.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

KEPT = 2
SUMS = "SHA256SUMS"
METADATA = "all/all.overall_export_metadata"
PARTIAL = "partial"


@dataclass(frozen=True)
class Saved:
    """A good save: the export that holds it, and its size."""

    name: str
    bytes: int


class Exports:
    """The exports in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def newest_first(self) -> list[str]:
        """Names of all exports."""
        return sorted((path.name for path in self.folder.glob("export-*")), reverse=True)

    def is_good(self, name: str) -> bool:
        """Whether every file is as it was written."""
        try:
            sums = _read_sums(self.folder / name)
            files = [path for path in sums if _sha256(self.folder / name / path) != sums[path]]
        except (OSError, ValueError):
            return False
        return METADATA in sums and not files

    def began_at(self, name: str) -> datetime:
        """When the save began: what was acknowledged earlier is in it."""
        folder = self.folder / name
        try:
            return datetime.fromisoformat(json.loads((folder / "save.json").read_text())["began_at"])
        except (OSError, ValueError, KeyError):
            # Made before the time was noted: not later than its first file.
            return datetime.fromtimestamp(min(path.stat().st_mtime for path in folder.rglob("*")), UTC)

    def size(self, name: str) -> int:
        """Bytes of its files."""
        return _size(_files(self.folder / name))

    def prepare(self) -> Path:
        """An empty folder for the emulator to export into."""
        partial = self.folder / PARTIAL
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o755)
        return partial

    def adopt(self, began_at: datetime) -> Saved:
        """Make what lies in the prepared folder the newest export; the same content again is thrown away."""
        partial = self.folder / PARTIAL
        files = _files(partial)
        size = _size(files)
        sums = {str(path.relative_to(partial)): _sha256(path) for path in files}
        if METADATA not in sums:
            raise OSError("the emulator's export is not complete")
        last = next(iter(self.newest_first()), None)
        if last and _content(sums) == _content(_read_sums(self.folder / last)):
            shutil.rmtree(partial)
            return Saved(last, size)
        (partial / "save.json").write_text(json.dumps({"began_at": began_at.isoformat()}))
        (partial / SUMS).write_text("".join(f"{digest}  {path}\n" for path, digest in sums.items()))
        name = f"export-{int((last or '-0').rpartition('-')[2]) + 1:08d}"
        _sync([*_files(partial), *(path for path in partial.rglob("*") if path.is_dir()), partial])
        partial.rename(self.folder / name)
        _sync([self.folder])
        self.keep(KEPT)
        return Saved(name, size)

    def discard(self) -> None:
        """Drop what an export that failed has left."""
        shutil.rmtree(self.folder / PARTIAL, ignore_errors=True)

    def keep(self, count: int) -> None:
        """Delete all but the newest."""
        for name in self.newest_first()[count:]:
            shutil.rmtree(self.folder / name, ignore_errors=True)

    def set_aside(self, name: str, now: datetime) -> None:
        """Keep a damaged export out of the way, for whoever wants to look at it."""
        (self.folder / name).rename(self.folder / f"broken-{name}-{int(now.timestamp())}")


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _size(files: Iterable[Path]) -> int:
    return sum(path.stat().st_size for path in files)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _read_sums(folder: Path) -> dict[str, str]:
    lines = (folder / SUMS).read_text().splitlines()
    return {path: digest for digest, _, path in (line.partition("  ") for line in lines)}


def _content(sums: dict[str, str]) -> set[tuple[str, str]]:
    """The documents; metadata differs from export to export."""
    return {(path, digest) for path, digest in sums.items() if "/output-" in path}


def _sync(paths: Iterable[Path]) -> None:
    for path in paths:
        file = os.open(path, os.O_RDONLY)
        try:
            os.fsync(file)
        finally:
            os.close(file)
