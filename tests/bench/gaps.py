"""How often each gap of pii_flags and train_ok (PHASE_04_GAPS.md) occurs on generated traffic; a fixed seed.

A rate is the share of events of that kind that are judged wrongly: harmless ones that are flagged, or ones
with PII that are not. The last rows run the contract's own masker, which the engines here do not have.
"""

import argparse
import random
import re
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from engines.analytics.models import PageviewBody
from engines.common.identity import RequestContext
from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import PATTERNS, detect
from engines.logging.audit import audit_event
from engines.logging.events.scan import scanned_text
from engines.verification.redaction import MASK, redacted_text
from tests.support.records import dataset_event, page_view
from tests.support.spellings import ROWS

SAMPLES = 20_000
SEED = 20_260_115
WORDS = ("call", "order", "for", "the", "blue", "shop", "thanks", "soon", "page", "visit")

Kind = Callable[[random.Random], bool]
KINDS: dict[str, tuple[str, Kind]] = {}


def kind(gap: str, words: str) -> Callable[[Kind], Kind]:
    """Adds a row to the table."""

    def add(judged: Kind) -> Kind:
        KINDS[f"{gap} {words}"] = gap, judged
        return judged

    return add


def flagged(event: DatasetEvent) -> bool:
    return bool(detect(scanned_text(event)))


def hex_id(source: random.Random) -> str:
    return f"{source.getrandbits(128):032x}"


def metadata(**values: Any) -> DatasetEvent:
    return dataset_event(metadata=values)


@kind("A1", "a random 32-hex id in metadata")
def _one_id(source: random.Random) -> bool:
    return flagged(metadata(request_id=hex_id(source)))


@kind("A1", "an audit event: request and trace id are one id, twice in metadata")
def _audit(source: random.Random) -> bool:
    context = RequestContext(request_id=hex_id(source), tenant_id="t_acme", env="dev", user_id="u")
    return flagged(audit_event(context, "strategy_lock.create", {}))


@kind("A1", "an audit event that names a record by a further 32-hex id")
def _audit_of_record(source: random.Random) -> bool:
    context = RequestContext(request_id=hex_id(source), tenant_id="t_acme", env="dev", user_id="u")
    return flagged(audit_event(context, "strategy_lock.create", {"lock_id": hex_id(source)}))


@kind("A1", "three different ids")
def _three_ids(source: random.Random) -> bool:
    return flagged(metadata(request_id=hex_id(source), trace_id=hex_id(source), asset_id=hex_id(source)))


@kind("A1", "a dashed UUID")
def _uuid(source: random.Random) -> bool:
    return flagged(metadata(request_id=str(UUID(int=source.getrandbits(128), version=4))))


@kind("A2", "an ISO date")
def _date(source: random.Random) -> bool:
    day = f"{source.randint(2020, 2030)}-{source.randint(1, 12):02}-{source.randint(1, 28):02}"
    return flagged(metadata(day=day))


@kind("A2", "an IPv4 address")
def _address(source: random.Random) -> bool:
    return flagged(metadata(ip=".".join(str(source.randint(0, 255)) for _ in range(4))))


@kind("A2", "a unix time in seconds, as text")
def _unix(source: random.Random) -> bool:
    return flagged(metadata(at=str(source.randint(1_600_000_000, 1_900_000_000))))


@kind("A2", "an order number of 4 to 8 digits")
def _order(source: random.Random) -> bool:
    return flagged(metadata(order="".join(source.choices("123456789", k=source.randint(4, 8)))))


@kind("A3", "two fields of 2 to 4 digits, as text, each clean by itself")
def _two_fields(source: random.Random) -> bool:
    return flagged(dataset_event(input=_numbers(source, 1), output=_numbers(source, 1)))


@kind("A3", "three fields of 2 to 4 digits, as text, each clean by itself")
def _three_fields(source: random.Random) -> bool:
    return flagged(metadata(**_numbers(source, 3)))


def _numbers(source: random.Random, count: int) -> dict[str, Any]:
    lengths = (source.randint(2, 4) for _ in range(count))
    return {f"n{number}": "".join(source.choices("123456789", k=k)) for number, k in enumerate(lengths)}


def pii(source: random.Random) -> str:
    """One of what the patterns are for."""
    digits = "".join(source.choices("0123456789", k=16))
    made = [f"{digits[:4]}@example.com", f"+49 {digits[:3]} {digits[3:10]}", digits, f"1{digits[:4]}"]
    return source.choice(made)


