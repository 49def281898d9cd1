"""Small volumes that a test fills up: memory behind a named volume, which needs no root."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import docker

from tests.support.docker import TEST_PROJECT

FILLER = "/volume/.filler"
FILL = (
    f"dd if=/dev/zero of={FILLER} bs=4k 2>/dev/null; dd if=/dev/zero of={FILLER}.rest bs=1 2>/dev/null; true"
)


class SmallVolume:
    """A volume of a few megabytes. A container of its own holds it, so that it outlives its users."""

    def __init__(self, holder: Any, name: str) -> None:
        self._holder = holder
        self.name = name

    def fill(self) -> None:
        """Leave not one byte."""
        self._run(FILL)

    def free(self) -> None:
        """Take away what ``fill`` wrote."""
        self._run(f"rm -f {FILLER}")

    def free_bytes(self) -> int:
        """What a user of the volume may still write."""
        return int(self._run("df -B1 --output=avail /volume").split()[-1])

    def _run(self, command: str) -> str:
        code, output = self._holder.exec_run(["sh", "-c", command])
        assert code == 0, output
        return str(output.decode())


@contextmanager
def small_volume(megabytes: int) -> Iterator[SmallVolume]:
    """A volume that holds so much, and is gone afterwards. Its users must have left by then."""
    client = docker.from_env()
    name = f"{TEST_PROJECT}-{uuid4().hex[:12]}"
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={megabytes}m,uid=10001"}
    volume = client.volumes.create(name, driver="local", driver_opts=options, labels={TEST_PROJECT: "1"})
    try:
        # The smallest of the images that are there anyway.
        holder = client.containers.run(
            f"{TEST_PROJECT}-objectstore",
            ["infinity"],
            entrypoint="sleep",
            detach=True,
            init=True,
            volumes={name: {"bind": "/volume", "mode": "rw"}},
            labels={TEST_PROJECT: "1"},
        )
        try:
            yield SmallVolume(holder, name)
        finally:
            holder.remove(force=True)
    finally:
        volume.remove(force=True)
        client.close()
