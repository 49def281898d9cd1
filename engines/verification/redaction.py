"""Events without what the engine's patterns find, for an export.

The contract's masker looks at the joined text and cuts match by match, which leaves digits or eats text where
matches overlap (gap B9). This one looks at every text by itself, at any depth, and replaces merged spans
until no pattern finds anything. It changes copies for an export, never what is stored.
"""

from collections.abc import Iterator
from typing import Any

from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import PATTERNS, detect

MASK = "[REDACTED]"
KEPT = ("tenantId", "env")
"""Texts of an event that say whose it is; they stay."""

LOCAL_PART = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._%+-")
"""What may stand before the @ of an e-mail address, of which the pattern takes one character."""

LONG_NUMBERS = ("phone", "card")


def redacted(event: DatasetEvent) -> dict[str, Any]:
    """The event's fields with every text redacted, keys and whole numbers that read as PII included."""
    fields = event.model_dump()
    return {name: value if name in KEPT else _value(value) for name, value in fields.items()}


def redacted_text(text: str) -> str:
    """The text with each stretch that matches replaced once, until nothing matches any more."""
    while spans := list(_merged(sorted(_spans(text)))):
        kept = zip([0, *(end for _, end in spans)], [*(start for start, _ in spans), len(text)], strict=True)
        text = MASK.join(text[start:end] for start, end in kept)
    return text


def _value(value: Any) -> Any:
    match value:
        case str():
            return redacted_text(value)
        case dict():
            return _named(value)
        case list() | tuple():
            return [_value(item) for item in value]
        case int() if any(flag in LONG_NUMBERS for flag in detect(str(value))):
            return MASK
        case _:
            return value


def _named(fields: dict[Any, Any]) -> dict[str, Any]:
    """A mapping; keys that become one are numbered, so that no value is lost."""
    named: dict[str, Any] = {}
    for key, value in fields.items():
        name = wanted = redacted_text(str(key))
        number = 1
        while name in named:
            number += 1
            name = f"{wanted} {number}"
        named[name] = _value(value)
    return named


def _spans(text: str) -> Iterator[tuple[int, int]]:
    for flag, pattern in PATTERNS.items():
        for match in pattern.finditer(text):
            start, end = match.span()
            while flag == "email" and start > 0 and text[start - 1] in LOCAL_PART:
                start -= 1
            yield start, end


def _merged(spans: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Spans that overlap or touch, as one."""
    waiting: tuple[int, int] | None = None
    for start, end in spans:
        if waiting and start <= waiting[1]:
            waiting = waiting[0], max(waiting[1], end)
            continue
        if waiting:
            yield waiting
        waiting = start, end
    if waiting:
        yield waiting
