"""The kit's Cloud Storage, S3 and BigQuery stand-ins as containers, each on a fixed loopback port."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
from docker.types import Mount
from testcontainers.core.container import DockerContainer

from tests.support.docker import OUTPUT, TEST_PROJECT, free_port, wait_until

KEYS = {"AWS_ACCESS_KEY_ID": "kit-test-key", "AWS_SECRET_ACCESS_KEY": "kit-test-secret"}


@dataclass
class ObjectStore:
    """A running stand-in."""

    container: DockerContainer
    url: str

    def pause(self) -> None:
        self.container.get_wrapped_container().pause()

    def unpause(self) -> None:
        self.container.get_wrapped_container().unpause()


@contextmanager
def cloud_storage(volume: str | None = None) -> Iterator[ObjectStore]:
    """The Cloud Storage stand-in; its bucket is ``datasets``. Its data lie in ``volume``, or in a new one."""
    data = Mount("/storage", volume, type="volume")
    with _running("objectstore", 4443, data, "/_internal/healthcheck", {}) as store:
        yield store


@contextmanager
def s3(keys: dict[str, str] = KEYS, volume: str | None = None) -> Iterator[ObjectStore]:
    """The S3 stand-in; its bucket is ``datasets``, its key pair ``keys``."""
    data = Mount("/data", volume, type="volume")
    with _running("s3", 8333, data, "/", keys) as store:
        yield store


@contextmanager
def _running(
    service: str, port: int, data: Mount, path: str, variables: dict[str, str]
) -> Iterator[ObjectStore]:
    published = free_port()
    container = DockerContainer(f"{TEST_PROJECT}-{service}").with_tmpfs_mount("/tmp")
    for name, value in variables.items():
        container.with_env(name, value)
    container.with_kwargs(read_only=True, mounts=[data], labels={TEST_PROJECT: "1"})
    ports: dict[str, Any] = container.ports
    ports[f"{port}/tcp"] = ("127.0.0.1", published)
    with container:
        store = ObjectStore(container, f"http://127.0.0.1:{published}")
        try:
            wait_until(lambda: _answers(f"{store.url}{path}"), 60, f"{service} on {store.url}")
            yield store
        finally:
            OUTPUT.mkdir(exist_ok=True)
            (OUTPUT / f"{service}-{published}.log").write_bytes(b"".join(container.get_logs()))


def _answers(url: str) -> bool:
    """Whether anything answers; S3 refuses an unsigned request, which is an answer too."""
    try:
        httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return False
    return True
