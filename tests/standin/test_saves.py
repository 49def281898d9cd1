"""When the Firestore stand-in saves."""

import pytest
from standin.saves import SaveSchedule, interval


@pytest.mark.parametrize(
    ("length", "seconds"),
    [(0.0, 1.0), (0.05, 1.0), (0.2, 2.0), (0.9, 9.0), (1.0, 10.0), (3.0, 10.0), (5.0, 15.0)],
)
def test_cheap_saves_are_frequent_and_long_ones_take_a_third_of_the_time(
    length: float, seconds: float
) -> None:
    assert interval(length) == seconds


def test_nothing_is_saved_while_nothing_changes() -> None:
    schedule = SaveSchedule()
    assert not schedule.is_due(100.0, 0, streaming=False)
    assert schedule.is_due(100.0, 1, streaming=False)


def test_the_first_change_is_saved_at_once_and_the_next_after_the_interval() -> None:
    schedule = SaveSchedule()
    schedule.succeeded(100.0, 100.25, covered_writes=1)
    assert schedule.is_current(1, streaming=False)
    assert not schedule.is_due(200.0, 1, streaming=False)
    assert not schedule.is_due(102.4, 2, streaming=False)
    assert schedule.is_due(102.5, 2, streaming=False)


def test_writes_that_come_during_a_save_are_not_covered_by_it() -> None:
    schedule = SaveSchedule()
    schedule.succeeded(100.0, 100.2, covered_writes=5)
    assert not schedule.is_current(6, streaming=False)


def test_an_open_stream_of_writes_is_never_taken_for_saved() -> None:
    schedule = SaveSchedule()
    assert not schedule.is_current(0, streaming=True)
    assert schedule.is_due(100.0, 0, streaming=True)


def test_a_failed_save_is_tried_again_after_a_second_until_it_succeeds() -> None:
    schedule = SaveSchedule()
    schedule.failed(100.0)
    assert not schedule.is_current(0, streaming=False)
    assert not schedule.is_due(100.9, 0, streaming=False)
    assert schedule.is_due(101.0, 0, streaming=False)
    schedule.succeeded(101.0, 101.1, covered_writes=0)
    assert schedule.is_current(0, streaming=False)
