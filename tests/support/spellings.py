"""Personal data as people and programs spell it, generated; what the detector and the export make of it."""

import base64
import random
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from engines.guardrails.pii_text import detect
from engines.logging.events.scan import scanned_text
from engines.verification.redaction import MASK, redacted, redacted_text
from tests.support.records import dataset_event

SEED = 20_260_115
WORDS = ("call", "order", "for", "the", "blue", "shop", "thanks", "soon", "page", "visit")
INVISIBLE = ("\u200b", "\u200c", "\u200d", "\u2060", "\ufeff")

Make = Callable[[random.Random], Any]


class Outcome(NamedTuple):
    """Whether no flag is given, and whether the export leaves of it or eats of the text around."""

    missed: bool
    left: bool


@dataclass(frozen=True)
class Row:
    """One spelling; ``covered`` says that the export is to leave nothing of it."""

    name: str
    make: Make
    covered: bool = True

    def judge(self, samples: int) -> Iterator[Outcome]:
        """Generated cases, the same at every run."""
        source = random.Random(f"{SEED} {self.name}")
        for _ in range(samples):
            yield _outcome(source, self.make(source))

    def rates(self, samples: int) -> tuple[float, float]:
        """Shares that are missed and left."""
        outcomes = [*self.judge(samples)]
        missed, left = sum(one.missed for one in outcomes), sum(one.left for one in outcomes)
        return missed / samples, left / samples


def _outcome(source: random.Random, made: Any) -> Outcome:
    if isinstance(made, str):
        before, after = (" ".join(source.choices(WORDS, k=2)) for _ in range(2))
        text = f"{before}, {made}, {after}"
        found = redacted_text(text)
        around = found.startswith(f"{before}, ") and found.endswith(f", {after}")
        inner = found.removeprefix(before).removesuffix(after).replace(MASK, "")
        return Outcome(not detect(text), not around or any(char.isalnum() for char in inner))
    event = dataset_event(input={"found": made})
    return Outcome(not detect(scanned_text(event)), MASK not in str(redacted(event)["input"]))


def _digits(source: random.Random, count: int) -> str:
    return "".join(source.choices("123456789", k=count))


def address(source: random.Random) -> str:
    """An address in ASCII."""
    name = f"{source.choice(WORDS)}.{source.choice(WORDS)}{_digits(source, 1)}"
    return f"{name}@mail-{_digits(source, 2)}.example.com"


def phone(source: random.Random) -> str:
    """A phone number with blanks or hyphens."""
    digits, mark = _digits(source, 12), source.choice(" -")
    return mark.join((f"+{digits[:2]}", digits[2:5], digits[5:8], digits[8:]))


def card(source: random.Random) -> str:
    """A card number in groups."""
    digits = _digits(source, 16)
    return source.choice(" -").join(digits[start : start + 4] for start in range(0, 16, 4))


def postcode(source: random.Random) -> str:
    """Five digits."""
    return _digits(source, 5)


def number(source: random.Random) -> str:
    """A phone or a card."""
    return source.choice((phone, card))(source)


def anything(source: random.Random) -> str:
    """One of all that the patterns are for."""
    return source.choice((address, phone, card))(source)


def _mailbox(alphabet: str, domain: str = "example.com") -> Make:
    def make(source: random.Random) -> str:
        return f"{''.join(source.choices(alphabet, k=source.randint(2, 9)))}@{domain}"

    return make


def _each(change: Callable[[str], str], of: Callable[[random.Random], str]) -> Make:
    return lambda source: "".join(map(change, of(source)))


def _between(marks: tuple[str, ...], of: Callable[[random.Random], str]) -> Make:
    """Some of the marks inside, never at the ends."""

    def make(source: random.Random) -> str:
        text = of(source)
        return text[0] + "".join(
            (source.choice(marks) if source.random() < 0.4 or not position else "") + char
            for position, char in enumerate(text[1:])
        )

    return make


def _put(old: str, new: tuple[str, ...], of: Callable[[random.Random], str]) -> Make:
    return lambda source: of(source).replace(old, source.choice(new))


def _wide(char: str) -> str:
    return chr(ord(char) + 0xFEE0) if "!" <= char <= "~" else char


def _digits_of(zero: int) -> Callable[[str], str]:
    return lambda char: chr(zero + int(char)) if char.isdigit() else char


def _percent(text: str) -> str:
    return "".join(f"%{byte:02X}" for byte in text.encode())


def _hyphens(source: random.Random) -> str:
    return (
        number(source)
        .replace(" ", "-")
        .replace("-", source.choice("\u2010\u2011\u2012\u2013\u2014\u2212\uff0d"))
    )


def _words(source: random.Random) -> str:
    return address(source).replace("@", " at ").replace(".", " dot ")


def _spelled_out(source: random.Random) -> str:
    names = ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    return " ".join(names[int(digit) - 1] for digit in _digits(source, 10))


def _decomposed(source: random.Random) -> str:
    return unicodedata.normalize("NFD", _mailbox("äöüéñçšžåő", "bücher.example")(source))


