"""What a caller may take before anybody knows who it is: connections, heads, bodies and their time."""

import asyncio
from collections.abc import Iterator

import httpx
import pytest

from tests.support.bossman import Bossman, bossman
from tests.support.sockets import connected, head

LIMITS = {
    "connections": 20,
    "refusals": 4,
    "head_bytes": 8_192,
    "head_lines": 30,
    "head_seconds": 1.5,
    "body_seconds": 1.5,
    "idle_seconds": 2,
    "linger_seconds": 1.0,
    "unread_answer_seconds": 1.5,
}
LOGIN = ("Content-Type: application/json", "Content-Length: 1000")


@pytest.fixture(scope="module")
def served() -> Iterator[Bossman]:
    with bossman({"NEXUS_BACKEND": "noop"}, LIMITS) as process:
        yield process


@pytest.fixture(scope="module")
def patient() -> Iterator[Bossman]:
    """One that never loses patience: what ends a connection here is the room alone."""
    slow = {"head_seconds": 600, "body_seconds": 600, "idle_seconds": 600}
    with bossman({"NEXUS_BACKEND": "noop"}, LIMITS | slow) as process:
        yield process


async def still_answers(served: Bossman) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        assert (await http.get(f"{served.url}/livez")).status_code == 200


async def refusals(served: Bossman, reason: str) -> float:
    async with httpx.AsyncClient(timeout=30) as http:
        lines = (await http.get(f"{served.url}/metrics")).text.splitlines()
    [line] = [line for line in lines if line.startswith(f'northstar_refusals_total{{reason="{reason}"}}')]
    return float(line.split()[1])


@pytest.mark.parametrize("data", [b"", b"\r\n", b"GET /livez HTT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_never_ends_is_408(served: Bossman, data: bytes) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(data)
        answer = await socket.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.json() == {"detail": "the request was not sent in time"}
        assert await socket.rest() == b""
    await still_answers(served)


async def test_a_second_head_that_never_ends_is_408(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/livez"))
        assert (await socket.answer()).status == 200
        await socket.send(b"GET ")
        assert (await socket.answer()).status == 408


@pytest.mark.parametrize("sent", [0, 999])
async def test_a_body_that_never_ends_is_408(served: Bossman, sent: int) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/auth/login", *LOGIN, method="POST") + b" " * sent)
        answer = await socket.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
    assert await refusals(served, "body_time") >= 1


async def test_an_idle_connection_is_closed(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/livez"))
        assert (await socket.answer()).status == 200
        assert await socket.rest() == b""


@pytest.mark.parametrize("how", ["one line", "an open line", "many lines", "small lines", "path", "method"])
async def test_a_head_over_its_limit_is_431(served: Bossman, how: str) -> None:
    begin = b"GET /livez HTTP/1.1\r\n"
    heads = {
        "one line": begin + b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n",
        "an open line": begin + b"X-Long: " + b"x" * 9_000,
        "many lines": begin + b"A: b\r\n" * 31 + b"\r\n",
        "small lines": begin + b"A: b\r\n" * 3_000,
        "path": b"GET /" + b"x" * 9_000,
        "method": head("/livez?" + "x" * 9_000),
    }
    async with connected(served.port) as [socket]:
        await socket.send(heads[how])
        answer = await socket.answer()
        assert (answer.status, answer.headers["connection"]) == (431, "close")


async def test_a_head_of_tens_of_megabytes_is_cut(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(b"GET /livez HTTP/1.1\r\nX-Long: ")
        for _ in range(32):
            await socket.send(b"x" * 1_048_576)
        await socket.rest()
    await still_answers(served)
    assert served.peak_megabytes() < 300


async def test_a_head_at_its_limits_is_served(served: Bossman) -> None:
    long = f"X-Long: {'x' * 7_000}"
    async with connected(served.port) as [socket]:
        await socket.send(head("/livez", long, *["A: b"] * 25))
        assert (await socket.answer()).status == 200


async def test_requests_behind_each_other_are_each_judged_alone(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/livez", f"X-Long: {'x' * 5_000}") * 5)
        assert [(await socket.answer()).status for _ in range(5)] == [200] * 5


async def test_a_body_without_end_is_cut(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/auth/login", "Transfer-Encoding: chunked", method="POST"))
        for _ in range(32):
            await socket.send(b"100000\r\n" + b" " * 0x100000 + b"\r\n")
        await socket.rest()
    assert served.peak_megabytes() < 300
    await still_answers(served)


async def test_half_sent_requests_give_way_to_others(patient: Bossman) -> None:
    async with connected(patient.port, 30) as sockets:
        for number, socket in enumerate(sockets):
            half = head("/auth/login", *LOGIN, method="POST") if number % 2 else b"GET /livez HTTP/1.1\r\nA: "
            await socket.send(half)
        for _ in range(5):
            await still_answers(patient)
        assert (await sockets[0].answer()).status == 408
    assert await refusals(patient, "connections") > 0


async def test_idle_connections_give_way_first(patient: Bossman) -> None:
    async with connected(patient.port, 2) as [idle, half]:
        await half.send(b"GET /livez HTTP/1.1\r\n")
        await idle.send(head("/livez"))
        assert (await idle.answer()).status == 200
        async with connected(patient.port, 19) as _:
            assert await idle.rest() == b""
            await half.send(b"Host: localhost\r\n\r\n")
            assert (await half.answer()).status == 200


async def test_a_flood_of_connections_leaves_the_server_answering(served: Bossman) -> None:
    async def flood() -> None:
        async with connected(served.port, 100) as sockets:
            await asyncio.gather(*(socket.send(b"GET / HTTP/1.1\r\n") for socket in sockets))

    await asyncio.gather(*(flood() for _ in range(3)), *(still_answers(served) for _ in range(3)))


async def test_an_answer_that_is_not_read_is_cut(patient: Bossman) -> None:
    async with connected(patient.port) as [socket]:
        await socket.send(head("/openapi.json") * 400)
        deadline = asyncio.get_running_loop().time() + 60
        while not await refusals(patient, "unread_answer"):
            assert asyncio.get_running_loop().time() < deadline
            await asyncio.sleep(0.05)
