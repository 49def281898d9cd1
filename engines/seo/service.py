"""Storing and reading SEO page configurations."""

import asyncio

from engines.common.clock import Clock, utc_now
from engines.common.documents import DocumentStore, KeyTaken, Scope, is_document_id
from engines.common.gates import LockGate
from engines.common.identity import RequestContext
from engines.seo.models import PageSeoBody, PageSeoConfig, earlier_page_key, newest_version, page_key
from engines.seo.pages import Pages

UPDATE_ACTION = "seo_page_config_update"


class SeoService:
    """Operations on SEO pages. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, lock_gate: LockGate, clock: Clock = utc_now) -> None:
        self.pages = Pages(store)
        self._lock_gate = lock_gate
        self._clock = clock

    async def upsert(self, context: RequestContext, body: PageSeoBody) -> PageSeoConfig:
        """Store one page under its id of the existing engines; id and creation time of a present one stay.

        A page under its earlier id moves, in the same atomic step. Raises Conflict without a lock, KeyTaken
        when the document id is another page's or another tenant's.
        """
        await self._lock_gate.require(context, UPDATE_ACTION, body.surface)
        scope, now = context.scope, self._clock()
        given = body.model_dump() | {"tenant_id": scope.tenant_id, "env": scope.env, "updated_at": now}

        def replace(present: PageSeoConfig | None, earlier: PageSeoConfig | None = None) -> PageSeoConfig:
            if present and not present.is_of(body.surface, body.page_type):
                raise KeyTaken("the id of the page is that of another one")
            page = newest_version([present, earlier])
            kept = {"id": page.id, "created_at": page.created_at} if page else {"created_at": now}
            return PageSeoConfig.model_validate(given | kept)

        key, earlier_key = _keys(scope, body.surface, body.page_type)
        if not is_document_id(key):
            return await self.pages.mutate(scope, earlier_key, replace)
        return await self.pages.move(scope, earlier_key, key, replace)

    async def list_pages(self, scope: Scope, surface: str | None) -> list[PageSeoConfig]:
        """The tenant's pages in this env, of one surface or all, in the order of their creation."""
        found = await self.pages.find(scope, {"surface": surface} if surface else None)
        return sorted((stored.record for stored in found), key=lambda page: (page.created_at, page.id))

    async def get_page(self, scope: Scope, surface: str, page_type: str) -> PageSeoConfig | None:
        """One page, or None."""
        keys = _keys(scope, surface, page_type)
        found = await asyncio.gather(*(self.pages.get(scope, key) for key in keys))
        pages = [stored.record for stored in found if stored]
        return newest_version(page for page in pages if page.is_of(surface, page_type))


def _keys(scope: Scope, surface: str, page_type: str) -> tuple[str, str]:
    return page_key(scope, surface, page_type), earlier_page_key(scope, surface, page_type)
