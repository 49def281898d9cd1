"""KPI definitions and corridors, keyed by tenant, env and id."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from engines.common.documents import Address

KPI_DEFINITIONS = Address("kpi_definitions", "{tenant}__{env}__{key}")
KPI_CORRIDORS = Address("kpi_corridors", "{tenant}__{env}__{key}")


class DefinitionBody(BaseModel):
    """A definition to store. An empty id counts as none."""

    id: str | None = None
    tenant_id: str
    env: str
    surface: str | None = None
    name: str
    description: str | None = None
    unit: str | None = None


class CorridorBody(BaseModel):
    """A corridor to store. An empty id counts as none."""

    model_config = ConfigDict(allow_inf_nan=False)

    id: str | None = None
    tenant_id: str
    env: str
    surface: str | None = None
    kpi_name: str
    floor: float | None = None
    ceiling: float | None = None
    cadence_floor: float | None = None
    cadence_ceiling: float | None = None


class KpiDefinition(BaseModel):
    """What a KPI is. Names are not unique."""

    id: str
    tenant_id: str
    env: str
    surface: str | None = None
    name: str
    description: str | None = None
    unit: str | None = None
    created_at: datetime
    updated_at: datetime


class KpiCorridor(BaseModel):
    """Where a KPI should stay. Stored and listed; nothing evaluates it."""

    id: str
    tenant_id: str
    env: str
    surface: str | None = None
    kpi_name: str
    floor: float | None = None
    ceiling: float | None = None
    cadence_floor: float | None = None
    cadence_ceiling: float | None = None
    created_at: datetime
    updated_at: datetime


class KpiConfig(BaseModel):
    """Definitions and corridors together."""

    definitions: list[KpiDefinition]
    corridors: list[KpiCorridor]
