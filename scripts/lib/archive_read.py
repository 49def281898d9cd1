"""Reads a backup for ./scripts/restore, in a one-shot container that sees nothing but the volumes.

    check         stdin: an archive; stdout: its facts, "name value" a line. Writes nothing
    unpack ROOT   stdin: an archive; stdout: its demo login. Fills ROOT/<volume>/.restored
    swap ROOT     what .restored holds takes the place of what is there
    discard ROOT  removes .restored

An archive is untrusted: names, types, order, times, sizes and checksums are judged, by the same code when it
is checked and when it is unpacked, and nothing but files and folders below a volume's root is written. Exit 3
with one sentence on stderr when it is refused or cannot be written.
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
from dataclasses import dataclass, field
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
BLOCK = 4096
"""What a file system gives out at least, for a file and for its attributes."""
NAME_BYTES, PATH_BYTES, DEPTH = 255, 3000, 100
"""Of a part of a name, of a whole one, and folders in each other: what every file system has."""
ATTRIBUTE_BYTES = 65536
LAST_TIME = 2**33
"""A year that every file system can store; the first is 1970."""
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
    if first is None or first.name != "manifest.json" or not is_plain(first) or first.size > CHUNK:
        raise Refused("it is not a backup of this kit: it does not begin with a manifest")
    try:
        manifest = json.loads(Counted(tar.extractfile(first)).read())
    except (ValueError, RecursionError):
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


def is_plain(info: tarfile.TarInfo) -> bool:
    """Whether it is a file whose bytes all lie in the archive: one with holes claims more than it holds."""
    return info.type in (tarfile.REGTYPE, tarfile.AREGTYPE) and info.sparse is None


@dataclass
class Tree:
    """What of a volume has come so far."""

    folders: set[str] = field(default_factory=lambda: {"."})
    files: set[str] = field(default_factory=set)
    disk: int = 0
    """Bytes that it takes when unpacked."""

    def add(self, info: tarfile.TarInfo) -> None:
        """Take the next entry. Raises Refused for what could not be unpacked."""
        check_entry(info)
        name, shown = PurePosixPath(info.name), repr(info.name[:200])
        if str(name) in self.folders or str(name) in self.files:
            raise Refused(f"{shown} is there twice")
        if str(name.parent) not in self.folders:
            raise Refused(f"{shown} comes without its folder")
        (self.folders if info.isdir() else self.files).add(str(name))
        blocks = 1 + -(-info.size // BLOCK) + -(-sum(map(len, attributes_of(info).values())) // BLOCK)
        self.disk += blocks * BLOCK


def check_entry(info: tarfile.TarInfo) -> None:
    """Raise Refused for all but files and folders below the volume's root that a volume can hold."""
    name, shown = PurePosixPath(info.name), repr(info.name[:200])
    if name.is_absolute() or ".." in name.parts or name.parts[:1] in ((), (RESTORED,)):
        raise Refused(f"{shown} would lie outside its volume")
    if not (is_plain(info) or (info.isdir() and info.size == 0)):
        raise Refused(f"{shown} is neither file nor folder")
    lengths = [len(os.fsencode(part)) for part in name.parts]
    if "\0" in info.name or max(lengths) > NAME_BYTES or sum(lengths) > PATH_BYTES or len(lengths) > DEPTH:
        raise Refused(f"{shown} is a name that no volume can hold")
    if not 0 <= info.mtime < LAST_TIME:
        raise Refused(f"{shown} has a time that no volume can hold")
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
    if any(name == "user." or "\0" in name or len(os.fsencode(name)) > NAME_BYTES for name in values) or (
        sum(map(len, values.values())) > ATTRIBUTE_BYTES
    ):
        raise Refused(f"{info.name[:200]!r} has an attribute that no volume can hold")
    return values


def write_entry(tar: tarfile.TarFile, info: tarfile.TarInfo, path: Path) -> None:
    """A folder, or a file with its mode; its attributes and time are those of the entry."""
    if info.isdir():
        path.mkdir(0o700)
    else:
        with path.open("xb") as file:
            copy(tar, info, file)
    if sys.platform == "linux":
        for name, value in attributes_of(info).items():
            os.setxattr(path, name, value)
    if not info.isdir():
        path.chmod(info.mode & 0o777)
        os.utime(path, (info.mtime, info.mtime))


def copy(tar: tarfile.TarFile, info: tarfile.TarInfo, sink: Any = None) -> None:
    """Read a file's bytes, into ``sink`` where one is given. Raises Refused where some are missing."""
    content, size = tar.extractfile(info), 0
    while data := content.read(CHUNK) if content else b"":
        size += len(data)
        if sink:
            sink.write(data)
    if size != info.size:
        raise Refused(f"{info.name[:200]!r} claims more than it holds")


