"""The onboarding overview as an operator reads it."""

from typing import Any

from tests.support.app import SYSTEM_KEY, MemoryKit

PATH = "/bossman/onboarding"
KEY = {"X-System-Key": SYSTEM_KEY}


async def listed(kit: MemoryKit, **query: Any) -> dict[str, Any]:
    await kit.services.milestones.flush()
    await kit.services.arrivals.flush()
    answer = await kit.client.get(PATH, params=query, headers=KEY)
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


async def row(kit: MemoryKit, tenant_id: str, env: str = "dev") -> dict[str, Any]:
    [found] = (await listed(kit, search=tenant_id, env=env))["tenants"]
    assert isinstance(found, dict)
    return found
