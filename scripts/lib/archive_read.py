"""Reads a backup for ./scripts/restore, in a one-shot container that sees nothing but the volumes.

    check         stdin: an archive; stdout: its facts, "name value" a line. Writes nothing
    unpack ROOT   stdin: an archive; stdout: its demo login. Fills ROOT/<volume>/.restored
    swap ROOT     what .restored holds takes the place of what is there
    discard ROOT  removes .restored

An archive is untrusted: names, types, sizes and checksums are judged, and nothing but files and folders below
a volume's root is written. Exit 3 with one sentence on stderr when it is refused or cannot be written.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import sys
import tarfile
import zlib
from base64 import b64decode
from collections.abc import Callable
from itertools import islice
from pathlib import Path, PurePosixPath
from typing import IO, Any

FORMAT, VERSION = "northstar-kit-backup", 1
LOGIN, RESTORED = "demo-login.json", ".restored"
NEEDED = {LOGIN, "volumes/firestore.tar", "volumes/secrets.tar"}
KNOWN = NEEDED | {"volumes/bigquery.tar", "volumes/objectstore.tar", "volumes/s3.tar"}
FACTS = {
    "kit_version": r"[\w.+-]{1,40}",
    "created_at": r"[\dTZ:-]{1,30}",
    "project": r"[a-z0-9_-]{1,80}",
    "sink": r"|firestore|bigquery|object_store|s3",
    "profiles": r"|s3",
    "ports": r"( ?[a-z0-9]{1,20}:\d{1,5}){0,9}",
}
ATTRIBUTE = "NORTHSTAR.attribute."
CHUNK = 1_000_000
DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, tarfile.TarError, UnicodeError, OverflowError)


class Refused(Exception):
    """Why an archive is not taken, for people."""


class Counted:
    """A file that counts and digests what is read from it."""

    def __init__(self, source: IO[bytes] | None) -> None:
        assert source is not None
        self._source, self._digest, self._bytes = source, hashlib.sha256(), 0

    def read(self, size: int = CHUNK) -> bytes:
        """Read from the source."""
        data = self._source.read(size)
        self._digest.update(data)
        self._bytes += len(data)
        return data

    def facts(self) -> dict[str, Any]:
        """What is left goes through it too."""
        while self.read():
            pass
        return {"sha256": self._digest.hexdigest(), "bytes": self._bytes}


def read_manifest(tar: tarfile.TarFile) -> dict[str, Any]:
    """The first member. Raises Refused unless this kit can read what it announces."""
    first = next(iter(tar), None)
    if first is None or first.name != "manifest.json" or not first.isreg() or first.size > CHUNK:
        raise Refused("it is not a backup of this kit: it does not begin with a manifest")
    try:
        manifest = json.loads(Counted(tar.extractfile(first)).read())
    except ValueError:
        raise Refused("its manifest is damaged") from None
    if not isinstance(manifest, dict) or manifest.get("format") != FORMAT:
        raise Refused("it is not a backup of this kit")
    if manifest.get("version") != VERSION:
        found = str(manifest.get("version"))[:20]
        raise Refused(f"another kit made it: its format is {found}, this one reads {VERSION}")
    for name, form in FACTS.items():
        if not isinstance(manifest.get(name), str) or not re.fullmatch(form, manifest[name]):
            raise Refused(f"its manifest is damaged: {name}")
    check_parts(manifest.get("parts"))
    return manifest


def check_parts(parts: object) -> None:
    """Raise Refused unless each part is one that this kit writes, and the needed ones are there."""
    if not isinstance(parts, dict) or not NEEDED <= parts.keys() <= KNOWN:
        raise Refused("its manifest is damaged: parts")
    for name, part in parts.items():
        if not isinstance(part, dict) or not isinstance(part.get("bytes"), int):
            raise Refused(f"its manifest is damaged: {name}")


def check_entry(info: tarfile.TarInfo) -> None:
    """Raise Refused for all but files and folders below the volume's root."""
    name = PurePosixPath(info.name)
    if name.is_absolute() or ".." in name.parts or name.parts[:1] in ((), (RESTORED,)):
        raise Refused(f"{info.name[:200]!r} would lie outside its volume")
    if not (info.isreg() or info.isdir()):
        raise Refused(f"{info.name[:200]!r} is neither file nor folder")
    attributes_of(info)


def attributes_of(info: tarfile.TarInfo) -> dict[str, bytes]:
    """The extended attributes of an entry. Raises Refused for other than a user's own."""
    found = {
        name.removeprefix(ATTRIBUTE): value for name, value in info.pax_headers.items() if ATTRIBUTE in name
    }
    try:
        values = {name: b64decode(value, validate=True) for name, value in found.items()}
    except ValueError:
        raise Refused(f"{info.name[:200]!r} has a damaged attribute") from None
    if not all(name.startswith("user.") for name in values):
        raise Refused(f"{info.name[:200]!r} has an attribute that is not a user's")
    return values


