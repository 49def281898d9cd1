"""The kit's Firestore stand-in for integration tests: one container per session, healed after each fault."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from google.cloud.firestore import AsyncClient

from engines.app import create_app
from engines.config.runtime_config import STATE_SELECTORS, Settings
from engines.storage.firestore_client import close_client, open_client
from tests.support.app import serving, settings
from tests.support.bigquery import BigQuery, bigquery_stand_in
from tests.support.docker import Firestore, firestore

PROJECT = "northstar-local"
STATE_VARIABLES = [f"{selector.upper()}_BACKEND" for selector in STATE_SELECTORS]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "integration" in item.path.parts:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="session")
def emulator() -> Iterator[Firestore]:
    with firestore() as running:
        yield running


@pytest.fixture(scope="session")
def bigquery_container() -> Iterator[BigQuery]:
    with bigquery_stand_in() as running:
        yield running


@pytest.fixture
def stand_in(bigquery_container: BigQuery) -> Iterator[BigQuery]:
    """The BigQuery stand-in, healed after each test."""
    yield bigquery_container
    bigquery_container.heal()


@pytest.fixture
async def client(emulator: Firestore) -> AsyncIterator[AsyncClient]:
    """A client of the stand-in, opened as the product opens it."""
    client = open_client(PROJECT, emulator.host)
    yield client
    await close_client(client)


@pytest.fixture
async def default_stack(emulator: Firestore) -> AsyncIterator[httpx.AsyncClient]:
    """The engines with state and events in Firestore, as the Compose stack runs them."""
    firestore_state = dict.fromkeys(STATE_VARIABLES, "firestore")
    async with serving(create_app(firestore_settings(emulator, **firestore_state))) as client:
        yield client
    emulator.heal()


@pytest.fixture
async def sink_apart(emulator: Firestore) -> AsyncIterator[httpx.AsyncClient]:
    """The engines with state in memory and events in Firestore: the sink can fail alone."""
    async with serving(create_app(firestore_settings(emulator))) as client:
        yield client
    emulator.heal()


def firestore_settings(emulator: Firestore, **values: str) -> Settings:
    return settings(
        NEXUS_BACKEND="firestore", GCP_PROJECT_ID=PROJECT, FIRESTORE_EMULATOR_HOST=emulator.host, **values
    )
