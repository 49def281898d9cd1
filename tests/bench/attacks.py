"""The attacks of ``./scripts/bench attack``, each for some seconds from a process of its own.

``python -m tests.bench.attacks NAME PORT SECONDS`` with a tenant's login as JSON on stdin; prints how often
each status came. It runs at low priority: an attacker's processor is not the attacked machine's.
"""

import asyncio
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import count, repeat
from uuid import uuid4

from tests.bench.load import Connection, connections, post
from tests.support.app import Login
from tests.support.sockets import head

HELD = 400
"""Half-sent requests at once, more than the server has connections."""

OF_A_MEBIBYTE = head("/analytics/events/pageview", "Content-Length: 1048576", method="POST")
LOWEST_PRIORITY = 19


@dataclass(frozen=True)
class Attack:
    """What is sent, over and over."""

    requests: Callable[[Login], Iterator[bytes]]
    clients: int = 64
    half_sent: bool = False


def _pageview(size: int) -> Callable[[Login], Iterator[bytes]]:
    def requests(login: Login) -> Iterator[bytes]:
        body = json.dumps({"surface": "squared", "metadata": {"text": "a word 12 " * (size // 10)}}).encode()
        return repeat(post("/analytics/events/pageview", login.headers(), body))

    return requests


def _logins(_login: Login) -> Iterator[bytes]:
    for _ in count():
        person = {"email": f"{uuid4().hex}@example.com", "password": "guess"}
        yield post("/auth/login", {}, json.dumps(person).encode())


def _get(path: str) -> Callable[[Login], Iterator[bytes]]:
    return lambda login: repeat(head(path, *(f"{name}: {value}" for name, value in login.headers().items())))


ATTACKS = {
    "half-sent heads": Attack(lambda _: repeat(b"GET /livez HTTP/1.1\r\nA: "), HELD, half_sent=True),
    "half-sent bodies": Attack(lambda _: repeat(OF_A_MEBIBYTE + b" " * 1_000_000), HELD, half_sent=True),
    "heads of 30 KB": Attack(lambda _: repeat(head("/livez", f"A: {'x' * 30_000}"))),
    "heads of 1 MB": Attack(lambda _: repeat(head("/livez", f"A: {'x' * 1_000_000}")), half_sent=True),
    "connections": Attack(lambda _: repeat(b""), 256, half_sent=True),
    "bodies of 1 MB": Attack(_pageview(1_000_000), 20),
    "bodies of 64 KB": Attack(_pageview(64_000)),
    "bodies of 4 KB": Attack(_pageview(3_800)),
    "small events": Attack(_pageview(0)),
    "dashboards": Attack(_get("/bossman/tenant-dashboard")),
    "health": Attack(_get("/livez")),
    "wrong passwords": Attack(_logins),
    "256 connections": Attack(_get("/bossman/tenant-dashboard"), 256),
}


async def attack(one: Attack, port: int, login: Login, seconds: float) -> Counter[str]:
    """Send for so long; the statuses that came, ``cut`` for none."""
    found: Counter[str] = Counter()
    requests = one.requests(login)

    async def visit(connection: Connection) -> None:
        while True:
            try:
                found[str((await connection.send(next(requests))).status)] += 1
            except (OSError, EOFError, TimeoutError, ValueError):
                found["cut"] += 1
                connection.close()
                await asyncio.sleep(0.01)
                continue
            if one.half_sent:
                connection.close()

    async with connections([port], one.clients) as opened:
        tasks = [asyncio.create_task(visit(connection)) for connection in opened]
        await asyncio.sleep(seconds)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    return found


def main() -> None:
    name, port, seconds = sys.argv[1:]
    os.nice(LOWEST_PRIORITY)
    login = Login(**json.load(sys.stdin))
    print(json.dumps(asyncio.run(attack(ATTACKS[name], int(port), login, float(seconds)))))


if __name__ == "__main__":
    main()
