"""One app per store for all rows: state in memory with a sink in memory, and both in Firestore."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from fastapi import FastAPI

from engines.adapters import Adapters
from engines.app import create_app
from engines.config.runtime_config import STATE_SELECTORS, Settings
from engines.nexus.backends.memory import MemorySink
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import serving, settings
from tests.support.callers import Caller, owner_of_new_tenant
from tests.support.docker import firestore
from tests.support.reports import recorded

PROJECT = "northstar-local"


@pytest.fixture(scope="session", params=["memory", pytest.param("firestore", marks=pytest.mark.docker)])
def app(request: pytest.FixtureRequest) -> Iterator[FastAPI]:
    """The app over the store of this run."""
    if request.param == "memory":
        state = dict.fromkeys(STATE_SELECTORS, MemoryDocumentStore())
        yield create_app(settings(), Adapters(state, MemorySink()))
        return
    with firestore() as emulator:
        yield create_app(_firestore_settings(emulator.host))


@pytest.fixture(scope="session")
async def http(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the running app, once its store answers: a new stand-in's first calls take their time."""
    async with serving(app) as client:
        for _ in range(100):
            if (await client.get("/readyz")).status_code == httpx.codes.OK:
                break
            await asyncio.sleep(0.2)
        yield client


@pytest.fixture
async def owner(http: httpx.AsyncClient) -> Caller:
    """The owner of a new tenant, so that no row sees another's records."""
    return await owner_of_new_tenant(http)


def _firestore_settings(host: str) -> Settings:
    state = {f"{selector.upper()}_BACKEND": "firestore" for selector in STATE_SELECTORS}
    return settings(NEXUS_BACKEND="firestore", GCP_PROJECT_ID=PROJECT, FIRESTORE_EMULATOR_HOST=host, **state)


FUZZ_CASES = "generated requests"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many requests were generated from the OpenAPI."""
    if sent := recorded(terminalreporter, FUZZ_CASES):
        total = sum(map(int, map(str, sent)))
        terminalreporter.write_line(f"OpenAPI: {total} generated requests, as an owner and as nobody")
