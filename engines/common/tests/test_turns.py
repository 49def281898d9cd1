"""Whose turn it is among the requests of several callers, by a clock and a lateness that are given."""

import asyncio
from types import SimpleNamespace

import httpx
import pytest
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from engines.bossman.metrics import Metrics
from engines.common.errors import TooManyRequests
from engines.common.identity import AuthContext
from engines.common.turns import BEATS_OF_A_SECOND, PROBE, TakesTurns, Turns, caller_of
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals
from tests.support.app import Login, MemoryKit

LIMITS = ServerLimits(caller_requests=16)
LATE, IN_TIME = 1.0, 0.0


class World:
    """Turns, the moment, and the requests that were begun."""

    def __init__(self) -> None:
        self.now = 100.0
        self.turns = Turns(LIMITS, Refusals(Metrics("0").refused), lambda: self.now)
        self.tasks: list[asyncio.Task[None]] = []

    async def ask(self, caller: str, count: int = 1) -> list[asyncio.Task[None]]:
        """Begin requests; those that have a turn are done."""
        asked = [asyncio.create_task(self.turns.begin(caller)) for _ in range(count)]
        self.tasks += asked
        await asyncio.sleep(0)
        return asked

    async def beat(self, late: float, times: int = 1) -> None:
        for _ in range(times):
            self.turns.beat(late)
        await asyncio.sleep(0)

    async def end(self, caller: str) -> None:
        self.turns.end(caller)
        await asyncio.sleep(0)


@pytest.fixture
def world() -> World:
    return World()


def begun(tasks: list[asyncio.Task[None]]) -> int:
    return sum(task.done() for task in tasks)


async def test_a_caller_that_is_alone_never_waits(world: World) -> None:
    await world.beat(LATE, 9)
    assert begun(await world.ask("t_a", 16)) == 16


async def test_while_the_loop_keeps_up_nobody_waits(world: World) -> None:
    await world.ask("t_b")
    assert begun(await world.ask("t_a", 16)) == 16


async def test_while_it_is_behind_a_caller_has_one_at_a_time_and_others_go_on(world: World) -> None:
    await world.ask("t_a", 8)
    await world.ask("t_b")
    await world.beat(LATE, 4)
    more = await world.ask("t_a", 3)
    assert begun(more) == 0
    await world.end("t_b")
    assert begun(await world.ask("t_b")) == 1
    for _ in range(7):
        await world.end("t_a")
    assert begun(more) == 0
    for expected in (1, 2, 3):
        await world.end("t_a")
        assert [task.done() for task in more] == [True] * expected + [False] * (3 - expected)


async def test_those_who_wait_go_on_when_it_keeps_up_again(world: World) -> None:
    await world.ask("t_b")
    await world.ask("t_a", 4)
    await world.beat(LATE, 4)
    more = await world.ask("t_a", 4)
    assert begun(more) == 0
    await world.beat(IN_TIME, 3 * BEATS_OF_A_SECOND)
    assert begun(more) == 4


async def test_those_who_wait_go_on_when_the_others_are_gone(world: World) -> None:
    await world.ask("t_b")
    await world.ask("t_a", 4)
    await world.beat(LATE, 4)
    more = await world.ask("t_a", 4)
    await world.end("t_b")
    world.now += LIMITS.others_seconds + 0.1
    await world.beat(LATE)
    assert begun(more) == 4


async def test_another_counts_as_long_as_its_request_is_under_way_and_a_while_longer(world: World) -> None:
    await world.ask("t_b")
    await world.ask("t_a", 4)
    await world.beat(LATE, 4)
    world.now += 9 * LIMITS.others_seconds
    more = await world.ask("t_a", 4)
    assert begun(more) == 0
    await world.end("t_b")
    await world.beat(LATE)
    assert begun(more) == 0
    world.now += LIMITS.others_seconds + 0.1
    await world.beat(LATE)
    assert begun(more) == 4


