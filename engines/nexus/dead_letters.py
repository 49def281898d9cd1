"""``python -m engines.nexus.dead_letters list|replay [--tenant T]``: the events that the sink refused.

``list`` prints one line of JSON per letter, without the event itself. ``replay`` writes them to the sink
again under the same event ids, removes what it took, and prints {"replayed": …, "refused": …}. Exit 1 when
the sink refused some again or when it or the store failed, 2 on bad usage, 78 on unusable settings.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from engines.common.documents import StoreError
from engines.config.runtime_config import Settings, SettingsError, load_settings
from engines.nexus.backends import get_backend
from engines.nexus.backends.sink import EventSink, SinkError, SinkPermanent
from engines.nexus.delivery.attempt import send
from engines.nexus.delivery.dead_letters import DeadLetter, DeadLetters
from engines.nexus.delivery.text import from_text
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client

CONFIGURATION_ERROR = 78
LIMIT = 1_000
"""Most letters of one call; what is over it is said on stderr."""
BATCH = 20
WRITE_SECONDS = 30.0
SHOWN = ("tenant_id", "env", "event_id", "refused_at", "sink", "target", "reason")


async def replay(letters: DeadLetters, sink: EventSink, chosen: Sequence[DeadLetter]) -> tuple[int, int]:
    """Write the letters to the sink again; returns how many it took and how many it refused again.

    Raises SinkError and StoreError; what was not removed by then stays a letter and can be replayed again.
    Of a batch of which only a part could be judged the rest is raised after the others were removed.
    """
    replayed = refused = 0
    for start in range(0, len(chosen), BATCH):
        batch = chosen[start : start + BATCH]
        receipts = await send(sink, [from_text(letter.envelope) for letter in batch], WRITE_SECONDS)
        for letter, receipt in zip(batch, receipts, strict=True):
            if receipt.error is None:
                await letters.remove(letter)
                replayed += 1
            else:
                refused += 1
        for receipt in receipts:
            if receipt.error and not isinstance(receipt.error, SinkPermanent):
                raise receipt.error
    return replayed, refused


async def run(command: str, tenant_id: str | None, letters: DeadLetters, sink: EventSink) -> int:
    """Carry the command out; returns the exit code. Raises StoreError, SinkError."""
    found = await letters.page(LIMIT, tenant_id)
    chosen = sorted(found, key=lambda letter: (letter.refused_at, letter.key))
    if len(chosen) == LIMIT:
        _say(f"only {LIMIT} letters were looked at, there may be more: replay, then run this again")
    if command == "list":
        for letter in chosen:
            print(letter.model_dump_json(include=set(SHOWN)))  # noqa: T201 - the command's output
        return 0
    replayed, refused = await replay(letters, sink, chosen)
    print(json.dumps({"replayed": replayed, "refused": refused}))  # noqa: T201 - the command's output
    return 1 if refused else 0


async def with_settings(settings: Settings, command: str, tenant_id: str | None) -> int:
    """Open store and sink as Bossman does, and carry the command out."""
    if not settings.needs_firestore:
        _say("no selector asks for firestore, so nothing keeps dead letters")
        return CONFIGURATION_ERROR
    async with AsyncExitStack() as stack:
        client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
        stack.push_async_callback(close_client, client)
        sink = get_backend(settings, client)
        stack.push_async_callback(sink.close)
        return await run(command, tenant_id, DeadLetters(FirestoreDocumentStore(client)), sink)


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's text."""
    parser = argparse.ArgumentParser(prog="dead-letters", description="The events that the sink refused.")
    parser.add_argument("command", choices=["list", "replay"])
    parser.add_argument("--tenant", help="only this tenant's, t_…")
    chosen = parser.parse_args(arguments)
    try:
        return asyncio.run(with_settings(load_settings(), chosen.command, chosen.tenant))
    except SettingsError as error:
        _say(str(error))
        return CONFIGURATION_ERROR
    except (SinkError, StoreError) as error:
        _say(str(error))
        return 1


def _say(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - the command's error


if __name__ == "__main__":
    sys.exit(main())
