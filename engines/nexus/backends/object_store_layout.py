"""How events lie in a bucket: ``{prefix}{tenant}/{env}/{YYYY-MM-DD}/{HH}/{newest}-{oldest}-{digest}.ndjson``.

An object holds events of one tenant, env and hour (UTC, of ``ingested_at``), oldest first, one JSON object a
line. ``newest`` and ``oldest`` are microseconds left until the hour ends: so the first name of a listing is
the newest object, and the name alone says how new. ``digest`` is that of the event ids: the same events make
the same name, and a create-only write of them again is refused. It begins with COUNTED and six digits that
say how many events there are; one of an earlier release does not, and to that release it is any digest.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby
from typing import Any

from pydantic_core import to_jsonable_python

from engines.common.storable import NotStorable
from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.sink import Envelope

OBJECT_BYTES = 8_000_000
"""Largest object, so also the largest event. Above 8 MiB Google's SDK changes to resumable uploads; it is
also half of what DuckDB takes as one line."""

HOUR = timedelta(hours=1)
MICROSECOND = timedelta(microseconds=1)
NAME = re.compile(r"(\d{4}-\d\d-\d\d/\d\d)/(\d{10})-(\d{10})-([0-9a-f]{32})\.ndjson\Z")
COUNTED = "00000000"
LONGEST_SEGMENT = 120


@dataclass(frozen=True)
class Line:
    """One encoded event and its place in the batch."""

    position: int
    envelope: Envelope
    text: bytes


@dataclass(frozen=True)
class Part:
    """One object to be."""

    name: str
    lines: tuple[Line, ...]

    @property
    def body(self) -> bytes:
        """The content."""
        return b"".join(line.text for line in self.lines)


@dataclass(frozen=True)
class Stored:
    """What the name of an object says: the times of its oldest and newest event, and how many it holds."""

    name: str
    oldest: datetime
    newest: datetime
    events: int | None
    """None in a name of an earlier release."""


def folder(prefix: str, tenant_id: str, env: str) -> str:
    """Where the events of a tenant and env lie."""
    return f"{prefix}{tenant_id}/{segment(env)}/"


def encode(envelope: Envelope) -> bytes:
    """The event's own fields and the envelope's as one flat line. Raises NotStorable."""
    own = {
        "event_id": envelope.event_id,
        "ingested_at": _utc(envelope).isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "schema_version": envelope.schema_version,
    }
    try:
        fields = envelope.event.model_dump() | own
        text = json.dumps(fields, ensure_ascii=False, allow_nan=False, default=to_jsonable_python).encode()
    except UnicodeEncodeError:
        raise NotStorable("the event is not valid Unicode text") from None
    except (ValueError, TypeError, RecursionError):
        raise NotStorable(
            "the event holds what JSON cannot: a number that is not finite, or too many levels"
        ) from None
    if len(text) >= OBJECT_BYTES:
        raise NotStorable(f"the event is larger than {OBJECT_BYTES} bytes")
    return text + b"\n"


def decode(body: bytes) -> list[Envelope]:
    """The events of an object. Raises ValueError, TypeError or RecursionError when a line is none."""
    return [_envelope(json.loads(line)) for line in body.split(b"\n") if line]


def parts(prefix: str, lines: Iterable[Line]) -> Iterator[Part]:
    """The objects that hold these lines: as few as the layout and OBJECT_BYTES allow."""
    ordered = sorted(lines, key=lambda line: (_folder_of(prefix, line), _order(line)))
    for hour, group in groupby(ordered, key=lambda line: _folder_of(prefix, line)):
        for chunk in _chunks(group):
            yield Part(f"{hour}{_name(chunk)}", chunk)


def stored(name: str) -> Stored | None:
    """What a name says; None when the sink did not write it."""
    found = NAME.search(name)
    if found is None:
        return None
    end = datetime.strptime(f"{found[1]} +0000", "%Y-%m-%d/%H %z") + HOUR - MICROSECOND
    newest, oldest = (end - int(left) * MICROSECOND for left in found.group(2, 3))
    events = int(found[4][8:14], 16) if found[4].startswith(COUNTED) else None
    return Stored(name, oldest, newest, events)


def _utc(envelope: Envelope) -> datetime:
    return envelope.ingested_at.astimezone(UTC)


def _order(line: Line) -> tuple[datetime, str]:
    return _utc(line.envelope), line.envelope.event_id


def _folder_of(prefix: str, line: Line) -> str:
    event = line.envelope.event
    return f"{folder(prefix, event.tenantId, event.env)}{_utc(line.envelope):%Y-%m-%d/%H}/"


def _chunks(lines: Iterable[Line]) -> Iterator[tuple[Line, ...]]:
    chunk: list[Line] = []
    size = 0
    for line in lines:
        if chunk and size + len(line.text) > OBJECT_BYTES:
            yield tuple(chunk)
            chunk, size = [], 0
        chunk.append(line)
        size += len(line.text)
    if chunk:
        yield tuple(chunk)


def _name(chunk: tuple[Line, ...]) -> str:
    ids = "\n".join(sorted(line.envelope.event_id for line in chunk))
    digest = f"{COUNTED}{len(chunk):06x}{hashlib.sha256(ids.encode()).hexdigest()[:18]}"
    return f"{_left(chunk[-1]):010}-{_left(chunk[0]):010}-{digest}.ndjson"


def _left(line: Line) -> int:
    at = _utc(line.envelope)
    return (at.replace(minute=59, second=59, microsecond=999_999) - at) // MICROSECOND


def segment(env: str) -> str:
    """Free text as one folder name that no store and no reader takes for anything else."""
    safe = re.sub(rb"[^A-Za-z0-9_-]", lambda byte: b"~%02X" % byte[0][0], env.encode()).decode() or "~"
    if len(safe) <= LONGEST_SEGMENT:
        return safe
    return f"~{hashlib.sha256(env.encode()).hexdigest()}"


def _envelope(fields: dict[str, Any]) -> Envelope:
    return Envelope.model_validate(fields | {"event": DatasetEvent.model_validate(fields)})
