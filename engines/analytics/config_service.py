"""Storing analytics configurations and finding the one in force."""

from engines.analytics.config_models import (
    ANALYTICS_CONFIGS,
    AnalyticsConfigBody,
    EffectiveAnalyticsConfig,
    TenantAnalyticsConfig,
)
from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection, Reads, Stored
from engines.common.documents import DocumentStore, Scope
from engines.common.gates import LockGate
from engines.common.identity import RequestContext

UPSERT_ACTION = "analytics:config_upsert"
DEFAULTS_TENANT = "system"
FALLBACK_ENV = "prod"


class AnalyticsConfigService:
    """Operations on analytics configurations. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, lock_gate: LockGate, clock: Clock = utc_now) -> None:
        self.configs = Collection(store, ANALYTICS_CONFIGS, TenantAnalyticsConfig)
        self._lock_gate = lock_gate
        self._clock = clock

    async def upsert(self, context: RequestContext, body: AnalyticsConfigBody) -> TenantAnalyticsConfig:
        """Store the configuration of a surface. Raises Conflict without an approved lock."""
        await self._lock_gate.require(context, UPSERT_ACTION, body.surface)
        now = self._clock()
        given = body.model_dump() | {"tenant_id": context.tenant_id, "env": context.env, "updated_at": now}

        def replace(present: TenantAnalyticsConfig | None) -> TenantAnalyticsConfig:
            kept = {"id": present.id, "created_at": present.created_at} if present else {"created_at": now}
            return TenantAnalyticsConfig.model_validate(given | kept)

        return await self.configs.mutate(context.scope, body.surface, replace)

    async def list_configs(self, scope: Scope, surface: str | None) -> list[TenantAnalyticsConfig]:
        """The tenant's own configurations of the env, of one surface or all."""
        found = await self.configs.find(scope, {"surface": surface} if surface else None)
        return [stored.record for stored in found]


async def effective_config(
    configs: Reads[TenantAnalyticsConfig], scope: Scope, surface: str
) -> tuple[EffectiveAnalyticsConfig, Stored[TenantAnalyticsConfig]] | None:
    """The first of (tenant, env), (tenant, prod), (system, env), (system, prod). Raises StoreError."""
    for tenant in (scope.tenant_id, DEFAULTS_TENANT):
        for env in dict.fromkeys((scope.env, FALLBACK_ENV)):
            stored = await configs.get(Scope(tenant, env), surface)
            if stored:
                source = "tenant" if tenant == scope.tenant_id else "system"
                values = stored.record.model_dump() | {"source": source}
                return EffectiveAnalyticsConfig.model_validate(values), stored
    return None
