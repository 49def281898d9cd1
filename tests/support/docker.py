"""Docker for tests: ports, polling, and the stand-in's container through Testcontainers."""

import hashlib
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
from docker.types import Mount
from testcontainers.core.config import testcontainers_config
from testcontainers.core.container import DockerContainer

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "test-output"
"""What a run leaves for a reader: container logs, receipts."""

TEST_PROJECT = f"northstar-kit-test-{hashlib.sha256(str(ROOT).encode()).hexdigest()[:6]}"
"""Compose project whose images ./scripts/test builds; containers of tests carry it as a label."""


# Closed hosts cannot pull the reaper; ./scripts/test removes what a killed run leaves, by label.
testcontainers_config.ryuk_disabled = True


def free_port() -> int:
    """A TCP port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(holds: Callable[[], bool], seconds: float, what: str) -> float:
    """Wait until ``holds()``; returns the seconds it took, fails the test after ``seconds``."""
    start = time.monotonic()
    while time.monotonic() - start < seconds:
        if holds():
            return time.monotonic() - start
        time.sleep(0.1)
    raise AssertionError(f"not within {seconds} s: {what}")


def answers(url: str) -> bool:
    """Whether ``url`` answers 200 now."""
    try:
        return httpx.get(url, timeout=2).status_code == httpx.codes.OK
    except httpx.HTTPError:
        return False


class Firestore:
    """A running Firestore stand-in on a fixed loopback port, so that it survives stop and start."""

    def __init__(self, container: DockerContainer, port: int) -> None:
        self._container = container.get_wrapped_container()
        self.host = f"127.0.0.1:{port}"

    @property
    def container(self) -> Any:
        """Docker's own handle of it."""
        return self._container

    def stop(self, seconds: int = 30) -> None:
        self._container.stop(timeout=seconds)

    def kill(self) -> None:
        self._container.kill()

    def restart(self, seconds: int = 60) -> None:
        self._container.restart(timeout=seconds)
        self.wait()

    def start(self) -> None:
        self._container.start()
        self.wait()

    def pause(self) -> None:
        self._container.pause()

    def unpause(self) -> None:
        self._container.unpause()

    def heal(self) -> None:
        """Undo whatever a test did."""
        self._container.reload()
        if self._container.status == "paused":
            self._container.unpause()
        elif self._container.status != "running":
            self._container.start()
        self.wait()

    def wait(self) -> None:
        wait_until(lambda: answers(f"http://{self.host}/"), 60, f"Firestore on {self.host}")


FIRESTORE_IMAGE = f"{TEST_PROJECT}-firestore"
FIRESTORE_MEMORY = "1536m"
"""More than the stack gives it: one serves the tests of a whole folder."""


@contextmanager
def firestore(memory: str = FIRESTORE_MEMORY, **variables: str) -> Iterator[Firestore]:
    """Start the kit's own Firestore image with ``variables``; its log is kept under test-output."""
    port = free_port()
    container = DockerContainer(FIRESTORE_IMAGE).with_tmpfs_mount("/tmp")
    data = Mount("/data", None, type="volume")
    container.with_kwargs(
        read_only=True, init=True, mounts=[data], mem_limit=memory, labels={TEST_PROJECT: "1"}
    )
    container.with_envs(**variables)
    # The library's own way to bind a port opens it to the network.
    ports: dict[str, Any] = container.ports
    ports["8080/tcp"] = ("127.0.0.1", port)
    with container:
        running = Firestore(container, port)
        try:
            running.wait()
            yield running
        finally:
            OUTPUT.mkdir(exist_ok=True)
            log = b"".join(container.get_logs())
            (OUTPUT / f"firestore-{port}.log").write_bytes(log)