def write_entry(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    """A folder, or a file with its mode; its attributes and time are those of the entry."""
    if info.isdir():
        path.mkdir(0o700)
    else:
        with path.open("xb") as file:
            shutil.copyfileobj(tar.extractfile(info), file)  # type: ignore[arg-type]
    if sys.platform == "linux":
        for name, value in attributes_of(info).items():
            os.setxattr(path, name, value)
    if not info.isdir():
        path.chmod(info.mode & 0o777)
        os.utime(path, (info.mtime, info.mtime))


def read_volume(content: Any, target: Path | None) -> None:
    """Judge each entry; write it below ``target`` where one is given."""
    folders: list[tuple[Path, int]] = []
    with tarfile.open(fileobj=content, mode="r|") as tar:
        for info in tar:
            check_entry(info)
            vars(tar)["members"].clear()  # it would keep them all in memory
            if target is None:
                continue
            write_entry(tar, info, target / info.name)
            if info.isdir():
                folders.append((target / info.name, info.mode & 0o777))
    for path, mode in folders:  # last: a folder may not let its owner write
        path.chmod(mode)


def read_login(content: Counted) -> bytes:
    """The demo login. Raises Refused unless it is an e-mail address and a password."""
    login = content.read()
    try:
        words = json.loads(login)
    except ValueError:
        words = None
    if not isinstance(words, dict) or {type(words.get("email")), type(words.get("password"))} != {str}:
        raise Refused("it is not a login")
    return login


def read_parts(tar: tarfile.TarFile, wanted: dict[str, Any], root: Path | None) -> bytes:
    """Every part with its size and checksum; below ``root`` where one is given. Returns the demo login."""
    login, missing = b"", dict(wanted)
    for info in islice(tar, 1, None):
        part = missing.pop(info.name, None)
        if part is None or not info.isreg():
            raise Refused(f"it holds {info.name[:200]!r}, which its manifest does not name")
        content = Counted(tar.extractfile(info))
        try:
            if info.name == LOGIN:
                login = read_login(content)
            else:
                read_volume(content, root / Path(info.name).stem / RESTORED if root else None)
            found = content.facts()
        except Refused as error:
            raise Refused(f"{info.name}: {error}") from None
        except DAMAGED:
            raise Refused(f"{info.name}: it is damaged or cut off") from None
        if found != {"sha256": part.get("sha256"), "bytes": part["bytes"]}:
            raise Refused(f"{info.name}: its checksum differs from the manifest's")
    for name in missing:
        raise Refused(f"{name}: it is missing, the archive is cut off")
    return login


def read(root: Path | None = None) -> tuple[dict[str, Any], bytes]:
    """The archive on stdin to its very end: manifest and demo login."""
    packed = gzip.GzipFile(fileobj=sys.stdin.buffer)
    try:
        with packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            manifest = read_manifest(tar)
            login = read_parts(tar, manifest["parts"], root)
            while packed.read(CHUNK):
                pass
    except DAMAGED:
        raise Refused("it is damaged or cut off, or no backup at all") from None
    return manifest, login


def check() -> None:
    """Print what people and scripts want to know of a sound archive."""
    manifest, _ = read()
    for name in FACTS:
        sys.stdout.write(f"{name} {manifest[name]}\n")
    for name, part in manifest["parts"].items():
        sys.stdout.write(f"part {name} {part['bytes']}\n")


def unpack(root: Path) -> None:
    """A failure leaves what is there as it was."""
    discard(root)
    for folder in root.iterdir():
        (folder / RESTORED).mkdir(0o700)
    sys.stdout.buffer.write(read(root)[1])


def swap(root: Path) -> None:
    """Deletes and renames only: nothing here waits for space."""
    for folder in root.iterdir():
        restored = folder / RESTORED
        for path in folder.iterdir():
            if path != restored:
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for path in restored.iterdir():
            path.rename(folder / path.name)
        restored.rmdir()


def discard(root: Path) -> None:
    """Remove what an unpack left."""
    for folder in root.iterdir():
        if (folder / RESTORED).exists():
            shutil.rmtree(folder / RESTORED)


def main() -> int:
    """Exit 0, or 3 with the reason on stderr."""
    commands: dict[str, Callable[..., None]] = {f.__name__: f for f in (check, unpack, swap, discard)}
    try:
        commands[sys.argv[1]](*map(Path, sys.argv[2:]))
    except Refused as error:
        sys.stderr.write(f"{error}\n")
        return 3
    except OSError as error:
        sys.stderr.write(f"{error.strerror or type(error).__name__}: {error.filename or 'stdin'}\n")
        return 3
    return 0


if __name__ == "__main__":
    sys.exit(main())
