"""From which export a start comes, and what it may have lost."""

import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from standin.exports import METADATA, Exports
from standin.history import Heartbeat, History, Restored, judge
from standin.restore import CannotStart, Choice, choose

T = datetime(2026, 11, 27, 10, tzinfo=UTC)
SECOND = timedelta(seconds=1)
EXPORT = "export-00000002"


def beat(export: str | None = EXPORT, as_of: datetime | None = T) -> Heartbeat:
    return Heartbeat(T + 9 * SECOND, export, as_of)


@pytest.mark.parametrize(
    ("newest_first", "damaged", "choice"),
    [
        ([], set(), Choice(None, [])),
        (["b", "a"], set(), Choice("b", [])),
        (["b", "a"], {"b"}, Choice("a", ["b"])),
        (["b", "a"], {"a"}, Choice("b", [])),
    ],
)
def test_the_newest_good_export_is_taken(newest_first: list[str], damaged: set[str], choice: Choice) -> None:
    assert choose(newest_first, lambda name: name not in damaged) == choice


def test_a_start_from_nothing_but_damaged_exports_is_refused() -> None:
    with pytest.raises(CannotStart, match=r"no export can be read \(b a\)"):
        choose(["b", "a"], lambda _: False)


@pytest.mark.parametrize(
    ("export", "last", "orderly", "expected"),
    [
        (None, None, None, Restored(None, None, None, True, False)),
        (None, beat(None), None, Restored(None, None, T + 9 * SECOND, False, False)),
        (None, beat(None), "", Restored(None, None, T + 9 * SECOND, True, False)),
        (EXPORT, beat(), EXPORT, Restored(EXPORT, T, T + 9 * SECOND, True, False)),
        (EXPORT, beat(), None, Restored(EXPORT, T, T + 9 * SECOND, False, False)),
        (EXPORT, None, None, Restored(EXPORT, T, None, False, False)),
        # Nothing was written since the save: the window of what may be lost does not reach back to it.
        (
            EXPORT,
            beat(as_of=T + 8 * SECOND),
            None,
            Restored(EXPORT, T + 8 * SECOND, T + 9 * SECOND, False, False),
        ),
        # The sign speaks of a newer export than the one that was restored.
        (
            EXPORT,
            beat("export-00000003", T + 8 * SECOND),
            "export-00000003",
            Restored(EXPORT, T, T + 9 * SECOND, False, False),
        ),
    ],
)
def test_what_a_start_may_have_lost(
    export: str | None, last: Heartbeat | None, orderly: str | None, expected: Restored
) -> None:
    assert judge(export, T if export else None, fell_back=False, last=last, orderly=orderly) == expected


def test_an_older_export_is_never_in_good_order() -> None:
    assert not judge(EXPORT, T, fell_back=True, last=beat(), orderly=EXPORT).orderly


def test_the_signs_on_the_volume_are_read_back(tmp_path: Path) -> None:
    history = History(tmp_path)
    assert (history.last(), history.orderly_export()) == (None, None)
    history.beat(beat(None, None))
    assert history.last() == beat(None, None)
    history.beat(beat())
    assert history.last() == beat()
    history.end(EXPORT)
    assert history.orderly_export() == EXPORT
    history.begin()
    assert history.orderly_export() is None


@pytest.fixture
def exports(tmp_path: Path) -> Exports:
    return Exports(tmp_path)


def export(exports: Exports, content: str, began_at: datetime = T) -> str:
    partial = exports.prepare()
    (partial / METADATA).parent.mkdir(parents=True)
    (partial / METADATA).write_text(str(began_at))
    (partial / "all/output-0").write_text(content)
    return exports.adopt(began_at).name


def test_exports_keep_the_last_two_and_drop_what_did_not_change(exports: Exports) -> None:
    assert [export(exports, content) for content in ("a", "b", "b", "c")] == [
        "export-00000001",
        "export-00000002",
        "export-00000002",
        "export-00000003",
    ]
    assert exports.newest_first() == ["export-00000003", "export-00000002"]
    assert exports.is_good("export-00000003")
    assert exports.began_at("export-00000003") == T


def test_every_kind_of_damage_is_noticed(exports: Exports) -> None:
    for number in range(3):
        export(exports, str(number))
    one, two = exports.newest_first()
    (exports.folder / one / "all/output-0").write_text("other")
    (exports.folder / two / METADATA).unlink()
    assert not exports.is_good(one)
    assert not exports.is_good(two)
    shutil.rmtree(exports.folder / two / "all")
    (exports.folder / two / "SHA256SUMS").write_text("")
    assert not exports.is_good(two)
    assert not exports.is_good("export-00000009")


def test_an_export_without_the_emulators_last_file_is_not_adopted(exports: Exports) -> None:
    (exports.prepare() / "output-0").write_text("half")
    with pytest.raises(OSError, match="not complete"):
        exports.adopt(T)
    exports.discard()
    assert list(exports.folder.iterdir()) == []


def test_an_export_from_before_its_time_was_noted_has_one(exports: Exports) -> None:
    name = export(exports, "a")
    (exports.folder / name / "save.json").unlink()
    assert datetime.now(UTC) - exports.began_at(name) < timedelta(minutes=5)
