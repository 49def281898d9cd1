"""The BigQuery sink keeps the conformance suite, against the real stand-in."""

from collections.abc import AsyncIterator, Iterator
from uuid import uuid4

import pytest

from engines.nexus.backends.bigquery import open_bigquery
from engines.nexus.backends.sink import EventSink
from tests.contracts.event_sink import UNENCODABLE, RemoteSinkContract, deep, tenant
from tests.support.bigquery import DATASET, PROJECT, BigQuery, bigquery_stand_in
from tests.support.docker import free_port

__all__ = ["tenant"]


@pytest.fixture(scope="session")
def stand_in() -> Iterator[BigQuery]:
    with bigquery_stand_in() as running:
        yield running


@pytest.fixture(scope="module")
def table() -> str:
    return f"events_{uuid4().hex}"


class TestBigQuerySink(RemoteSinkContract):
    knows_duplicates = False
    deepest = 200
    longest = 2_000_000
    impossible = UNENCODABLE | {
        "integer": ({"output": {"x": 2**64}}, "64 bits"),
        "not a number": ({"output": {"x": float("nan")}}, "finite"),
        "depth": ({"metadata": deep(300)}, "too deeply"),
        "size": ({"input": {"text": "x" * 9_000_000}}, "too large"),
    }

    @pytest.fixture
    async def sink(self, stand_in: BigQuery, table: str) -> AsyncIterator[EventSink]:
        sink = open_bigquery(PROJECT, DATASET, table, stand_in.url)
        yield sink
        await sink.close()

    @pytest.fixture
    async def unreachable(self) -> AsyncIterator[EventSink]:
        sink = open_bigquery(PROJECT, DATASET, "events", f"http://127.0.0.1:{free_port()}")
        yield sink
        await sink.close()
