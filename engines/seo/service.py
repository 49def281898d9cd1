"""Storing and reading SEO page configurations."""

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, Scope
from engines.common.gates import LockGate
from engines.common.identity import RequestContext
from engines.seo.models import SEO_PAGES, PageSeoBody, PageSeoConfig, page_key

UPDATE_ACTION = "seo_page_config_update"


class SeoService:
    """Operations on SEO pages. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, lock_gate: LockGate, clock: Clock = utc_now) -> None:
        self.pages = Collection(store, SEO_PAGES, PageSeoConfig)
        self._lock_gate = lock_gate
        self._clock = clock

    async def upsert(self, context: RequestContext, body: PageSeoBody) -> PageSeoConfig:
        """Store one page; id and creation time of an existing one stay. Raises Conflict without a lock."""
        await self._lock_gate.require(context, UPDATE_ACTION, body.surface)
        now = self._clock()
        given = body.model_dump() | {"tenant_id": context.tenant_id, "env": context.env, "updated_at": now}

        def replace(present: PageSeoConfig | None) -> PageSeoConfig:
            kept = {"id": present.id, "created_at": present.created_at} if present else {"created_at": now}
            return PageSeoConfig.model_validate(given | kept)

        return await self.pages.mutate(context.scope, page_key(body.surface, body.page_type), replace)

    async def list_pages(self, scope: Scope, surface: str | None) -> list[PageSeoConfig]:
        """The tenant's pages in this env, of one surface or all, in the order of their creation."""
        found = await self.pages.find(scope, {"surface": surface} if surface else None)
        return sorted((stored.record for stored in found), key=lambda page: (page.created_at, page.id))

    async def get_page(self, scope: Scope, surface: str, page_type: str) -> PageSeoConfig | None:
        """One page, or None."""
        stored = await self.pages.get(scope, page_key(surface, page_type))
        return stored.record if stored else None
