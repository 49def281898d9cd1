"""The demo onboarding against an in-memory app, over a synchronous client as in production."""

import asyncio
import io
import json

import httpx
import pytest

from engines.common.documents import SYSTEM, StoreUnavailable
from engines.nexus.backends.sink import SinkRetryable
from engines.rehearsal import demo
from engines.rehearsal.demo import LOGIN_REFUSED, DemoError, ensure_demo_tenant
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MemoryKit, running
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import stored_events

EMAIL, PASSWORD = "demo@example.com", "demo password"
DASHBOARD = "/bossman/tenant-dashboard"


def client_of(kit: MemoryKit) -> httpx.Client:
    """A synchronous client whose requests are answered by the app on this test's event loop."""
    loop = asyncio.get_running_loop()

    def answer(request: httpx.Request) -> httpx.Response:
        copied = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        got = asyncio.run_coroutine_threadsafe(kit.client.send(copied), loop).result(timeout=30)
        return httpx.Response(got.status_code, headers=got.headers, content=got.content, request=request)

    return httpx.Client(transport=httpx.MockTransport(answer), base_url="http://localhost")


async def ensure(kit: MemoryKit, password: str = PASSWORD) -> str:
    with client_of(kit) as client:
        return await asyncio.to_thread(ensure_demo_tenant, client, EMAIL, password)


async def test_the_first_run_creates_user_tenant_and_a_first_event(kit: MemoryKit) -> None:
    tenant_id = await ensure(kit)
    [tenant] = await kit.services.identity.tenants.find(SYSTEM)
    [user] = await kit.services.identity.users.find(SYSTEM)
    [membership] = await kit.services.identity.memberships.find(SYSTEM)
    [event] = await stored_events(kit.sink, tenant_id)
    assert (tenant.record.id, tenant.record.name) == (tenant_id, "Demo")
    assert (user.record.email, user.record.display_name) == (EMAIL, "Demo")
    assert (membership.record.tenant_id, membership.record.role) == (tenant_id, "owner")
    assert event.event.surface == "squared"
    given = {name: value for name, value in event.event.input.items() if value}
    assert given == {"surface": "squared", "page_type": "welcome", "url": "https://demo.invalid/welcome"}
    assert (event.event.pii_flags["flags"], event.event.train_ok) == ([], True)


async def test_a_second_run_finds_the_tenant_and_adds_nothing(kit: MemoryKit) -> None:
    first, second = await ensure(kit), await ensure(kit)
    assert first == second
    assert len(await kit.services.identity.tenants.find(SYSTEM)) == 1
    assert len(await stored_events(kit.sink, first)) == 1


async def test_row_9_two_first_runs_at_once_find_one_tenant(kit: MemoryKit) -> None:
    found = await asyncio.gather(*(ensure(kit) for _ in range(3)))
    assert len(set(found)) == 1
    assert len(await kit.services.identity.tenants.find(SYSTEM)) == 1


async def test_an_address_with_another_password_is_code_3(kit: MemoryKit) -> None:
    tenant_id = await ensure(kit)
    with pytest.raises(DemoError) as caught:
        await ensure(kit, "another password")
    assert (str(caught.value), caught.value.code) == (f"{EMAIL} exists with another password", 3)
    assert LOGIN_REFUSED == 3
    assert len(await stored_events(kit.sink, tenant_id)) == 1


async def test_a_store_outage_is_an_http_error_and_not_another_password() -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults["get"] = StoreUnavailable("memory: away")
        with pytest.raises(httpx.HTTPStatusError) as caught:
            await ensure(kit)
        assert caught.value.response.status_code == 503


async def test_a_first_run_that_failed_at_the_event_is_completed_by_the_next() -> None:
    async with running(MemoryKit(sink=FaultySink())) as kit:
        kit.sink.faults["write"] = SinkRetryable("memory/events", "away", "unreachable")
        with pytest.raises(httpx.HTTPStatusError):
            await ensure(kit)
        kit.sink.faults.clear()
        tenant_id = await ensure(kit)
        assert len(await stored_events(kit.sink, tenant_id)) == 1


async def test_a_login_without_a_tenant_is_a_demo_error(kit: MemoryKit) -> None:
    body = {"email": EMAIL, "password": PASSWORD}
    (await kit.client.post("/auth/signup", json=body)).raise_for_status()
    with pytest.raises(DemoError) as caught:
        await ensure(kit)
    assert caught.value.code == 1


class TestCommand:
    """``main`` with a login on stdin and a client that never leaves the process."""

    @pytest.fixture(autouse=True)
    def _login(self, monkeypatch: pytest.MonkeyPatch) -> None:
        login = json.dumps({"email": EMAIL, "password": PASSWORD})
        monkeypatch.setattr("sys.stdin", io.StringIO(login))

    @pytest.fixture
    def statuses(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
        """Status of each path; the command's client gets these answers."""
        answers: dict[str, int] = {}

        def answer(request: httpx.Request) -> httpx.Response:
            status = answers.get(request.url.path, 0)
            if not status:
                raise httpx.ConnectError("connection refused")
            body = {
                "access_token": "token",
                "memberships": [{"tenant_id": "t_demo"}],
                "freshness": {"events": {"status": "fresh"}},
            }
            return httpx.Response(status, json=body)

        class OfflineClient(httpx.Client):
            def __init__(self, base_url: str, timeout: float) -> None:
                super().__init__(transport=httpx.MockTransport(answer), base_url=base_url, timeout=timeout)

        monkeypatch.setattr("engines.rehearsal.demo.httpx.Client", OfflineClient)
        return answers

    @pytest.mark.parametrize(
        ("given", "code", "out", "err"),
        [
            ({"/auth/login": 200, DASHBOARD: 200}, 0, "tenant_id=t_demo\n", ""),
            ({"/auth/login": 401, "/auth/signup": 200, DASHBOARD: 200}, 0, "tenant_id=t_demo\n", ""),
            (
                {"/auth/login": 503, "/auth/signup": 200, DASHBOARD: 200},
                1,
                "",
                "HTTPStatusError: Server error '503 Service Unavailable' for url "
                "'http://127.0.0.1:8000/auth/login'\n",
            ),
            ({"/auth/login": 401, "/auth/signup": 400}, 3, "", f"{EMAIL} exists with another password\n"),
            ({}, 1, "", "ConnectError: connection refused\n"),
        ],
        ids=["ready", "created", "store_down", "other_password", "unreachable"],
    )
    def test_its_output_and_exit_code(
        self,
        statuses: dict[str, int],
        capsys: pytest.CaptureFixture[str],
        given: dict[str, int],
        code: int,
        out: str,
        err: str,
    ) -> None:
        statuses.update(given)
        ended = demo.main()
        shown = capsys.readouterr()
        assert (ended, shown.out) == (code, out)
        # httpx adds a second line with a link to an HTTP status error.
        assert shown.err.splitlines()[:1] == err.splitlines()
