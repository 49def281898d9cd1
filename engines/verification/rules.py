"""The rules that every stored record is judged by. Pure: nothing here reads or waits.

A record is judged by what it says itself, by what its place says, and by what the engines derive from it now.
"""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import blake2b
from typing import Any, Literal, get_args

from pydantic import ValidationError

from engines.common.rehearsal_mark import MARK
from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import PATTERNS, PiiFlag, detect, policy_reason
from engines.logging.events.scan import scanned_text
from engines.nexus.backends.sink import EVENT_ID_PATTERN, SCHEMA_VERSION, Mismatch, Record
from engines.verification.bodies import is_partial, whole
from engines.verification.orders import given_in_some_order

Severity = Literal["info", "warning", "fault"]

FUTURE = timedelta(seconds=5)
"""How far ahead a time may be: clocks of machines differ."""

RULES: dict[str, tuple[Severity, str]] = {
    "records.none": ("warning", "nothing is stored for this tenant, env and time"),
    "record.unreadable": ("fault", "what lies there is no record that the sink writes"),
    "schema.missing": ("fault", "a field that every record has is missing"),
    "schema.unknown": ("warning", "a field that no record has"),
    "schema.type": ("fault", "a field of another type or form"),
    "schema.version": ("fault", "a schema version that these engines do not write"),
    "id.missing": ("fault", "no event id"),
    "id.malformed": ("fault", "an event id of a form that is never given"),
    "id.place": ("fault", "the event id is not that of its place"),
    "id.duplicate": ("info", "a further copy of an event; readers keep the first"),
    "id.conflict": ("fault", "one id, but another content than the record before"),
    "isolation.tenant": ("fault", "another tenant's event in this tenant's place"),
    "isolation.env": ("fault", "another env's event in this env's place"),
    "flags.shape": ("fault", "pii_flags is not {flags: known labels in order, policy_reason: text}"),
    "flags.wrong": ("fault", "the flags are not those that the engine derives"),
    "flags.undecided": (
        "info",
        "the flags depend on the order of too many fields, which the sink has not kept",
    ),
    "flags.reason": ("fault", "the policy_reason does not go with the flags"),
    "flags.partial": (
        "fault",
        "part of the body was not scanned when it was stored, and that part changes the flags: "
        "never train on it; the export leaves it out (runbook, section 9)",
    ),
    "input.partial": (
        "info",
        "part of the body was not scanned when it was stored, and changes nothing: nothing to do",
    ),
    "train_ok.wrong": ("fault", "train_ok is not what flags and preferences make it"),
    "train_ok.undecided": ("info", "the preference in force back then is not known"),
    "time.missing": ("fault", "no ingested_at"),
    "time.malformed": ("fault", "ingested_at is no time, or names no timezone"),
    "time.future": ("fault", f"ingested_at is more than {FUTURE.seconds} s ahead"),
    "time.place": ("fault", "ingested_at is not that of its place"),
    "events.missing": ("fault", "events that were accepted and are nowhere, nor acknowledged as lost"),
    "events.expired": ("info", "hours that lack events, from before the oldest event that is still held"),
    "audit.trace": ("warning", "an audit event whose ids or actor do not agree"),
}
"""Each rule with its severity and what it says of the records that it names."""

ENVELOPE = ("event_id", "ingested_at", "schema_version")
KNOWN = {*DatasetEvent.model_fields, *ENVELOPE}
ALWAYS = {
    name for name, field in DatasetEvent.model_fields.items() if type(None) not in get_args(field.annotation)
}
"""Fields that the pipeline always fills."""

DECIDED_HERE = ("ingested_at", "schema_version", "pii_flags", "train_ok")
"""Fields that the engines decide: copies of an event may differ in them."""

LABELS = list(PATTERNS)
PLACE_RULES: dict[Mismatch, str] = {
    "tenant": "isolation.tenant",
    "env": "isolation.env",
    "id": "id.place",
    "time": "time.place",
}
_EVENT_ID = re.compile(EVENT_ID_PATTERN.removesuffix(r"\z"))
"""Pydantic's own syntax has an end of text that Python's has not."""


@dataclass(frozen=True)
class Judged:
    """A record and the rules that name it. ``event`` is None when its shape is not an event's."""

    place: str
    fields: Mapping[str, Any]
    rules: tuple[str, ...]
    at: datetime | None = None
    event: DatasetEvent | None = None
    flags: tuple[PiiFlag, ...] = ()

    @property
    def event_id(self) -> Any:
        """What the record has as its id; None when it has none."""
        return self.fields.get("event_id") or None

    @property
    def synthetic(self) -> bool:
        """Whether a rehearsal sent it."""
        metadata = self.fields.get("metadata")
        return isinstance(metadata, dict) and MARK.items() <= metadata.items()


