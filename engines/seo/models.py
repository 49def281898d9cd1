"""The SEO configuration of one page type of a surface."""

import hashlib
from collections.abc import Iterable
from datetime import datetime
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import utc_now
from engines.common.documents import Address, Scope

SEO_PAGES = Address("seo_page_configs")


class PageSeo(BaseModel):
    """What a page says of itself to search engines."""

    surface: str
    page_type: str
    title: str
    description: str
    og_title: str | None = None
    og_description: str | None = None
    og_image_url: str | None = None
    canonical_url: str | None = None


class Owned(BaseModel):
    """Which record it is, and whose."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    tenant_id: str
    env: str


class PageSeoConfig(PageSeo, Owned):
    """The stored record. The fields of the last base come first."""

    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)

    def is_of(self, surface: str, page_type: str) -> bool:
        """Whether it is the record of that page: several pages can have one document id."""
        return (self.surface, self.page_type) == (surface, page_type)


class PageSeoBody(PageSeo):
    """A page to store; tenant and env must agree with the request's."""

    tenant_id: str
    env: str


def page_key(scope: Scope, surface: str, page_type: str) -> str:
    """Document id of a page, that of the existing engines; their parts may be read in several ways."""
    return f"{scope.tenant_id}_{scope.env}_{surface}_{page_type}"


def earlier_page_key(scope: Scope, surface: str, page_type: str) -> str:
    """Where this kit kept a page before. It still keeps one there whose ``page_key`` is no document id."""
    named = f"{len(surface)}:{surface}{page_type}".encode("utf-8", "surrogatepass")
    return f"{scope.tenant_id}__{scope.env}__{hashlib.sha256(named).hexdigest()}"


def newest_version(versions: Iterable[PageSeoConfig | None]) -> PageSeoConfig | None:
    """What was changed last of one page's records; the first of equals, None when there are none."""
    return max((page for page in versions if page), key=lambda page: page.updated_at, default=None)
