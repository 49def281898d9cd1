"""What a surface's temperature is measured against, and the snapshots of it."""

import hashlib
import json
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, JsonValue

from engines.common.clock import GivenTime
from engines.common.documents import Address

TEMPERATURE_FLOORS = Address("temperature_floors", "{tenant}__{env}__{key}")
TEMPERATURE_CEILINGS = Address("temperature_ceilings", "{tenant}__{env}__{key}")
TEMPERATURE_WEIGHTS = Address("temperature_weights", "{tenant}__{env}__{key}")
TEMPERATURE_SNAPSHOTS = Address("temperature_snapshots")

WeightSource = Literal["system_default", "tenant_override", "llm_tuned"]
Metrics = dict[str, float]


def surface_key(surface: str) -> str:
    """Key of a surface's records: of fixed length, so that no surface can spell another scope's id."""
    # JSON escapes what has no UTF-8, so any text has a key; the store then refuses the text itself.
    return hashlib.sha256(json.dumps(surface).encode()).hexdigest()


class SurfaceBody(BaseModel):
    """What every configuration of a surface carries. An empty id counts as none."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: str | None = None
    tenant_id: str
    env: str
    surface: str
    created_at: GivenTime | None = None


class FloorBody(SurfaceBody):
    """Floors to store."""

    performance_floors: Metrics = {}
    cadence_floors: Metrics = {}
    metadata: dict[str, JsonValue] = {}


class CeilingBody(SurfaceBody):
    """Ceilings to store."""

    ceilings: Metrics = {}
    metadata: dict[str, JsonValue] = {}


class WeightsBody(SurfaceBody):
    """Weights to store."""

    weights: Metrics = {}
    source: WeightSource = "system_default"


class SurfaceRecord(BaseModel):
    """Whose record it is."""

    id: str
    tenant_id: str
    env: str
    surface: str


class FloorConfig(SurfaceRecord):
    """The least that each metric should reach."""

    performance_floors: Metrics = {}
    cadence_floors: Metrics = {}
    metadata: dict[str, Any] = {}
    created_at: datetime
    updated_at: datetime


class CeilingConfig(SurfaceRecord):
    """The most that each metric should reach."""

    ceilings: Metrics = {}
    metadata: dict[str, Any] = {}
    created_at: datetime
    updated_at: datetime


class TemperatureWeights(SurfaceRecord):
    """How much each metric counts."""

    weights: Metrics = {}
    source: WeightSource = "system_default"
    created_at: datetime
    updated_at: datetime


class SurfaceConfig(BaseModel):
    """The three configurations of a surface, each null until it is set."""

    floors: FloorConfig | None = None
    ceilings: CeilingConfig | None = None
    weights: TemperatureWeights | None = None


class TemperatureSnapshot(SurfaceRecord):
    """The temperature at one moment."""

    value: float
    window_start: datetime
    window_end: datetime
    floors_breached: list[str] = []
    ceilings_breached: list[str] = []
    raw_metrics: Metrics = {}
    source: str = "in_memory"
    usage_window_days: int = 7
    kpi_corridors_used: list[str] = []
    created_at: datetime


class SnapshotItems(BaseModel):
    """Snapshots, newest first."""

    items: list[TemperatureSnapshot]
