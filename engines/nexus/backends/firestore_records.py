"""What lies in a tenant's Firestore collection, read as it is.

No query needs a composite index: each filters or orders by one field alone.
"""

from datetime import datetime
from typing import Any

from google.cloud.firestore_v1.base_query import FieldFilter
from google.cloud.firestore_v1.field_path import FieldPath

from engines.nexus.backends.sink import Mismatch, Record

PAGE = 100
"""Documents read at once: a page of the largest, 1 MiB each, still fits into a small container."""

TIMES = "ingested_at_by_env"


def by_env(env: str) -> str:
    """Path of the field that orders the documents of one env by time."""
    return FieldPath(TIMES, env).to_api_repr()


def query(collection: Any, env: str | None, since: datetime | None) -> Any:
    """The documents asked for. With ``since`` those without a time are not found."""
    if since is None:
        wanted = collection if env is None else collection.where(filter=FieldFilter("env", "==", env))
        return wanted.order_by("__name__").limit(PAGE)
    field = "ingested_at" if env is None else by_env(env)
    return collection.where(filter=FieldFilter(field, ">=", since)).order_by(field).limit(PAGE)


def to_record(tenant_id: str, snapshot: Any) -> Record:
    """The document as a record."""
    fields: dict[str, Any] = snapshot.to_dict() or {}
    times = fields.pop(TIMES, None)
    mismatches: list[Mismatch] = []
    if fields.get("tenantId", tenant_id) != tenant_id:
        mismatches.append("tenant")
    if fields.get("event_id", snapshot.id) != snapshot.id:
        mismatches.append("id")
    if isinstance(times, dict) and fields.get("env") not in times:
        mismatches.append("env")
    elif _is_elsewhere(fields, times):
        mismatches.append("time")
    return Record(snapshot.reference.path, fields, tuple(mismatches), ordered=False)


def _is_elsewhere(fields: dict[str, Any], times: Any) -> bool:
    """Whether readers, who order by ``times``, find it at another time than it says, or not at all."""
    at = fields.get("ingested_at")
    return at is not None and (not isinstance(at, datetime) or times != {fields.get("env"): at})
