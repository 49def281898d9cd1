"""Usage events as they arrive and as they are kept, and the roll-ups that sum them."""

import re
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, BaseModel, ConfigDict, JsonValue, PlainSerializer, model_validator

from engines.budget.money import check_cost
from engines.common.clock import GivenTime
from engines.common.documents import Address

USAGE = "budget_usage/{tenant}_{env}"
USAGE_EVENTS = Address(f"{USAGE}/events")
DAYS = Address(f"{USAGE}/days")
"""The roll-ups of days; those of hours and instants lie beside them, see ``buckets``."""

REPAIRS = Address(f"{USAGE}/repairs")
"""How many corrections ``repair`` has made of the roll-ups."""

MAX_ITEMS = 500
"""Most events of one request: with a roll-up per level each they fill one atomic batch."""

Level = Literal["day", "hour", "instant"]

_SUM = re.compile(r"s\d\d_")


Cost = Annotated[Decimal, AfterValidator(check_cost), PlainSerializer(str, return_type=str)]
"""A cost; text wherever it leaves the process, since no document holds a Decimal."""


class UsageEventBody(BaseModel):
    """Usage to record. An empty id counts as none."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: str | None = None
    tenant_id: str
    env: str
    surface: str | None = None
    tool_type: str | None = None
    tool_id: str | None = None
    provider: str
    model_or_plan_id: str | None = None
    tokens_input: int = 0
    tokens_output: int = 0
    cost: Cost = Decimal(0)
    currency: str = "USD"
    metadata: dict[str, JsonValue] = {}
    created_at: GivenTime | None = None


class UsageEvent(BaseModel):
    """One recorded use of a provider."""

    id: str
    tenant_id: str
    env: str
    surface: str | None = None
    tool_type: str | None = None
    tool_id: str | None = None
    provider: str
    model_or_plan_id: str | None = None
    tokens_input: int = 0
    tokens_output: int = 0
    cost: Cost = Decimal(0)
    currency: str = "USD"
    metadata: dict[str, Any] = {}
    created_at: datetime


class UsageItems(BaseModel):
    """Usage events, recorded or listed."""

    items: list[UsageEvent]


class Dims(NamedTuple):
    """What a roll-up keeps apart, so what a summary can filter and group by."""

    surface: str | None
    provider: str
    model_or_plan_id: str | None
    tool_type: str | None
    tool_id: str | None
    currency: str


class Rollup(BaseModel):
    """Counts and costs of one bucket and combination of dimensions, per slot: hours of a day, and so on.

    A sum is a field of its own, ``s07_count`` or ``s07_nanos``; what no event had is not stored.
    """

    start: datetime
    surface: str | None = None
    provider: str
    model_or_plan_id: str | None = None
    tool_type: str | None = None
    tool_id: str | None = None
    currency: str
    sums: dict[str, int]

    @model_validator(mode="before")
    @classmethod
    def _gather(cls, fields: dict[str, Any]) -> dict[str, Any]:
        return fields | {"sums": {name: value for name, value in fields.items() if _SUM.match(name)}}


def dims_of(record: UsageEvent | Rollup) -> Dims:
    """The dimensions of an event or of a roll-up."""
    return Dims(*(getattr(record, name) for name in Dims._fields))
