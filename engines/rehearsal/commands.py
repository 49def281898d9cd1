"""The commands of a rehearsal over real settings, stores and addresses; ``__main__`` parses and reports."""

import argparse
import asyncio
import json
import sys
from contextlib import AsyncExitStack
from typing import Any

import httpx
from pydantic import TypeAdapter

from engines.config.runtime_config import Settings
from engines.nexus.backends.sink import SinkError
from engines.rehearsal.caller import NotCarriedOut, is_absent
from engines.rehearsal.compare import differences, got_worse
from engines.rehearsal.fault import FaultWatch, sign_in
from engines.rehearsal.fault import watch as follow
from engines.rehearsal.inside import open_inside
from engines.rehearsal.markdown import markdown
from engines.rehearsal.onboard import Rehearsal
from engines.rehearsal.poison import send_poison
from engines.rehearsal.progress import Progress
from engines.rehearsal.receipt import ALL_HELD, CLAIM_BROKE, Host, Receipt
from engines.rehearsal.removal import Removal
from engines.rehearsal.removing import all_sinks, told, users_asked_for

ANSWER_SECONDS = 15.0
SEPARATOR = "--- markdown ---"

RECEIPTS = TypeAdapter(list[Receipt])


async def onboard(settings: Settings, asked: argparse.Namespace) -> int:
    """Walk, print the receipt, say the result."""
    host = Host.model_validate_json(sys.stdin.read() or "{}")
    progress = Progress(rewriting=asked.rewrite)
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(httpx.AsyncClient(base_url=asked.url, timeout=ANSWER_SECONDS))
        await check_answers(http)
        inside = await open_inside(settings, stack)
        receipt = await Rehearsal(http, asked.name, asked.env, inside, progress, host).carry_out()
    if not receipt.local:
        progress.end(
            f"  not in this stack: {receipt.name} (rehearsal) stays at {receipt.base_url}, remove it there"
        )
    progress.end(f"{receipt.run}: {receipt.totals} in {receipt.seconds:.1f} s")
    _print(receipt.model_dump_json(indent=2))
    _print(SEPARATOR)
    _print(markdown(receipt).rstrip("\n"))
    return receipt.exit_code


async def check_answers(http: httpx.AsyncClient) -> None:
    """Raise NotCarriedOut unless something answers and is ready; a Bossman without /readyz cannot say."""
    try:
        ready = await http.get("/readyz")
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        cause = type(error).__name__
        words = "seen from inside the container; ./scripts/doctor looks at this stack"
        raise NotCarriedOut(f"nothing answers at {http.base_url} ({cause}), {words}") from error
    if ready.status_code != httpx.codes.OK and not is_absent(ready):
        raise NotCarriedOut(f"{http.base_url} is not ready ({ready.status_code}): ./scripts/doctor")


def compare(text: str) -> int:
    """Print what changed from the first receipt to the second."""
    before, after = RECEIPTS.validate_json(text)
    for line in differences(before, after) or ["nothing changed"]:
        _print(line)
    return CLAIM_BROKE if got_worse(before, after) else ALL_HELD


async def remove(settings: Settings, asked: argparse.Namespace, text: str) -> int:
    """Remove a run, a tenant or all, and print what is gone."""
    receipts = RECEIPTS.validate_json(text or "[]")
    async with AsyncExitStack() as stack:
        inside = await open_inside(settings, stack)
        if inside is None:
            raise NotCarriedOut("the users are in the memory of a process: they go with it, ./scripts/up")
        sinks = all_sinks(settings, stack, receipts)
        removal = Removal(inside.store, sinks)
        users = await users_asked_for(removal, asked.run, receipts, sinks, everything=asked.all)
        try:
            removed = await removal.remove(users)
        except SinkError as error:
            raise NotCarriedOut(f"{error}: start it with ./scripts/up, then remove the rest again") from error
    for line in told(removed):
        _print(line)
    return ALL_HELD


async def poison(base_url: str) -> int:
    """Send what no sink can store as the login on stdin."""
    login: dict[str, Any] = json.loads(sys.stdin.read() or "{}")
    async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_SECONDS) as http:
        return await send_poison(http, await sign_in(http, login), _print)


async def watch(base_url: str) -> int:
    """Follow the host's lines on stdin."""

    async def said() -> str:
        return str(await asyncio.to_thread(sys.stdin.readline)).strip()

    login: dict[str, Any] = json.loads(await said() or "{}")
    async with httpx.AsyncClient(base_url=base_url, timeout=ANSWER_SECONDS) as http:
        headers = await sign_in(http, login)
        return await follow(FaultWatch(http, headers, _print), said, _print)


def _print(line: str) -> None:
    print(line, flush=True)  # noqa: T201 - the command's output
