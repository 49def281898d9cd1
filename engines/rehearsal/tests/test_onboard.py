"""The whole walk against the in-memory app: what holds, what breaks, what cannot be proven."""

import copy
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from engines.common.documents import StoreUnavailable
from engines.nexus.backends.sink import SinkRetryable
from engines.rehearsal import claims
from engines.rehearsal.caller import NotCarriedOut
from engines.rehearsal.receipt import Receipt
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MemoryKit, dashboard, running, send_pageview, sign_up
from tests.support.faults import FaultySink, FaultyStore
from tests.support.onboarding import row
from tests.support.records import stored_events
from tests.support.rehearsal import HOST, RunningClock, claim, inside_of, rehearsal, told

ALONE = {
    claims.HELD,
    claims.STORED,
    claims.COLLEAGUE,
    claims.VIEWER,
    claims.MEMBER,
    claims.PENDING,
    claims.REVOKED,
    claims.EXPIRED,
}
"""What only somebody inside the stack can prove."""


@pytest.fixture
async def kit() -> AsyncIterator[MemoryKit]:
    async with running(MemoryKit(RunningClock())) as kit:
        yield kit


async def test_every_claim_holds_once_and_the_receipt_says_on_what(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit).carry_out()
    assert told(receipt, "broken", "unproven") == {}
    assert sorted(one.name for one in receipt.claims) == sorted(claims.plan())
    assert receipt.exit_code == 0
    assert (receipt.env, receipt.local, receipt.host) == ("staging", True, HOST)
    assert receipt.sink is not None
    assert (receipt.sink.backend, receipt.sink.kind) == ("memory", "stand-in")
    assert receipt.time_to_first_fresh.keys() == claims.SECTIONS.keys()
    assert None not in receipt.time_to_first_fresh.values()
    assert {step.status for step in receipt.steps} == {200, 400, 401, 403, 409}


async def test_it_makes_marked_tenants_of_its_own_and_marked_events(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit, env="dev").carry_out()
    assert receipt.tenant_id is not None
    found = await row(kit, receipt.tenant_id)
    assert (found["name"], found["rehearsal"], found["state"]) == ("Acme (rehearsal)", True, "complete")
    sent = [one for one in await stored_events(kit.sink, receipt.tenant_id) if one.event.input]
    assert [one.event.metadata["synthetic"] for one in sent] == ["rehearsal"] * 3


async def test_in_another_env_its_row_is_marked_too(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit, env="prod").carry_out()
    assert receipt.tenant_id is not None
    assert (await row(kit, receipt.tenant_id, "prod"))["rehearsal"] is True


async def test_no_other_tenant_moves(kit: MemoryKit) -> None:
    real = await sign_up(kit.client, "real")
    await send_pageview(kit.client, real)

    async def seen() -> list[Any]:
        shown = await dashboard(kit.client, real)
        records = {name: (r["status"], r["last_updated_at"]) for name, r in shown["freshness"].items()}
        found = await row(kit, real.tenant_id)
        kept = {name: found[name] for name in found if name != "freshness"}
        return copy.deepcopy([records, shown["event_sink"]["last_write_at"], shown["lists"], kept])

    before = await seen()
    await rehearsal(kit, env="dev").carry_out()
    assert await seen() == before
    assert before[-1]["rehearsal"] is False


async def test_neither_receipt_nor_steps_hold_a_secret_or_a_payload(kit: MemoryKit) -> None:
    walk = rehearsal(kit)
    text = (await walk.carry_out()).model_dump_json()
    for secret in ("eyJ", "password", "jo@example.com", "test-signing", "rehearsal.invalid"):
        assert secret not in text


async def test_another_stacks_address_leaves_unproven_what_needs_its_inside(kit: MemoryKit) -> None:
    async with running(MemoryKit(RunningClock())) as other:
        receipt = await rehearsal(kit, inside=inside_of(other)).carry_out()
    assert told(receipt, "broken") == {}
    assert told(receipt, "unproven").keys() == ALONE
    assert "another stack" in claim(receipt, claims.HELD).seen
    assert (receipt.local, receipt.configuration, receipt.host.images) == (False, None, {})
    assert receipt.exit_code == 3


class Tampering(httpx.AsyncBaseTransport):
    """The app, but for answers that ``change`` alters: a stack that is wrong in one point."""

    def __init__(self, kit: MemoryKit, path: str, status: int, values: dict[str, Any]) -> None:
        self._kit, self._path, self._status, self._values = kit, path, status, values

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        copied = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        answer = await self._kit.client.send(copied)
        if request.url.path != self._path or answer.status_code != self._status:
            return httpx.Response(answer.status_code, content=answer.content)
        body = answer.json()
        body = body | self._values if isinstance(body, dict) else body
        return httpx.Response(200, content=json.dumps(body))


