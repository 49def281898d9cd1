"""The reading half of reconciliation: all that a dashboard gets to hold."""

from collections.abc import Hashable
from typing import Protocol

from engines.common.documents import Scope
from engines.reconciliation.models import MissingTotal, Reconciliation

NOT_YET = "nothing was compared yet"
"""Why it is not known what is missing, right after a process began."""


class ReconciliationReads(Protocol):
    """Reads results; cannot write."""

    def changes(self, scope: Scope) -> Hashable:
        """Another value as soon as this process has another result."""
        ...

    async def result(self, scope: Scope) -> Reconciliation | None:
        """The newest result; None when there is none yet. Asking keeps it fresh. Raises StoreError."""
        ...

    async def missing(self) -> MissingTotal:
        """Events missing of all tenants and envs together. Raises StoreError."""
        ...
