"""The Firestore stand-in as the stack runs it, on a volume of its own that outlives it."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import docker
import httpx

from tests.support.docker import (
    FIRESTORE_IMAGE,
    FIRESTORE_MEMORY,
    OUTPUT,
    TEST_PROJECT,
    answers,
    free_port,
    wait_until,
)

PROJECT = "northstar-local"
READY_SECONDS = 90.0
ENDED_SECONDS = 300.0
"""A busy machine takes long for three starts that die."""
STOP_SECONDS = 60
LABELS = {TEST_PROJECT: "1"}


class Standin:
    """A stand-in on a fixed loopback port, and a container that holds its volume and may do all."""

    def __init__(self, engine: Any, volume: str, memory: str) -> None:
        self._engine, self._volume = engine, volume
        self._port = free_port()
        self.host = f"127.0.0.1:{self._port}"
        self._holder = engine.containers.run(
            FIRESTORE_IMAGE,
            ["-c", "import time; time.sleep(86400)"],
            entrypoint=["/usr/bin/python3"],
            user="0:0",
            init=True,
            detach=True,
            network_mode="none",
            volumes={volume: {"bind": "/data", "mode": "rw"}},
            labels=LABELS,
        )
        self._container: Any = None
        self.create(memory)

    def create(self, memory: str) -> None:
        """Make the container anew, as ``up`` does after a change of the file."""
        if self._container:
            self._container.remove(force=True)
        self._container = self._engine.containers.create(
            FIRESTORE_IMAGE,
            init=True,
            read_only=True,
            user="10001:10001",
            cap_drop=["ALL"],
            security_opt=["no-new-privileges:true"],
            pids_limit=256,
            mem_limit=memory,
            tmpfs={"/tmp": "mode=1777,size=64m"},
            volumes={self._volume: {"bind": "/data", "mode": "rw"}},
            ports={"8080/tcp": ("127.0.0.1", self._port)},
            environment={"GOOGLE_CLOUD_PROJECT": PROJECT},
            labels=LABELS,
        )

    @property
    def id(self) -> str:
        """Of the container."""
        return str(self._container.id)

    def start(self) -> None:
        """Start, and wait until it serves."""
        self._container.start()
        self.wait()

    def wait(self) -> None:
        """Wait until it serves."""
        wait_until(lambda: answers(f"http://{self.host}/"), READY_SECONDS, f"ready: {self.log()[-2000:]}")

    def stop(self) -> int:
        """Stop in good order; returns the exit code."""
        self._container.stop(timeout=STOP_SECONDS)
        return self.exit_code()

    def restart(self) -> None:
        """``docker compose restart``."""
        self._container.restart(timeout=STOP_SECONDS)
        self.wait()

    def kill(self) -> None:
        """``docker kill``."""
        self._container.kill()

    def launch(self) -> None:
        """Start without waiting."""
        self._container.start()

    def exit_code(self) -> int:
        """Wait until it has ended; returns the exit code."""
        return int(self._container.wait(timeout=ENDED_SECONDS)["StatusCode"])

    def log(self) -> str:
        """Everything it said."""
        return str(self._container.logs().decode())

    def status(self) -> dict[str, Any]:
        """``/kit/status``."""
        answer = httpx.get(f"http://{self.host}/kit/status", timeout=5)
        answer.raise_for_status()
        found: dict[str, Any] = answer.json()
        return found

    def health(self) -> tuple[int, str]:
        """The container's own health check: exit code and output."""
        code, output = self._container.exec_run(["/usr/bin/python3", "-S", "-m", "standin.health"])
        return int(code), str(output.decode())

    def inside(self, script: str) -> str:
        """Run a Python script in the container, as its user."""
        code, output = self._container.exec_run(["/usr/bin/python3", "-S", "-c", script])
        assert code == 0, output
        return str(output.decode())

    def on_volume(self, script: str) -> str:
        """Run a shell script as root in /data, whether the stand-in runs or not."""
        code, output = self._holder.exec_run(["sh", "-c", script], workdir="/data")
        assert code == 0, output
        return str(output.decode())

    def remove(self) -> None:
        """Remove both containers; keep the log."""
        OUTPUT.mkdir(exist_ok=True)
        (OUTPUT / f"standin-{self._port}.log").write_text(self.log())
        self._container.remove(force=True)
        self._holder.remove(force=True)


@contextmanager
def standin(memory: str = FIRESTORE_MEMORY, megabytes: int | None = None) -> Iterator[Standin]:
    """A running stand-in; on a volume of so many megabytes when given."""
    options = {"type": "tmpfs", "device": "tmpfs", "o": f"size={megabytes}m,uid=10001,gid=10001"}
    engine = docker.from_env()
    with ExitStack() as stack:
        stack.callback(engine.close)
        volume = engine.volumes.create(labels=LABELS, driver_opts=options if megabytes else {})
        stack.callback(volume.remove, force=True)
        running = Standin(engine, volume.name, memory)
        stack.callback(running.remove)
        running.start()
        yield running
