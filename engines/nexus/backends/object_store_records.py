"""What lies in the objects of a tenant, read as it is: each line against the name that it lies under."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from engines.nexus.backends.object_store_layout import HOUR, folder, stored
from engines.nexus.backends.sink import Mismatch, Record


def may_hold(name: str, since: datetime | None) -> bool:
    """Whether the object may hold something from ``since`` on; one that the sink did not write may."""
    found = stored(name)
    return since is None or found is None or found.newest >= since - HOUR


def records_of(prefix: str, tenant_id: str, name: str, body: bytes) -> Iterator[Record]:
    """The lines of an object, made one by one."""
    for number, line in enumerate(body.split(b"\n"), 1):
        if line:
            yield _record(prefix, tenant_id, name, f"{name}:{number}", line)


def time_of(fields: Mapping[str, Any]) -> datetime | None:
    """When the record says that it was stored; None when it does not, or without a timezone."""
    try:
        at = datetime.fromisoformat(fields["ingested_at"])
    except (KeyError, TypeError, ValueError):
        return None
    return at if at.tzinfo else None


def _record(prefix: str, tenant_id: str, name: str, place: str, line: bytes) -> Record:
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError):
        return Record(place, None)
    if not isinstance(fields, dict):
        return Record(place, None)
    return Record(place, fields, tuple(_mismatches(prefix, tenant_id, name, fields)))


def _mismatches(prefix: str, tenant_id: str, name: str, fields: dict[str, Any]) -> Iterator[Mismatch]:
    if fields.get("tenantId", tenant_id) != tenant_id:
        yield "tenant"
    env = fields.get("env")
    if isinstance(env, str) and not name.startswith(folder(prefix, tenant_id, env)):
        yield "env"
    at, found = time_of(fields), stored(name)
    if at and found and not found.oldest <= at <= found.newest:
        yield "time"
