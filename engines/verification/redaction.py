"""Events without what the engine's patterns find, for an export.

The contract's masker looks at the joined text and cuts match by match, which leaves digits or eats text where
matches overlap (gap B9); its detector takes addresses for ASCII. This one looks at every text by itself, at
any depth, as it stands and as a reader takes it (``plain_text``), whatever the alphabet or the spelling, and
replaces merged spans until nothing is found. Where a match ends is in doubt it takes more, never less. It
changes copies for an export, never what is stored; the detector stays as it is.
"""

import re
from collections.abc import Iterator
from math import isfinite
from typing import Any

from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import PATTERNS
from engines.verification.plain_text import PlainText

MASK = "[REDACTED]"
KEPT = ("tenantId", "env")
"""Texts of an event that say whose it is; they stay."""

LOCAL_SIGNS = frozenset(".!#$%&'*+-/=?^_`{|}~")
"""What may stand before the @ of an e-mail address beside letters and digits of any alphabet (RFC 6531)."""
DOMAIN_SIGNS = frozenset(".-_")

LONGEST_QUOTED = 64
"""Characters of a local part in quotes, as of any (RFC 5321)."""

NUMBERS = (
    re.compile(r"\+?\d[\d\s()+/._-]{7,}\d"),
    re.compile(r"(?<![0-9A-Za-z_])\d{5}(?:-\d{4})?(?![0-9A-Za-z_])"),
)
"""Phones and cards with what people put between their digits, and postcodes, in plain text."""

_TOP_LEVEL = re.compile(r"\.[^\W\d_][\w-]")
_LONG = 10**8
"""From here on a whole number has the nine digits of a phone."""


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
        case int() | float() if _is_long(value):
            return MASK
        case _:
            return value


def _is_long(number: float) -> bool:
    return (isinstance(number, int) or isfinite(number)) and abs(int(number)) >= _LONG


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
    """Where the contract's patterns find something as it stands, and these in the plain text."""
    for pattern in PATTERNS.values():
        yield from (found.span() for found in pattern.finditer(text))
    plain = PlainText.of(text)
    for start, end in (*_addresses(plain.text), *_numbers(plain.text)):
        yield plain.original(start, end)


def _numbers(text: str) -> Iterator[tuple[int, int]]:
    for pattern in NUMBERS:
        yield from (found.span() for found in pattern.finditer(text))


def _addresses(text: str) -> Iterator[tuple[int, int]]:
    """E-mail addresses, each as long as it may be taken for."""
    at = text.find("@")
    while at >= 0:
        start, end = _local_part(text, at), at + 1
        while end < len(text) and (text[end].isalnum() or text[end] in DOMAIN_SIGNS):
            end += 1
        while text[end - 1] in DOMAIN_SIGNS:
            end -= 1
        if start < at and _TOP_LEVEL.search(text, at, end):
            yield start, end
        at = text.find("@", at + 1)


def _local_part(text: str, at: int) -> int:
    """Where the local part before ``at`` begins."""
    start = at
    if text[at - 1 : at] == '"':
        quote = text.rfind('"', max(0, at - 2 - LONGEST_QUOTED), at - 1)
        start = at - 1 if quote < 0 else quote
    while start > 0 and (text[start - 1].isalnum() or text[start - 1] in LOCAL_SIGNS):
        start -= 1
    return start


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
