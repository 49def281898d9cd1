"""Fixtures for tests of the BigQuery sink; a test file imports those it uses."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest
from google.cloud import bigquery

from engines.nexus.backends.bigquery import BigQuerySink, open_bigquery
from tests.support.bigquery import DATASET, PROJECT, BigQuery, FaultyBigQuery, client_of, faulty


@pytest.fixture
def client(stand_in: BigQuery) -> Iterator[bigquery.Client]:
    """A look behind the sink, as an analyst or an operator has it."""
    with client_of(stand_in.url) as client:
        yield client


@pytest.fixture
def table() -> str:
    """A table of its own, not there yet."""
    return f"events_{uuid4().hex}"


@pytest.fixture
async def sink(stand_in: BigQuery, table: str) -> AsyncIterator[BigQuerySink]:
    sink = open_bigquery(PROJECT, DATASET, table, stand_in.url)
    yield sink
    await sink.close()


@pytest.fixture
def broken(stand_in: BigQuery) -> Iterator[FaultyBigQuery]:
    with faulty(stand_in.url) as server:
        yield server


@pytest.fixture
async def through(broken: FaultyBigQuery, table: str) -> AsyncIterator[BigQuerySink]:
    """A sink whose far end fails where the test says so."""
    sink = open_bigquery(PROJECT, DATASET, table, broken.url)
    yield sink
    await sink.close()
