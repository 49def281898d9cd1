"""Each sink's far end for the truth table: what breaks it, and what is put into it behind the sink's back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any, ClassVar
from uuid import uuid4

import grpc
import httpx
import obstore
from google.auth.credentials import AnonymousCredentials
from google.cloud import bigquery, storage
from google.cloud.firestore_v1.base_query import FieldFilter
from obstore.store import S3Store

from engines.adapters import open_adapters
from engines.nexus.backends.bigquery_table import columns
from engines.nexus.backends.sink import Envelope
from engines.storage.firestore_client import close_client, open_client
from tests.support.app import settings
from tests.support.bigquery import DATASET, PROJECT, bigquery_stand_in, client_of
from tests.support.docker import Firestore, firestore, wait_until
from tests.support.object_stores import ObjectStore, cloud_storage, s3
from tests.support.records import dataset_event
from tests.support.refusing import refusing_grpc, refusing_http

PAYLOAD = f"payload{uuid4().hex}"
"""What every event carries, and every refusal quotes; nobody may ever read it."""

S3_KEYS = {"AWS_ACCESS_KEY_ID": f"id{uuid4().hex}", "AWS_SECRET_ACCESS_KEY": f"secret{uuid4().hex}"}


class Container(Firestore):
    """A stand-in that is there when anything answers."""

    def __init__(self, store: ObjectStore) -> None:
        super().__init__(store.container, int(store.url.rpartition(":")[2]))

    def wait(self) -> None:
        wait_until(self._answers, 60, self.host)

    def run(self, *command: str) -> None:
        """Run a command inside."""
        code, output = self._container.exec_run(list(command))
        assert code == 0, output

    def _answers(self) -> bool:
        try:
            httpx.get(f"http://{self.host}/", timeout=2)
        except httpx.HTTPError:
            return False
        return True


class FarEnd:
    """A sink's stand-in. A ``place`` is what a cell has for itself: a table or a bucket."""

    name = ""
    has_outbox: ClassVar[bool] = True

    def __init__(self, container: Firestore, denying: int) -> None:
        self.container = container
        self.port = int(container.host.rpartition(":")[2])
        self.denying = denying
        """Port of a far end that denies every call."""

    def variables(self, place: str, host: str) -> dict[str, str]:
        """The variables of an app whose sink is at ``host``, on ``place``."""
        raise NotImplementedError

    async def new_place(self) -> str:
        """A fresh install."""
        raise NotImplementedError

    async def put_undated(self, place: str, tenant_id: str) -> None:
        """A record of the tenant in dev whose ``ingested_at`` is null."""
        raise NotImplementedError

    async def put(self, place: str, tenant_id: str, at: datetime) -> None:
        """An event of the tenant in dev, stored by another process at ``at`` by its clock."""
        configured = settings(**self.variables(place, self.container.host))
        async with AsyncExitStack() as stack:
            sink = open_adapters(configured, stack).sink
            event = dataset_event(tenantId=tenant_id, input={"text": PAYLOAD})
            [receipt] = await sink.write([Envelope(event_id=uuid4().hex, ingested_at=at, event=event)])
            assert receipt.outcome == "stored"

    async def forget(self, place: str, tenant_id: str, since: datetime) -> None:
        """Delete the tenant's records of the day of ``since``, from then on."""
        raise NotImplementedError

    async def drop(self, place: str) -> None:
        """The table or bucket is gone."""
        raise NotImplementedError

    async def restore(self, place: str) -> None:
        """It is there again, empty."""
        raise NotImplementedError


class FirestoreEnd(FarEnd):
    """State is in memory here, so that the sink fails alone; without an outbox, which would fail with it."""

    has_outbox = False

    def __init__(self, container: Firestore, denying: int, missing: int) -> None:
        super().__init__(container, denying)
        self.missing = missing
        """Port of a far end that knows no database."""

    def variables(self, place: str, host: str) -> dict[str, str]:
        return {"NEXUS_BACKEND": "firestore", "GCP_PROJECT_ID": place, "FIRESTORE_EMULATOR_HOST": host}

    async def new_place(self) -> str:
        return f"p-{uuid4().hex[:12]}"

    async def put_undated(self, place: str, tenant_id: str) -> None:
        fields = {"tenantId": tenant_id, "env": "dev", "surface": "squared", "input": {"text": PAYLOAD}}
        dated = {"ingested_at": None, "ingested_at_by_env": {"dev": None}}
        async with self._collection(place, tenant_id) as collection:
            await collection.document("null").set(fields | dated)

    async def forget(self, place: str, tenant_id: str, since: datetime) -> None:
        async with self._collection(place, tenant_id) as collection:
            later = FieldFilter("ingested_at", ">=", since)
            async for found in collection.where(filter=later).stream():
                await found.reference.delete()

    @asynccontextmanager
    async def _collection(self, place: str, tenant_id: str) -> AsyncIterator[Any]:
        client = open_client(place, self.container.host)
        yield client.collection(f"nexus_events_{tenant_id}")
        await close_client(client)


