"""The archive of ./scripts/backup: what goes in comes out, and nothing else is ever written."""

import gzip
import os
import tarfile
from pathlib import Path
from typing import Any

import pytest

from tests.support.archives import FACTS, LOGIN, PARTS, Entry, check, entry, forged, pack, run, tar_of

MODES = {"AUTH_JWT_SIGNING": 0o600, "export-00000001": 0o750, "export-00000001/all": 0o640, "empty": 0o500}


@pytest.fixture
def volumes(tmp_path: Path) -> Path:
    """Two small volumes with files and folders of several modes."""
    root = tmp_path / "volumes"
    for name in ("firestore", "secrets"):
        (root / name).mkdir(parents=True)
    (root / "secrets/AUTH_JWT_SIGNING").write_bytes(os.urandom(48))
    export = root / "firestore/export-00000001"
    export.mkdir()
    (export / "all").write_bytes(os.urandom(3_000_000))
    (root / "firestore/empty").mkdir()
    # As the Cloud Storage stand-in keeps what makes a file an object.
    os.setxattr(export / "all", "user.metadata", b'{"generation":"1"}\x00\xff')
    for path in sorted(root.rglob("*"), reverse=True):
        path.chmod(MODES.get(str(path.relative_to(root / path.relative_to(root).parts[0])), 0o700))
    return root


def content(root: Path) -> dict[str, Any]:
    """Mode, time of change, bytes and attributes of all in the volumes below ``root``."""
    return {
        str(path.relative_to(root)): (
            path.stat().st_mode,
            (path.stat().st_mtime, path.read_bytes()) if path.is_file() else None,
            {name: os.getxattr(path, name) for name in os.listxattr(path)},
        )
        for path in sorted(root.rglob("*/*"))
    }


def test_what_is_packed_comes_back_with_its_modes_in_the_place_of_what_was_there(
    volumes: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    for name in ("firestore", "secrets"):
        (other / name / "old" / "deep").mkdir(parents=True)
    archive = pack(volumes)
    code, login, errors = run("archive_read.py", "unpack", str(other), data=archive)
    assert (code, login, errors) == (0, LOGIN, "")
    assert (other / "firestore/old").exists(), "an unpack leaves what is there"
    assert run("archive_read.py", "swap", str(other))[0] == 0
    assert content(other) == content(volumes)


def test_a_sound_archive_is_told_in_facts(volumes: Path) -> None:
    code, told = check(pack(volumes))
    assert code == 0
    lines = dict(line.split(" ", 1) for line in told.splitlines() if not line.startswith("part "))
    assert int(lines.pop("disk")) >= 3_000_000
    assert lines == FACTS
    assert [line.split()[1] for line in told.splitlines() if line.startswith("part ")] == [
        "demo-login.json",
        "volumes/firestore.tar",
        "volumes/secrets.tar",
    ]


def test_what_is_neither_file_nor_folder_is_not_packed(volumes: Path) -> None:
    (volumes / "firestore/link").symlink_to("/etc/passwd")
    code, _, errors = run("archive_pack.py", str(volumes), data=b"{}\n" + LOGIN)
    assert (code, errors) == (3, "volume firestore: link is neither file nor folder\n")


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.9, 0.999999])
def test_a_cut_archive_is_refused(volumes: Path, kept: float) -> None:
    archive = pack(volumes)
    code, told = check(archive[: int(len(archive) * kept)])
    assert code == 3
    assert "damaged or cut off" in told


@pytest.mark.parametrize("place", [0.01, 0.3, 0.6, 0.95])
def test_one_changed_byte_is_found(volumes: Path, place: float) -> None:
    archive = bytearray(pack(volumes))
    archive[int(len(archive) * place)] ^= 0x55
    assert check(bytes(archive))[0] == 3


