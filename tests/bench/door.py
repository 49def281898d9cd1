"""What the door of the Firestore stand-in costs, against the bare emulator behind it, in the same run.

The emulator listens inside its container alone, so the client runs in Bossman's image in that network.
"""

import argparse
from pathlib import Path

import docker

from tests.support.docker import TEST_PROJECT
from tests.support.standin import LABELS, standin

ROUNDS = 15
AIM = 1.25
CLIENT = Path(__file__).with_name("door_client.py")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.door", description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="figures of each end and operation")
    asked = parser.parse_args()
    engine = docker.from_env()
    with standin() as running:
        container = engine.containers.run(
            f"{TEST_PROJECT}-bossman",
            ["python", "-c", CLIENT.read_text(), str(asked.rounds)],
            network_mode=f"container:{running.id}",
            detach=True,
            labels=LABELS,
        )
        try:
            for line in container.logs(stream=True, follow=True):
                print(line.decode(), end="", flush=True)
            code = container.wait()["StatusCode"]
        finally:
            container.remove(force=True)
    print(f"aim <= {AIM}x")
    raise SystemExit(code)


if __name__ == "__main__":
    main()
