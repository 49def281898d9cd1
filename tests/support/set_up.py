"""A tenant with something in every section of its dashboard, set up over HTTP."""

from typing import Any

from tests.support.app import Login, MemoryKit


async def ok(kit: MemoryKit, who: Login, method: str, path: str, body: Any = None) -> Any:
    answer = await kit.client.request(method, path, json=body, headers=who.headers())
    assert answer.status_code == 200, answer.text
    return answer.json()


async def set_up(kit: MemoryKit, who: Login) -> None:
    """Walk a tenant through its whole set-up."""
    own = {"tenant_id": who.tenant_id, "env": "dev"}
    surface = own | {"surface": "squared"}
    lock = await ok(
        kit,
        who,
        "POST",
        "/strategy-locks",
        {"scope": "other", "title": "all", "allowed_actions": ["*"], "surface": "squared"},
    )
    await ok(kit, who, "POST", f"/strategy-locks/{lock['id']}/approve")
    await ok(kit, who, "PUT", "/temperature/floors", surface | {"performance_floors": {"clicks": 5}})
    await ok(kit, who, "PUT", "/temperature/ceilings", surface | {"ceilings": {"spend": 10}})
    await ok(kit, who, "PUT", "/temperature/weights", surface | {"weights": {"clicks": 2}})
    await ok(kit, who, "POST", "/kpi/definitions", surface | {"name": "orders"})
    await ok(kit, who, "PUT", "/kpi/corridors", surface | {"kpi_name": "orders", "floor": 1})
    usage = surface | {"provider": "openai", "cost": "0.10", "metadata": {"clicks": 7}}
    await ok(kit, who, "POST", "/budget/usage", [usage, usage | {"cost": "0.20", "provider": "aws"}])
    await ok(kit, who, "GET", "/temperature/current?surface=squared")
    licence = own | {"subject_type": "agent", "subject_id": "a", "level": "high"}
    await ok(kit, who, "POST", "/firearms/licences", licence)
    await ok(kit, who, "PUT", "/kill-switches", {"disable_providers": ["Azure"]})
    config = surface | {"ga4_measurement_id": "G-1"}
    await ok(kit, who, "PUT", f"/tenants/{who.tenant_id}/analytics/config", config)
    page = {"surface": "other", "page_type": "home", "title": "t", "description": "d"}
    await ok(kit, who, "PUT", "/seo/pages", own | page)
    await ok(kit, who, "POST", "/privacy/train-prefs/tenant", {"opt_out": True})
