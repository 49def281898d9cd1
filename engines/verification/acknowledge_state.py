"""``python -m engines.verification.acknowledge_state``: an operator knows what the state store lost.

Prints one line for each loss that was open; from then on nobody is told of it. Exit codes: 0 done, also when
nothing was open; 3 the store cannot be read or written; 64 bad usage; 78 unusable settings.
"""

import asyncio
import sys
from collections.abc import Sequence
from contextlib import AsyncExitStack

from engines.common.documents import StoreError
from engines.config.runtime_config import Settings, SettingsError, load_settings
from engines.logging.state_losses import StateLosses
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from engines.storage.firestore_stand_in import FirestoreStandIn
from engines.verification.usage import Parser

NOT_FINISHED, CONFIGURATION_ERROR = 3, 78


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's text."""
    Parser(prog="verify acknowledge --state").parse_args(arguments)
    try:
        return asyncio.run(run(load_settings()))
    except SettingsError as error:
        return _failed(str(error), CONFIGURATION_ERROR)
    except StoreError as error:
        return _failed(str(error), NOT_FINISHED)


async def run(settings: Settings) -> int:
    """Open the stand-in and its store as Bossman does, and acknowledge. Raises StoreError."""
    host = settings.firestore_emulator_host
    if not settings.needs_firestore or host is None:
        return _failed("the state is in no stand-in: nothing to acknowledge", CONFIGURATION_ERROR)
    async with AsyncExitStack() as stack:
        client = open_client(settings.gcp_project or "", host)
        stack.push_async_callback(close_client, client)
        stand_in = FirestoreStandIn(host)
        stack.push_async_callback(stand_in.close)
        closed = await StateLosses(FirestoreDocumentStore(client), stand_in).acknowledge()
    for loss in closed:
        print(f"acknowledged: the state store {loss.sentence}")  # noqa: T201 - the command's output
    if not closed:
        print("nothing to acknowledge")  # noqa: T201 - the command's output
    return 0


def _failed(message: str, code: int) -> int:
    print(message, file=sys.stderr)  # noqa: T201 - the command's error
    return code


if __name__ == "__main__":
    sys.exit(main())
