"""What a document database can hold, checked before anything is sent.

The limits are Firestore's; the in-memory store keeps to them so that a record which passes a test
also passes in the cloud.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

MAX_DEPTH = 20
MAX_INTEGER = 2**63


class NotStorable(ValueError):
    """A value that no document can hold; the message names its place, never the value."""


def check_storable(fields: Mapping[str, Any]) -> None:
    """Raise NotStorable for the first value that a document cannot hold."""
    _check(fields, "", 0)


def _check(value: Any, place: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotStorable(f"{place.split('.')[0]} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        _check_mapping(value, place, depth)
    elif isinstance(value, list):
        _check_list(value, place, depth)
    else:
        _check_scalar(value, place)


def _check_mapping(value: Mapping[str, Any], place: str, depth: int) -> None:
    for key, item in value.items():
        _check_scalar(key, f"a key in {place or 'the record'}")
        if not key or (key.startswith("__") and key.endswith("__")):
            raise NotStorable(f"a key in {place or 'the record'} is empty or reserved (__…__)")
        _check(item, f"{place}.{key}" if place else key, depth + 1)


def _check_list(value: list[Any], place: str, depth: int) -> None:
    for item in value:
        if isinstance(item, list):
            raise NotStorable(f"{place} holds a list directly inside a list")
        _check(item, place, depth + 1)


def _check_scalar(value: Any, place: str) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotStorable(f"{place} is not valid Unicode text") from None
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise NotStorable(f"{place} is a time without a timezone")
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value < MAX_INTEGER:
            raise NotStorable(f"{place} is an integer beyond 64 bits")
    elif value is not None and not isinstance(value, float):
        raise NotStorable(f"{place} has the type {type(value).__name__}, which no document can hold")
