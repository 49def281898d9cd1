"""SEO pages on any store: those of the existing engines, those under the kit's earlier id, and both.

A test file of a store subclasses it and provides the fixture ``store``.
"""

import asyncio
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from engines.common.documents import Address, DocumentStore, Fields, KeyTaken, Scope, Write
from engines.common.identity import RequestContext
from engines.seo.models import PageSeoBody, PageSeoConfig
from engines.seo.service import SeoService

COLLECTION = Address("seo_page_configs")
BEFORE = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class OpenGate:
    async def require(self, context: RequestContext, action: str, surface: str | None) -> None:
        """Every action is allowed."""


@pytest.fixture
def scope() -> Scope:
    """A tenant of its own for each test."""
    return Scope(f"t_{uuid4().hex}", "dev")


@pytest.fixture
def seo(store: DocumentStore) -> SeoService:
    return SeoService(store, OpenGate())


def earlier_id(scope: Scope, surface: str, page_type: str) -> str:
    """The kit's id before, spelt out: it must not change with the code."""
    named = f"{len(surface)}:{surface}{page_type}".encode()
    return f"{scope.tenant_id}__{scope.env}__{hashlib.sha256(named).hexdigest()}"


def record(surface: str, page_type: str, **fields: Any) -> Fields:
    """A stored page, as the existing engines write it."""
    optional = dict.fromkeys(("og_title", "og_description", "og_image_url", "canonical_url"))
    texts = {"surface": surface, "page_type": page_type, "title": "before", "description": "d"}
    return {"id": "their-id"} | texts | optional | {"created_at": BEFORE, "updated_at": BEFORE} | fields


async def plant(store: DocumentStore, scope: Scope, document_id: str, fields: Fields) -> None:
    await store.put(Write(COLLECTION, scope, document_id, fields))


async def store_page(
    seo: SeoService, scope: Scope, surface: str = "squared", page_type: str = "home", title: str = "now"
) -> PageSeoConfig:
    own = {"tenant_id": scope.tenant_id, "env": scope.env, "title": title, "description": "d"}
    body = PageSeoBody.model_validate(own | {"surface": surface, "page_type": page_type})
    return await seo.upsert(RequestContext(tenant_id=scope.tenant_id, env=scope.env), body)


async def documents(store: DocumentStore, scope: Scope) -> list[str]:
    """The title of each document of the tenant, also of those that lists leave out."""
    return [document.fields["title"] for document in await store.scan(COLLECTION, scope)]


