"""Analytics events over HTTP: what is stored, under which id, and for whom."""

from typing import Any

import httpx
import pytest

from engines.analytics.models import ANALYTICS_EVENTS
from tests.support.app import Login, MemoryKit
from tests.support.records import stored_events, stored_fields

BOTH = pytest.mark.parametrize(
    ("path", "event_type"), [("pageview", "pageview"), ("cta-click", "cta_click")], ids=["pageview", "cta"]
)
EVENT_TEXT = (
    "utm_source",
    "utm_medium",
    "utm_campaign",
    "utm_term",
    "utm_content",
    "seo_slug",
    "seo_title",
    "seo_description",
)
FULL: dict[str, Any] = {
    "surface": "squared",
    "page_type": "landing",
    "url": "https://shop.invalid/",
    "referrer": "https://search.invalid/",
    "metadata": {"experiment": "b", "depth": 3, "nested": {"list": [1]}},
} | {name: f"value of {name}" for name in EVENT_TEXT}
KEYS = (
    *("surface", "page_type", "url", "referrer"),
    *EVENT_TEXT,
    "metadata",
)
CLICK: dict[str, Any] = {"cta_id": "buy", "label": "Buy now"}


def input_of(path: str, body: dict[str, Any]) -> dict[str, Any]:
    """The whole body as an event has it: every field, in order, null where nothing was given."""
    keys = [*KEYS, *CLICK] if path == "cta-click" else KEYS
    return {name: body.get(name, {} if name == "metadata" else None) for name in keys}


async def post(
    kit: MemoryKit, who: Login, path: str, body: dict[str, Any], env: str = "dev", **headers: str
) -> httpx.Response:
    return await kit.client.post(f"/analytics/events/{path}", json=body, headers=who.headers(env, **headers))


@BOTH
async def test_the_answer_says_accepted_with_flags_and_id(
    kit: MemoryKit, acme: Login, path: str, event_type: str
) -> None:
    body = FULL | {"metadata": {"mail": "a@b.co"}}
    answer = await post(kit, acme, path, body)
    [stored] = await stored_events(kit.sink, acme.tenant_id)
    assert answer.status_code == 200
    assert answer.json() == {
        "status": "accepted",
        "tenantId": acme.tenant_id,
        "pii_flags": ["email"],
        "event_id": stored.event_id,
        "durable_in": "sink",
    }
    assert stored.event.train_ok is False


@BOTH
async def test_the_event_is_stored_field_by_field(
    kit: MemoryKit, acme: Login, path: str, event_type: str
) -> None:
    body = FULL | (CLICK if path == "cta-click" else {})
    await post(kit, acme, path, body, "Stage", **{"X-Request-Id": "r-1"})
    [stored] = await stored_events(kit.sink, acme.tenant_id, "staging")
    assert stored.ingested_at == kit.clock.now
    assert list(stored.event.input.items()) == list(input_of(path, body).items())
    assert stored.event.model_dump(exclude_none=True) == {name: FULL[name] for name in EVENT_TEXT} | {
        "tenantId": acme.tenant_id,
        "env": "staging",
        "surface": "squared",
        "agentId": acme.user_id,
        "input": body,
        "output": {},
        "pii_flags": {"flags": [], "policy_reason": "no_pii_detected"},
        "train_ok": True,
        "metadata": FULL["metadata"],
        "analytics_event_type": event_type,
        "analytics_platform": "internal",
        "traceId": "r-1",
        "requestId": "r-1",
        "actorType": "human",
    }


@BOTH
async def test_the_raw_record_shares_the_events_id_and_carries_no_verdict(
    kit: MemoryKit, acme: Login, path: str, event_type: str
) -> None:
    body = FULL | {"metadata": {"mail": "a@b.co"}}
    answer = await post(kit, acme, path, body)
    assert await stored_fields(kit.store, ANALYTICS_EVENTS, acme.tenant_id) == [
        {
            "id": answer.json()["event_id"],
            "tenant_id": acme.tenant_id,
            "env": "dev",
            "event_type": event_type,
            "payload": {"input": input_of(path, body), "metadata": {"mail": "a@b.co"}},
            "created_at": kit.clock.now,
        }
    ]


@BOTH
async def test_a_surface_alone_is_enough(kit: MemoryKit, acme: Login, path: str, event_type: str) -> None:
    assert (await post(kit, acme, path, {"surface": "s"})).status_code == 200
    [stored] = await stored_events(kit.sink, acme.tenant_id)
    assert (stored.event.input, stored.event.metadata) == (input_of(path, {"surface": "s"}), {})


