"""What the Firestore stand-in knows of the emulator's memory."""

from pathlib import Path

import pytest
from standin.memory import BOUND_SHARE, JavaHeap, Memory, MemoryWatch, after_last_pause, max_heap

MIB = 1 << 20
HEAP = int(160 * MIB / BOUND_SHARE) + 1
"""So that the bound is 160 MiB."""
LOG = """[gc,init] Heap Initial Capacity: 10M
[gc,init] Heap Max Capacity: 384M
[gc     ] GC(0) Pause Young (Allocation Failure) 6M->4M(9M) 3.188ms
[gc     ] GC(129) Pause Full (Allocation Failure) 371M->349M(371M) 251.350ms
"""


def used(megabytes: int, taken: int = 0) -> Memory:
    return Memory(megabytes * MIB, HEAP, taken)


def watch_at(megabytes: int) -> MemoryWatch:
    watch = MemoryWatch()
    watch.collected(0.0, used(megabytes), 0)
    return watch


def test_the_log_of_collections_tells_limit_and_use(tmp_path: Path) -> None:
    assert max_heap(LOG) == 384 * MIB
    assert after_last_pause(LOG) == 349 * MIB
    assert (max_heap(""), after_last_pause("")) == (0, None)
    log = tmp_path / "heap.log"
    heap = JavaHeap(log)
    assert heap.read() == Memory(0, 0, 0)
    log.write_text(LOG)
    assert heap.read()[:2] == (349 * MIB, 384 * MIB)
    log.write_text("[gc     ] GC(130) Pause Young (Allocation Failure) 90M->80M(371M) 1ms\n")
    assert heap.read()[:2] == (80 * MIB, 384 * MIB), "rotated: the limit stays known"


def test_only_a_full_collection_makes_it_refuse() -> None:
    watch = MemoryWatch()
    assert not watch.look(0.0, used(100), 0, exporting=False)
    assert (watch.bound, watch.refuse) == (160 * MIB, False)
    assert watch.look(1.0, used(300, 1), 0, exporting=False)
    assert not watch.refuse
    watch.collected(1.0, used(120), 0)
    assert not watch.refuse
    watch.collected(2.0, used(161), 0)
    assert watch.refuse


def test_garbage_alone_causes_no_collection_after_collection() -> None:
    watch = watch_at(158)
    assert not watch.look(1.0, used(162, 1), 0, exporting=False)
    assert watch.look(2.0, used(158 + 18, 2), 0, exporting=False)


def test_many_written_bytes_ask_for_a_collection() -> None:
    watch = watch_at(100)
    assert not watch.look(1.0, used(100), 14 * MIB, exporting=False)
    assert watch.look(2.0, used(100), 15 * MIB, exporting=False)


def test_a_small_collection_is_an_upper_bound_for_what_was_written_before_the_look_before() -> None:
    watch = watch_at(100)
    watch.look(1.0, used(100), 10 * MIB, exporting=False)
    watch.look(2.0, used(120, 1), 12 * MIB, exporting=False)
    assert watch.used == 120 * MIB
    assert watch.look(3.0, used(120, 1), 20 * MIB, exporting=False)


def test_many_written_bytes_during_an_export_refuse_until_it_is_over() -> None:
    watch = watch_at(100)
    assert not watch.look(1.0, used(200, 1), 15 * MIB, exporting=True)
    assert watch.refuse
    assert watch.in_use >= watch.bound > watch.used
    assert watch.look(2.0, used(200, 1), 15 * MIB, exporting=False)
    watch.collected(2.0, used(120), 15 * MIB)
    assert (watch.refuse, watch.in_use) == (False, 120 * MIB)


def test_refused_writes_come_back_below_the_bound_with_a_margin() -> None:
    watch = watch_at(170)
    assert watch.refuse
    assert not watch.look(9.0, used(100, 1), 0, exporting=False)
    assert watch.look(10.0, used(100, 1), 0, exporting=False)
    watch.collected(10.0, used(150), 0)
    assert watch.refuse
    watch.collected(20.0, used(140), 0)
    assert not watch.refuse


@pytest.mark.parametrize(("megabytes", "refuse"), [(480, False), (490, True)])
def test_an_export_counts_its_own_memory_so_its_limit_is_higher(megabytes: int, refuse: bool) -> None:
    watch = MemoryWatch()
    watch.look(0.0, used(megabytes), 0, exporting=True)
    assert watch.refuse is refuse


@pytest.mark.parametrize("exporting", [True, False])
def test_without_a_limit_nothing_is_refused(exporting: bool) -> None:
    watch = MemoryWatch()
    assert not watch.look(0.0, Memory(10**12, 0, 1), 10**12, exporting)
    assert not watch.refuse
