"""Envelopes as rows of the BigQuery table, and back."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic_core import to_jsonable_python

from engines.common.storable import NotStorable
from engines.dataset.events.schemas import DatasetEvent
from engines.nexus.backends.bigquery_table import JSON_FIELDS
from engines.nexus.backends.sink import Envelope

REQUEST_BYTES = 9_000_000
"""BigQuery takes 10 MB in a request, and so in a row; counted as sent, in ASCII with escapes."""


@dataclass(frozen=True)
class Row:
    """What one event is sent as. ``position`` is its place in the batch, ``size`` its bytes as sent."""

    position: int
    insert_id: str
    fields: dict[str, Any]
    size: int


def to_row(position: int, envelope: Envelope) -> Row:
    """The envelope as a row. Raises NotStorable for what no row can hold or give back unchanged."""
    try:
        event = to_jsonable_python(dict(envelope.event), inf_nan_mode="constants")
    except UnicodeError:
        raise NotStorable("the event is not valid Unicode text") from None
    except (ValueError, RecursionError):
        raise NotStorable("the event is nested too deeply or holds what JSON cannot") from None
    fields = {
        name: _json(name, value) if name in JSON_FIELDS else _text(name, value)
        for name, value in event.items()
    }
    fields |= {
        "event_id": envelope.event_id,
        "ingested_at": envelope.ingested_at.isoformat(),
        "schema_version": envelope.schema_version,
    }
    size = len(json.dumps(fields))
    if size > REQUEST_BYTES:
        raise NotStorable(f"the event is too large: {size} bytes as sent, of {REQUEST_BYTES}")
    return Row(position, _insert_id(envelope), fields, size)


def requests_of(rows: Sequence[Row]) -> Iterator[list[Row]]:
    """Split rows so that each part fits into a request."""
    part: list[Row] = []
    size = 0
    for row in rows:
        if part and size + row.size > REQUEST_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += row.size
    if part:
        yield part


def to_envelope(row: Mapping[str, Any]) -> Envelope:
    """A row as it was written. A column added later is empty in old rows: the event's default counts."""
    fields = {name: value for name, value in row.items() if value is not None}
    return Envelope.model_validate(fields | {"event": DatasetEvent.model_validate(fields)})


def _insert_id(envelope: Envelope) -> str:
    """The event's id within its tenant. BigQuery takes 128 characters, both together may have more."""
    scoped = f"{envelope.event.tenantId}:{envelope.event_id}"
    return hashlib.sha256(scoped.encode()).hexdigest()


def _json(name: str, value: Any) -> str:
    """The text of a JSON column; what BigQuery would round or refuse is refused here."""
    try:
        text = json.dumps(value, allow_nan=False, ensure_ascii=False)
        text.encode()
        json.loads(text, parse_int=_check_integer)
    except UnicodeEncodeError:
        raise NotStorable(f"{name} is not valid Unicode text") from None
    except ValueError:
        raise NotStorable(f"{name} holds a number that is not finite or beyond 64 bits") from None
    return text


def _text(name: str, value: Any) -> Any:
    """The value of a plain column. One text that is none makes BigQuery refuse the whole request."""
    try:
        str(value).encode()
    except UnicodeEncodeError:
        raise NotStorable(f"{name} is not valid Unicode text") from None
    return value


def _check_integer(digits: str) -> None:
    if not -(2**63) <= int(digits) < 2**64:
        raise ValueError