LATIN = "".join(chr(code) for code in range(0xC0, 0x180) if chr(code).isalpha())
CYRILLIC, GREEK = "абвгдежзиклмнопрстуфхцчшщыьэюя", "αβγδεζηθικλμνξοπρστυφχψω"
ARABIC, HEBREW, HINDI = "ابتثجحخدذرزسش", "אבגדהוזחטיכלמנ", "कखगघचजटडणतदनपब"
CHINESE, KANA, HANGUL = "王李张刘陈杨黄赵", "さとうすずきたなか", "김이박최정강조윤"

ROWS = [
    Row("an address in ASCII", address),
    Row("a phone or a card, with blanks or hyphens", number),
    Row("a postcode of five digits", postcode),
    Row("Latin letters with marks before the @ (müller@…)", _mailbox(LATIN)),
    Row("the same with combining marks (NFD)", _decomposed),
    Row("Cyrillic or Greek before the @", _mailbox(CYRILLIC + GREEK)),
    Row("Arabic or Hebrew before the @", _mailbox(ARABIC + HEBREW)),
    Row("Devanagari before the @", _mailbox(HINDI)),
    Row("Chinese, Japanese or Korean before the @", _mailbox(CHINESE + KANA + HANGUL)),
    Row("a domain in its own alphabet (…@почта.рф)", _mailbox("abcxyz", "почта.рф")),
    Row("a domain in ASCII for another alphabet (xn--…)", _mailbox("abcxyz", "xn--80a1acny.xn--p1ai")),
    Row("signs before the @ (o'brien, tom&jerry, a=b)", _mailbox("ab'&=#!/?{}|~^*$`+")),
    Row("a local part in quotes", lambda source: f'"{_digits(source, 2)} jo"@example.com'),
    Row("@ as %40", _put("@", ("%40",), address)),
    Row("all characters percent-encoded", lambda source: _percent(anything(source))),
    Row("percent-encoded twice (%2540)", _put("@", ("%2540",), address)),
    Row(
        "form-encoded (+ for a blank, %2B for +)",
        lambda source: phone(source).replace("+", "%2B").replace(" ", "+"),
    ),
    Row("an HTML entity for the @", _put("@", ("&#64;", "&#x40;", "&commat;"), address)),
    Row("an escape of JSON for the @", _put("@", ("\\u0040", "\\x40"), address)),
    Row("full-width characters", _each(_wide, anything)),
    Row("the @ alone full-width or small", _put("@", ("\uff20", "\ufe6b"), address)),
    Row("zero-width characters inside", _between(INVISIBLE, anything)),
    Row("soft hyphens inside", _between(("\u00ad",), anything)),
    Row("direction marks inside", _between(("\u200e", "\u200f", "\u202a", "\u202c"), anything)),
    Row("control characters inside", _between(("\x00", "\x07", "\x1b"), anything)),
    Row("combining marks inside", _between(("\u0301", "\u0308", "\u0323"), anything)),
    Row("variation selectors inside", _between(("\ufe0f", "\ufe0e"), anything)),
    Row("Unicode hyphens between digits", _hyphens),
    Row(
        "no-break or thin spaces between digits",
        lambda source: (
            number(source).replace("-", " ").replace(" ", source.choice("\u00a0\u2009\u202f\u3000"))
        ),
    ),
    Row(
        "dots, slashes or underscores between digits",
        lambda source: number(source).replace("-", " ").replace(" ", source.choice("./_\u00b7\u2022")),
    ),
    Row(
        "Arabic-Indic, Devanagari or Bengali digits",
        lambda source: _each(_digits_of(source.choice((0x660, 0x966, 0x9E6))), number)(source),
    ),
    Row("mathematical digits", _each(_digits_of(0x1D7CE), number)),
    Row(
        "(at) and [dot]",
        lambda source: (
            address(source).replace("@", source.choice((" (at) ", "[at]", "{AT}"))).replace(".", " [dot] ")
        ),
    ),
    Row("blanks around the @", _put("@", (" @", "@ ", " @ "), address)),
    Row("a phone or a card as an integer", lambda source: source.randint(10**9, 10**16)),
    Row("the same, negative", lambda source: -source.randint(10**9, 10**16)),
    Row("the same as a float", lambda source: float(source.randint(10**9, 10**16))),
    Row("any of it as a key", lambda source: {anything(source): "hello"}),
    Row(
        "a phone as a number in a list, nested",
        lambda source: [{"deep": [float(source.randint(10**9, 10**12))]}],
    ),
    Row("an address in words (jo at example dot com)", _words, covered=False),
    Row("a phone in words", _spelled_out, covered=False),
    Row(
        "an address in Base64",
        lambda source: base64.b64encode(f"x {address(source)}".encode()).decode(),
        covered=False,
    ),
    Row("a postcode as a number", lambda source: int(postcode(source)), covered=False),
]
"""What the contract's detector and the export are measured on."""
