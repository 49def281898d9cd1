"""When the Firestore stand-in refuses writes."""

import errno
from typing import Any

import pytest
from standin.disk import KIB, Room, is_full, reserve_size, save_need
from standin.memory import MemoryWatch
from standin.refusal import Findings, because, reason

MIB = 1024 * KIB
FULL, DENIED = OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EACCES, "Permission denied")


def findings(**changes: Any) -> Findings:
    found: dict[str, Any] = {
        "room": Room(free=100 * MIB, total=1000 * MIB),
        "last_save": MIB,
        "reserve": 2 * MIB,
        "memory": MemoryWatch(),
    }
    return Findings(**found | changes)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({}, None),
        ({"volume_error": FULL}, "disk"),
        ({"volume_error": DENIED}, "volume"),
        ({"save_error": FULL}, "disk"),
        ({"save_error": DENIED}, "volume"),
        ({"save_error": FULL, "volume_error": DENIED}, "volume"),
        ({"room": Room(MIB, 1000 * MIB)}, "disk"),
        ({"memory": MemoryWatch(refuse=True)}, "memory"),
        ({"memory": MemoryWatch(refuse=True), "save_error": FULL}, "disk"),
    ],
)
def test_the_reason(changes: dict[str, Any], kind: str | None) -> None:
    assert reason(findings(**changes)) == kind


@pytest.mark.parametrize(
    ("kind", "cure"),
    [("disk", "docker system df"), ("volume", "uid 10001"), ("memory", "mem_limit of the service firestore")],
)
def test_each_reason_names_its_cure_in_one_sentence(kind: str, cure: str) -> None:
    words = because(kind, findings(volume_error=DENIED))
    assert words.startswith(f"{kind}: ")
    assert cure in words
    assert "\n" not in words


def test_the_reserve_holds_a_save_but_never_more_than_a_quarter_of_the_volume() -> None:
    assert reserve_size(0, 1000 * MIB) == 512 * KIB
    assert reserve_size(40 * MIB, 1000 * MIB) == save_need(40 * MIB) > 40 * MIB
    assert reserve_size(0, MIB) == 256 * KIB
    assert reserve_size(4 * MIB, 8 * MIB) == 2 * MIB


def test_room_must_be_there_for_reserve_and_save_before_writes_are_accepted_again() -> None:
    need = save_need(MIB)
    assert is_full(need - 1, MIB, reserve=0, refused=False)
    assert not is_full(need, MIB, reserve=0, refused=False)
    assert is_full(need, MIB, reserve=2 * MIB, refused=True)
    assert not is_full(need * 2 + 2 * MIB, MIB, reserve=2 * MIB, refused=True)
