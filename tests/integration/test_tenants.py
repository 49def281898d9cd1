"""Two tenants on the real stand-in: each sees its own events, and nothing of the other."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import httpx
import pytest
from google.cloud.firestore import AsyncClient

from engines.app import create_app
from tests.integration.conftest import STATE_VARIABLES, firestore_settings
from tests.support.app import Login, dashboard, send_pageview, serving, sign_up
from tests.support.docker import Firestore


@pytest.fixture
async def tenants(default_stack: httpx.AsyncClient) -> tuple[Login, Login]:
    return await sign_up(default_stack, f"a-{uuid4().hex}"), await sign_up(default_stack, f"b-{uuid4().hex}")


async def test_an_event_shows_on_its_own_tenants_dashboard_only(
    default_stack: httpx.AsyncClient, tenants: tuple[Login, Login]
) -> None:
    a, b = tenants
    before = datetime.now(UTC)
    answer = await send_pageview(default_stack, a)
    assert answer.json()["status"] == "accepted"
    of_a = await dashboard(default_stack, a)
    written = datetime.fromisoformat(of_a["event_sink"]["last_write_at"])
    assert before <= written <= before + timedelta(seconds=2)
    assert of_a["freshness"]["events"]["status"] == "fresh"
    of_b = await dashboard(default_stack, b)
    assert of_b["event_sink"]["last_write_at"] is None
    assert of_b["freshness"]["events"]["status"] == "never"
    assert (await dashboard(default_stack, a, env="staging"))["event_sink"]["last_write_at"] is None


async def test_last_write_at_is_read_from_the_sink_by_a_new_process(
    default_stack: httpx.AsyncClient, tenants: tuple[Login, Login], emulator: Firestore
) -> None:
    a, _ = tenants
    await send_pageview(default_stack, a)
    seen = (await dashboard(default_stack, a))["event_sink"]["last_write_at"]
    another = create_app(firestore_settings(emulator, **dict.fromkeys(STATE_VARIABLES, "firestore")))
    async with serving(another) as client:
        assert (await dashboard(client, a))["event_sink"]["last_write_at"] == seen


async def test_the_indicator_names_backend_target_and_stand_in(
    default_stack: httpx.AsyncClient, tenants: tuple[Login, Login]
) -> None:
    a, _ = tenants
    sink = (await dashboard(default_stack, a))["event_sink"]
    assert sink["backend"] == "firestore"
    assert sink["backend_class"] == "FirestoreSink"
    assert sink["target"] == f"northstar-local/nexus_events_{a.tenant_id}"
    assert sink["stand_in"] is True
    assert sink["status"] == "up"


@pytest.mark.parametrize(
    ("text", "flags", "train_ok"),
    [("hello", [], True), ("write to jo@example.com", ["email"], False)],
    ids=["clean", "pii"],
)
async def test_the_stored_record_carries_id_time_flags_and_eligibility(
    default_stack: httpx.AsyncClient,
    tenants: tuple[Login, Login],
    client: AsyncClient,
    text: str,
    flags: list[str],
    train_ok: bool,
) -> None:
    a, b = tenants
    result = (await send_pageview(default_stack, a, metadata={"note": text})).json()
    stored = (await client.document(f"nexus_events_{a.tenant_id}/{result['event_id']}").get()).to_dict() or {}
    assert stored["event_id"] == result["event_id"]
    assert isinstance(stored["ingested_at"], datetime)
    assert stored["pii_flags"]["flags"] == flags == result["pii_flags"]
    assert stored["train_ok"] is train_ok
    assert [d async for d in client.collection(f"nexus_events_{b.tenant_id}").stream()] == []


async def test_an_opt_out_makes_the_tenants_events_untrainable_in_its_env_only(
    default_stack: httpx.AsyncClient, tenants: tuple[Login, Login], client: AsyncClient
) -> None:
    a, _ = tenants
    opt_out = {"opt_out": True}
    answer = await default_stack.post(
        "/privacy/train-prefs/tenant", json=opt_out, headers=a.headers("staging")
    )
    assert answer.status_code == 200
    for env, train_ok in (("dev", True), ("staging", False)):
        event_id = (await send_pageview(default_stack, a, env)).json()["event_id"]
        stored = (await client.document(f"nexus_events_{a.tenant_id}/{event_id}").get()).to_dict() or {}
        assert (stored["env"], stored["train_ok"]) == (env, train_ok)
    shown = (await dashboard(default_stack, a, "staging"))["training_prefs"]
    assert shown == [{"tenant_id": a.tenant_id, "env": "staging", "user_id": None, "opt_out": True}]


async def test_a_token_of_one_tenant_opens_nothing_of_the_other(
    default_stack: httpx.AsyncClient, tenants: tuple[Login, Login]
) -> None:
    a, b = tenants
    foreign = a.headers() | {"X-Tenant-Id": b.tenant_id}
    for method, path in (
        ("GET", "/bossman/tenant-dashboard"),
        ("GET", "/privacy/train-prefs"),
        ("POST", "/privacy/train-prefs/tenant"),
        ("POST", "/privacy/train-prefs/user"),
        ("POST", "/analytics/events/pageview"),
        ("POST", "/analytics/events/cta-click"),
    ):
        body = {"surface": "squared", "opt_out": True, "user_id": b.user_id}
        answer = await default_stack.request(method, path, headers=foreign, json=body)
        assert (answer.status_code, answer.json()) == (403, {"detail": "tenant mismatch with token"}), path
    untouched = await dashboard(default_stack, b)
    assert untouched["event_sink"]["last_write_at"] is None
    assert untouched["training_prefs"] == []
