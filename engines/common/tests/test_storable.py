"""What a document can hold, at the limits."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from engines.common.storable import NotStorable, check_storable

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the missing timezone is the point


def nested(levels: int, leaf: Any = 1) -> Any:
    """``leaf`` below ``levels`` maps."""
    return leaf if levels == 0 else {"m": nested(levels - 1, leaf)}


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        "",
        "grüße 🚀\x00",
        0,
        2**63 - 1,
        -(2**63),
        1.5,
        float("nan"),
        float("inf"),
        datetime(2026, 1, 1, tzinfo=UTC),
        [],
        {},
        [{"x": [1]}],
        {"_": 1, "__x": 1, "x__": 1, "dotted.key": 1},
    ],
    ids=repr,
)
def test_a_storable_value_passes(value: Any) -> None:
    # Returns nothing; that it does not raise is the statement.
    check_storable({"value": value})


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**63, "value is an integer beyond 64 bits"),
        (-(2**63) - 1, "value is an integer beyond 64 bits"),
        ("\ud800", "value is not valid Unicode text"),
        (NAIVE, "value is a time without a timezone"),
        (Decimal(1), "value has the type Decimal, which no document can hold"),
        (UUID(int=1), "value has the type UUID, which no document can hold"),
        (b"x", "value has the type bytes, which no document can hold"),
        ({1}, "value has the type set, which no document can hold"),
        ((1,), "value has the type tuple, which no document can hold"),
        ([[1]], "value holds a list directly inside a list"),
        ([{"x": [[1]]}], "value holds a list directly inside a list"),
        ({"": 1}, "a key in value is empty or reserved (__…__)"),
        ({"__x__": 1}, "a key in value is empty or reserved (__…__)"),
        ({"____": 1}, "a key in value is empty or reserved (__…__)"),
        ({"__": 1}, "a key in value is empty or reserved (__…__)"),
        ({"\udfff": 1}, "a key in value is not valid Unicode text"),
        (
            {"a": {"b": [1, {"c": Decimal(1)}]}},
            "value has the type Decimal, which no document can hold",
        ),
    ],
)
def test_a_value_that_no_document_holds_is_named_by_field_and_neither_value_nor_inner_key_is_shown(
    value: Any, message: str
) -> None:
    with pytest.raises(NotStorable) as caught:
        check_storable({"fine": 1, "value": value})
    assert str(caught.value) == message


def test_a_reserved_key_at_the_top_is_the_records() -> None:
    with pytest.raises(NotStorable) as caught:
        check_storable({"__name__": 1})
    assert str(caught.value) == "a key in the record is empty or reserved (__…__)"


@pytest.mark.parametrize("leaf", [1, {}, []], ids=["scalar", "empty_map", "empty_list"])
def test_twenty_levels_are_storable(leaf: Any) -> None:
    check_storable(nested(20, leaf))


@pytest.mark.parametrize("levels", [21, 22, 500])
def test_more_than_twenty_levels_are_not(levels: int) -> None:
    with pytest.raises(NotStorable) as caught:
        check_storable(nested(levels))
    assert str(caught.value) == "m is nested more than 20 levels deep"


def test_lists_count_as_levels() -> None:
    value: Any = 1
    for _ in range(11):
        value = [{"m": value}]
    with pytest.raises(NotStorable, match="more than 20 levels"):
        check_storable({"value": value})
