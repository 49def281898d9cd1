"""Each sink's stand-in as a process meets it: how to select it, take it away, and look behind the sink."""

import json
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from typing import Any

import httpx

from engines.config.bucket import parse_bucket
from engines.config.runtime_config import STATE_SELECTORS, Settings
from engines.nexus.backends import get_backend
from engines.nexus.backends.object_store_bucket import Bucket
from engines.nexus.backends.object_store_gcs import open_gcs
from engines.nexus.backends.object_store_s3 import S3Access, open_s3
from engines.nexus.backends.sink import EventSink
from engines.storage.firestore_client import close_client, open_client
from tests.support import object_stores
from tests.support.app import settings
from tests.support.bigquery import DATASET, PROJECT, bigquery_stand_in, client_of
from tests.support.docker import Firestore, wait_until
from tests.support.object_stores import KEYS, ObjectStore

KINDS = ("firestore", "bigquery", "gs", "s3")
HEALTH = {"bigquery": ["/usr/bin/python3", "-S", "/app/health.py"]}


@dataclass(frozen=True)
class FarEnd:
    """One sink's stand-in beside the Firestore that keeps the state."""

    kind: str
    variables: Mapping[str, str]
    """The whole environment of a Bossman that writes there."""
    away: Callable[[], None]
    back: Callable[[], None]
    container: Any
    """Docker's own handle of it."""

    @property
    def has_outbox(self) -> bool:
        """Whether the sink can fail while the state is still there."""
        return self.kind != "firestore"

    def stop(self) -> None:
        """An orderly stop, in the time that Compose gives it."""
        self.container.stop(timeout=10)

    def health(self) -> tuple[int, str]:
        """What its health check says: 0 and nothing, or why not."""
        code, output = self.container.exec_run(HEALTH.get(self.kind, ["health"]))
        return int(code), str(output.decode())

    @asynccontextmanager
    async def sink(self) -> AsyncIterator[EventSink]:
        """The sink over clients of its own, opened as the product opens it."""
        values = self.settings
        client = open_client(PROJECT, values.firestore_emulator_host)
        sink = get_backend(values, client)
        try:
            yield sink
        finally:
            await sink.close()
            await close_client(client)

    @property
    def settings(self) -> Settings:
        """As Bossman reads them."""
        return settings(**self.variables)

    async def raw_ids(self, tenant_id: str) -> list[str]:
        """The event id of every record of the tenant in dev, read without the sink: copies show."""
        match self.kind:
            case "firestore":
                return await self._documents(tenant_id)
            case "bigquery":
                return self._rows(tenant_id)
            case _:
                return await self._lines(tenant_id)

    async def _documents(self, tenant_id: str) -> list[str]:
        client = open_client(PROJECT, self.settings.firestore_emulator_host)
        try:
            events = client.collection(f"nexus_events_{tenant_id}")
            return [item.get("event_id") async for item in events.stream()]
        finally:
            await close_client(client)

    def _rows(self, tenant_id: str) -> list[str]:
        sql = f"SELECT event_id FROM `{PROJECT}.{DATASET}.dataset_events` WHERE tenantId = '{tenant_id}'"
        with client_of(self.variables["BIGQUERY_EMULATOR_HOST"]) as client:
            return [row["event_id"] for row in client.query_and_wait(sql)]

    async def _lines(self, tenant_id: str) -> list[str]:
        bucket = self.bucket()
        ids = []
        try:
            async for name in bucket.names(f"{tenant_id}/dev/"):
                ids += [json.loads(line)["event_id"] for line in (await bucket.read(name)).splitlines()]
        finally:
            await bucket.close()
        return ids

    def tables(self) -> list[str]:
        """The names of the tables in BigQuery's dataset."""
        with client_of(self.variables["BIGQUERY_EMULATOR_HOST"]) as client:
            return [table.table_id for table in client.list_tables(f"{PROJECT}.{DATASET}")]

    def bucket(self) -> Bucket:
        """The object store's bucket, past the sink."""
        values = self.settings
        assert values.datasets_bucket
        address = parse_bucket(values.datasets_bucket)
        if self.kind == "gs":
            return open_gcs(address, "raw", PROJECT, values.storage_emulator_host)
        access = S3Access(
            values.aws_default_region,
            values.aws_endpoint_url,
            values.aws_access_key_id,
            values.aws_secret_access_key,
        )
        return open_s3(address, "raw", access)


@contextmanager
def far_end(kind: str, state: Firestore, volume: str | None = None) -> Iterator[FarEnd]:
    """The stand-in of one of KINDS while it runs; state, and events of ``firestore``, are in ``state``.

    The data of another kind lie in ``volume``, else in a new one.
    """
    variables = state_variables(state)
    match kind:
        case "firestore":
            # Killed it would lose what its last export does not hold, as no cloud does: it hangs instead.
            yield FarEnd(kind, variables | {"NEXUS_BACKEND": kind}, state.pause, state.heal, state.container)
        case "bigquery":
            with bigquery_stand_in(volume) as warehouse:
                selected = {"NEXUS_BACKEND": kind, "BIGQUERY_EMULATOR_HOST": warehouse.url}
                yield FarEnd(kind, variables | selected, warehouse.kill, warehouse.start, warehouse.container)
        case "gs":
            with object_stores.cloud_storage(volume) as store:
                selected = {"DATASETS_BUCKET": "gs://datasets", "STORAGE_EMULATOR_HOST": store.url}
                yield _object_store(kind, store, variables | selected)
        case _:
            with object_stores.s3(volume=volume) as store:
                selected = {"DATASETS_BUCKET": "s3://datasets", "AWS_ENDPOINT_URL_S3": store.url} | KEYS
                yield _object_store(kind, store, variables | selected)


def state_variables(state: Firestore) -> dict[str, str]:
    """All state in the Firestore stand-in, as in the stack."""
    selectors = {f"{selector.upper()}_BACKEND": "firestore" for selector in STATE_SELECTORS}
    return selectors | {"GCP_PROJECT_ID": PROJECT, "FIRESTORE_EMULATOR_HOST": state.host}


def _object_store(kind: str, store: ObjectStore, variables: dict[str, str]) -> FarEnd:
    container: Any = store.container.get_wrapped_container()

    def back() -> None:
        container.start()
        wait_until(lambda: _listens(store.url), 60, f"{kind} on {store.url}")

    return FarEnd(kind, variables | {"NEXUS_BACKEND": "object_store"}, container.kill, back, container)


def _listens(url: str) -> bool:
    """Whether anything answers."""
    try:
        httpx.get(url, timeout=2)
    except httpx.HTTPError:
        return False
    return True