@BOTH
async def test_a_missing_request_id_is_generated_and_shared(
    kit: MemoryKit, acme: Login, path: str, event_type: str
) -> None:
    await post(kit, acme, path, {"surface": "s"})
    await post(kit, acme, path, {"surface": "s"})
    events = [stored.event for stored in await stored_events(kit.sink, acme.tenant_id)]
    assert all(event.requestId == event.traceId for event in events)
    assert {len(event.requestId or "") for event in events} == {32}
    assert len({event.requestId for event in events}) == 2


@BOTH
async def test_unknown_fields_are_ignored(kit: MemoryKit, acme: Login, path: str, event_type: str) -> None:
    spoof = {"surface": "s", "unknown": 1, "train_ok": True, "agentId": "x", "event_id": "e-1", "id": "e-1"}
    spoof |= {"event_type": event_type}
    answer = await post(kit, acme, path, spoof)
    [stored] = await stored_events(kit.sink, acme.tenant_id)
    assert answer.status_code == 200
    assert stored.event_id != "e-1"
    assert stored.event.agentId == acme.user_id
    assert stored.event.input == input_of(path, {"surface": "s"})


async def test_a_pageview_has_no_click_fields(kit: MemoryKit, acme: Login) -> None:
    await post(kit, acme, "pageview", {"surface": "s", "cta_id": "buy", "label": "Buy"})
    [stored] = await stored_events(kit.sink, acme.tenant_id)
    assert stored.event.input == input_of("pageview", {"surface": "s"})


@BOTH
@pytest.mark.parametrize(
    "body",
    [{}, {"surface": None}, {"surface": 7}, {"surface": "s", "metadata": None}, {"surface": "s", "url": 7}],
    ids=str,
)
async def test_a_body_of_another_shape_is_422_and_stores_nothing(
    kit: MemoryKit, acme: Login, path: str, event_type: str, body: dict[str, Any]
) -> None:
    assert (await post(kit, acme, path, body)).status_code == 422
    assert await stored_events(kit.sink, acme.tenant_id) == []
    assert await stored_fields(kit.store, ANALYTICS_EVENTS, acme.tenant_id) == []


@BOTH
@pytest.mark.parametrize(
    "scope",
    [{"tenant_id": "t_other"}, {"env": "prod"}, {"env": "qa"}, {"tenant_id": 7, "env": ["prod"]}],
    ids=str,
)
async def test_a_bodys_tenant_and_env_are_unknown_fields_when_the_header_names_the_tenant(
    kit: MemoryKit, acme: Login, path: str, event_type: str, scope: dict[str, Any]
) -> None:
    assert (await post(kit, acme, path, {"surface": "s"} | scope)).status_code == 200
    [stored] = await stored_events(kit.sink, acme.tenant_id)
    assert stored.event.input == input_of(path, {"surface": "s"})
    assert await stored_events(kit.sink, "t_other") == []
    assert await stored_events(kit.sink, acme.tenant_id, "prod") == []


@BOTH
async def test_without_headers_the_body_names_tenant_and_env(
    kit: MemoryKit, acme: Login, globex: Login, path: str, event_type: str
) -> None:
    body = {"surface": "s", "tenant_id": acme.tenant_id, "env": "Stage"}
    for who, status in ((acme, 200), (globex, 403)):
        bearer = {"Authorization": f"Bearer {who.token}"}
        answer = await kit.client.post(f"/analytics/events/{path}", json=body, headers=bearer)
        assert answer.status_code == status
    [stored] = await stored_events(kit.sink, acme.tenant_id, "staging")
    assert stored.event.input == input_of(path, {"surface": "s"})


async def test_tenants_and_envs_are_apart(kit: MemoryKit, acme: Login, globex: Login) -> None:
    for who, env in ((acme, "dev"), (acme, "prod"), (globex, "dev")):
        await post(kit, who, "pageview", {"surface": f"{who.email} {env}"}, env)
    found = {}
    for who in (acme, globex):
        for env in ("dev", "staging", "prod"):
            surfaces = [stored.event.surface for stored in await stored_events(kit.sink, who.tenant_id, env)]
            raw = await stored_fields(kit.store, ANALYTICS_EVENTS, who.tenant_id, env)
            assert len(raw) == len(surfaces)
            found[f"{who.email} {env}"] = surfaces
    assert found == {
        "acme@example.com dev": ["acme@example.com dev"],
        "acme@example.com staging": [],
        "acme@example.com prod": ["acme@example.com prod"],
        "globex@example.com dev": ["globex@example.com dev"],
        "globex@example.com staging": [],
        "globex@example.com prod": [],
    }


async def test_gap_the_same_pageview_twice_is_two_events(kit: MemoryKit, acme: Login) -> None:
    for _ in range(2):
        await post(kit, acme, "pageview", {"surface": "s"}, **{"X-Request-Id": "r-1"})
    assert len(await stored_events(kit.sink, acme.tenant_id)) == 2
