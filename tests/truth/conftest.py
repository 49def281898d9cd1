"""Fixtures of the truth table: one far end per sink, an app per cell, and the table at the end of the run."""

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from uuid import uuid4

import httpx
import pytest

from engines.app import create_app
from engines.config.runtime_config import STATE_SELECTORS
from tests.support.app import serving, settings, sign_up
from tests.support.bigquery import PROJECT
from tests.support.docker import OUTPUT, Firestore, firestore
from tests.support.reports import recorded
from tests.support.sinks_in_trouble import PAYLOAD, S3_KEYS, FarEnd, far_end
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.truth import Row, Watch, save

SINKS = ("firestore", "bigquery", "gs", "s3")
SIGNING = f"signing{uuid4().hex}"
SYSTEM_KEY = f"system{uuid4().hex}"
SECRETS = (PAYLOAD, SIGNING, SYSTEM_KEY, *S3_KEYS.values())
ROW = "truth table row"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "truth" in item.path.parts and "open_cell" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if rows := [str(row) for row in recorded(terminalreporter, ROW)]:
        terminalreporter.section("truth table")
        terminalreporter.write_line(save(rows, OUTPUT / "truth-table.md"))


@dataclass
class Cell:
    """A running app and what is behind its sink."""

    watch: Watch
    far_end: FarEnd
    place: str
    proxy: TcpProxy


Record = Callable[[Row], None]
OpenCell = Callable[..., AbstractAsyncContextManager[Cell]]


@pytest.fixture
def record(record_property: Callable[[str, object], None]) -> Record:
    """Adds a row to the table at the end of the run."""
    return lambda row: record_property(ROW, str(row))


@pytest.fixture(scope="session")
def state() -> Iterator[Firestore]:
    """Where the state is, and the outbox: never broken."""
    with firestore() as running:
        yield running


@pytest.fixture(scope="session", params=SINKS)
async def sink(request: pytest.FixtureRequest) -> AsyncIterator[FarEnd]:
    """One sink after the other, each with all its cells."""
    async with far_end(request.param) as opened:
        opened.name = request.param
        yield opened


@pytest.fixture
def open_cell(
    sink: FarEnd, state: Firestore, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> OpenCell:
    """An app on a fresh place of the sink: through a proxy, unless the container itself is broken."""

    @asynccontextmanager
    async def opened(place: str, *, direct: bool = False) -> AsyncIterator[Cell]:
        caplog.set_level(logging.INFO)
        async with tcp_proxy(sink.port) as proxy:
            values = sink.variables(place, sink.container.host if direct else proxy.host)
            secrets = {"AUTH_JWT_SIGNING": SIGNING, "SYSTEM_BOOTSTRAP_KEY": SYSTEM_KEY}
            app = create_app(settings(**_state(sink, state) | values | secrets))
            async with serving(app) as client:
                a, b = [await sign_up(client, f"{name}-{uuid4().hex}") for name in "ab"]
                watch = Watch(client, a, b)
                yield Cell(watch, sink, place, proxy)
        said = "\n".join([*watch.answers, caplog.text, *capfd.readouterr()])
        assert not [secret for secret in SECRETS if secret in said]

    return opened


def _state(sink: FarEnd, state: Firestore) -> dict[str, str]:
    """State and outbox in Firestore; empty, so that no cell delivers what another left."""
    if not sink.has_outbox:
        return {}
    everything = f"http://{state.host}/emulator/v1/projects/{PROJECT}/databases/(default)/documents"
    httpx.delete(everything).raise_for_status()
    kept = {f"{selector.upper()}_BACKEND": "firestore" for selector in STATE_SELECTORS}
    return kept | {"GCP_PROJECT_ID": PROJECT, "FIRESTORE_EMULATOR_HOST": state.host}
