"""What lies in the outbox: one queue for each tenant and env that waits, and its numbered entries.

A queue holds the entries ``head`` up to ``tail``. So its depth is a difference, its oldest entry is read by
its key, and no question costs more because much waits. A number without an entry is skipped.
"""

import hashlib
from datetime import datetime

from pydantic import BaseModel

from engines.common.documents import Address, Scope
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery.text import from_text

OUTBOX = Address("nexus_outbox")
QUEUES = Address("nexus_outbox_queues")

PREFIX = "q-"
"""How the keys of entries with a number begin; keys of the earlier layout begin with a year."""


class OutboxEntry(BaseModel):
    """One waiting event. ``batch`` names the batch in which it was tried on the sink, if it was."""

    key: str
    batch: str
    tried: bool
    tenant_id: str
    env: str
    waiting_since: datetime
    envelope: str

    @property
    def scope(self) -> Scope:
        """Owner of the event."""
        return Scope(self.tenant_id, self.env)

    def opened(self) -> Envelope:
        """The event itself."""
        return from_text(self.envelope)


class OutboxQueue(BaseModel):
    """The queue of one tenant and env. The first ``sending`` numbers were sent together and stay together."""

    key: str
    tenant_id: str
    env: str
    head: int = 0
    tail: int = 0
    sending: int = 0

    @property
    def scope(self) -> Scope:
        """Owner of the queue."""
        return Scope(self.tenant_id, self.env)

    @property
    def depth(self) -> int:
        """How many events wait."""
        return max(0, self.tail - self.head)

    def entry_key(self, number: int) -> str:
        """Key of the entry with this number; keys of a queue sort by number."""
        return f"{self.key}-{number:012}"


def new_queue(scope: Scope) -> OutboxQueue:
    """The queue of a scope for which nothing waits."""
    return OutboxQueue(key=queue_key(scope), tenant_id=scope.tenant_id, env=scope.env)


def queue_key(scope: Scope) -> str:
    """One key per tenant and env, which need not be fit for a document id."""
    identity = f"{scope.tenant_id}\0{scope.env}".encode()
    return f"{PREFIX}{hashlib.sha256(identity).hexdigest()[:32]}"


def number_of(key: str) -> int | None:
    """The number in an entry's key; None for a key of the earlier layout."""
    head, _, number = key.rpartition("-")
    return int(number) if head.startswith(PREFIX) and number.isdigit() else None
