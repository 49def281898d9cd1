"""What one domain may ask of another before it writes, without knowing it."""

from typing import Protocol

from engines.common.identity import RequestContext


class LockGate(Protocol):
    """Strategy locks, as far as other domains need them."""

    async def require(self, context: RequestContext, action: str, surface: str | None) -> None:
        """Return when an approved lock allows ``action``. Raises Conflict (409), StoreError."""
        ...


class ProviderGate(Protocol):
    """The kill switch, as far as other domains need it."""

    async def require_provider(self, context: RequestContext, provider: str) -> None:
        """Return when the provider is not disabled. Raises Forbidden (403), StoreError."""
        ...
