"""The kit's BigQuery stand-in for tests, through Testcontainers, and clients that look behind the sink."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from docker.types import Mount
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery
from testcontainers.core.container import DockerContainer

from tests.support.docker import OUTPUT, TEST_PROJECT, Firestore, answers, free_port, wait_until

PROJECT = "northstar-local"
DATASET = "nexus_events"


class BigQuery(Firestore):
    """A running BigQuery stand-in: stopped, paused and healed like the other one."""

    @property
    def url(self) -> str:
        return f"http://{self.host}"

    def wait(self) -> None:
        # It listens before its database is open; the list of datasets needs it.
        datasets = f"{self.url}/bigquery/v2/projects/{PROJECT}/datasets"
        wait_until(lambda: answers(datasets), 60, f"BigQuery on {self.host}")


@contextmanager
def bigquery_stand_in() -> Iterator[BigQuery]:
    """Start the kit's own BigQuery image with the sink's dataset; its log is kept under test-output."""
    port = free_port()
    container = DockerContainer(f"{TEST_PROJECT}-bigquery").with_tmpfs_mount("/tmp")
    container.with_env("GOOGLE_CLOUD_PROJECT", PROJECT)
    data = Mount("/data", None, type="volume")
    container.with_kwargs(read_only=True, mounts=[data], labels={TEST_PROJECT: "1"})
    ports: dict[str, Any] = container.ports
    ports["9050/tcp"] = ("127.0.0.1", port)
    with container:
        running = BigQuery(container, port)
        try:
            running.wait()
            with client_of(running.url) as client:
                client.create_dataset(f"{PROJECT}.{DATASET}")
            yield running
        finally:
            OUTPUT.mkdir(exist_ok=True)
            (OUTPUT / f"bigquery-{port}.log").write_bytes(b"".join(container.get_logs()))


@contextmanager
def client_of(url: str) -> Iterator[bigquery.Client]:
    """A client of the test's own."""
    client = bigquery.Client(
        PROJECT,
        AnonymousCredentials(),  # type: ignore[no-untyped-call]
        client_options={"api_endpoint": url},
    )
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]
