"""What the answer to an invalid request repeats of it: never a secret, never much, always JSON.

A secret is known by the name of its field, wherever it stands, or by its type. On a route whose body has one,
whatever is not a plain value of another known field may be the secret, misplaced or mistyped: it is hidden.
"""

import json
import re
from collections.abc import Iterable, Iterator
from math import isfinite
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, Secret, SecretBytes, SecretStr

Item = TypeVar("Item")
Place = tuple[str | int, ...]

HIDDEN = "[hidden]"
MORE = "…"
"""Stands for what is left out because it is too much."""

LONGEST_TEXT = 200
LARGEST_INPUT = 2_000
LARGEST_IN_ALL = 50_000
"""Characters of one text, of one input and of all inputs of an answer."""
DEEPEST = 8
LONGEST_INTEGER = 640
"""Bits: some 190 digits."""

_SECRET_NAME = re.compile(
    r"passw|passphrase|passcode|^pass$|pwd|^pin$|otp|credential|authori[sz]ation|bearer|cookie|session|jwt"
    r"|signature|secret(?!slot|name)|token(?!s?(input|output))|keys?$"
)
"""In a name's letters. A secret's slot or name is none; ``tokens_input``, ``tokens_output`` are counts."""
_SECRET_TEXT = re.compile(
    r"""(passw|secret|credential|authori[sz]ation|cookie|token|key)\w*["'\\]*\s*(=|:|%3[ad])"""
    r"|bearer\s|eyj[\w-]{5,}\.",
    re.IGNORECASE,
)
"""A text with a secret in it: a form, JSON, a query, a header, a token."""


def is_secret_name(name: str) -> bool:
    """Whether a field of this name holds a password, key or token."""
    return _SECRET_NAME.search(re.sub(r"[^a-z0-9]", "", name.lower())) is not None


def plain_text(text: str) -> str:
    """The text, cut where it is long; what is no Unicode is written as an escape."""
    cut = text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT] + MORE
    return cut.encode("utf-8", "backslashreplace").decode()


class ShownInputs:
    """The inputs at fault of one request, whose route takes a body of the type ``body``."""

    def __init__(self, body: Any = None) -> None:
        fields = dict(_fields(body))
        self._secret = {name for name, is_secret in fields.items() if is_secret}
        self._known = fields.keys() - self._secret
        self._left_in_all = LARGEST_IN_ALL
        self._left = 0

    def shown(self, place: Place, value: Any) -> Any:
        """The input of the problem at ``place``, in a form that JSON can carry."""
        if value is None:
            return None
        if any(isinstance(name, str) and self._is_secret(name) for name in place):
            return HIDDEN
        self._left = given = min(LARGEST_INPUT, self._left_in_all)
        shown = self._beside_a_secret(place, value) if self._secret else self._any(value, 0)
        self._left_in_all -= given - self._left
        return shown

    def _is_secret(self, name: str) -> bool:
        return name in self._secret or is_secret_name(name)

    def _beside_a_secret(self, place: Place, value: Any) -> Any:
        if not isinstance(value, dict):
            return self._plain(place[-1], value)
        return {self._text(name): self._plain(name, item) for name, item in self._bounded(value.items())}

    def _plain(self, name: str | int, value: Any) -> Any:
        is_plain = name in self._known and not isinstance(value, dict | list | bytes)
        return self._any(value, 0) if is_plain else HIDDEN

    def _any(self, value: Any, depth: int) -> Any:
        if self._left <= 0 or depth > DEEPEST:
            return MORE
        match value:
            case dict():
                return {
                    self._text(name): HIDDEN if self._is_secret(name) else self._any(item, depth + 1)
                    for name, item in self._bounded(value.items())
                }
            case list():
                return [self._any(item, depth + 1) for item in self._bounded(value)]
            case bytes():
                # A body that is no JSON: a form has its names in it.
                text = value[:LARGEST_INPUT].decode(errors="replace")
                return HIDDEN if is_secret_name(text) else self._text(text)
            case str():
                return self._text(value)
            case _:
                return self._scalar(value)

    def _bounded(self, items: Iterable[Item]) -> Iterator[Item]:
        """The items, up to the first one that there is no room for."""
        for item in items:
            has_room = self._left > 0
            self._left -= 1
            yield item
            if not has_room:
                return

    def _text(self, text: str) -> str:
        shown = HIDDEN if _SECRET_TEXT.search(text[:LARGEST_INPUT]) else plain_text(text)
        self._left -= len(shown)
        return shown

    def _scalar(self, value: Any) -> Any:
        if isinstance(value, int) and value.bit_length() > LONGEST_INTEGER:
            return MORE
        text = json.dumps(value, default=str)
        self._left -= len(text)
        is_json = value is None or isinstance(value, int) or (isinstance(value, float) and isfinite(value))
        return value if is_json else plain_text(text)


def _fields(body: Any, above: tuple[type, ...] = ()) -> Iterator[tuple[str, bool]]:
    """Names of the fields of a body and of what is nested in it, each with whether it is a secret."""
    if not (isinstance(body, type) and issubclass(body, BaseModel)):
        for part in get_args(body):
            yield from _fields(part, above)
    elif body not in above:
        for name, field in body.model_fields.items():
            for known_as in {name, field.alias or name}:
                yield known_as, is_secret_name(known_as) or _is_secret_type(field.annotation)
            yield from _fields(field.annotation, (*above, body))


def _is_secret_type(annotation: Any) -> bool:
    kind = get_origin(annotation) or annotation
    is_one = isinstance(kind, type) and issubclass(kind, SecretStr | SecretBytes | Secret)
    return is_one or any(map(_is_secret_type, get_args(annotation)))