def read_volume(content: Any, target: Path | None) -> int:
    """Judge each entry; write it below ``target`` where one is given. Returns what it takes on a disk."""
    modes: list[tuple[Path, int]] = []
    tree = Tree()
    with tarfile.open(fileobj=content, mode="r|") as tar:
        for info in tar:
            tree.add(info)
            vars(tar)["members"].clear()  # it would keep them all in memory
            if target is not None:
                write_entry(tar, info, target / info.name)
                modes += [(target / info.name, info.mode & 0o777)] if info.isdir() else []
            elif info.isreg():
                copy(tar, info)
    for path, mode in reversed(modes):  # last, the inner ones first: a folder may not let its owner in
        path.chmod(mode)
    return tree.disk


def read_login(content: Counted) -> bytes:
    """The demo login. Raises Refused unless it is an e-mail address and a password."""
    login = content.read()
    try:
        words = json.loads(login)
    except (ValueError, RecursionError):
        words = None
    if not isinstance(words, dict) or {type(words.get("email")), type(words.get("password"))} != {str}:
        raise Refused("it is not a login")
    return login


@dataclass
class Archive:
    """What was read of an archive."""

    manifest: dict[str, Any]
    login: bytes = b""
    disk: int = 0
    """Bytes that its volumes take when unpacked."""


def read_parts(tar: tarfile.TarFile, archive: Archive, root: Path | None) -> None:
    """Every part with its size and checksum; below ``root`` where one is given."""
    missing = dict(archive.manifest["parts"])
    for info in islice(tar, 1, None):
        part = missing.pop(info.name, None)
        if part is None or not is_plain(info):
            raise Refused(f"it holds {info.name[:200]!r}, which its manifest does not name")
        if info.size != part["bytes"]:
            raise Refused(f"{info.name}: its size differs from the manifest's")
        content = Counted(tar.extractfile(info))
        try:
            read_part(info.name, content, archive, root)
            found = content.facts()
        except Refused as error:
            raise Refused(f"{info.name}: {error}") from None
        except DAMAGED:
            raise Refused(f"{info.name}: it is damaged or cut off") from None
        if found != {"sha256": part.get("sha256"), "bytes": part["bytes"]}:
            raise Refused(f"{info.name}: its checksum differs from the manifest's")
    for name in missing:
        raise Refused(f"{name}: it is missing, the archive is cut off")


def read_part(name: str, content: Counted, archive: Archive, root: Path | None) -> None:
    """The demo login, or a volume."""
    if name == LOGIN:
        archive.login = read_login(content)
    else:
        archive.disk += read_volume(content, root / Path(name).stem / RESTORED if root else None)


def read(root: Path | None = None) -> Archive:
    """The archive on stdin to its very end."""
    packed = gzip.GzipFile(fileobj=sys.stdin.buffer)
    try:
        with packed, tarfile.open(fileobj=packed, mode="r|") as tar:
            archive = Archive(read_manifest(tar))
            read_parts(tar, archive, root)
            if len(packed.read(CHUNK)) == CHUNK:
                raise Refused("something follows its last part")
    except DAMAGED:
        raise Refused("it is damaged or cut off, or no backup at all") from None
    return archive


def check() -> None:
    """Print what people and scripts want to know of a sound archive."""
    archive = read()
    for name in FACTS:
        sys.stdout.write(f"{name} {archive.manifest[name]}\n")
    for name, part in archive.manifest["parts"].items():
        sys.stdout.write(f"part {name} {part['bytes']}\n")
    sys.stdout.write(f"disk {archive.disk}\n")


def unpack(root: Path) -> None:
    """A failure leaves what is there as it was."""
    discard(root)
    for folder in root.iterdir():
        (folder / RESTORED).mkdir(0o700)
    sys.stdout.buffer.write(read(root).login)


def swap(root: Path) -> None:
    """Deletes and renames only: nothing here waits for space."""
    for folder in root.iterdir():
        restored = folder / RESTORED
        for path in folder.iterdir():
            if path != restored:
                remove(path)
        for path in restored.iterdir():
            path.rename(folder / path.name)
        restored.rmdir()


def discard(root: Path) -> None:
    """Remove what an unpack left."""
    for folder in root.iterdir():
        if (folder / RESTORED).exists():
            remove(folder / RESTORED)


def remove(path: Path) -> None:
    """A file, or a folder with all in it, also where a folder does not let its owner write."""
    if path.is_symlink() or not path.is_dir():
        path.unlink()
        return
    path.chmod(0o700)
    for folder, names, _ in os.walk(path):
        for name in names:
            if not (Path(folder) / name).is_symlink():
                (Path(folder) / name).chmod(0o700)
    shutil.rmtree(path)


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
