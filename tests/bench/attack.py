"""``./scripts/bench attack``: what another tenant's dashboard takes while the running stack is attacked.

Through Bossman's published port, in its container with its limit of memory. Each attack comes with the calm
just before it, in one run. Two figures: how long the tenant waited, and how long Bossman worked meanwhile,
which is the same on a busy machine. Needs Linux and ./scripts/up.
"""

import argparse
import asyncio
import json
import sys
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from math import inf
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from tests.bench.attacks import ATTACKS
from tests.bench.load import Connection
from tests.support.app import Login
from tests.support.docker import ROOT
from tests.support.people import sign_up
from tests.support.sockets import head
from tests.support.stack import Stack

PAUSE_SECONDS = 0.05
SETTLE_SECONDS = 2.0
AIM = 2.0


@dataclass(frozen=True)
class Looks:
    """The dashboards that were answered, in milliseconds, and how often each status came.

    ``worked`` is what Bossman's main thread worked meanwhile, for whomever: what else the machine does is not
    in it.
    """

    waited: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    statuses: Counter[str] = field(default_factory=Counter)


async def look(target: "Target", request: bytes, seconds: float) -> Looks:
    """Ask again and again, at a pace that is no load."""
    found, port = Looks(), target.port
    connection, ends = Connection(port), time.perf_counter() + seconds
    while (began := time.perf_counter()) < ends:
        worked = target.worked()
        status = await _ask(connection, request) or await _ask(connection, request) or "cut"
        found.statuses[status] += 1
        if status == "200":
            found.waited.append((time.perf_counter() - began) * 1000)
            found.worked.append(target.worked() - worked)
        await asyncio.sleep(PAUSE_SECONDS)
    connection.close()
    return found


async def _ask(connection: Connection, request: bytes) -> str | None:
    """The status. None when the connection was closed: whoever keeps one then tries again on another."""
    try:
        return str((await connection.send(request)).status)
    except (OSError, EOFError, TimeoutError):
        return None


async def under(
    name: str, target: "Target", greedy: Login, request: bytes, seconds: float
) -> tuple[Looks, str]:
    """The looks during an attack, and what the attacker was answered."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.bench.attacks", name, str(target.port), str(seconds + SETTLE_SECONDS)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    told = asyncio.create_task(process.communicate(json.dumps(asdict(greedy)).encode()))
    await asyncio.sleep(SETTLE_SECONDS)
    looks = await look(target, request, seconds)
    answers: dict[str, int] = json.loads((await told)[0])
    return looks, ", ".join(f"{count} x {status}" for status, count in sorted(answers.items()))


class Target:
    """Bossman in its container."""

    def __init__(self) -> None:
        self._stack = Stack(ROOT, 0)
        found = self._inspect()
        self.port = int(found["NetworkSettings"]["Ports"]["8000/tcp"][0]["HostPort"])
        self.limit = found["HostConfig"]["Memory"] / 1024**2
        self.started_at: str = found["State"]["StartedAt"]
        init = found["State"]["Pid"]
        [process] = Path(f"/proc/{init}/task/{init}/children").read_text().split()
        self._schedule = Path(f"/proc/{process}/task/{process}/schedstat")

    def _inspect(self) -> dict[str, Any]:
        return self._stack.containers()["bossman"]

    @property
    def never_ended(self) -> bool:
        return bool(self._inspect()["State"]["StartedAt"] == self.started_at)

    def worked(self) -> float:
        """Milliseconds that the main thread has had a processor."""
        return int(self._schedule.read_text().split()[0]) / 1e6

    def peak(self) -> float:
        """The most megabytes that a process of the container has had."""
        asked = ("exec", "-T", "bossman", "sh", "-c", "grep -h VmHWM /proc/[0-9]*/status")
        return max(int(line.split()[1]) for line in self._stack.compose(*asked).splitlines()) / 1024


async def measure(names: list[str], seconds: float) -> bool:
    """Print a line for each attack; whether all stayed within the aim."""
    target, good = Target(), True
    with httpx.Client(base_url=f"http://127.0.0.1:{target.port}", timeout=30) as http:
        greedy, other = sign_up(http, "greedy"), sign_up(http, "other")
    request = head(
        "/bossman/tenant-dashboard", *(f"{name}: {value}" for name, value in other.headers().items())
    )
    for name in names:
        calm = await look(target, request, seconds / 3)
        looks, answers = await under(name, target, greedy, request, seconds)
        asked, answered = looks.statuses.total(), looks.statuses["200"]
        work = median(calm.worked), median(looks.worked or [inf])
        good = good and answered == asked and work[1] <= AIM * work[0]
        print(
            f"{name:17} worked {work[0]:4.1f} -> {work[1]:5.1f} ms = {work[1] / work[0]:4.2f}x, "
            f"waited {median(calm.waited):5.1f} -> {median(looks.waited or [inf]):5.1f} ms, "
            f"{answered} of {asked} answered, peak {target.peak():.0f} of {target.limit:.0f} MB; "
            f"the attacker got {answers or 'nothing'}",
            flush=True,
        )
    print(f"Bossman {'never ended' if target.never_ended else 'ENDED'}; aim: worked <= {AIM}x, all answered")
    return good and target.never_ended


def main() -> None:
    parser = argparse.ArgumentParser(prog="attack", description=__doc__)
    parser.add_argument("--seconds", type=float, default=30, help="how long each attack lasts")
    parser.add_argument("--attack", action="append", choices=list(ATTACKS), help="only this one (repeatable)")
    asked = parser.parse_args()
    raise SystemExit(0 if asyncio.run(measure(asked.attack or list(ATTACKS), asked.seconds)) else 1)


if __name__ == "__main__":
    main()
