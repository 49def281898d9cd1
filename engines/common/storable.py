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
    """A value that no document can hold; the message names the field, never a value or an inner key."""


def check_storable(fields: Mapping[str, Any]) -> None:
    """Raise NotStorable for the first value that a document cannot hold."""
    _check_keys(fields, "the record")
    for name, value in fields.items():
        _check(value, name, 1)


def _check(value: Any, field: str, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise NotStorable(f"{field} is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Mapping):
        _check_keys(value, field)
        for item in value.values():
            _check(item, field, depth + 1)
    elif isinstance(value, list):
        _check_list(value, field, depth)
    else:
        _check_scalar(value, field)


def _check_keys(value: Mapping[str, Any], field: str) -> None:
    for key in value:
        _check_scalar(key, f"a key in {field}")
        if not key or (key.startswith("__") and key.endswith("__")):
            raise NotStorable(f"a key in {field} is empty or reserved (__…__)")


def _check_list(value: list[Any], field: str, depth: int) -> None:
    for item in value:
        if isinstance(item, list):
            raise NotStorable(f"{field} holds a list directly inside a list")
        _check(item, field, depth + 1)


def _check_scalar(value: Any, field: str) -> None:
    if isinstance(value, str):
        try:
            value.encode()
        except UnicodeEncodeError:
            raise NotStorable(f"{field} is not valid Unicode text") from None
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise NotStorable(f"{field} is a time without a timezone")
    elif isinstance(value, int):
        if not -MAX_INTEGER <= value < MAX_INTEGER:
            raise NotStorable(f"{field} is an integer beyond 64 bits")
    elif value is not None and not isinstance(value, float):
        raise NotStorable(f"{field} has the type {type(value).__name__}, which no document can hold")
