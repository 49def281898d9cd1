"""What tests make: tokens of any role, dataset events, a pipeline, and a look at what is stored."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from engines.analytics.models import PageviewBody
from engines.analytics.service import analytics_event
from engines.common.documents import Address, Scope
from engines.common.identity import RequestContext, Role
from engines.dataset.events.schemas import DatasetEvent
from engines.identity.models import TenantMembership, User
from engines.logging.events import EventPipeline
from engines.nexus.backends.sink import (
    Envelope,
    FailureKind,
    FailureReason,
    SinkError,
    SinkMisconfigured,
    SinkPermanent,
    SinkReads,
    SinkRetryable,
)
from engines.nexus.delivery import Delivery
from engines.privacy.service import PrivacyService
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import QUICK, Login, MemoryKit, MovableClock
from tests.support.faults import FaultySink, FaultyStore

PERSON = "u_person"


def login_as(kit: MemoryKit, role: Role, tenant_id: str = "t_acme", user_id: str = PERSON) -> Login:
    """A login with ``role`` in ``tenant_id``, signed by the running app; no such user is stored."""
    user = User(id=user_id, email=f"{user_id}@example.com")
    membership = TenantMembership(tenant_id=tenant_id, user_id=user_id, role=role)
    return Login(user.email, tenant_id, user_id, kit.services.tokens.issue(user, [membership]))


def dataset_event(**values: Any) -> DatasetEvent:
    """A small clean event of tenant t_acme in dev, changed by ``values``."""
    defaults = {
        "tenantId": "t_acme",
        "env": "dev",
        "surface": "squared",
        "agentId": PERSON,
        "input": {},
        "output": {},
    }
    return DatasetEvent.model_validate(defaults | values)


def page_view(body: dict[str, Any], **values: Any) -> DatasetEvent:
    """The event of a page view as the route makes it, changed by ``values``."""
    context = RequestContext(request_id="r-1", tenant_id="t_acme", env="dev", user_id=PERSON)
    given = PageviewBody.model_validate({"surface": "squared"} | body)
    return analytics_event(context, "pageview", given).model_copy(update=values)


def earlier_page_view(body: dict[str, Any], **values: Any) -> DatasetEvent:
    """The same as releases made it whose input was a part of the body."""
    event = page_view(body, **values)
    part = {name: event.input[name] for name in ("page_type", "url", "referrer") if event.input[name]}
    return event.model_copy(update={"input": {"event_type": "pageview"} | part})


async def stored_events(sink: Any, tenant_id: str = "t_acme", env: str = "dev") -> list[Envelope]:
    """What the sink holds for the tenant and env, oldest first."""
    return [envelope async for envelope in sink.scan(tenant_id, env)]


async def all_records(
    sink: SinkReads, tenant_id: str, env: str | None = None, since: datetime | None = None
) -> list[Envelope]:
    """Every record, copies included, oldest first; each is an event and agrees with its place."""
    found = [item async for item in sink.records(tenant_id, env, since)]
    assert {item.mismatches for item in found} <= {()}
    fields = [item.fields or {} for item in found]
    events = [Envelope.model_validate(each | {"event": DatasetEvent.model_validate(each)}) for each in fields]
    return sorted(events, key=lambda item: item.ingested_at)


async def stored_fields(
    store: Any, address: Address, tenant_id: str = "t_acme", env: str = "dev"
) -> list[dict[str, Any]]:
    """The fields of every document that the store holds for the tenant and env."""
    return [document.fields for document in await store.scan(address, Scope(tenant_id, env))]


@dataclass
class PipelineKit:
    """An event pipeline over faulty in-memory parts, with a clock that tests move."""

    clock: MovableClock = field(default_factory=MovableClock)
    sink: FaultySink = field(default_factory=FaultySink)
    store: FaultyStore = field(init=False)
    privacy: PrivacyService = field(init=False)
    delivery: Delivery = field(init=False)
    pipeline: EventPipeline = field(init=False)

    def __post_init__(self) -> None:
        self.store = FaultyStore(MemoryDocumentStore(self.clock))
        self.privacy = PrivacyService(self.store)
        self.delivery = Delivery(self.sink, self.clock, limits=QUICK)
        self.pipeline = EventPipeline(self.privacy, self.delivery, self.clock)

    @staticmethod
    def fault(kind: FailureKind, reason: FailureReason = "error") -> SinkError:
        """A sink's failure of ``kind``."""
        classes = {"retryable": SinkRetryable, "permanent": SinkPermanent, "misconfigured": SinkMisconfigured}
        return classes[kind]("memory/events", f"{kind} failure", reason)

    async def only_event(self, tenant_id: str = "t_acme", env: str = "dev") -> Envelope:
        """The one event that the sink holds for the tenant and env."""
        [envelope] = await stored_events(self.sink, tenant_id, env)
        return envelope