def judge(record: Record, now: datetime) -> Judged:
    """Judge one record by all rules that need no other record and no preference."""
    if record.fields is None:
        return Judged(record.place, {}, ("record.unreadable",))
    at = moment(record.fields.get("ingested_at"))
    event, rules = _schema(record.fields)
    rules += [*_identity(record.fields), *_time(record.fields, at, now)]
    rules += [PLACE_RULES[mismatch] for mismatch in record.mismatches]
    if event is None:
        return Judged(record.place, record.fields, tuple(rules), at)
    flags, said = _derived(record, event)
    rules += said
    if "pii_flags" in record.fields and "flags.undecided" not in said:
        rules += _flags(event.pii_flags, flags)
    rules += _audit(event)
    return Judged(record.place, record.fields, tuple(rules), at, event, tuple(flags))


def judge_train_ok(judged: Judged, eligible: bool | None) -> str | None:
    """The rule that names the record, if any; ``eligible`` is what preferences say, None if not known."""
    if judged.event is None or "train_ok" not in judged.fields or "flags.partial" in judged.rules:
        return None
    expected = False if judged.flags else eligible
    if expected is None:
        return "train_ok.undecided"
    return "train_ok.wrong" if judged.event.train_ok != expected else None


def moment(value: Any) -> datetime | None:
    """The time that a sink gives, as text or as a time; None without a timezone."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else value
    except ValueError:
        return None
    return at if isinstance(at, datetime) and at.tzinfo else None


def content_digest(fields: Mapping[str, Any]) -> bytes:
    """8 bytes for what a caller decided of an event: equal for copies."""
    sent = {name: value for name, value in fields.items() if name not in DECIDED_HERE}
    text = json.dumps(sent, sort_keys=True, default=str)
    return blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def well_formed(event_id: Any) -> bool:
    """Whether it is an id as they are given."""
    return isinstance(event_id, str) and _EVENT_ID.fullmatch(event_id) is not None


def _schema(fields: Mapping[str, Any]) -> tuple[DatasetEvent | None, list[str]]:
    rules = []
    if not fields.keys() >= ALWAYS | {"schema_version"}:
        rules.append("schema.missing")
    if not fields.keys() <= KNOWN:
        rules.append("schema.unknown")
    version = fields.get("schema_version", SCHEMA_VERSION)
    if type(version) is not int or version != SCHEMA_VERSION:
        rules.append("schema.version")
    try:
        return DatasetEvent.model_validate(dict(fields), strict=True), rules
    except ValidationError as error:
        if any(item["type"] != "missing" for item in error.errors(include_url=False)):
            rules.append("schema.type")
        return None, rules


def _identity(fields: Mapping[str, Any]) -> Iterator[str]:
    event_id = fields.get("event_id")
    if event_id is None or event_id == "":
        yield "id.missing"
    elif not well_formed(event_id):
        yield "id.malformed"


def _time(fields: Mapping[str, Any], at: datetime | None, now: datetime) -> Iterator[str]:
    if fields.get("ingested_at") is None:
        yield "time.missing"
    elif at is None:
        yield "time.malformed"
    elif at > now + FUTURE:
        yield "time.future"


def _derived(record: Record, event: DatasetEvent) -> tuple[list[PiiFlag], list[str]]:
    """The flags that go with the event, and the rule that names it for what can be told of them, if any."""
    flags, undecided = _scanned(record, whole(event))
    if not is_partial(event):
        return flags, undecided
    if undecided or flags == event.pii_flags.get("flags"):
        return flags, undecided or ["input.partial"]
    then, undecided = _scanned(record, event)
    return then, undecided or (["flags.partial"] if then == event.pii_flags.get("flags") else [])


def _scanned(record: Record, event: DatasetEvent) -> tuple[list[PiiFlag], list[str]]:
    """The flags of the event's text, and the rule that names it when its order decides and is not known."""
    derived, stored = detect(scanned_text(event)), event.pii_flags.get("flags")
    if record.ordered or stored == derived or not isinstance(stored, list):
        return derived, []
    match given_in_some_order(event, stored):
        case "no":
            return derived, []
        case "yes":
            return stored, []
        case "unknown":
            return stored, ["flags.undecided"]


def _flags(stored: dict[str, Any], derived: list[PiiFlag]) -> Iterator[str]:
    flags, reason = stored.get("flags"), stored.get("policy_reason")
    known = isinstance(flags, list) and flags == [label for label in LABELS if label in flags]
    if not known or not isinstance(reason, str) or len(stored) != 2:
        yield "flags.shape"
    if isinstance(flags, list):
        if flags != derived:
            yield "flags.wrong"
        if isinstance(reason, str) and reason != policy_reason(flags):
            yield "flags.reason"


def _audit(event: DatasetEvent) -> Iterator[str]:
    """The audit helper gives one id as request and trace, and names who acted."""
    if event.analytics_event_type != "audit":
        return
    actor = "system" if event.agentId == "system" else "human"
    traced = event.requestId is not None and event.traceId == event.requestId
    if not traced or event.actorType != actor or event.analytics_platform != "internal":
        yield "audit.trace"
