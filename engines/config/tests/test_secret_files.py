"""The job that generates missing service secrets."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from engines.config.secret_files import SECRETS, generate_missing


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engines.config.secret_files", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_every_secret_is_created_once_as_hex_of_its_length(tmp_path: Path) -> None:
    assert generate_missing(tmp_path) == list(SECRETS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(SECRETS)
    for name, size in SECRETS.items():
        assert re.fullmatch(f"[0-9a-f]{{{2 * size}}}", (tmp_path / name).read_text())


def test_secrets_differ_from_each_other_and_from_stack_to_stack(tmp_path: Path) -> None:
    for stack in ("one", "two"):
        (tmp_path / stack).mkdir()
        generate_missing(tmp_path / stack)
    values = [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    assert len(set(values)) == 2 * len(SECRETS)


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_only_the_owner_may_read_a_secret_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        generate_missing(tmp_path)
    finally:
        os.umask(before)
    assert {path.stat().st_mode & 0o777 for path in tmp_path.iterdir()} == {0o600}


@pytest.mark.parametrize("content", [b"", b"kept \xff\x00 as it is\n"], ids=["empty", "bytes"])
def test_an_existing_file_stays_byte_for_byte(tmp_path: Path, content: bytes) -> None:
    existing = tmp_path / "AUTH_JWT_SIGNING"
    existing.write_bytes(content)
    modified = existing.stat().st_mtime_ns
    assert generate_missing(tmp_path) == [name for name in SECRETS if name != "AUTH_JWT_SIGNING"]
    assert existing.read_bytes() == content
    assert existing.stat().st_mtime_ns == modified


def test_a_second_run_changes_nothing(tmp_path: Path) -> None:
    generate_missing(tmp_path)
    first = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert generate_missing(tmp_path) == []
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == first


def test_what_a_crash_left_half_written_is_never_taken_for_a_secret(tmp_path: Path) -> None:
    (tmp_path / ".new-left-behind").write_text("half")
    assert generate_missing(tmp_path) == list(SECRETS)
    assert "half" not in {(tmp_path / name).read_text() for name in SECRETS}


def test_the_job_says_what_it_created_and_never_the_values(tmp_path: Path) -> None:
    first, second = run(str(tmp_path)), run(str(tmp_path))
    assert (first.returncode, first.stdout) == (0, f"created: {', '.join(SECRETS)}\n")
    assert (second.returncode, second.stdout) == (0, "all secrets exist, nothing to do\n")
    assert first.stderr == second.stderr == ""


@pytest.mark.parametrize("kind", ["missing", "file"])
def test_a_directory_that_is_none_ends_the_job_with_a_message(tmp_path: Path, kind: str) -> None:
    directory = tmp_path / "volume"
    if kind == "file":
        directory.touch()
    ended = run(str(directory))
    assert ended.returncode == 2
    assert ended.stderr.endswith(f"{directory} is not a directory: mount the secrets volume there\n")
    assert "Traceback" not in ended.stderr
