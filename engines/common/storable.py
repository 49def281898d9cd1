"""What a document database and JSON can hold, checked before anything is sent.

The limits of a document are Firestore's, those that its emulator does not know included; the in-memory store
keeps to them so that a record which passes a test also passes in the cloud. See docs/infra/SINKS.md.
"""

from collections.abc import Mapping
from datetime import datetime
from math import isfinite
from typing import Any

from pydantic_core import to_jsonable_python

MAX_DEPTH = 20
MAX_INTEGER = 2**63
MAX_PATH_BYTES = 1_500
"""Longest name of a field, and longest path of names to one; a path ends at a list. Firestore's alone."""
MAX_DOCUMENT_BYTES = 1_048_576
MAX_INDEX_ENTRIES = 40_000
"""A plain value is two entries (ascending and descending), an element of a list is one."""
MAX_INDEX_BYTES = 8_388_608
INDEXED_BYTES = 1_500
"""A longer value is indexed by its beginning."""
ENTRY_BYTES = 160
"""What an index entry takes beside path and value: 32 bytes and the document's name, taken as 128."""

DOCUMENT_ENTRIES, DOCUMENT_BYTES = 10, 180
"""Of every document: its storage time and composite indexes; 32 bytes, its name and its storage time."""

EVENT_ENTRIES, EVENT_BYTES = 100, 4_096
"""Room for what is stored around an event or a raw record: id, times, flags, ids of the request."""


MAX_TENANT_BYTES = 300
"""Longest tenant id of an event: names of objects have 1,024 bytes on both clouds, prefix included."""


class NotStorable(ValueError):
    """A value that can never be stored; the message names the place, never a value or an inner key.

    Of an event a place is a field and the positions in lists below it: ``metadata[3]``.
    """


def check_storable(fields: Mapping[str, Any], *, finite: bool = False) -> None:
    """Raise NotStorable for the first value that a document cannot hold.

    With ``finite`` for a number that is none in JSON too.
    """
    _Document(finite=finite, entries=DOCUMENT_ENTRIES, size=DOCUMENT_BYTES).check(fields)


def check_event(fields: Mapping[str, Any], above: int = 0) -> None:
    """Raise NotStorable for the first value of an event that one of the sinks cannot hold.

    Judged is the JSON form of the values, which is what is stored. ``above`` are levels that the record puts
    above the fields. Raises ValueError for a value without a JSON form.
    """
    _Event(finite=True, entries=EVENT_ENTRIES, size=EVENT_BYTES).check(fields, above)


def check_name(name: str, what: str) -> int:
    """Raise NotStorable for what cannot be the name of a field; returns its bytes."""
    length = _check_text(name, what)
    if not name or (name.startswith("__") and name.endswith("__")):
        raise NotStorable(f"{what} is empty or reserved (__…__)")
    return length