@pytest.mark.parametrize(
    ("path", "status", "values", "broken"),
    [
        ("/kill-switches", 403, {}, {claims.NEIGHBOUR, claims.VIEWER, claims.MEMBER, claims.REVOKED}),
        ("/bossman/tenant-dashboard", 401, {}, {claims.NO_TOKEN, claims.WRONG_KEY, claims.EXPIRED}),
        ("/analytics/events/pageview", 200, {"pii_flags": []}, {claims.FLAGGED}),
        ("/analytics/events/pageview", 200, {"durable_in": "outbox"}, {claims.ACCEPTED}),
        ("/bossman/tenant-dashboard", 200, {"kill_switch": None}, {claims.visible("kill_switch")}),
    ],
    ids=["role not checked", "token not checked", "flags lost", "not in the sink", "section not shown"],
)
async def test_a_stack_that_is_wrong_breaks_the_right_claims(
    kit: MemoryKit,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    status: int,
    values: dict[str, Any],
    broken: set[str],
) -> None:
    monkeypatch.setattr("engines.rehearsal.onboard.LIMIT_SECONDS", 1.0)
    wrong = httpx.AsyncClient(transport=Tampering(kit, path, status, values), base_url="http://localhost")
    walk = rehearsal(kit)
    walk.http = wrong
    receipt = await walk.carry_out()
    assert broken <= told(receipt, "broken").keys()
    assert receipt.exit_code == 1


async def test_a_flag_that_is_stored_wrong_breaks_its_claim(kit: MemoryKit) -> None:
    class Lying:
        """A sink in which everything may be trained on."""

        async def scan(self, tenant_id: str, env: str) -> AsyncIterator[Any]:
            async for found in kit.sink.scan(tenant_id, env):
                yield found.model_copy(update={"event": found.event.model_copy(update={"train_ok": True})})

    inside = inside_of(kit)
    object.__setattr__(inside, "sink", Lying())
    receipt = await rehearsal(kit, inside=inside).carry_out()
    assert told(receipt, "broken") == {
        claims.STORED: "clean: true, with an e-mail address: true, opted out: true"
    }


async def test_with_the_sink_down_its_claims_break_and_the_rest_is_still_judged() -> None:
    async with running(MemoryKit(RunningClock(), sink=FaultySink())) as kit:
        for operation in ("write", "latest", "probe"):
            kit.sink.faults[operation] = SinkRetryable("memory/events", "away", "unreachable")
        walk = rehearsal(kit)
        receipt = await quick(walk)
    broken = told(receipt, "broken")
    assert {
        claims.ACCEPTED,
        claims.FLAGGED,
        claims.visible("events"),
        claims.SINK_UP,
        claims.HELD,
    } <= broken.keys()
    assert claims.visible("temperature") not in broken
    assert claim(receipt, claims.NEIGHBOUR).verdict == "held"
    assert receipt.exit_code == 1


async def quick(walk: Any) -> Receipt:
    """With less patience than for real stacks."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engines.rehearsal.sending.LIMIT_SECONDS", 0.5)
        patch.setattr("engines.rehearsal.onboard.LIMIT_SECONDS", 0.5)
        found: Receipt = await walk.carry_out()
    return found


async def test_without_a_store_there_is_no_tenant_and_no_receipt() -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults["get"] = StoreUnavailable("memory: away")
        with pytest.raises(NotCarriedOut, match="the owner cannot sign up: 503"):
            await rehearsal(kit).carry_out()


async def test_a_walk_that_ends_early_leaves_the_rest_unproven_with_the_reason(kit: MemoryKit) -> None:
    walk = rehearsal(kit)
    walk.http = httpx.AsyncClient(
        transport=Tampering(kit, "/strategy-locks", 200, {"id": None}), base_url="http://localhost"
    )
    receipt = await walk.carry_out()
    assert claim(receipt, claims.OWNER).verdict == "held"
    assert receipt.exit_code != 0
    assert len(receipt.claims) == len(claims.plan())


async def test_an_older_bossman_leaves_unproven_what_it_does_not_answer(kit: MemoryKit) -> None:
    walk = rehearsal(kit)
    walk.http = httpx.AsyncClient(
        transport=Tampering(kit, "/bossman/tenant-dashboard", 200, {"event_sink": {}}),
        base_url="http://localhost",
    )
    receipt = await walk.carry_out()
    assert "another shape than that of this version" in claim(receipt, claims.SINK_UP).seen
    assert receipt.exit_code == 3
