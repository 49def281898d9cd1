"""``./scripts/bench survival``: what is lost of the acknowledged when stores and sinks are stopped or killed.

The suites of tests/survival with more interruptions; counted in the stand-ins, past the product.
"""

import argparse
import asyncio

from tests.support.bossman import bossman
from tests.support.docker import firestore
from tests.support.far_ends import KINDS, far_end
from tests.support.interruptions import killed, stopped_in_good_order
from tests.support.survival import outage


async def measure(stops: int, restarts: int, kills: int, seconds: float) -> None:
    """Print a line for each kind of interruption."""
    loss = await stopped_in_good_order(stops, restarts)
    print(
        f"firestore, {stops} orderly stops and {restarts} restarts at 50 events/s: {loss.figures()}",
        flush=True,
    )
    loss = await killed(kills)
    print(f"firestore, killed {kills} times at 50 events/s, Bossman alive: {loss.figures()}", flush=True)
    for kind in KINDS[1:]:
        await _sink_killed(kind, kills, seconds)


async def _sink_killed(kind: str, kills: int, seconds: float) -> None:
    accepted = lost = 0
    with firestore() as state, far_end(kind, state) as sink, bossman(sink.variables) as process:
        for _ in range(kills):
            outcome = await outage(sink, [process], seconds)
            accepted += len(outcome.tally.accepted)
            lost += len(outcome.lost)
    print(f"{kind}, killed {kills} times at 100 events/s: lost {lost} of {accepted} events", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="survival", description=measure.__doc__)
    parser.add_argument("--stops", type=int, default=10)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument("--kills", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=4.0)
    chosen = parser.parse_args()
    asyncio.run(measure(chosen.stops, chosen.restarts, chosen.kills, chosen.seconds))


if __name__ == "__main__":
    main()