class SeoPagesContract:
    """What SEO pages do on every store."""

    async def test_a_new_page_lies_where_the_existing_engines_look(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        page = await store_page(seo, scope)
        document = await store.get(COLLECTION, scope, f"{scope.tenant_id}_dev_squared_home")
        assert document is not None
        assert document.fields == page.model_dump()
        assert await documents(store, scope) == ["now"]

    async def test_a_page_of_the_existing_engines_is_read_and_replaced(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        theirs = record("squared", "home", something_new=7)
        await plant(store, scope, f"{scope.tenant_id}_dev_squared_home", theirs)
        found = await seo.get_page(scope, "squared", "home")
        assert found is not None
        assert (found.id, found.title, found.created_at) == ("their-id", "before", BEFORE)
        assert await seo.list_pages(scope, "squared") == [found]
        page = await store_page(seo, scope)
        assert (page.id, page.created_at, page.title) == ("their-id", BEFORE, "now")
        assert await documents(store, scope) == ["now"]

    async def test_a_page_under_the_earlier_id_is_read_and_moves_with_its_next_write(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        await plant(store, scope, earlier_id(scope, "squared", "home"), record("squared", "home"))
        found = await seo.get_page(scope, "squared", "home")
        assert found is not None
        assert await seo.list_pages(scope, None) == [found]
        page = await store_page(seo, scope)
        assert (page.id, page.created_at, page.title) == ("their-id", BEFORE, "now")
        assert await documents(store, scope) == ["now"]
        assert await store.get(COLLECTION, scope, earlier_id(scope, "squared", "home")) is None
        assert await store.get(COLLECTION, scope, f"{scope.tenant_id}_dev_squared_home") is not None

    @pytest.mark.parametrize("newer", ["theirs", "earlier"])
    async def test_a_page_that_lies_twice_is_one_and_the_last_change_counts(
        self, store: DocumentStore, seo: SeoService, scope: Scope, newer: str
    ) -> None:
        for name, document_id in (
            ("theirs", f"{scope.tenant_id}_dev_squared_home"),
            ("earlier", earlier_id(scope, "squared", "home")),
        ):
            changed = BEFORE + timedelta(hours=name == newer)
            fields = record("squared", "home", id=name, title=name, updated_at=changed)
            await plant(store, scope, document_id, fields)
        found = await seo.get_page(scope, "squared", "home")
        assert found is not None
        assert found.title == newer
        assert await seo.list_pages(scope, "squared") == [found]
        shown = await seo.pages.find(scope, order_by="-created_at", limit=2)
        assert [stored.record for stored in shown] == [found]
        page = await store_page(seo, scope)
        assert (page.id, page.title) == (newer, "now")
        assert await documents(store, scope) == ["now"]

    async def test_a_bounded_list_is_full_although_pages_lie_twice(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        for name in ("a", "b", "c"):
            await plant(store, scope, earlier_id(scope, "s", name), record("s", name, title=name))
            await plant(store, scope, f"{scope.tenant_id}_dev_s_{name}", record("s", name, title=name))
        found = await seo.pages.find(scope, order_by="-created_at", limit=2)
        assert len({stored.record.page_type for stored in found}) == 2

    async def test_writers_at_once_leave_one_page_with_its_id(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        await plant(store, scope, earlier_id(scope, "squared", "home"), record("squared", "home"))
        titles = [f"writer {number}" for number in range(5)]
        pages = await asyncio.gather(*(store_page(seo, scope, title=title) for title in titles))
        assert {page.id for page in pages} == {"their-id"}
        [left] = await documents(store, scope)
        assert left in titles

    async def test_a_writer_that_ends_midway_neither_loses_nor_doubles_a_page(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        for number in range(12):
            page_type = f"p{number}"
            await plant(store, scope, earlier_id(scope, "s", page_type), record("s", page_type))
            writer = asyncio.create_task(store_page(seo, scope, "s", page_type))
            await asyncio.sleep(0.001 * number)
            writer.cancel()
            await asyncio.gather(writer, return_exceptions=True)
            assert len(await documents(store, scope)) == number + 1
        assert {page.id for page in await seo.list_pages(scope, None)} == {"their-id"}

    async def test_an_earlier_page_whose_id_is_taken_stays_where_it_is(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        other = Scope(f"{scope.tenant_id}_dev", "dev")
        theirs = await store_page(seo, other)
        await plant(store, scope, earlier_id(scope, "dev_squared", "home"), record("dev_squared", "home"))
        with pytest.raises(KeyTaken):
            await store_page(seo, scope, "dev_squared")
        assert await seo.list_pages(other, None) == [theirs]
        kept = await seo.get_page(scope, "dev_squared", "home")
        assert kept is not None
        assert (kept.id, kept.title) == ("their-id", "before")
        assert await documents(store, scope) == ["before"]

    async def test_of_two_earlier_pages_with_one_id_now_the_second_stays(
        self, store: DocumentStore, seo: SeoService, scope: Scope
    ) -> None:
        for surface, page_type in (("a_b", "c"), ("a", "b_c")):
            fields = record(surface, page_type, id=surface)
            await plant(store, scope, earlier_id(scope, surface, page_type), fields)
        await store_page(seo, scope, "a_b", "c")
        with pytest.raises(KeyTaken):
            await store_page(seo, scope, "a", "b_c")
        assert {page.id: page.title for page in await seo.list_pages(scope, None)} == {
            "a_b": "now",
            "a": "before",
        }
