"""The stored pages. One that lies under both of its ids is one page: what was changed last."""

from collections.abc import Mapping, Sequence

from engines.common.collection import Collection, Stored
from engines.common.documents import DocumentStore, Scalar, Scope, Span
from engines.seo.models import SEO_PAGES, PageSeoConfig


class Pages(Collection[PageSeoConfig]):
    """SEO pages by document id, and lists of them that hold each page once."""

    def __init__(self, store: DocumentStore) -> None:
        super().__init__(store, SEO_PAGES, PageSeoConfig)

    async def find(
        self,
        scope: Scope,
        where: Mapping[str, Scalar] | None = None,
        *,
        order_by: str | None = None,
        limit: int | None = None,
        span: Span | None = None,
    ) -> list[Stored[PageSeoConfig]]:
        """See Reads.find."""
        found = await super().find(scope, where, order_by=order_by, limit=limit, span=span)
        once = _each_once(found)
        if limit is None or len(once) == len(found):
            return once
        return (await self.find(scope, where, order_by=order_by, span=span))[:limit]


def _each_once(found: Sequence[Stored[PageSeoConfig]]) -> list[Stored[PageSeoConfig]]:
    newest: dict[tuple[str, str], Stored[PageSeoConfig]] = {}
    for stored in found:
        place = stored.record.surface, stored.record.page_type
        if place not in newest or stored.record.updated_at > newest[place].record.updated_at:
            newest[place] = stored
    return [stored for stored in found if newest[stored.record.surface, stored.record.page_type] is stored]
