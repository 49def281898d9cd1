"""The tenant dashboard over HTTP, on in-memory adapters."""

from tests.support.app import Login, MemoryKit

KEYS = [
    "tenant_id",
    "env",
    "surface",
    "analytics",
    "event_sink",
    "training_prefs",
    "generated_at",
    "freshness",
    "health",
]


async def test_keys_stand_in_the_contracts_order(kit: MemoryKit, acme: Login) -> None:
    answer = await kit.client.get("/bossman/tenant-dashboard", headers=acme.headers())
    assert answer.status_code == 200
    assert list(answer.json()) == KEYS
