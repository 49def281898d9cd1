"""Archives of ./scripts/backup, sound and forged; the programs that pack and read them, without Docker."""

import gzip
import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
LOGIN = b'{"email":"demo@northstar.localhost","password":"secret"}\n'
FACTS = {
    "kit_version": "0.1.0",
    "created_at": "2026-01-02T03:04:05Z",
    "project": "kit-abc123",
    "sink": "s3",
    "profiles": "s3",
    "ports": "bossman:8000 firestore:8080",
}
PARTS = ("demo-login.json", "volumes/firestore.tar", "volumes/secrets.tar")
Entry = tuple[tarfile.TarInfo, bytes]


def run(program: str, *arguments: str, data: bytes = b"") -> tuple[int, bytes, str]:
    """Exit code, stdout and stderr of ``scripts/lib/<program>``, as the scripts run it."""
    code = (ROOT / "scripts/lib" / program).read_text()
    command = [sys.executable, "-I", "-c", code, *arguments]
    done = subprocess.run(command, input=data, capture_output=True, timeout=60, check=False)
    return done.returncode, done.stdout, done.stderr.decode()


def pack(volumes: Path) -> bytes:
    """The archive of the folder's volumes."""
    code, archive, errors = run(
        "archive_pack.py", str(volumes), data=json.dumps(FACTS).encode() + b"\n" + LOGIN
    )
    assert code == 0, errors
    return archive


def check(archive: bytes) -> tuple[int, str]:
    """Exit code, and what was printed."""
    code, out, errors = run("archive_read.py", "check", data=archive)
    return code, out.decode() + errors


def entry(name: str, content: bytes = b"", kind: bytes = tarfile.REGTYPE, link: str = "") -> Entry:
    """One member of a tar."""
    info = tarfile.TarInfo(name)
    info.size, info.type, info.linkname = len(content), kind, link
    return info, content


def tar_of(*entries: Entry) -> bytes:
    """A tar of ``entries``."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for info, content in entries:
            tar.addfile(info, io.BytesIO(content))
    return file.getvalue()


def forged(volume: bytes, *more: Entry, login: bytes = LOGIN, **manifest: Any) -> bytes:
    """An archive whose checksums are right, with ``volume`` as Firestore's, and other facts or members."""
    contents = {
        "demo-login.json": login,
        "volumes/firestore.tar": volume,
        "volumes/secrets.tar": tar_of(entry("AUTH_JWT_SIGNING", b"key")),
    }
    parts = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in contents.items()
    }
    facts = {"format": "northstar-kit-backup", "version": 1} | FACTS | {"parts": parts} | manifest
    members = [entry(name, content) for name, content in contents.items()]
    return gzip.compress(tar_of(entry("manifest.json", json.dumps(facts).encode()), *members, *more))
