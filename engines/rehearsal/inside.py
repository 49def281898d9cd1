"""What only somebody inside the stack can do: memberships, which no route makes, and a look into the sink.

Opened like Bossman opens them. Against the address of another stack none of it is used: see ``is_home_of``.
"""

import hashlib
import json
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

import jwt
from pydantic import SecretStr

from engines.common.collection import Collection
from engines.common.documents import SYSTEM, ErasableStore
from engines.config.runtime_config import Settings, variable_names
from engines.identity.models import MEMBERSHIPS, TENANTS, Tenant, TenantMembership
from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import Envelope, SinkReads
from engines.rehearsal.receipt import Configuration
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client


@dataclass(frozen=True)
class Inside:
    """The stack's own store, sink and signing secret."""

    store: ErasableStore
    sink: SinkReads
    signing: SecretStr
    configuration: Configuration

    async def is_home_of(self, tenant_id: str) -> bool:
        """Whether the tenant that just signed up is here: then the walked address is this stack."""
        return await Collection(self.store, TENANTS, Tenant).get(SYSTEM, tenant_id) is not None

    async def keep(self, membership: TenantMembership) -> None:
        """Store a membership as an operator would, replacing what it was."""
        await Collection(self.store, MEMBERSHIPS, TenantMembership).put(SYSTEM, membership.id, membership)

    async def events(self, tenant_id: str, env: str) -> list[Envelope]:
        """What the sink holds of the tenant and env. Raises SinkError."""
        return [envelope async for envelope in self.sink.scan(tenant_id, env)]

    def expired(self, token: str) -> str:
        """The token with a past expiry, signed with the right key."""
        claims = jwt.decode(token, options={"verify_signature": False})
        past = {"exp": int(time.time()) - 60}
        return jwt.encode(claims | past, self.signing.get_secret_value(), algorithm="HS256")


async def open_inside(settings: Settings, stack: AsyncExitStack) -> Inside | None:
    """What the settings reach; None where users are kept in the memory of a process. ``stack`` closes it."""
    if settings.identity_backend != "firestore":
        return None
    client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
    stack.push_async_callback(close_client, client)
    sink = get_backend(settings, client)
    stack.push_async_callback(sink.close)
    store = FirestoreDocumentStore(client)
    return Inside(store, sink, settings.auth_jwt_signing, configuration_of(settings))


def configuration_of(settings: Settings) -> Configuration:
    """Names of the settings that are set, and a digest of the values that are no secrets."""
    names = variable_names()
    known = settings.model_dump(mode="python")
    plain = {name: value for name, value in known.items() if not isinstance(value, SecretStr)}
    text = json.dumps(plain, sort_keys=True)
    return Configuration(
        fingerprint=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
        names=sorted(names[name][0] for name in settings.model_fields_set),
    )
