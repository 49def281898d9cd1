"""More data than the emulator can save is refused in time; a start that dies of memory says what cures it."""

import pytest
from google.api_core.exceptions import ResourceExhausted

from engines.storage.firestore_client import close_client, open_client
from tests.support.standin import PROJECT, standin
from tests.support.writers import COLLECTION, found

pytestmark = pytest.mark.timeout(600)

MEMORY, TOO_LITTLE = "384m", "112m"
MEGABYTES = 300
BATCH, SIZE = 300, 10_000
"""One request: 3 MB, and the emulator takes 4 MiB."""


async def fill(host: str) -> int:
    """Write as fast as possible until refused; returns how many documents were acknowledged."""
    client, count = open_client(PROJECT, host), 0
    try:
        while count * SIZE < MEGABYTES * 1_000_000:
            batch = client.batch()
            for number in range(count, count + BATCH):
                batch.create(client.collection(COLLECTION).document(f"e{number:06}"), {"text": "x" * SIZE})
            await batch.commit(retry=None, timeout=60)
            count += BATCH
    except ResourceExhausted as error:
        assert "memory" in str(error)  # noqa: PT017 - how far it came is what is asked for
    finally:
        await close_client(client)
    return count


async def test_as_fast_as_possible_is_refused_before_it_dies() -> None:
    with standin(MEMORY) as running:
        generation = running.status()["generation"]
        count = await fill(running.host)
        status = running.status()
        assert status["generation"] == generation, running.log()[-2000:]
        assert 1_000 < count < MEGABYTES * 1_000_000 / SIZE
        assert status["refused_because"].startswith("memory: ")
        assert "mem_limit" in status["refused_because"]
        assert status["memory_used_bytes"] > 0.8 * status["memory_limit_bytes"] > 0
        assert running.health()[0] == 1
        assert running.stop() == 0
        running.start()
        assert len(await found(running.host)) == count
        # Less memory than its data needs: nothing is lost, and the words say what helps.
        assert running.stop() == 0
        running.create(TOO_LITTLE)
        running.launch()
        assert running.exit_code() != 0
        assert "mem_limit of the service firestore in compose/compose.yaml" in running.log()
        running.create(MEMORY)
        running.start()
        assert running.status()["fell_back"] is False
        assert len(await found(running.host)) == count