async def test_too_many_of_one_caller_are_429_and_others_begin(world: World) -> None:
    await world.ask("t_a", 16)
    with pytest.raises(TooManyRequests) as caught:
        await world.turns.begin("t_a")
    assert caught.value.headers == {"Retry-After": "5"}
    assert begun(await world.ask("t_b")) == 1
    await world.end("t_a")
    assert begun(await world.ask("t_a")) == 1


async def test_waiting_ones_count_as_well(world: World) -> None:
    await world.ask("t_b")
    await world.ask("t_a", 2)
    await world.beat(LATE, 4)
    await world.ask("t_a", 14)
    with pytest.raises(TooManyRequests):
        await world.turns.begin("t_a")


async def test_a_probe_makes_nobody_wait(world: World) -> None:
    await world.ask(PROBE)
    await world.ask("t_a", 4)
    await world.beat(LATE, 4)
    assert begun(await world.ask("t_a", 4)) == 4


@pytest.mark.parametrize("had_its_turn", [False, True])
async def test_one_that_leaves_takes_no_turn_from_others(world: World, had_its_turn: bool) -> None:
    await world.ask("t_b")
    await world.ask("t_a")
    await world.beat(LATE, 4)
    leaving, staying = await world.ask("t_a", 2)
    if had_its_turn:
        world.turns.end("t_a")
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    if not had_its_turn:
        await world.end("t_a")
    await asyncio.sleep(0)
    assert staying.done()


async def test_nothing_is_kept_of_who_is_gone(world: World) -> None:
    for number in range(50):
        await world.ask(f"t_{number}")
        await world.end(f"t_{number}")
    world.now += LIMITS.others_seconds + 0.1
    await world.ask("t_a")
    await world.end("t_a")
    assert world.turns.idle
    assert (len(world.turns._waiting), list(world.turns._asked_at)) == (0, ["t_a"])


async def test_a_tenant_with_too_many_requests_is_429_and_another_is_answered(
    acme: Login, globex: Login, kit: MemoryKit
) -> None:
    held = asyncio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await held.wait()
        await JSONResponse({})(scope, receive, send)

    turns = Turns(LIMITS, Refusals(Metrics("0").refused), lambda: 0.0)
    transport = httpx.ASGITransport(Knowing(TakesTurns(app, turns), kit))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        waiting = [asyncio.create_task(client.get("/x", headers=acme.headers())) for _ in range(17)]
        [refused], _ = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
        assert (refused.result().status_code, refused.result().headers["retry-after"]) == (429, "5")
        others = [client.get("/x", headers=globex.headers()), client.get("/x"), client.get("/livez")]
        others_waiting = [asyncio.create_task(one) for one in others]
        held.set()
        answers = await asyncio.gather(*waiting, *others_waiting)
    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [429]
    assert turns.idle


class Knowing:
    """Lets a middleware find the services of a running app."""

    def __init__(self, app: ASGIApp, kit: MemoryKit) -> None:
        self._app = app
        self._kit = kit

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        state = SimpleNamespace(state=SimpleNamespace(services=self._kit.services))
        await self._app(dict(scope) | {"app": state}, receive, send)


def test_a_caller_is_a_tenant_or_an_address() -> None:
    scope = {"type": "http", "path": "/x", "headers": [], "query_string": b"", "client": ("10.0.0.1", 1)}
    assert caller_of(scope) == caller_of(scope | {"client": ("10.0.0.1", 2)}) == "address 10.0.0.1"
    assert caller_of(scope | {"path": "/livez"}) == PROBE


async def test_a_token_is_verified_once_for_all_that_ask(
    kit: MemoryKit, acme: Login, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    verify = kit.services.tokens.verify

    def counting(token: str) -> AuthContext:
        asked.append(token)
        return verify(token)

    monkeypatch.setattr(kit.services.tokens, "verify", counting)
    body = {"surface": "squared", "metadata": {"text": "x" * 5_000}}
    answer = await kit.client.post("/analytics/events/pageview", json=body, headers=acme.headers())
    assert (answer.status_code, asked) == (200, [acme.token])
