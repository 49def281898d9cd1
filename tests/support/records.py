"""Records that tests make: tokens of any role, dataset events, and what a sink or store holds."""

from typing import Any

from engines.common.documents import Address, Scope
from engines.common.identity import Role
from engines.dataset.events.schemas import DatasetEvent
from engines.identity.models import TenantMembership, User
from engines.nexus.backends.sink import Envelope
from tests.support.app import Login, MemoryKit

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


async def stored_events(sink: Any, tenant_id: str = "t_acme", env: str = "dev") -> list[Envelope]:
    """What the sink holds for the tenant and env, oldest first."""
    return [envelope async for envelope in sink.scan(tenant_id, env)]


async def stored_fields(
    store: Any, address: Address, tenant_id: str = "t_acme", env: str = "dev"
) -> list[dict[str, Any]]:
    """The fields of every document that the store holds for the tenant and env."""
    return [document.fields for document in await store.scan(address, Scope(tenant_id, env))]
