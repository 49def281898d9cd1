"""Faulty records, planted straight into each sink's stand-in, and the rules that have to name them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from engines.analytics.models import PageviewBody
from engines.nexus.backends.object_store_layout import Line, parts
from engines.nexus.backends.sink import Envelope
from engines.storage.firestore_client import close_client, open_client
from tests.support.bigquery import DATASET, PROJECT, client_of
from tests.support.far_ends import FarEnd
from tests.support.records import dataset_event, earlier_page_view

CLEAN: dict[str, Any] = {"flags": [], "policy_reason": "no_pii_detected"}
FLAGGED: dict[str, Any] = {"flags": ["email"], "policy_reason": "pii_masked"}
OPTED_OUT = "u_out"
GONE: Any = object()
"""As the value of a field: the field is not there."""

Fields = Mapping[str, dict[str, Any]]
"""The fields of each plant by its name."""

Originals = Mapping[str, Envelope]
"""The clean events of the tenant by their ids."""

ELSEWHERE = "t_elsewhere"


@dataclass(frozen=True)
class Plant:
    """A fault: what it changes of a clean record, and the rules that name it."""

    rules: tuple[str, ...]
    changes: dict[str, Any] = field(default_factory=dict)
    event_id: Any = None
    """Instead of one of its own."""
    copy_of: str | None = None
    """The clean event that it has the id and the content of."""
    env_of_place: str = "dev"
    hours_off: int = 0
    """How far the place's time is from the record's."""


MAIL = "jo@example.com"


def earlier(body: dict[str, Any]) -> dict[str, Any]:
    """What a page view of an earlier release has of its body."""
    event = earlier_page_view(body)
    of_body = {*PageviewBody.model_fields} & event.model_fields_set - {"metadata"}
    return event.model_dump(include={"input", "analytics_event_type", *of_body})


TO = {"to": MAIL}
PLANTS: dict[str, Plant] = {
    "flag-missed": Plant(("flags.wrong",), {"input": TO, "train_ok": False}),
    "flag-invented": Plant(("flags.wrong",), {"pii_flags": FLAGGED}),
    "flags-gone": Plant(("schema.missing",), {"pii_flags": GONE}),
    "flags-a-list": Plant(("schema.type",), {"pii_flags": ["email"]}),
    "reason-wrong": Plant(("flags.reason",), {"pii_flags": CLEAN | {"policy_reason": "pii_masked"}}),
    "trained-opted-out": Plant(("train_ok.wrong",), {"agentId": OPTED_OUT}),
    "trained-pii": Plant(("train_ok.wrong",), {"input": TO, "pii_flags": FLAGGED}),
    "not-trained": Plant(("train_ok.wrong",), {"train_ok": False}),
    "version-2": Plant(("schema.version",), {"schema_version": 2}),
    "input-a-text": Plant(("schema.type",), {"input": "text"}),
    "future": Plant(("time.future", "train_ok.undecided"), {"ingested_at": timedelta(hours=2)}),
    "conflict": Plant(("id.conflict",), {"surface": "other"}, copy_of="second"),
    "copy": Plant(("id.duplicate",), {"train_ok": True}, copy_of="plain"),
    "id-empty": Plant(("id.missing",), event_id=""),
    "id-malformed": Plant(("id.malformed",), event_id="not an id!"),
    "audit": Plant(("audit.trace",), {"analytics_event_type": "audit"}),
    "part-clean": Plant(("input.partial",), earlier({"url": "u"})),
    "part-mail": Plant(("flags.partial",), earlier({"utm_source": MAIL})),
    "part-mail-surface": Plant(("flags.partial",), earlier({"surface": MAIL})),
    "part-more": Plant(
        ("flags.partial",),
        earlier({"url": MAIL, "seo_slug": "10115"}) | {"pii_flags": FLAGGED, "train_ok": False},
    ),
    # From here on a BigQuery table does not take them: see NOT_IN_BIGQUERY.
    "id-gone": Plant(("id.missing",), event_id=GONE),
    "time-gone": Plant(("time.missing",), {"ingested_at": GONE}),
    "time-naive": Plant(("time.malformed",), {"ingested_at": "2026-01-02T03:04:05"}),
    "text-a-number": Plant(("schema.type",), {"utm_term": 7}),
    "field-added": Plant(("schema.unknown",), {"added": 1}),
    "tenant-foreign": Plant(("isolation.tenant",), {"tenantId": ELSEWHERE}),
    "env-foreign": Plant(("isolation.env",), {"env": "prod"}),
    "hour-foreign": Plant(("time.place",), hours_off=-3),
}

NOT_IN_BIGQUERY = {
    "id-gone": "event_id is REQUIRED",
    "time-gone": "ingested_at is REQUIRED",
    "time-naive": "ingested_at is a TIMESTAMP, which has a timezone",
    "text-a-number": "utm_term is a STRING",
    "field-added": "a row has the table's columns alone",
    "tenant-foreign": "tenantId is the place: the row is the other tenant's",
    "env-foreign": "env is the place: the row is the other env's",
    "hour-foreign": "ingested_at is the place: it chooses the partition",
}
"""What the table's own schema forbids, and why."""