def test_the_part_that_was_changed_is_named(volumes: Path) -> None:
    tar = bytearray(gzip.decompress(pack(volumes)))
    tar[len(tar) // 2] ^= 0x55
    code, told = check(gzip.compress(bytes(tar)))
    assert (code, told) == (3, "volumes/firestore.tar: its checksum differs from the manifest's\n")


HOSTILE: dict[str, Entry] = {
    "outside": entry("../escaped", b"x"),
    "deep outside": entry("a/../../escaped", b"x"),
    "absolute": entry("/tmp/escaped", b"x"),
    "over the new data": entry(".restored/x", b"x"),
    "symbolic link": entry("link", kind=tarfile.SYMTYPE, link="/etc"),
    "hard link": entry("link", kind=tarfile.LNKTYPE, link="../secrets/AUTH_JWT_SIGNING"),
    "device": entry("sda", kind=tarfile.BLKTYPE),
    "terminal": entry("tty", kind=tarfile.CHRTYPE),
    "pipe": entry("pipe", kind=tarfile.FIFOTYPE),
}


@pytest.mark.parametrize(
    ("attribute", "words"),
    [
        ({"NORTHSTAR.attribute.security.capability": "AAAA"}, "not a user's"),
        ({"NORTHSTAR.attribute.user.x": "no base64"}, "damaged attribute"),
    ],
)
def test_attributes_that_no_server_wrote_are_refused(attribute: dict[str, str], words: str) -> None:
    info, content = entry("file", b"x")
    info.pax_headers = attribute
    code, told = check(forged(tar_of((info, content))))
    assert code == 3
    assert words in told


@pytest.mark.parametrize("name", list(HOSTILE))
def test_a_hostile_entry_is_refused_and_nothing_of_it_is_written(tmp_path: Path, name: str) -> None:
    archive = forged(tar_of(HOSTILE[name]))
    code, told = check(archive)
    assert code == 3
    assert told.startswith("volumes/firestore.tar: ")
    target = tmp_path / "volumes"
    for volume in ("firestore", "secrets"):
        (target / volume).mkdir(parents=True)
    assert run("archive_read.py", "unpack", str(target), data=archive)[0] == 3
    assert not list((target / "firestore/.restored").iterdir())
    assert {path.name for path in target.iterdir()} == {"firestore", "secrets"}
    assert not list(tmp_path.rglob("escaped"))


def with_headers(name: str, **headers: str) -> Entry:
    info, content = entry(name, b"x")
    info.pax_headers = {key.replace("_", "."): value for key, value in headers.items()}
    return info, content


def folder(name: str, mode: int = 0o755) -> Entry:
    info, content = entry(name, kind=tarfile.DIRTYPE)
    info.mode = mode
    return info, content


def sparse() -> Entry:
    """A file of some bytes that claims a terabyte."""
    return with_headers("sparse", GNU_sparse_size=str(2**40), GNU_sparse_map="0,1")


IMPOSSIBLE: dict[str, tuple[list[Entry], str]] = {
    "sparse": ([sparse()], "is neither file nor folder"),
    "twice": ([entry("a", b"x"), entry("a", b"y")], "is there twice"),
    "twice, written otherwise": ([entry("a", b"x"), entry("./a", b"y")], "is there twice"),
    "file and folder": ([folder("a"), entry("a", b"y")], "is there twice"),
    "folder twice": ([folder("a"), folder("a/")], "is there twice"),
    "before its folder": ([entry("a/b", b"x"), folder("a")], "comes without its folder"),
    "in a file": ([entry("a", b"x"), entry("a/b", b"x")], "comes without its folder"),
    "before 1970": ([with_headers("a", mtime="-1")], "has a time"),
    "far future": ([with_headers("a", mtime="1e30")], "has a time"),
    "no number": ([with_headers("a", mtime="nan")], "has a time"),
    "endless": ([with_headers("a", mtime="inf")], "has a time"),
    "long name": ([entry("x" * 256, b"x")], "is a name"),
    "long name of two bytes": ([entry("é" * 128, b"x")], "is a name"),
    "zero in the name": ([with_headers("a", path="a\0b")], "is a name"),
    "deep": ([folder("/".join("d" * depth)) for depth in range(1, 102)], "is a name"),
    "contiguous": ([entry("a", b"x", kind=tarfile.CONTTYPE)], "is neither file nor folder"),
    "large attribute": (
        [with_headers("a", **{"NORTHSTAR_attribute_user_x": "A" * 100_000})],
        "has an attribute",
    ),
    "attribute without a name": ([with_headers("a", **{"NORTHSTAR_attribute_user_": "AA=="})], "has an attr"),
}


@pytest.mark.parametrize("kind", list(IMPOSSIBLE))
def test_what_could_not_be_unpacked_is_refused_when_it_is_judged(kind: str) -> None:
    entries, words = IMPOSSIBLE[kind]
    code, told = check(forged(tar_of(*entries)))
    assert (code, words in told) == (3, True), told
    assert "Traceback" not in told


def test_a_file_that_claims_more_than_the_archive_holds_is_refused() -> None:
    whole = tar_of(entry("a", b"x" * 2048))
    code, told = check(forged(whole[:1024]))
    assert (code, told) == (3, "volumes/firestore.tar: it is damaged or cut off\n")


def test_parts_of_another_size_and_what_follows_the_last_are_refused() -> None:
    archive = gzip.decompress(forged(tar_of()))
    assert check(gzip.compress(archive + bytes(1000)))[0] == 0
    code, told = check(gzip.compress(archive + bytes(3_000_000)))
    assert (code, told) == (3, "something follows its last part\n")
    part = {"sha256": "0", "bytes": 2**40}
    code, told = check(forged(tar_of(), parts=dict.fromkeys(PARTS, part)))
    assert (code, told) == (3, "demo-login.json: its size differs from the manifest's\n")


@pytest.mark.parametrize("member", ["manifest", "login"])
def test_json_that_no_reader_can_follow_is_refused(member: str) -> None:
    deep = b"[" * 200_000
    if member == "manifest":
        code, told = check(gzip.compress(tar_of(entry("manifest.json", deep))))
    else:
        code, told = check(forged(tar_of(), login=deep))
    assert (code, "Traceback" in told) == (3, False), told


def test_the_disk_that_it_needs_counts_whole_blocks_of_small_files() -> None:
    small = tar_of(*(entry(str(number), b"x") for number in range(1000)))
    _, told = check(forged(small))
    [needed] = [line.split()[1] for line in told.splitlines() if line.startswith("disk ")]
    assert int(needed) >= 1000 * 4096


def test_folders_that_let_nobody_in_are_unpacked_and_discarded(tmp_path: Path) -> None:
    closed = [folder("a", 0o000), folder("a/b", 0o500), entry("a/b/c", b"x")]
    for volume in ("firestore", "secrets"):
        (tmp_path / volume).mkdir()
    code, _, errors = run("archive_read.py", "unpack", str(tmp_path), data=forged(tar_of(*closed)))
    assert (code, errors) == (0, "")
    assert (tmp_path / "firestore/.restored/a").stat().st_mode & 0o777 == 0
    assert run("archive_read.py", "discard", str(tmp_path))[0] == 0
    assert not (tmp_path / "firestore/.restored").exists()


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"format": "something else"}, "not a backup of this kit"),
        ({"version": 2}, "its format is 2, this one reads 1"),
        ({"version": None}, "its format is None"),
        ({"sink": "kafka"}, "its manifest is damaged: sink"),
        ({"ports": "bossman:8000\nservices:"}, "its manifest is damaged: ports"),
        ({"kit_version": "$(touch x)"}, "its manifest is damaged: kit_version"),
        ({"project": "a b"}, "its manifest is damaged: project"),
        ({"parts": {}}, "its manifest is damaged: parts"),
    ],
)
def test_a_foreign_or_newer_manifest_is_refused(facts: dict[str, Any], words: str) -> None:
    code, told = check(forged(tar_of(), **facts))
    assert code == 3
    assert words in told


def test_members_that_the_manifest_does_not_name_are_refused() -> None:
    code, told = check(forged(tar_of(), entry("volumes/../../escaped.tar", b"x")))
    assert (code, told) == (3, "it holds 'volumes/../../escaped.tar', which its manifest does not name\n")


@pytest.mark.parametrize(
    "data",
    [b"", b"no archive", gzip.compress(b"no tar"), gzip.compress(tar_of())],
    ids=["nothing", "text", "packed_text", "empty_tar"],
)
def test_what_is_no_archive_is_refused(data: bytes) -> None:
    code, told = check(data)
    assert code == 3
    assert "no backup" in told or "not a backup" in told


def test_a_failed_unpack_can_be_discarded(volumes: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    for volume in ("firestore", "secrets"):
        (target / volume).mkdir(parents=True)
        (target / volume / "old").write_text("kept")
    before = content(target)
    archive = pack(volumes)
    assert run("archive_read.py", "unpack", str(target), data=archive[: len(archive) // 2])[0] == 3
    assert run("archive_read.py", "discard", str(target))[0] == 0
    assert content(target) == before
