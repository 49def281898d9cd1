"""What a caller may take before anybody knows who it is: connections, heads, bodies and their time."""

import asyncio
import re
from collections.abc import Iterator
from contextlib import AsyncExitStack

import httpx
import pytest

from engines.common.security_headers import DEFAULTS
from tests.support.app import sign_up
from tests.support.bossman import Bossman, bossman
from tests.support.sockets import Answer, connected, head

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


@pytest.fixture(scope="module")
def paced() -> Iterator[Bossman]:
    """One where a tenant's second body waits for hours."""
    slow = {"connections": 4, "tenant_bytes_per_second": 0.1, "tenant_burst_bytes": 0}
    with bossman({"NEXUS_BACKEND": "noop"}, slow) as process:
        yield process


async def still_answers(served: Bossman) -> None:
    async with httpx.AsyncClient(timeout=30) as http:
        assert (await http.get(f"{served.url}/livez")).status_code == 200


async def refusals(served: Bossman, reason: str) -> float:
    async with httpx.AsyncClient(timeout=30) as http:
        lines = (await http.get(f"{served.url}/metrics")).text.splitlines()
    [line] = [line for line in lines if line.startswith(f'northstar_refusals_total{{reason="{reason}"}}')]
    return float(line.split()[1])


NEW_ID = re.compile(r"[0-9a-f]{32}")


def check_headers(answer: Answer, request_id: str | None = None) -> None:
    """What every answer has: its request's id, and what keeps it to itself."""
    given = answer.headers["x-request-id"]
    assert given == request_id if request_id else NEW_ID.fullmatch(given)
    assert {name: answer.headers.get(name.lower()) for name in DEFAULTS} == DEFAULTS
    assert list(answer.json()) == ["detail"]


@pytest.mark.parametrize("data", [b"", b"\r\n", b"GET /livez HTT", b"GET /livez HTTP/1.1\r\nHost: x\r\n"])
async def test_a_head_that_never_ends_is_408(served: Bossman, data: bytes) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(data)
        answer = await socket.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert answer.json() == {"detail": "the request was not sent in time"}
        check_headers(answer)
        assert await socket.rest() == b""
    await still_answers(served)


@pytest.mark.parametrize("begun", [b"GET ", b"\r\n"])
async def test_a_second_head_that_never_ends_is_408(served: Bossman, begun: bytes) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/livez", "X-Request-Id: first"))
        assert (await socket.answer()).headers["x-request-id"] == "first"
        await socket.send(begun)
        answer = await socket.answer()
        assert answer.status == 408
        check_headers(answer)


REFUSED = {
    408: b"GET /livez HTTP/1.1\r\nX-Request-Id: {id}\r\nA",
    413: head("/auth/login", "X-Request-Id: {id}", "Content-Length: 9999999", method="POST"),
    421: head("/livez", "X-Request-Id: {id}").replace(b"localhost", b"evil.example"),
    431: head("/livez", "X-Request-Id: {id}", f"X-Long: {'x' * 9_000}"),
    400: b"GET /livez HTTP/1.1\r\nX-Request-Id: {id}\r\nA: b\r\nno header\r\n\r\n",
}


@pytest.mark.parametrize("status", REFUSED)
async def test_a_refusal_has_the_id_of_its_request(served: Bossman, status: int) -> None:
    for given, told in ((b"order 66", "order 66"), (b"x" * 129, None)):
        async with connected(served.port) as [socket]:
            await socket.send(REFUSED[status].replace(b"{id}", given))
            answer = await socket.answer()
            assert answer.status == status
            check_headers(answer, told)


async def test_a_body_that_is_late_keeps_the_id_that_the_app_knows(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/auth/login", *LOGIN, "X-Request-Id: late", method="POST") + b" ")
        check_headers(await socket.answer(), "late")


async def test_one_connection_more_than_can_be_answered_is_503(paced: Bossman) -> None:
    async with httpx.AsyncClient(base_url=paced.url, timeout=30) as http:
        token = f"Authorization: Bearer {(await sign_up(http, 'slow')).token}"
    waiting = head("/analytics/events/pageview", token, "Content-Length: 5000", method="POST") + b" " * 5_000
    async with AsyncExitStack() as stack:
        for _ in range(100):  # what was not yet read when another came has given way
            [socket] = await stack.enter_async_context(connected(paced.port))
            await socket.send(waiting)
            async with connected(paced.port) as [another]:
                await another.send(head("/livez"))
                answer = await another.answer()
            if answer.status == 503:
                break
        assert (answer.status, answer.headers["retry-after"]) == (503, "5")
        check_headers(answer)


NO_HTTP = [b"\x16\x03\x01\x02\x00", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", b"GET\r\n\r\n"]


@pytest.mark.parametrize("data", NO_HTTP)
async def test_what_is_no_http_is_400_in_the_one_shape(served: Bossman, data: bytes) -> None:
    before = await refusals(served, "malformed")
    async with connected(served.port) as [socket]:
        await socket.send(data)
        answer = await socket.answer()
        assert (answer.status, answer.headers["connection"]) == (400, "close")
        check_headers(answer)
        assert await socket.rest() == b""
    assert await refusals(served, "malformed") == before + 1


async def test_an_upgrade_is_answered_as_a_plain_request(served: Bossman) -> None:
    async with connected(served.port) as [socket]:
        await socket.send(head("/livez", "Connection: upgrade", "Upgrade: websocket"))
        assert (await socket.answer()).status == 200


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
