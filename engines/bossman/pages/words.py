"""How the page says things: text that tenants name, ages, limits, numbers, commands. Pure."""

import json
import shlex
import unicodedata
from datetime import UTC, datetime
from typing import Any

MAX_TEXT = 80
"""Longest text shown of what a tenant named; the rest is counted."""

NOTHING = "–"  # noqa: RUF001 - a dash, as in print
"""Stands for what is not there."""

_INVISIBLE = {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}

_UNITS = (("day", 86_400), ("h", 3_600), ("min", 60), ("s", 1))


def visible(value: object, limit: int = MAX_TEXT) -> str:
    """The text with every invisible or direction-turning character spelt out, cut at ``limit``."""
    text = str(value)
    shown = "".join(_spelt(char) for char in text[:limit])
    return shown if len(text) <= limit else f"{shown}… ({len(text):,} characters)"


def _spelt(char: str) -> str:
    return f"⟨U+{ord(char):04X}⟩" if unicodedata.category(char) in _INVISIBLE else char


def duration(seconds: float | None) -> str:
    """A length of time in its two largest units: ``2 h 5 min``."""
    if seconds is None:
        return NOTHING
    left, parts = int(seconds), []
    for name, size in _UNITS:
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {name}s" if name == "day" and count > 1 else f"{count} {name}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts) or "0 s"


def limits(warn: int | None, error: int | None) -> str:
    """The limits of a section."""
    if warn is None:
        return "none"
    return f"warn {duration(warn)}, stale {duration(error)}"


def utc(moment: datetime) -> str:
    """A time in UTC to the second."""
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def iso(moment: datetime) -> str:
    """A time as machines read it."""
    return moment.astimezone(UTC).isoformat()


def clock(moment: datetime) -> str:
    """The time of day in UTC to the minute."""
    return f"{moment.astimezone(UTC):%H:%M}"


def number(value: float) -> str:
    """A measured value, short but never rounded to nothing."""
    if abs(value) >= 1e12:
        return f"{value:.3g}"
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def money(value: float) -> str:
    """A cost with two decimals, up to four for a small one; what is less says so."""
    if value == 0 or abs(value) >= 1:
        return f"{value:,.2f}"
    if 0 < value < 0.0001:
        return "under 0.0001"
    whole, _, decimals = f"{value:.4f}".partition(".")
    return f"{whole}.{decimals.rstrip('0').ljust(2, '0')}"


def percent(part: float, whole: float) -> str:
    """A share in whole percent; never 100 % or 0 % unless it is exactly that."""
    if not whole:
        return NOTHING
    share = 100 * part / whole
    if 0 < share < 1:
        return "under 1 %"
    return "over 99 %" if 99 < share < 100 else f"{share:.0f} %"


def curl(base: str, method: str, path: str, tenant_id: str, env: str, body: dict[str, Any] | None) -> str:
    """A command to paste into a shell. What callers name is quoted for it and holds ASCII only."""
    parts = ["curl -fsS", "" if method in ("GET", "POST") else f"-X {method}", shlex.quote(f"{base}{path}")]
    parts += ['-H "Authorization: Bearer $token"', f"-H {shlex.quote(f'X-Tenant-Id: {tenant_id}')}"]
    parts.append(f"-H {shlex.quote(f'X-Env: {env}')}")
    if body is not None:
        data = json.dumps(body, separators=(",", ":"))
        parts += ["-H 'Content-Type: application/json'", f"-d {shlex.quote(data)}"]
    return " ".join(part for part in parts if part)
