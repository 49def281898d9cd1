"""Detection of personal data in text: four patterns, their order and their oddities fixed by contract.

Detection only: nothing is masked. What the patterns miss or overdo is listed in
docs/workflows/88mph/PHASE_04_GAPS.md and pinned by tests named ``test_gap_…``.
"""

import re
from typing import Literal

PiiFlag = Literal["email", "phone", "card", "postal"]

PATTERNS: dict[PiiFlag, re.Pattern[str]] = {
    # One character before the @ decides as well as all of them, in linear instead of quadratic time.
    "email": re.compile(r"[A-Za-z0-9._%+-]@[A-Za-z0-9.-]+\.[A-Za-z]{2,}"),
    "phone": re.compile(r"\+?\d[\d\s().-]{7,}\d"),
    "card": re.compile(r"\b(?:\d[ -]*){12,15}\d\b"),
    "postal": re.compile(r"\b\d{5}(?:-\d{4})?\b"),
}


def detect(text: str) -> list[PiiFlag]:
    """The flags whose pattern occurs in ``text``, each once, in the order of PATTERNS."""
    return [flag for flag, pattern in PATTERNS.items() if pattern.search(text)]


def policy_reason(flags: list[PiiFlag]) -> str:
    """The policy text that goes with ``flags``."""
    return "pii_masked" if flags else "no_pii_detected"
