"""The Cloud Storage stand-in killed in the middle of an upload: what is left of it hides nothing."""

import httpx
import pytest

from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import SinkMisconfigured
from tests.contracts.event_sink import envelope
from tests.support.app import settings
from tests.support.docker import wait_until
from tests.support.object_stores import ObjectStore, cloud_storage

TENANT = "t_killed"
HALF_WRITTEN = ("/storage/datasets/t_killed/dev/.one.ndjson81", "/storage/datasets/t_killed/dev/a b.ndjson")


def restart(store: ObjectStore) -> str:
    """Kill it and start it again; returns its log."""
    container = store.container.get_wrapped_container()
    container.kill()
    container.start()
    wait_until(lambda: answers(store.url), 30, f"the stand-in on {store.url}")
    return str(container.logs().decode())


def answers(url: str) -> bool:
    try:
        return httpx.get(f"{url}/_internal/healthcheck", timeout=2).is_success
    except httpx.HTTPError:
        return False


async def test_half_written_objects_are_removed_at_the_next_start() -> None:
    with cloud_storage() as store:
        values = {"DATASETS_BUCKET": "gs://datasets", "STORAGE_EMULATOR_HOST": store.url}
        sink = get_backend(settings(NEXUS_BACKEND="object_store", **values), None)
        stored = envelope(TENANT, "e1")
        await sink.write([stored])
        for path in HALF_WRITTEN:
            store.container.exec(["sh", "-c", 'echo half > "$0"', path])
        with pytest.raises(SinkMisconfigured):
            await sink.latest(TENANT, "dev")
        log = restart(store)
        assert [path for path in HALF_WRITTEN if f"removed: {path}" not in log] == []
        assert await sink.latest(TENANT, "dev") == stored.ingested_at
        assert [found.event_id async for found in sink.scan(TENANT, "dev")] == ["e1"]
        await sink.close()
