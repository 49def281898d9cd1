"""Whose turn it is among large bodies."""

import asyncio

from engines.bossman.metrics import Metrics
from engines.common.bodies import Bodies, Body
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals

LARGE = 1_000


def make_bodies(pace: int = 10**12, burst: int = 0, at_once: int = 4) -> Bodies:
    limits = ServerLimits(
        large_body_bytes=LARGE - 1,
        large_bodies=at_once,
        tenant_bytes_per_second=pace,
        tenant_burst_bytes=burst,
    )
    return Bodies(limits, Refusals(Metrics("0").refused))


def body(tenant: str, size: int = LARGE) -> Body:
    made = Body(lambda: tenant, asyncio.timeout(None))
    made.size = size
    return made


async def most_at_once(bodies: Bodies, asked: list[Body]) -> int:
    inside = most = 0

    async def handle(one: Body) -> None:
        nonlocal inside, most
        async with bodies.turn(one):
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.01)
            inside -= 1

    await asyncio.gather(*map(handle, asked))
    return most


async def test_a_tenant_has_one_large_body_at_a_time() -> None:
    assert await most_at_once(make_bodies(), [body("t_a") for _ in range(9)]) == 1


async def test_smaller_bodies_of_a_tenant_go_together() -> None:
    assert await most_at_once(make_bodies(), [body("t_a", LARGE - 1) for _ in range(9)]) > 1


async def test_all_tenants_together_have_few_large_bodies() -> None:
    assert await most_at_once(make_bodies(at_once=2), [body(f"t_{number}") for number in range(9)]) == 2


async def test_a_tenant_is_paced_by_its_bytes() -> None:
    bodies = make_bodies(pace=1)
    async with bodies.turn(body("t_a")):
        pass
    waiting = asyncio.create_task(bodies.turn(body("t_a")).__aenter__())
    async with bodies.turn(body("t_b")):  # others do not wait for it
        assert not waiting.done()
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)


async def test_a_burst_begins_at_once() -> None:
    bodies = make_bodies(pace=1, burst=3 * LARGE)
    for _ in range(3):
        async with asyncio.timeout(60), bodies.turn(body("t_a")):
            pass
