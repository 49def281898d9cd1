"""Usage events as they arrive and as they are kept, and the roll-ups that sum them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal, NamedTuple

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, JsonValue, PlainSerializer

from engines.budget.money import LIMBS, check_cost
from engines.common.documents import Address

USAGE_EVENTS = Address("budget_usage/{tenant}_{env}/events")
DAYS = Address("budget_usage/{tenant}_{env}/days")
"""The roll-ups of whole days; those of smaller buckets lie below their day, see ``buckets``."""

MAX_ITEMS = 500
"""Most events of one request: with a roll-up per level each they make an atomic batch of 2,500 at most."""

Level = Literal["day", "hour", "minute", "instant"]


def in_utc(moment: datetime) -> datetime:
    """The moment in UTC. Raises ValueError when UTC has no year for it."""
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError("the time is outside the years 1 to 9999 in UTC") from None


UtcDatetime = Annotated[AwareDatetime, AfterValidator(in_utc)]
"""A time with a timezone, kept in UTC."""

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
    created_at: UtcDatetime | None = None


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
    """Count and cost of all events of one bucket and combination of dimensions.

    A limb that no event had is not stored.
    """

    start: datetime
    surface: str | None = None
    provider: str
    model_or_plan_id: str | None = None
    tool_type: str | None = None
    tool_id: str | None = None
    currency: str
    count: int
    cost_billions: int = 0
    cost_units: int = 0
    cost_nanos: int = 0
    cost_attos: int = 0
    cost_rontos: int = 0

    @property
    def smallest(self) -> int:
        """The cost in smallest units."""
        return sum(int(getattr(self, name)) * worth for name, worth in LIMBS.items())


def dims_of(record: UsageEvent | Rollup) -> Dims:
    """The dimensions of an event or of a roll-up."""
    return Dims(*(getattr(record, name) for name in Dims._fields))
