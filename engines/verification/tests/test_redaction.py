"""Nothing that a pattern finds is left, and nothing else is touched."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.guardrails.pii_text import detect
from engines.verification.redaction import MASK, redacted, redacted_text
from tests.support.records import dataset_event

NASTY = st.text(alphabet="0123456789 -.()+@abZ_%\n", max_size=80)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("hello", "hello"),
        ("", ""),
        ("mail jo.smith+x@example.com now", f"mail {MASK} now"),
        ("a@b.cc,d@e.ff", f"{MASK},{MASK}"),
        ("+49 30 12345 678", MASK),
        ("card 4111111111111111 thanks", f"card {MASK} thanks"),
        ("12345 jo@example.com", f"{MASK} {MASK}"),
        ("a@b.cd12345", MASK),
        ("in 2026", "in 2026"),
    ],
    ids=["clean", "empty", "email", "two", "b9_digits", "b9_text", "neighbours", "uncovered", "short_number"],
)
def test_texts(text: str, expected: str) -> None:
    assert redacted_text(text) == expected


@given(NASTY)
def test_no_pattern_finds_anything_afterwards(text: str) -> None:
    assert detect(redacted_text(text)) == []
    assert redacted_text(redacted_text(text)) == redacted_text(text)


@given(st.text(alphabet="abcxyz ,;:!?äß🚀", max_size=80))
def test_what_no_pattern_finds_stays(text: str) -> None:
    assert redacted_text(text) == text


def test_a_long_text_is_redacted_in_linear_time() -> None:
    assert redacted_text("a" * 200_000 + "@b.cc") == MASK
    assert redacted_text("a." * 100_000) == "a." * 100_000


def test_every_text_of_an_event_at_any_depth() -> None:
    mail = "jo@example.com"
    event = dataset_event(
        agentId=mail,
        surface=f"x {mail}",
        seo_title=mail,
        requestId="r-1",
        input={"a": [{"b": (mail, 1.5, None, True)}], mail: 1, "jo2@example.com": 2},
        metadata={"phone": 4915112345678, "card": "4111 1111 1111 1111", "year": 2026, "zip": 12345},
    )
    made: dict[str, Any] = redacted(event)
    assert "jo" not in str(made)
    assert (made["tenantId"], made["env"], made["requestId"]) == ("t_acme", "dev", "r-1")
    assert made["input"] == {"a": [{"b": [MASK, 1.5, None, True]}], MASK: 1, f"{MASK} 2": 2}
    assert made["metadata"] == {"phone": MASK, "card": MASK, "year": 2026, "zip": 12345}
    assert event.agentId == mail
