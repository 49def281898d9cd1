"""``python -m tests.support.accepting HOST``: accepts events while its sink is down, until it is killed.

Prints the id of each accepted event at once. The outbox is on the Firestore stand-in at HOST.
"""

import asyncio
import sys
from itertools import count

from engines.common.clock import utc_now
from engines.nexus.backends.sink import Envelope
from engines.nexus.delivery import Delivery
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import open_client
from tests.support.delivery import AWAY, WatchedSink
from tests.support.records import dataset_event


async def accept(delivery: Delivery, prefix: str) -> None:
    for number in count():
        event_id = f"{prefix}-{number}"
        await delivery.deliver(Envelope(event_id=event_id, ingested_at=utc_now(), event=dataset_event()))
        print(event_id, flush=True)  # noqa: T201 - what the test reads


async def main(host: str) -> None:
    sink = WatchedSink()
    sink.faults["write"] = AWAY
    store = FirestoreDocumentStore(open_client("northstar-local", host))
    delivery = Delivery(sink, outbox=store)
    delivery.start()
    await asyncio.gather(*(accept(delivery, f"caller{number}") for number in range(8)))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
