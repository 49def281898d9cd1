"""The walk over a Bossman that speaks as the existing engines do: nothing breaks for what it cannot say."""

import io
import json
from collections.abc import AsyncIterator

import httpx
import pytest

from engines.rehearsal import claims, commands
from engines.rehearsal.caller import Caller, NotCarriedOut
from engines.rehearsal.demo import ensure_demo_tenant
from engines.rehearsal.fault import FaultWatch
from engines.rehearsal.journal import Journal
from engines.rehearsal.markdown import markdown
from engines.rehearsal.onboard import Rehearsal
from engines.rehearsal.poison import send_poison
from engines.rehearsal.progress import Progress
from engines.rehearsal.receipt import Host, Receipt
from engines.rehearsal.sending import Sent, judge_stored
from tests.existing.app import create_app
from tests.support.app import SIGNING_SECRET, MemoryKit
from tests.support.rehearsal import inside_of, told

OWN = Host(kit="0.1.0", own_bossman="engines:mine", images={"bossman": "sha256:1"})

INSIDE = {claims.HELD, claims.STORED, claims.EXPIRED}
INSIDE |= {claims.COLLEAGUE, claims.VIEWER, claims.MEMBER, claims.PENDING, claims.REVOKED}
UNSAID = {claims.ACCEPTED, claims.SINK_UP, claims.HEALTHY, claims.UNMOVED, claims.SET_UP}
UNSAID |= {claims.visible(section) for section in claims.SECTIONS}


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(create_app(SIGNING_SECRET, "firestore"))
    async with httpx.AsyncClient(transport=transport, base_url="http://bossman:8000") as client:
        yield client


async def walk(http: httpx.AsyncClient) -> Receipt:
    progress = Progress(out=io.StringIO())
    return await Rehearsal(http, "Acme", "staging", None, progress, OWN, settle_seconds=0.0).carry_out()


async def test_what_it_does_is_proven_and_what_it_does_not_say_is_unproven(http: httpx.AsyncClient) -> None:
    receipt = await walk(http)
    assert told(receipt, "broken") == {}
    assert told(receipt, "unproven").keys() == INSIDE | UNSAID
    assert told(receipt, "held").keys() == claims.plan().keys() - INSIDE - UNSAID
    assert (receipt.exit_code, receipt.sink, receipt.local) == (3, None, False)


@pytest.mark.parametrize(
    "left", [("/auth/sign", "/bossman", "/analytics/events"), ("/auth/sign", "/bossman")]
)
async def test_however_little_it_has_nothing_breaks_for_that(left: tuple[str, ...]) -> None:
    app = create_app(SIGNING_SECRET, "firestore")
    app.router.routes[:] = [one for one in app.router.routes if getattr(one, "path", "").startswith(left)]
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://bossman:8000") as http:
        receipt = await walk(http)
    assert told(receipt, "broken") == {}
    assert [one.name for one in receipt.claims if not one.seen] == []
    assert {claims.OTHER_ENV, claims.UNCHANGED} <= told(receipt, "held").keys()
    assert "not there: PUT /kill-switches" in told(receipt, "unproven")[claims.NEIGHBOUR]


async def test_each_reason_names_what_is_missing(http: httpx.AsyncClient) -> None:
    reasons = told(await walk(http), "unproven")
    words = {
        claims.SET_UP: "not there: POST /privacy/train-prefs/tenant; all others 200",
        claims.ACCEPTED: "do not say where they are durable",
        claims.SINK_UP: "event_sink says backend, last_write_at, backend_class and no more",
        claims.HEALTHY: "nothing of health",
        claims.visible("kpi"): "nothing of freshness",
        claims.visible("events"): "nothing says when the newest event was stored",
        claims.visible("training_prefs"): "not there: POST /privacy/train-prefs/tenant",
        claims.HELD: "needs the inside of the stack",
    }
    assert [name for name, part in words.items() if part not in reasons[name]] == []


async def test_the_receipt_names_the_image(http: httpx.AsyncClient) -> None:
    receipt = await walk(http)
    assert receipt.host == OWN
    assert "| Bossman | an image of your own: engines:mine |" in markdown(receipt)


class Changed(httpx.AsyncBaseTransport):
    """The service, but for dashboards, of which ``values`` replace keys: one that is wrong."""

    def __init__(self, http: httpx.AsyncClient, **values: object) -> None:
        self._http, self._values = http, values

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        copied = httpx.Request(request.method, request.url, headers=request.headers, content=request.content)
        answer = await self._http.send(copied)
        if request.url.path != "/bossman/tenant-dashboard" or answer.status_code != httpx.codes.OK:
            return httpx.Response(answer.status_code, content=answer.content)
        return httpx.Response(200, content=json.dumps(answer.json() | self._values))


async def test_what_it_shows_wrong_is_broken_all_the_same(http: httpx.AsyncClient) -> None:
    switch = {"id": "of-somebody", "disable_providers": ["vertex"]}
    async with httpx.AsyncClient(
        transport=Changed(http, kill_switch=switch), base_url="http://bossman:8000"
    ) as wrong:
        broken = told(await walk(wrong), "broken")
    assert {claims.visible("kill_switch"), claims.OTHER_ENV, claims.UNMOVED} <= broken.keys()


async def test_faults_and_poison_are_not_begun_where_nothing_could_be_shown(http: httpx.AsyncClient) -> None:
    body = {"email": "jo@example.com", "password": "x", "tenant_name": "Jo"}
    token = (await http.post("/auth/signup", json=body)).json()["access_token"]
    headers = {"Authorization": f"Bearer {token}", "X-Env": "dev"}
    said: list[str] = []
    with pytest.raises(NotCarriedOut, match="nothing of freshness and health"):
        await FaultWatch(http, headers, said.append).look()
    with pytest.raises(NotCarriedOut, match="does not say whether events wait"):
        await send_poison(http, headers, said.append)
    assert said == []


async def test_a_missing_readiness_route_is_no_refusal(http: httpx.AsyncClient) -> None:
    await commands.check_answers(http)


def test_the_demo_tenant_is_made_once_and_gets_its_event_once() -> None:
    sent: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(request.url.path)
        known = sent.count("/auth/signup") or request.url.path == "/auth/signup"
        if request.url.path == "/auth/login" and not known:
            return httpx.Response(401, json={"detail": "invalid credentials"})
        return httpx.Response(200, json={"access_token": "t", "memberships": [{"tenant_id": "t_demo"}]})

    with httpx.Client(transport=httpx.MockTransport(answer), base_url="http://bossman:8000") as client:
        assert [ensure_demo_tenant(client, "demo@example.com", "x") for _ in range(2)] == ["t_demo"] * 2
    assert sent.count("/analytics/events/pageview") == 1


async def test_events_without_an_id_cannot_be_looked_for_even_from_the_inside(
    http: httpx.AsyncClient, kit: MemoryKit
) -> None:
    journal = Journal(claims.plan(), Progress(out=io.StringIO()))
    answer = httpx.Response(200, json={"status": "accepted", "tenantId": "t_acme", "pii_flags": []})
    sent = [Sent("clean", answer, [], True)]
    await judge_stored(Caller(http, journal, "owner", "dev", "t_acme"), inside_of(kit), sent)
    assert {one.name: (one.verdict, one.seen) for one in journal.claims} == dict.fromkeys(
        (claims.HELD, claims.STORED), ("unproven", "the answers carry no event id to look for")
    )
