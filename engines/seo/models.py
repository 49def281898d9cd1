"""The SEO configuration of one page type of a surface."""

import hashlib
from datetime import datetime
from uuid import uuid4

from pydantic import BaseModel, Field

from engines.common.clock import utc_now
from engines.common.documents import Address

SEO_PAGES = Address("seo_page_configs", "{tenant}__{env}__{key}")


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


class PageSeoConfig(PageSeo):
    """The stored record."""

    id: str = Field(default_factory=lambda: uuid4().hex)
    tenant_id: str
    env: str
    created_at: datetime = Field(default_factory=utc_now)
    updated_at: datetime = Field(default_factory=utc_now)


class PageSeoBody(PageSeo):
    """A page to store; tenant and env must agree with the request's."""

    tenant_id: str | None = None
    env: str | None = None


def page_key(surface: str, page_type: str) -> str:
    """Key of a page: a hash, since both parts are free text."""
    return hashlib.sha256(f"{len(surface)}:{surface}{page_type}".encode("utf-8", "surrogatepass")).hexdigest()
