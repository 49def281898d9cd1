"""Which rows BigQuery's refusals of a whole request are about."""

from engines.nexus.backends.bigquery_judge import MOST_ROWS, Doubts


def test_a_row_is_proven_once_another_one_was_stored_after_its_refusal() -> None:
    doubts = Doubts()
    doubts.stored(["before"])
    doubts.refused(["a", "b"])
    assert not doubts.is_proven("a")
    doubts.stored(["c"])
    assert doubts.is_proven("a")
    assert not doubts.is_proven("never refused")


def test_the_first_refusal_counts_until_the_row_is_stored() -> None:
    doubts = Doubts()
    doubts.refused(["a"])
    doubts.stored(["b"])
    doubts.refused(["a"])
    assert doubts.is_proven("a")
    doubts.stored(["a"])
    assert not doubts.is_proven("a")


def test_what_is_remembered_is_bounded() -> None:
    doubts = Doubts()
    doubts.refused(["first"])
    doubts.refused(str(number) for number in range(MOST_ROWS))
    doubts.stored(["b"])
    assert not doubts.is_proven("first")
    assert doubts.is_proven("0")