class _Document:
    """Walks over a record once and adds up what its document takes."""

    _positions = False
    """Whether a place has positions in lists."""

    _bounds_names = True
    """Whether names of fields have a longest; those of an event have none on some sinks."""

    def __init__(self, *, finite: bool, entries: int, size: int) -> None:
        self._finite = finite
        self._entries = entries
        self._size = size
        self._index_size = 0
        self._lists = 0
        """How many lists are above: what is in one has no index entries of its own."""

    def check(self, fields: Mapping[str, Any], above: int = 0) -> None:
        """Raise NotStorable for the first value that is impossible, or the first one too many."""
        for key in fields:
            self._key(key, "the record", 0)
        for name, value in fields.items():
            self._field(value, name, above + 1, len(name.encode()) + 1)

    def _field(self, value: Any, place: str, depth: int, path: int) -> int:
        """Check a field and all below it; returns the bytes of its value."""
        value = self._plain(value)
        size = self._value(value, place, depth, path)
        if self._lists:
            return size
        if isinstance(value, list):
            self._index(len(value), size // max(1, len(value)), place, path)
        elif not isinstance(value, dict) or not value:
            self._index(2, size, place, path)
        return size

    def _value(self, value: Any, place: str, depth: int, path: int) -> int:
        if depth > MAX_DEPTH:
            raise NotStorable(f"{place} is nested more than {MAX_DEPTH} levels deep")
        if isinstance(value, dict):
            return self._map(value, place, depth, path)
        if isinstance(value, list):
            return self._list(value, place, depth)
        return self._counted(self._scalar(value, place), place)

    def _map(self, value: dict[Any, Any], place: str, depth: int, path: int) -> int:
        size = 0
        for key, item in value.items():
            below = self._key(key, place, path)
            size += self._field(item, place, depth + 1, below)
        return size

    def _list(self, value: list[Any], place: str, depth: int) -> int:
        size = 0
        self._lists += 1
        for position, item in enumerate(map(self._plain, value)):
            if isinstance(item, list):
                raise NotStorable(f"{place} holds a list directly inside a list")
            element = f"{place}[{position}]" if self._positions else place
            size += self._value(item, element, depth + 1, 0)
        self._lists -= 1
        return size

    def _key(self, key: Any, place: str, above: int) -> int:
        """Check the name of a field; returns the bytes of the path to it."""
        length = self._counted(check_name(key, f"a key in {place}") + 1, place)
        if self._bounds_names and above + length - 1 > MAX_PATH_BYTES:
            raise NotStorable(f"a key in {place} is longer than {MAX_PATH_BYTES} bytes with those above it")
        return above + length

    def _scalar(self, value: Any, place: str) -> int:
        """Check a plain value; returns its bytes."""
        if isinstance(value, str):
            return _check_text(value, place) + 1
        if value is None or isinstance(value, bool):
            return 1
        self._check_number(value, place)
        return 8

    def _check_number(self, value: Any, place: str) -> None:
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise NotStorable(f"{place} is a time without a timezone")
        elif isinstance(value, int):
            if not -MAX_INTEGER <= value < MAX_INTEGER:
                raise NotStorable(f"{place} is an integer beyond 64 bits")
        elif not isinstance(value, float):
            raise NotStorable(f"{place} has the type {type(value).__name__}, which no document can hold")
        elif self._finite and not isfinite(value):
            raise NotStorable(f"{place} is not a finite number")

    def _counted(self, size: int, place: str) -> int:
        self._size += size
        if self._size > MAX_DOCUMENT_BYTES:
            raise NotStorable(f"{place} makes the record too large: more than {MAX_DOCUMENT_BYTES} bytes")
        return size

    def _index(self, entries: int, size: int, place: str, path: int) -> None:
        self._entries += entries
        self._index_size += entries * (ENTRY_BYTES + path + min(size, INDEXED_BYTES))
        if self._entries > MAX_INDEX_ENTRIES:
            raise NotStorable(f"{place} holds too many values: more than {MAX_INDEX_ENTRIES} index entries")
        if self._index_size > MAX_INDEX_BYTES:
            raise NotStorable(f"{place} holds too many values: more than {MAX_INDEX_BYTES} bytes of index")

    def _plain(self, value: Any) -> Any:
        """The value as it is stored."""
        return value


class _Event(_Document):
    """The same for the JSON form of values."""

    _positions = True
    _bounds_names = False

    def _plain(self, value: Any) -> Any:
        if value is None or isinstance(value, _JSON):
            return value
        return to_jsonable_python(value, inf_nan_mode="constants")

    def _key(self, key: Any, place: str, above: int) -> int:
        text = key if isinstance(key, str) else next(iter(to_jsonable_python({key: None})))
        return super()._key(text, place, above)


_JSON = (str, int, float, list, dict)


def _check_text(value: str, what: str) -> int:
    try:
        return len(value.encode())
    except UnicodeEncodeError:
        raise NotStorable(f"{what} is not valid Unicode text") from None
