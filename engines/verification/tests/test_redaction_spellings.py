"""No letter or digit of a match goes out, on any alphabet and in any spelling of the table."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.verification.plain_text import PlainText
from engines.verification.redaction import MASK, redacted, redacted_text
from tests.support.records import dataset_event
from tests.support.spellings import ROWS, Row

SAMPLES = 60
LETTERS = st.text(st.characters(categories=["L"]), min_size=1, max_size=20)
COVERED = [row for row in ROWS if row.covered]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("mail müller@example.com now", f"mail {MASK} now"),
        ("mu\u0308ller@example.com", MASK),
        ("jo@münchen.de, ok", f"{MASK}, ok"),
        ("почта@пример.рф", MASK),
        ("jo%40example.com", MASK),
        ("jo\uff20example.com", MASK),
        ("j\u200bo@example.com\u0301", MASK),
        ("+49\u201130\u201112345678", MASK),
        ("邮编12345号", f"邮编{MASK}号"),
        ("jo@example.com1", MASK),
        ("o'brien@example.com", MASK),
        ('"jo smith"@example.com hi', f"{MASK} hi"),
        ("@handle and x@y stay, v@1.25 too", "@handle and x@y stay, v@1.25 too"),
        ("50% of 100 &amp; more \\u0041", "50% of 100 &amp; more \\u0041"),
        ("grüße, 你好 ١٢٣٤", "grüße, 你好 ١٢٣٤"),
    ],
    ids=ascii,
)
def test_row_13_texts(text: str, expected: str) -> None:
    assert redacted_text(text) == expected


@pytest.mark.parametrize("row", COVERED, ids=lambda row: row.name)
def test_row_13_nothing_is_left_of_a_spelling_and_nothing_else_is_eaten(row: Row) -> None:
    assert row.rates(SAMPLES)[1] == 0.0


@pytest.mark.parametrize("row", [row for row in ROWS if not row.covered], ids=lambda row: row.name)
def test_gap_row_13_what_the_export_leaves(row: Row) -> None:
    assert row.rates(SAMPLES)[1] == 1.0


@given(LETTERS, LETTERS)
def test_row_13_no_letter_of_an_address_survives_on_any_alphabet(local: str, label: str) -> None:
    assert redacted_text(f"{local}@{label}.com") == MASK
    assert redacted_text(f"({local}@example.{label}xx)") == f"({MASK})"


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_row_13_redaction_ends_and_is_done_once(text: str) -> None:
    once = redacted_text(text)
    assert redacted_text(once) == once


@given(st.text(st.characters(codec="utf-8"), max_size=40))
def test_row_13_plain_text_knows_its_original(text: str) -> None:
    plain = PlainText.of(text)
    assert len(plain.text) == len(plain.starts) == len(plain.ends)
    assert all(0 <= start < end <= len(text) for start, end in zip(plain.starts, plain.ends, strict=True))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (4915112345678, MASK),
        (-4915112345678, MASK),
        (4915112345678.0, MASK),
        (4.111111111111111e15, MASK),
        (1e300, MASK),
        (10**400, MASK),
        (12345678, 12345678),
        (0.1234567890123, 0.1234567890123),
        (52.520008, 52.520008),
        (True, True),
        (None, None),
    ],
    ids=repr,
)
def test_row_13_numbers_of_any_type(value: Any, expected: Any) -> None:
    made = redacted(dataset_event(input={"a": value, "b": [{"c": (value,)}]}))["input"]
    assert made == {"a": expected, "b": [{"c": [expected]}]}


def test_row_13_a_number_that_is_none_is_left_to_the_encoding() -> None:
    made = redacted(dataset_event(input={"a": float("nan"), "b": float("inf")}))["input"]
    assert json.dumps(made) == '{"a": NaN, "b": Infinity}'


def test_row_13_keys_of_any_spelling() -> None:
    found = {"jo%40example.com": 1, "müller@example.com": {"+49\u201130\u201112345678": 2}}
    assert redacted(dataset_event(input=found))["input"] == {MASK: 1, f"{MASK} 2": {MASK: 2}}


@pytest.mark.parametrize(
    "text",
    [
        "%25" * 50_000,
        "a@" * 50_000,
        "@" * 100_000,
        "[ at " * 30_000,
        "1" + "(" * 100_000,
        "\u0315\u0300" * 50_000,
        '"' * 100_000 + "@b",
        "&#6" * 50_000,
    ],
    ids=lambda text: ascii(text[:6]),
)
def test_row_13_a_long_text_is_looked_at_in_linear_time(text: str) -> None:
    assert redacted_text(text) == text
