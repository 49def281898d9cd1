"""Packs the stack's volumes for ./scripts/backup, in a one-shot container that may only read them.

argv: the folder of the volumes. stdin: the facts of the manifest as one line of JSON, then the demo login.
stdout: the archive. Exit 3 with one sentence on stderr when a volume cannot be packed.
"""

import gzip
import hashlib
import json
import os
import sys
import tarfile
from base64 import b64encode
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from threading import Thread
from typing import IO, Any

FORMAT = {"format": "northstar-kit-backup", "version": 1}
LOGIN = "demo-login.json"
ATTRIBUTE = "NORTHSTAR.attribute."
"""Before the name of an extended attribute in a tar; its value is in base64."""


class Refused(Exception):
    """Why a volume cannot be packed, for people."""


class Counted:
    """Counts and digests what is written to it, or read through it."""

    def __init__(self, source: IO[bytes] | None = None) -> None:
        self._source, self._digest, self.bytes = source, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        """Take ``data``."""
        self._digest.update(data)
        self.bytes += len(data)
        return len(data)

    def read(self, size: int) -> bytes:
        """Take what the source has."""
        data = self._source.read(size) if self._source else b""
        self.write(data)
        return data

    def facts(self) -> dict[str, Any]:
        """As a manifest holds them."""
        return {"sha256": self._digest.hexdigest(), "bytes": self.bytes}


def files_of(folder: Path) -> Iterator[Path]:
    """Everything below ``folder`` in one order, a folder before what it holds."""
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from files_of(path)


def attributes_of(path: Path) -> dict[str, str]:
    """Extended attributes, by which a server knows its files: without its own, an object is none."""
    if sys.platform != "linux":
        return {}
    names = [name for name in sorted(os.listxattr(path)) if name.startswith("user.")]
    return {ATTRIBUTE + name: b64encode(os.getxattr(path, name)).decode() for name in names}


def write_volume(folder: Path, sink: Any) -> None:
    """The volume as a tar: the same bytes each time as long as nothing changes."""
    # Each name of a file gets its content: a link would be one more thing that a restore has to trust.
    with tarfile.open(fileobj=sink, mode="w|", format=tarfile.PAX_FORMAT, dereference=True) as tar:
        for path in files_of(folder):
            name = str(path.relative_to(folder))
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise Refused(f"volume {folder.name}: {name} is neither file nor folder")
            info = tar.gettarinfo(str(path), name)
            info.pax_headers = attributes_of(path)
            with path.open("rb") if info.isreg() else BytesIO() as content:
                tar.addfile(info, content)
            vars(tar)["members"].clear()  # it would keep them all in memory


def reader_of(folder: Path) -> IO[bytes]:
    """The same to read from, without a disk in between."""
    reading, writing = os.pipe()

    def send() -> None:
        with open(writing, "wb") as pipe:
            write_volume(folder, pipe)

    Thread(target=send, daemon=True).start()
    return open(reading, "rb")


def add(tar: tarfile.TarFile, name: str, size: int, content: Any) -> None:
    """One member, readable by its owner alone."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    tar.addfile(info, content)


def pack(root: Path) -> None:
    """Each volume is read twice: the manifest comes first and names what the second reading must give."""
    facts, login = json.loads(sys.stdin.buffer.readline()), sys.stdin.buffer.read()
    folders = {f"volumes/{folder.name}.tar": folder for folder in sorted(root.iterdir())}
    parts: dict[str, Any] = {LOGIN: {"sha256": hashlib.sha256(login).hexdigest(), "bytes": len(login)}}
    for name, folder in folders.items():
        counted = Counted()
        write_volume(folder, counted)
        parts[name] = counted.facts()
    manifest = json.dumps(FORMAT | facts | {"parts": parts}, indent=2).encode()
    packed = gzip.GzipFile(fileobj=sys.stdout.buffer, mode="wb", compresslevel=6)
    with packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        add(tar, "manifest.json", len(manifest), BytesIO(manifest))
        add(tar, LOGIN, len(login), BytesIO(login))
        for name, folder in folders.items():
            with reader_of(folder) as source:
                counted = Counted(source)
                add(tar, name, parts[name]["bytes"], counted)
            if counted.facts() != parts[name]:
                raise Refused(f"{name} changed while it was read")


def main() -> int:
    """Exit 0, or 3 with the reason on stderr."""
    try:
        pack(Path(sys.argv[1]))
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except OSError as error:
        sys.stderr.write(f"{error.strerror or 'not read whole'}: {error.filename or 'a volume'}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
