"""``python -m engines.verification.repair_usage --tenant T | --all``: the sums of usage, from its events.

What something else wrote into the collections of usage is in no sum; this corrects the sums, and may be
repeated at any time, while usage is recorded too. Exit codes: 0 all sums are right, 1 events remain that no
sum can hold, 3 something could not be read, written or finished (run it again), 64 bad usage, 78 unusable
settings.
"""

import argparse
import asyncio
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack

from engines.budget.repair import Rebuilt, rebuild
from engines.common.collection import Collection
from engines.common.documents import SYSTEM, DocumentStore, Scope, StoreError
from engines.common.identity import ENVS
from engines.config.runtime_config import Settings, SettingsError, load_settings
from engines.identity.models import TENANTS, Tenant
from engines.storage.firestore import FirestoreDocumentStore
from engines.storage.firestore_client import close_client, open_client
from engines.verification.usage import Parser, tenant

UNREADABLE_REMAIN, NOT_FINISHED, CONFIGURATION_ERROR = 1, 3, 78


def main(arguments: Sequence[str] | None = None) -> int:
    """See the module's text."""
    chosen = parser().parse_args(arguments)
    try:
        return asyncio.run(run(load_settings(), chosen))
    except SettingsError as error:
        _say(str(error))
        return CONFIGURATION_ERROR
    except StoreError as error:
        _say(str(error))
        return NOT_FINISHED
    except Exception as error:
        # Python's own exit code, 1, would read as "events remain", and an error's text could hold a payload.
        _say(f"not finished: {type(error).__name__}, which should not happen")
        return NOT_FINISHED


async def run(settings: Settings, chosen: argparse.Namespace) -> int:
    """Open the store of usage as Bossman does, and repair what was asked for.

    Raises SettingsError, StoreError.
    """
    if settings.budget_backend != "firestore":
        raise SettingsError(
            "BUDGET_BACKEND is memory, which is not seen from here: there is nothing to repair"
        )
    if chosen.all and settings.identity_backend != "firestore":
        raise SettingsError("IDENTITY_BACKEND is memory, so the tenants are not seen from here: use --tenant")
    async with AsyncExitStack() as stack:
        client = open_client(settings.gcp_project or "", settings.firestore_emulator_host)
        stack.push_async_callback(close_client, client)
        store = FirestoreDocumentStore(client)
        return await repair(store, await _scopes(store, chosen), as_json=chosen.json)


async def repair(store: DocumentStore, scopes: Sequence[Scope], *, as_json: bool) -> int:
    """Repair each scope and say what was done; one that fails does not stop the others."""
    done, failed = [], False
    for scope in scopes:
        try:
            done.append(await rebuild(store, scope))
        except StoreError as error:
            failed = True
            _say(f"{scope.tenant_id} {scope.env}: not finished: {error}")
    text = json.dumps([one.model_dump() for one in done], indent=2) if as_json else "\n".join(_lines(done))
    print(text)  # noqa: T201 - the command's output
    if failed:
        return NOT_FINISHED
    return UNREADABLE_REMAIN if any(one.unreadable for one in done) else 0


async def _scopes(store: DocumentStore, chosen: argparse.Namespace) -> list[Scope]:
    envs = [chosen.env] if chosen.env else ENVS
    tenants = [chosen.tenant]
    if chosen.all:
        found = await Collection(store, TENANTS, Tenant).find(SYSTEM)
        tenants = [stored.record.id for stored in found]
    return [Scope(tenant_id, env) for tenant_id in tenants for env in envs]


def _lines(done: Sequence[Rebuilt]) -> Iterator[str]:
    for one in done:
        if one.events or one.corrected or one.unreadable:
            unreadable = f", {one.unreadable} that no sum can hold" if one.unreadable else ""
            corrected = f"{one.corrected} sums corrected" if one.corrected else "all sums right"
            yield f"{one.tenant_id} {one.env}: {one.events} events{unreadable}; {corrected}"
    if not any(one.events or one.corrected or one.unreadable for one in done):
        yield "no usage"


def parser() -> Parser:
    """The command line's parser."""
    made = Parser(prog="repair-usage", description="Correct the sums of usage by its events.")
    whose = made.add_mutually_exclusive_group(required=True)
    whose.add_argument("--tenant", type=tenant, help="t_…")
    whose.add_argument("--all", action="store_true", help="every tenant that has signed up")
    made.add_argument("--env", choices=ENVS, help="every env when left out")
    made.add_argument("--json", action="store_true", help="the result as JSON")
    return made


def _say(message: str) -> None:
    print(message, file=sys.stderr)  # noqa: T201 - the command's error


if __name__ == "__main__":
    sys.exit(main())
