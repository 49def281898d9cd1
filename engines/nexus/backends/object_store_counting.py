"""How many events lie in a stretch of time: the names say it, and what does not is opened."""

import asyncio
import json
from collections.abc import Iterator
from datetime import UTC, datetime

from engines.nexus.backends.object_store_bucket import Bucket
from engines.nexus.backends.object_store_layout import HOUR, Stored, stored
from engines.nexus.backends.object_store_records import time_of

PAGE = 10_000
"""The clouds answer 1,000 names at a time at most; a stand-in that walks the bucket for each needs fewer."""
AT_ONCE = 8
"""Objects opened at once."""


async def count(bucket: Bucket, root: str, start: datetime, end: datetime) -> int:
    """Events below ``root`` from ``start`` on and before ``end``; a copy counts again. Raises SinkError."""
    counted = 0
    unclear: list[str] = []
    for hour in _hours(root, start, end):
        async for name in bucket.names(hour, page=PAGE):
            found = stored(name)
            if found is None or found.newest < start or found.oldest >= end:
                continue
            if found.events is None or not _lies_within(found, start, end):
                unclear.append(name)
            else:
                counted += found.events
    for first in range(0, len(unclear), AT_ONCE):
        bodies = await asyncio.gather(*map(bucket.read, unclear[first : first + AT_ONCE]))
        counted += sum(start <= at < end for body in bodies for at in _times(body))
    return counted


def _hours(root: str, start: datetime, end: datetime) -> Iterator[str]:
    """The folders of the hours that the time touches."""
    hour = start.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    while hour < end:
        yield f"{root}{hour:%Y-%m-%d/%H}/"
        hour += HOUR


def _lies_within(found: Stored, start: datetime, end: datetime) -> bool:
    return start <= found.oldest and found.newest < end


def _times(body: bytes) -> Iterator[datetime]:
    for line in filter(None, body.split(b"\n")):
        try:
            fields = json.loads(line)
        except (ValueError, RecursionError):
            continue
        if isinstance(fields, dict) and (at := time_of(fields)):
            yield at
