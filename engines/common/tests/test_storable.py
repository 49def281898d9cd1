"""What a document can hold, at the limits."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from engines.common.storable import NotStorable, check_event, check_name, check_storable

NAIVE = datetime(2026, 1, 1)  # noqa: DTZ001 - the missing timezone is the point


def ascii_start(value: Any) -> str:
    """A short id of a test."""
    return ascii(value)[:30]


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


FULL: dict[str, Any] = {f"k{number}": 1 for number in range(19_900)}
INFINITY = float("inf")


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (float("nan"), "metadata is not a finite number"),
        ({"a": [1, {"b": -INFINITY}]}, "metadata[1] is not a finite number"),
        ({"a": [[1]]}, "metadata holds a list directly inside a list"),
        ({"a": [{"b": [0, 2**63]}]}, "metadata[0][1] is an integer beyond 64 bits"),
        ({"a": ["", {"b": "\udfff"}]}, "metadata[1] is not valid Unicode text"),
        ({"a": [{"\ud800": 1}]}, "a key in metadata[0] is not valid Unicode text"),
        ({"a": [{"__x__": 1}]}, "a key in metadata[0] is empty or reserved (__…__)"),
        ({"a": (0, {INFINITY})}, "metadata holds a list directly inside a list"),
        ({"a": {INFINITY}}, "metadata[0] is not a finite number"),
        ({"": 1}, "a key in metadata is empty or reserved (__…__)"),
        (nested(20), "metadata is nested more than 20 levels deep"),
        (FULL | {"more": list(range(101))}, "metadata holds too many values: more than 40000 index entries"),
        ({"a": [1] * 45_000}, "metadata holds too many values: more than 40000 index entries"),
        (
            {"k" * 1_400: dict.fromkeys(map(str, range(3_000)))},
            "metadata holds too many values: more than 8388608 bytes of index",
        ),
        ({"a": "x" * 1_048_000}, "metadata makes the record too large: more than 1048576 bytes"),
        (
            {"a": ["x"] * 39_000, "b": "x" * 970_000},
            "metadata makes the record too large: more than 1048576 bytes",
        ),
    ],
    ids=ascii_start,
)
def test_what_no_sink_holds_of_an_event_is_named_by_place(value: Any, message: str) -> None:
    with pytest.raises(NotStorable) as caught:
        check_event({"surface": "s", "metadata": value})
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "value",
    [
        FULL,
        {"a": [1] * 39_000},
        {"a": [{"x": number} for number in range(39_000)]},
        {"a": "x" * 1_040_000},
        {"k" * 300_000: 1},
        {"a": ["\x00", 2**53 + 1, -(2**63), 2**63 - 1, -0.0, 5e-324]},
        {"a": (1, 7), "b": NAIVE, 1: Decimal("1.5"), "c": UUID(int=1)},
        nested(19),
    ],
    ids=ascii_start,
)
def test_what_every_sink_holds_of_an_event_passes(value: Any) -> None:
    # Returns nothing; that it does not raise is the statement.
    check_event({"surface": "s", "metadata": value})


def test_levels_above_the_fields_count() -> None:
    check_event({"metadata": nested(18)}, above=1)
    with pytest.raises(NotStorable, match="more than 20 levels"):
        check_event({"metadata": nested(19)}, above=1)


def test_a_number_that_is_not_finite_is_refused_of_a_document_where_it_has_to_be_json() -> None:
    check_storable({"value": [INFINITY]})
    with pytest.raises(NotStorable, match=r"^value is not a finite number$"):
        check_storable({"value": [INFINITY]}, finite=True)


@pytest.mark.parametrize(
    "fields",
    [{"k" * 1_501: 1}, {"a": {"k" * 1_499: 1}}, {"a": {"ü" * 800: 1}}, {"a": [{"k" * 1_501: 1}]}],
    ids=["name", "path", "bytes", "in_a_list"],
)
def test_row_18_long_names_are_refused_of_a_document_but_not_of_an_event(fields: dict[str, Any]) -> None:
    check_event(fields)
    with pytest.raises(NotStorable, match="is longer than 1500 bytes"):
        check_storable(fields)


def test_a_path_of_names_ends_at_a_list() -> None:
    check_storable({"k" * 1_400: [{"k" * 1_400: 1}], "a": {"k" * 1_498: 1}})


@pytest.mark.parametrize("env", ["", "__env__", "\ud800"], ids=ascii)
def test_what_cannot_be_a_name_is_said(env: str) -> None:
    with pytest.raises(NotStorable, match=r"^env is "):
        check_name(env, "env")


def listed(elements: int, values: int) -> dict[str, Any]:
    """A record with a list and plain values beside it, whatever stands in them."""
    return {"list": [0] * elements} | {f"k{number}": 0 for number in range(values)}


@pytest.mark.parametrize("fields", [listed(39_990, 0), listed(0, 19_995), listed(20_000, 9_995)], ids=len)
def test_row_18_as_many_index_entries_as_the_cloud_takes_pass(fields: dict[str, Any]) -> None:
    # Returns nothing; that it does not raise is the statement.
    check_storable(fields)


@pytest.mark.parametrize(
    "fields",
    [listed(45_000, 0), listed(39_991, 0), listed(0, 19_996), {"list": [{"a": 1}] * 45_000}],
    ids=["list", "with_storage_time_and_composite_indexes", "values", "list_of_maps"],
)
def test_row_18_one_index_entry_more_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(NotStorable, match="more than 40000 index entries"):
        check_storable(fields)


def test_row_18_a_document_has_a_name_and_a_storage_time_beside_its_fields() -> None:
    check_storable({"text": "x" * 1_048_390})
    with pytest.raises(NotStorable, match="more than 1048576 bytes"):
        check_storable({"text": "x" * 1_048_391})


@pytest.mark.parametrize("number", [0.1234567890123456, 0.2002386475503002, 1.7976931348623157e308, 1e16 + 2])
def test_row_18_a_float_of_any_digits_passes(number: float) -> None:
    check_storable({"value": number})
    check_event({"surface": "s", "metadata": {"value": [number]}})