@kind("B1", "PII in a nested value")
def _nested(source: random.Random) -> bool:
    value: Any = pii(source)
    for _ in range(source.randint(1, 4)):
        value = source.choice([{"x": value}, [value]])
    return not flagged(dataset_event(input={"text": "hello", "more": value}))


@kind("B2", "a phone or card as a number")
def _number(source: random.Random) -> bool:
    return not flagged(dataset_event(input={"phone": source.randint(10**9, 10**16)}))


@kind("B2", "PII as a key")
def _key(source: random.Random) -> bool:
    return not flagged(dataset_event(input={pii(source): "hello"}))


BESIDE = (
    *("agentId", "surface", "asset_alt_text"),
    *("utm_source", "utm_medium", "utm_campaign", "utm_term", "utm_content"),
    *("seo_slug", "seo_title", "seo_description"),
)
"""Texts that an event has beside input, output and metadata."""


@kind("B3", "PII in agentId, surface, utm_*, seo_* or asset_alt_text of an event that is no analytics event")
def _beside(source: random.Random) -> bool:
    return not flagged(dataset_event(**{source.choice(BESIDE): pii(source)}))


@kind("B3", "no gap: PII in any text of a page view's body")
def _body(source: random.Random) -> bool:
    texts = [name for name in PageviewBody.model_fields if name != "metadata"]
    return not flagged(page_view({source.choice(texts): pii(source)}))


CONTRACT = PATTERNS | {"email": re.compile(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9.-]+\.[A-Za-z]{2,}")}


def contract_masked(text: str) -> str:
    """The contract's masker: spans of the original text, replaced from the last to the first."""
    spans = [match.span() for pattern in CONTRACT.values() for match in pattern.finditer(text)]
    for start, end in sorted(spans, reverse=True):
        text = text[:start] + MASK + text[end:]
    return text


def texts(source: random.Random) -> tuple[str, str, str]:
    """Words, a phone or card as people write it, words."""
    digits = "".join(source.choices("123456789", k=16))
    written = [
        f"+49 {digits[:2]} {digits[2:7]} {digits[7:10]}",
        f"+{digits[:2]} {digits[2:12]}",
        f"{digits[:3]}-{digits[3:6]}-{digits[6:10]}",
        f"0{digits[:4]} {digits[4:10]}",
        digits,
        " ".join(digits[start : start + 4] for start in range(0, 16, 4)),
    ]
    before, after = (" ".join(source.choices(WORDS, k=2)) for _ in range(2))
    return f"{before} ", source.choice(written), f" {after}"


@kind("B9", "a phone or card in a text: the contract's masker leaves digits of it")
def _leak(source: random.Random) -> bool:
    return any(character.isdigit() for character in contract_masked("".join(texts(source))))


@kind("B9", "the same: it eats or breaks the text around")
def _eaten(source: random.Random) -> bool:
    before, number, after = texts(source)
    masked = contract_masked(before + number + after)
    return not (masked.startswith(before) and masked.endswith(after)) or MASK + "]" in masked


@kind("B9", "the same: the export's redaction does either")
def _export(source: random.Random) -> bool:
    before, number, after = texts(source)
    return redacted_text(before + number + after) != before + MASK + after


def rates(samples: int) -> Iterator[tuple[str, float]]:
    """Each kind with its share of events that are judged wrongly."""
    for name, (_, judged) in KINDS.items():
        source = random.Random(f"{SEED} {name}")
        yield name, sum(judged(source) for _ in range(samples)) / samples


def print_spellings(samples: int) -> None:
    """How often the detector misses each spelling, and how often the export leaves of it."""
    print(f"N = {samples} each; not flagged, left in an export")
    for row in ROWS:
        missed, left = row.rates(samples)
        print(f"{missed:7.1%} {left:7.1%}  {row.name}")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bench gaps")
    parser.add_argument("--samples", type=int, default=SAMPLES)
    samples = parser.parse_args().samples
    assert contract_masked("+49 30 12345 678") == "[REDACTED]] 678"
    print(f"N = {samples} each, seed {SEED}")
    for name, rate in rates(samples):
        print(f"{rate:7.1%}  {name}")
    print_spellings(max(1, samples // 10))


if __name__ == "__main__":
    main()
