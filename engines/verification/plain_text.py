"""A text as a reader takes it: escapes resolved, one form for each letter, digit, dash and dot.

Only for looking: every character of the plain text knows which characters of the original stand for it.
Normal forms are taken character by character, so that a long text costs linear time.
"""

import html
import re
import stringprep
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote

MOST_LAYERS = 4
"""How often an escape may be escaped again."""

_ESCAPES = re.compile(
    r"(?:%[0-9A-Fa-f]{2})+|&(?:#\d{1,7}|#[xX][0-9A-Fa-f]{1,6}|[A-Za-z]{2,24});|\\u[0-9A-Fa-f]{4}|\\x[0-9A-Fa-f]{2}"
)
_UNUSUAL = re.compile(r"[^\t\n\r\x20-\x7e]")
_AT = re.compile(r"[ \t]{0,2}(?:@|[\[({<][ \t]{0,2}(?i:at)[ \t]{0,2}[\])}>])[ \t]{0,2}")
_DOT = re.compile(r"[ \t]{0,2}[\[({<][ \t]{0,2}(?i:dot|punkt)[ \t]{0,2}[\])}>][ \t]{0,2}")

_ALIKE = dict.fromkeys("\u3002\u00b7\u2022\u2219\u22c5\u30fb\u2027", ".")
_ALIKE |= {"\u2212": "-", "\u2043": "-", "\u02d7": "-", "\u2796": "-", "\u2795": "+"}


@dataclass(frozen=True)
class PlainText:
    """``text``, and for each of its characters where its original begins and ends."""

    text: str
    starts: Sequence[int]
    ends: Sequence[int]

    @classmethod
    def of(cls, text: str) -> "PlainText":
        """The plain text of ``text``."""
        plain = cls(text, range(len(text)), range(1, len(text) + 1))
        for _ in range(MOST_LAYERS):
            if not _ESCAPES.search(plain.text):
                break
            plain = plain._with(_ESCAPES, lambda found: _unescaped(found[0]))
        plain = plain._with(_UNUSUAL, lambda found: _plain(found[0]))
        return plain._with(_AT, lambda _: "@")._with(_DOT, lambda _: ".")

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Where the original of a stretch of the plain text begins and ends."""
        return min(self.starts[start:end]), max(self.ends[start:end])

    def _with(self, pattern: re.Pattern[str], by: Callable[[re.Match[str]], str]) -> "PlainText":
        """With what the pattern finds replaced; what becomes nothing belongs to the character before."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        last = 0
        for found in pattern.finditer(self.text):
            begin, end = found.span()
            made = by(found)
            parts += (self.text[last:begin], made)
            starts += self.starts[last:begin]
            ends += self.ends[last:begin]
            starts += [self.starts[begin]] * len(made)
            ends += [self.ends[end - 1]] * len(made)
            if not made and ends:
                ends[-1] = self.ends[end - 1]
            last = end
        if not last:
            return self
        rest = self.text[last:]
        return PlainText("".join([*parts, rest]), [*starts, *self.starts[last:]], [*ends, *self.ends[last:]])


def _unescaped(escape: str) -> str:
    match escape[0]:
        case "%":
            return unquote(escape, errors="replace")
        case "&":
            return html.unescape(escape)
        case _:
            return chr(int(escape[2:], 16))


@lru_cache(4_096)
def _plain(char: str) -> str:
    if char.isspace():
        return " "
    if unicodedata.category(char) in ("Cc", "Cf") or stringprep.in_table_b1(char):
        return ""
    return "".join(map(_one, unicodedata.normalize("NFKD", _ALIKE.get(char, char))))


def _one(char: str) -> str:
    category = unicodedata.category(char)
    if category.startswith("M"):
        return ""
    if category == "Nd":
        return str(unicodedata.decimal(char))
    return "-" if category == "Pd" else _ALIKE.get(char, char)