FIRESTORE_BESIDES = {
    "conflict": ("id.place",),
    "copy": ("id.place",),
    "id-empty": ("id.place",),
    "time-naive": ("time.place",),
}
"""A document's name is its id, and a time is a timestamp: what else names a plant there."""


def plants_of(kind: str) -> dict[str, Plant]:
    """What can lie in the sink of this kind."""
    return {
        name: plant for name, plant in PLANTS.items() if kind != "bigquery" or name not in NOT_IN_BIGQUERY
    }


def rules_of(kind: str, name: str) -> set[str]:
    """The rules that name the plant in a sink of this kind."""
    return {*PLANTS[name].rules, *(FIRESTORE_BESIDES.get(name, ()) if kind == "firestore" else ())}


def fields_of(name: str, originals: Originals, secret: str) -> dict[str, Any]:
    """The planted record's fields."""
    plant = PLANTS[name]
    original = originals[plant.copy_of or "plain"]
    event_id = plant.copy_of or (f"p-{name}" if plant.event_id is None else plant.event_id)
    base = original.event if plant.copy_of else _clean(original.event.tenantId, secret)
    made = base.model_dump() | {
        "event_id": event_id,
        "ingested_at": original.ingested_at,
        "schema_version": 1,
    }
    changes = dict(plant.changes)
    if isinstance(changes.get("ingested_at"), timedelta):
        changes["ingested_at"] = original.ingested_at + changes["ingested_at"]
    return {key: value for key, value in (made | changes).items() if value is not GONE}


def _clean(tenant_id: str, secret: str) -> Any:
    return dataset_event(tenantId=tenant_id, pii_flags=CLEAN, metadata={"note": secret})


async def plant_all(far_end: FarEnd, originals: Originals, secret: str) -> None:
    """Put every plant into the stand-in, with its SDK and past the sink."""
    found = {name: fields_of(name, originals, secret) for name in plants_of(far_end.kind)}
    original = originals["plain"]
    match far_end.kind:
        case "firestore":
            await _documents(far_end, original, found)
        case "bigquery":
            _rows(far_end, found)
        case _:
            await _objects(far_end, original, found)


async def _documents(far_end: FarEnd, original: Envelope, found: Fields) -> None:
    client = open_client(PROJECT, far_end.settings.firestore_emulator_host)
    try:
        for name, fields in found.items():
            own_name = fields.get("event_id") and PLANTS[name].copy_of is None
            place = fields["event_id"] if own_name else f"p-{name}"
            at = fields.get("ingested_at")
            off = timedelta(hours=PLANTS[name].hours_off)
            times = {"dev": at + off if isinstance(at, datetime) else at}
            document = client.document(f"nexus_events_{original.event.tenantId}/{place}")
            await document.set(fields | {"ingested_at_by_env": times})
    finally:
        await close_client(client)


def _rows(far_end: FarEnd, found: Fields) -> None:
    rows = [{name: _cell(name, value) for name, value in fields.items()} for fields in found.values()]
    with client_of(far_end.variables["BIGQUERY_EMULATOR_HOST"]) as client:
        assert client.insert_rows_json(f"{DATASET}.dataset_events", rows) == []


def _cell(name: str, value: Any) -> Any:
    if name in ("input", "output", "metadata", "pii_flags"):
        return json.dumps(value)
    return value.isoformat() if isinstance(value, datetime) else value


async def _objects(far_end: FarEnd, original: Envelope, found: Fields) -> None:
    """One object for each, and two that hold no record."""
    bucket = far_end.bucket()
    try:
        for name, fields in found.items():
            line = json.dumps(fields, default=lambda at: at.astimezone(UTC).isoformat())
            at = fields.get("ingested_at")
            at = at if isinstance(at, datetime) else original.ingested_at
            off = timedelta(hours=PLANTS[name].hours_off)
            assert await bucket.create(_name(original, f"p-{name}", at + off), line.encode() + b"\n")
        cut_off = _name(original, "p-cut-off", original.ingested_at)
        assert await bucket.create(cut_off, b'{"event_id": "p-cut')
        assert await bucket.create(f"{original.event.tenantId}/dev/by-hand.txt", b"hello")
    finally:
        await bucket.close()


def _name(original: Envelope, event_id: str, at: datetime) -> str:
    """The name that the sink gives an object of one event."""
    envelope = original.model_copy(update={"event_id": event_id, "ingested_at": at})
    [part] = parts("", [Line(0, envelope, b"")])
    return part.name
