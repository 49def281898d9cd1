"""POST and GET /budget/usage: what is recorded, refused and listed."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from engines.budget.models import DAYS, USAGE_EVENTS
from engines.common.documents import StoreUnavailable
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import login_as, stored_fields

PATH = "/budget/usage"
SCOPE = {"tenant_id": "t_acme", "env": "dev"}
ONE: dict[str, Any] = SCOPE | {"provider": "vertex"}
FULL: dict[str, Any] = {
    "id": "own-id",
    **SCOPE,
    "surface": "squared",
    "tool_type": "chat",
    "tool_id": "c_1",
    "provider": "Vertex",
    "model_or_plan_id": "m",
    "tokens_input": -1,
    "tokens_output": 2,
    "cost": "-0.10",
    "currency": "EUR",
    "metadata": {"clicks": 1, "deep": {"list": [1, "a", None, True]}},
    "created_at": "2026-01-15T11:00:00Z",
}


@pytest.fixture
def viewer(kit: MemoryKit) -> Login:
    return login_as(kit, "viewer")


async def post(kit: MemoryKit, who: Login, body: Any, env: str = "dev") -> httpx.Response:
    # Escaped by json.dumps: text that is no Unicode has no other way over the wire.
    headers = who.headers(env) | {"Content-Type": "application/json"}
    return await kit.client.post(PATH, content=json.dumps(body), headers=headers)


async def get(kit: MemoryKit, who: Login, env: str = "dev", **query: Any) -> httpx.Response:
    return await kit.client.get(PATH, params=query, headers=who.headers(env))


async def listed(kit: MemoryKit, who: Login, name: str = "id", **query: Any) -> list[Any]:
    return [item[name] for item in (await get(kit, who, **query)).raise_for_status().json()["items"]]


async def nothing_is_stored(kit: MemoryKit) -> bool:
    return not await stored_fields(kit.store, USAGE_EVENTS) and not await stored_fields(kit.store, DAYS)


async def test_an_event_comes_back_as_sent_its_cost_as_text(kit: MemoryKit, viewer: Login) -> None:
    answer = await post(kit, viewer, FULL)
    assert answer.json() == {"items": [FULL]}
    assert list(answer.json()["items"][0]) == list(FULL)
    assert (await get(kit, viewer)).json() == {"items": [FULL]}


async def test_an_event_has_the_contracts_defaults(kit: MemoryKit, viewer: Login) -> None:
    [event] = (await post(kit, viewer, ONE)).json()["items"]
    assert len(event.pop("id")) == 32
    assert event == ONE | {
        **dict.fromkeys(["surface", "tool_type", "tool_id", "model_or_plan_id"]),
        "tokens_input": 0,
        "tokens_output": 0,
        "cost": "0",
        "currency": "USD",
        "metadata": {},
        "created_at": "2026-01-15T12:00:00Z",
    }


async def test_the_document_is_named_by_its_id_and_holds_the_cost_as_text(
    kit: MemoryKit, viewer: Login
) -> None:
    await post(kit, viewer, FULL)
    assert USAGE_EVENTS.name == "budget_usage/{tenant}_{env}/events"
    [fields] = await stored_fields(kit.store, USAGE_EVENTS)
    assert fields["cost"] == "-0.10"
    assert fields["created_at"].isoformat() == "2026-01-15T11:00:00+00:00"


async def test_times_are_kept_in_utc(kit: MemoryKit, viewer: Login) -> None:
    await post(kit, viewer, ONE | {"created_at": "2026-01-15T13:00:00+02:00"})
    assert await listed(kit, viewer, "created_at") == ["2026-01-15T11:00:00Z"]


@pytest.mark.parametrize(
    "bad",
    [
        {"created_at": "2026-01-15T11:00:00"},
        {"created_at": "0001-01-01T00:00:00+14:00"},
        {"created_at": "9999-12-31T23:59:59-14:00"},
        {"cost": "NaN"},
        {"cost": "1e-28"},
        {"cost": "1e13"},
        {"provider": None},
        {"provider": "\ud800"},
        {"surface": "\ud800"},
        {"metadata": {"a": "\ud800"}},
        {"metadata": {"__x__": 1}},
        {"metadata": {"a": [[1]]}},
        {"metadata": {"a": 2**63}},
        {"metadata": []},
        {"tokens_input": 2**63},
        {"tokens_output": 1.5},
        {"id": "a/b"},
        {"id": "__x__"},
    ],
    ids=str,
)
async def test_one_bad_item_is_422_and_nothing_of_the_request_is_stored(
    kit: MemoryKit, viewer: Login, bad: dict[str, Any]
) -> None:
    assert (await post(kit, viewer, [ONE, ONE | bad])).status_code == 422
    assert await nothing_is_stored(kit)


@pytest.mark.parametrize("field", ['"cost": NaN', '"cost": 1e999', '"metadata": {"a": [-Infinity]}'])
async def test_numbers_that_json_does_not_know_are_422(kit: MemoryKit, viewer: Login, field: str) -> None:
    text = f'{{"tenant_id": "t_acme", "env": "dev", "provider": "p", {field}}}'
    assert (await post(kit, viewer, json.loads(text))).status_code == 422
    assert await nothing_is_stored(kit)


@pytest.mark.parametrize("body", [None, "text", 7, [[ONE]], [7]])
async def test_a_body_that_is_neither_an_event_nor_a_list_of_them_is_422(
    kit: MemoryKit, viewer: Login, body: Any
) -> None:
    assert (await post(kit, viewer, body)).status_code == 422


async def test_500_items_are_recorded_in_their_order_and_501_not_at_all(
    kit: MemoryKit, viewer: Login
) -> None:
    assert (await post(kit, viewer, [ONE] * 501)).status_code == 422
    assert await nothing_is_stored(kit)
    items = [ONE | {"tool_id": str(number), "surface": f"s{number}"} for number in range(500)]
    assert len((await post(kit, viewer, items)).json()["items"]) == 500
    assert await listed(kit, viewer, "tool_id", limit=500) == [str(number) for number in range(500)]


async def test_an_empty_list_records_nothing(kit: MemoryKit, viewer: Login) -> None:
    assert (await post(kit, viewer, [])).json() == {"items": []}


@pytest.mark.parametrize("items", [[FULL], [FULL, FULL], [ONE, FULL]], ids=["used", "twice", "mixed"])
async def test_an_id_in_use_is_409_and_counted_once(
    kit: MemoryKit, viewer: Login, items: list[dict[str, Any]]
) -> None:
    if items != [FULL, FULL]:
        await post(kit, viewer, FULL)
    before = await stored_fields(kit.store, DAYS)
    assert (await post(kit, viewer, items)).status_code == 409
    assert await stored_fields(kit.store, DAYS) == before
    assert await listed(kit, viewer) == (["own-id"] if before else [])


async def test_one_id_in_two_tenants_and_envs_is_three_events(kit: MemoryKit, viewer: Login) -> None:
    other = login_as(kit, "owner", "t_globex")
    assert (await post(kit, viewer, FULL)).status_code == 200
    assert (await post(kit, viewer, FULL | {"env": "stage"}, "staging")).status_code == 200
    assert (await post(kit, other, FULL | {"tenant_id": "t_globex"})).status_code == 200
    assert await listed(kit, viewer) == ["own-id"]
    assert await listed(kit, viewer, env="staging") == ["own-id"]


@pytest.mark.parametrize(
    ("item", "detail"),
    [
        ({"tenant_id": "t_globex"}, "tenant_id mismatch with request context"),
        ({"env": "prod"}, "env mismatch with request context"),
        ({"env": "qa"}, "env mismatch with request context"),
    ],
)
async def test_an_item_of_another_scope_is_400_and_nothing_is_stored(
    kit: MemoryKit, viewer: Login, item: dict[str, str], detail: str
) -> None:
    answer = await post(kit, viewer, [ONE, ONE | item])
    assert (answer.status_code, answer.json()) == (400, {"detail": detail})
    assert await nothing_is_stored(kit)


async def test_a_disabled_provider_is_403_as_sent_and_earlier_items_are_not_kept(
    kit: MemoryKit, viewer: Login
) -> None:
    owner = login_as(kit, "owner")
    lock = await kit.client.post(
        "/strategy-locks",
        json={"scope": "other", "title": "t", "allowed_actions": ["*"]},
        headers=owner.headers(),
    )
    await kit.client.post(f"/strategy-locks/{lock.json()['id']}/approve", headers=owner.headers())
    switch = {"disable_providers": ["Vertex"]}
    await kit.client.put("/kill-switches", json=switch, headers=owner.headers())
    answer = await post(kit, viewer, [ONE | {"provider": "openai"}, ONE | {"provider": "VERTEX"}])
    refusal = {"error": "kill_switch_blocked", "provider": "VERTEX"}
    assert (answer.status_code, answer.json()) == (403, {"detail": refusal})
    assert await nothing_is_stored(kit)


async def test_an_outage_stores_nothing_and_is_503() -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults[f"put_all {DAYS.name}"] = StoreUnavailable("memory: away")
        assert (await post(kit, login_as(kit, "viewer"), [ONE, ONE])).status_code == 503
        assert await nothing_is_stored(kit)


@pytest.mark.parametrize("name", ["surface", "provider", "model_or_plan_id", "tool_type"])
async def test_filters_are_exact(kit: MemoryKit, viewer: Login, name: str) -> None:
    await post(kit, viewer, [ONE | {"id": text or "empty", name: text} for text in ("a", "A", "")] + [ONE])
    assert await listed(kit, viewer, **{name: "a"}) == ["a"]
    assert await listed(kit, viewer, **{name: ""}) == ["empty"]
    assert len(await listed(kit, viewer)) == 4


async def test_the_list_is_ordered_by_time_then_id_and_cut_by_offset_then_limit(
    kit: MemoryKit, viewer: Login
) -> None:
    for name, minutes in (("c", 1), ("b", 3), ("a", 1), ("d", 0)):
        moment = kit.clock.now - timedelta(minutes=minutes)
        await post(kit, viewer, ONE | {"id": name, "created_at": moment.isoformat()})
    assert await listed(kit, viewer) == ["b", "a", "c", "d"]
    assert await listed(kit, viewer, offset=1, limit=2) == ["a", "c"]
    assert await listed(kit, viewer, offset=4) == []
    assert await listed(kit, viewer, offset=10**30) == []


async def test_the_window_includes_both_ends_and_never_the_future(kit: MemoryKit, viewer: Login) -> None:
    tick = timedelta(microseconds=1)
    start = kit.clock.now - timedelta(days=7)
    moments = {"early": start - tick, "start": start, "now": kit.clock.now, "late": kit.clock.now + tick}
    items = [ONE | {"id": name, "created_at": moment.isoformat()} for name, moment in moments.items()]
    await post(kit, viewer, items)
    assert await listed(kit, viewer) == ["start", "now"]


@pytest.mark.parametrize("query", ["window_days=0", "window_days=91", "limit=0", "limit=501", "offset=-1"])
async def test_a_query_out_of_range_is_422(kit: MemoryKit, viewer: Login, query: str) -> None:
    answer = await kit.client.get(f"{PATH}?{query}", headers=viewer.headers())
    assert answer.status_code == 422


async def test_aws_usage_gets_no_account_data(kit: MemoryKit, viewer: Login) -> None:
    [event] = (await post(kit, viewer, ONE | {"provider": "AWS"})).json()["items"]
    assert event["metadata"] == {}


async def test_gap_negative_tokens_and_any_date_are_accepted(kit: MemoryKit, viewer: Login) -> None:
    for moment in ("1970-01-01T00:00:00Z", "2999-01-01T00:00:00Z"):
        item = ONE | {"created_at": moment, "tokens_input": -5, "cost": -1}
        assert (await post(kit, viewer, item)).status_code == 200