class BigQueryEnd(FarEnd):
    def variables(self, place: str, host: str) -> dict[str, str]:
        return {
            "NEXUS_BACKEND": "bigquery",
            "GCP_PROJECT_ID": PROJECT,
            "NEXUS_BQ_DATASET": DATASET,
            "NEXUS_BQ_TABLE": place,
            "BIGQUERY_EMULATOR_HOST": f"http://{host}",
        }

    async def new_place(self) -> str:
        return f"events_{uuid4().hex}"

    async def put_undated(self, place: str, tenant_id: str) -> None:
        """Into a table made by hand: the sink's own one refuses it."""
        row = {"event_id": "null", "tenantId": tenant_id, "env": "dev", "surface": "squared"}
        fields = [bigquery.SchemaField(field.name, field.field_type) for field in columns()]

        def put(client: bigquery.Client) -> None:
            client.create_table(bigquery.Table(f"{PROJECT}.{DATASET}.{place}", fields))
            assert not client.insert_rows_json(f"{PROJECT}.{DATASET}.{place}", [row])

        await self._ask(put)

    async def forget(self, place: str, tenant_id: str, since: datetime) -> None:
        of_tenant = f"tenantId = '{tenant_id}' AND ingested_at >= TIMESTAMP '{since.isoformat()}'"
        await self._ask(
            lambda client: client.query_and_wait(f"DELETE FROM `{DATASET}.{place}` WHERE {of_tenant}")
        )

    async def drop(self, place: str) -> None:
        await self._ask(lambda client: client.delete_table(f"{DATASET}.{place}"))

    async def restore(self, place: str) -> None:
        table = bigquery.Table(f"{PROJECT}.{DATASET}.{place}", columns())
        await self._ask(lambda client: client.create_table(table))

    async def _ask(self, call: Any) -> None:
        def asked() -> None:
            with client_of(f"http://{self.container.host}") as client:
                call(client)

        await asyncio.to_thread(asked)


class GcsEnd(FarEnd):
    def variables(self, place: str, host: str) -> dict[str, str]:
        return {
            "NEXUS_BACKEND": "object_store",
            "DATASETS_BUCKET": f"gs://{place}",
            "STORAGE_EMULATOR_HOST": f"http://{host}",
        }

    async def new_place(self) -> str:
        place = f"b-{uuid4().hex}"
        await self.restore(place)
        return place

    async def put_undated(self, place: str, tenant_id: str) -> None:
        blob = f"{tenant_id}/dev/by-hand.ndjson", _undated(tenant_id)
        await self._ask(lambda client: client.bucket(place).blob(blob[0]).upload_from_string(blob[1]))

    async def forget(self, place: str, tenant_id: str, since: datetime) -> None:
        def forget(client: Any) -> None:
            for blob in client.list_blobs(place, prefix=_day(tenant_id, since)):
                blob.delete()

        await self._ask(forget)

    async def drop(self, place: str) -> None:
        await self._ask(lambda client: client.bucket(place).delete(force=True))

    async def restore(self, place: str) -> None:
        await self._ask(lambda client: client.create_bucket(place))

    async def _ask(self, call: Any) -> None:
        def asked() -> None:
            options = {"api_endpoint": f"http://{self.container.host}"}
            client = storage.Client(PROJECT, AnonymousCredentials(), client_options=options)  # type: ignore[no-untyped-call]
            call(client)
            client.close()

        await asyncio.to_thread(asked)


class S3End(FarEnd):
    container: Container

    def variables(self, place: str, host: str) -> dict[str, str]:
        target = {"DATASETS_BUCKET": f"s3://{place}", "AWS_ENDPOINT_URL_S3": f"http://{host}"}
        return {"NEXUS_BACKEND": "object_store"} | target | S3_KEYS

    async def new_place(self) -> str:
        place = f"b-{uuid4().hex}"
        await self.restore(place)
        return place

    async def put_undated(self, place: str, tenant_id: str) -> None:
        name = f"{tenant_id}/dev/2026-01-02/03/by-hand.ndjson"
        await obstore.put_async(self._store(place), name, _undated(tenant_id))

    async def forget(self, place: str, tenant_id: str, since: datetime) -> None:
        store = self._store(place)
        for item in await obstore.list(store, _day(tenant_id, since)).collect_async():
            await obstore.delete_async(store, item["path"])

    async def drop(self, place: str) -> None:
        await self._bucket("DELETE", place)

    async def restore(self, place: str) -> None:
        await self._bucket("PUT", place)

    async def _bucket(self, method: str, place: str) -> None:
        await asyncio.to_thread(self.container.run, "s3curl", "-X", method, f"http://127.0.0.1:8334/{place}")

    def _store(self, place: str) -> S3Store:
        keys = {name.lower(): value for name, value in S3_KEYS.items()}
        config: Any = {"endpoint": f"http://{self.container.host}", "region": "us-east-1"} | keys
        return S3Store(place, config=config, client_options={"allow_http": True})


def _day(tenant_id: str, day: datetime) -> str:
    return f"{tenant_id}/dev/{day:%Y-%m-%d}/"


def _undated(tenant_id: str) -> bytes:
    return b'{"event_id": "null", "tenantId": "%s", "ingested_at": null}\n' % tenant_id.encode()


@asynccontextmanager
async def far_end(name: str) -> AsyncIterator[FarEnd]:
    """The far end of one sink, in containers of its own."""
    match name:
        case "firestore":
            denied = refusing_grpc(grpc.StatusCode.PERMISSION_DENIED, PAYLOAD)
            missing = refusing_grpc(grpc.StatusCode.NOT_FOUND, PAYLOAD)
            with firestore() as container:
                async with denied as denying, missing as lacking:
                    yield FirestoreEnd(container, denying, lacking)
        case "bigquery":
            with bigquery_stand_in() as container, refusing_http(PAYLOAD) as denying:
                yield BigQueryEnd(container, denying)
        case "gs":
            with cloud_storage() as store, refusing_http(PAYLOAD) as denying:
                yield GcsEnd(Container(store), denying)
        case "s3":
            with s3(S3_KEYS) as store, _other_keys() as denying:
                yield S3End(Container(store), denying)


@contextmanager
def _other_keys() -> Iterator[int]:
    """An S3 of its own, where the key pair is not known: it answers 403 to every signature."""
    with s3() as store:
        yield int(store.url.rpartition(":")[2])
