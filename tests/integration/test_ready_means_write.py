"""A stand-in that answers takes writes: every place of a sink is warm before the door opens, and is empty."""

import pytest

from engines.nexus.backends.sink import EventSink
from tests.contracts.event_sink import envelope, stored, tenant
from tests.support.docker import Firestore
from tests.support.far_ends import FarEnd, far_end

__all__ = ["tenant"]

KINDS = ("bigquery", "gs", "s3")
pytestmark = pytest.mark.timeout(180)


async def names(end: FarEnd) -> list[str]:
    """Whatever lies in the sink's place."""
    if end.kind == "bigquery":
        return end.tables()
    bucket = end.bucket()
    try:
        return [name async for name in bucket.names("")]
    finally:
        await bucket.close()


async def write_one(sink: EventSink, tenant: str, event_id: str) -> None:
    """One try, without the retries that delivery makes."""
    [receipt] = await sink.write([envelope(tenant, event_id)])
    assert receipt.outcome == "stored"


@pytest.mark.parametrize("kind", KINDS)
async def test_the_first_write_passes_after_each_start(emulator: Firestore, kind: str, tenant: str) -> None:
    with far_end(kind, emulator) as end:
        assert await names(end) == []
        async with end.sink() as sink:
            await write_one(sink, tenant, "e1")
        before = await names(end)
        end.stop()
        end.back()
        assert await names(end) == before
        async with end.sink() as sink:
            await write_one(sink, tenant, "e2")
            assert {item.event_id for item in await stored(sink, tenant)} == {"e1", "e2"}


async def test_a_buckets_volumes_are_there_before_its_first_object(emulator: Firestore) -> None:
    with far_end("s3", emulator) as end:
        for bucket in ("raw", "datasets"):
            code, output = end.container.exec_run(["bash", "-c", f"ls /data/{bucket}_*.dat"])
            assert code == 0, output
