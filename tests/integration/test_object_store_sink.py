"""The object-store sink keeps the conformance suite on gs:// and s3://, against the real stand-ins."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from engines.nexus.backends import get_backend
from engines.nexus.backends.object_store_layout import OBJECT_BYTES
from engines.nexus.backends.sink import EventSink, SinkMisconfigured, SinkRetryable
from tests.contracts.event_sink import (
    START,
    UNENCODABLE,
    RemoteSinkContract,
    envelope,
    stored,
    tenant,
)
from tests.support.app import settings
from tests.support.docker import free_port
from tests.support.object_stores import KEYS, ObjectStore, cloud_storage, s3

__all__ = ["tenant"]

NOT_IN_AN_OBJECT = UNENCODABLE | {
    "size": ({"input": {"text": "x" * OBJECT_BYTES}}, "larger than"),
}


@pytest.fixture(scope="module")
def gcs_store() -> Iterator[ObjectStore]:
    with cloud_storage() as store:
        yield store


@pytest.fixture(scope="module")
def s3_store() -> Iterator[ObjectStore]:
    with s3() as store:
        yield store


def gs_sink(url: str, bucket: str = "datasets/kit/events") -> EventSink:
    values = {"DATASETS_BUCKET": f"gs://{bucket}", "STORAGE_EMULATOR_HOST": url}
    return get_backend(settings(NEXUS_BACKEND="object_store", **values), None)


def s3_sink(url: str, bucket: str = "datasets/kit/events", **keys: str) -> EventSink:
    values = {"DATASETS_BUCKET": f"s3://{bucket}", "AWS_ENDPOINT_URL_S3": url} | KEYS | keys
    return get_backend(settings(NEXUS_BACKEND="object_store", **values), None)


class ObjectStoreContract(RemoteSinkContract):
    """What the sink does on every kind of bucket, besides the common suite."""

    knows_duplicates = False
    deepest = 200
    longest = OBJECT_BYTES - 1000
    impossible = NOT_IN_AN_OBJECT

    @staticmethod
    def open(url: str, bucket: str = "datasets/kit/events") -> EventSink:
        raise NotImplementedError

    @pytest.fixture
    async def sink(self, store: ObjectStore) -> AsyncIterator[EventSink]:
        sink = self.open(store.url)
        yield sink
        await sink.close()

    @pytest.fixture
    async def unreachable(self) -> AsyncIterator[EventSink]:
        sink = self.open(f"http://127.0.0.1:{free_port()}")
        yield sink
        await sink.close()

    async def test_the_same_id_again_is_a_duplicate_and_keeps_the_first(
        self, sink: EventSink, tenant: str
    ) -> None:
        """As in the suite, but ``latest`` tells the newest arrival, which was the second one's."""
        first = envelope(tenant, "e1")
        await sink.write([first])
        await sink.write([envelope(tenant, "e1", 5, surface="other")])
        assert await stored(sink, tenant) == [first]
        assert await sink.latest(tenant, "dev") == START + timedelta(seconds=5)

    async def test_a_batch_again_is_known_as_a_duplicate_in_any_order(
        self, sink: EventSink, tenant: str
    ) -> None:
        batch = [envelope(tenant, f"e{n}", n * 1000, env=env) for n, env in enumerate(["dev", "prod"] * 4)]
        first = await sink.write(batch)
        again = await sink.write(batch[::-1])
        assert {receipt.outcome for receipt in first} == {"stored"}
        assert [(receipt.event_id, receipt.outcome) for receipt in again] == [
            (f"e{n}", "duplicate") for n in reversed(range(8))
        ]

    async def test_a_batch_larger_than_an_object_is_stored_whole(self, sink: EventSink, tenant: str) -> None:
        batch = [envelope(tenant, f"e{n}", n, input={"text": "x" * 3_000_000}) for n in range(5)]
        assert {receipt.outcome for receipt in await sink.write(batch)} == {"stored"}
        assert {receipt.outcome for receipt in await sink.write(batch)} == {"duplicate"}
        assert await stored(sink, tenant) == batch

    async def test_scan_crosses_hours_and_days_from_since_on(self, sink: EventSink, tenant: str) -> None:
        everything = [envelope(tenant, f"e{n}", n * 2500) for n in range(60)]
        await sink.write(everything[::-1])
        assert await stored(sink, tenant) == everything
        for n in (0, 1, 17, 40, 59):
            assert await stored(sink, tenant, since=everything[n].ingested_at) == everything[n:]
        assert await stored(sink, tenant, since=everything[-1].ingested_at + timedelta(days=1)) == []

    async def test_scan_orders_objects_that_overlap_in_time(self, sink: EventSink, tenant: str) -> None:
        everything = [envelope(tenant, f"e{n:03}", n) for n in range(200)]
        await asyncio.gather(*(sink.write(everything[n::20]) for n in range(20)))
        assert await stored(sink, tenant) == everything

    async def test_a_bucket_that_is_missing_is_named_and_not_created(
        self, store: ObjectStore, tenant: str
    ) -> None:
        sink = self.open(store.url, f"missing-{uuid4().hex[:8]}")
        for _ in range(2):
            with pytest.raises(SinkMisconfigured, match="does not exist") as caught:
                await sink.write([envelope(tenant, "e1")])
            assert caught.value.reason == "missing"
            with pytest.raises(SinkMisconfigured, match="does not exist"):
                await sink.probe()
        await sink.close()

    @pytest.mark.parametrize(
        ("call", "limit"), [("probe", 2.5), ("latest", 2.5), ("write", 4.5), ("scan", 10.5)]
    )
    async def test_a_store_that_hangs_is_a_timeout(
        self, store: ObjectStore, sink: EventSink, tenant: str, call: str, limit: float
    ) -> None:
        await sink.probe()
        store.pause()
        try:
            started = time.monotonic()
            with pytest.raises(SinkRetryable) as caught:
                await self.make(call, sink, envelope(tenant, "e1"))
        finally:
            store.unpause()
        assert (caught.value.reason, time.monotonic() - started < limit) == ("timeout", True)
        await sink.probe()


class TestCloudStorage(ObjectStoreContract):
    open = staticmethod(gs_sink)

    @pytest.fixture
    def store(self, gcs_store: ObjectStore) -> ObjectStore:
        return gcs_store

    def test_target(self, sink: EventSink) -> None:
        assert sink.describe().target == "gs://datasets/kit/events/{tenant}/"


class TestS3(ObjectStoreContract):
    open = staticmethod(s3_sink)

    @pytest.fixture
    def store(self, s3_store: ObjectStore) -> ObjectStore:
        return s3_store

    def test_target(self, sink: EventSink) -> None:
        assert sink.describe().target == "s3://datasets/kit/events/{tenant}/"

    @pytest.mark.parametrize("call", ["write", "latest", "scan", "probe"])
    @pytest.mark.parametrize("wrong", list(KEYS))
    async def test_a_refused_key_is_denied_and_not_shown(
        self, store: ObjectStore, tenant: str, call: str, wrong: str
    ) -> None:
        keys: dict[str, Any] = {wrong: "not-the-right-one"}
        with pytest.raises(SinkMisconfigured, match="permission denied") as caught:
            await self.make(call, s3_sink(store.url, **keys), envelope(tenant, "e1"))
        assert caught.value.reason == "denied"
        assert "not-the-right-one" not in str(caught.value)
