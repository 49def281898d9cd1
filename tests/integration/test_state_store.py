"""Clocks, losses and ended sessions against the real stand-in."""

import pytest
from google.cloud.firestore import AsyncClient

from engines.common.documents import SYSTEM, DocumentStore
from engines.common.process_clocks import HEARTBEATS, ProcessClocks
from engines.logging.state_losses import StateLosses
from engines.storage.firestore import FirestoreDocumentStore
from engines.verification import acknowledge_state
from tests.contracts.ended_sessions import EndedSessionsContract
from tests.integration.conftest import firestore_settings
from tests.support.docker import Firestore
from tests.support.stand_in import KILLED, SaidStandIn


async def test_a_process_on_the_same_machine_has_no_skew(client: AsyncClient) -> None:
    store = FirestoreDocumentStore(client)
    before = await store.count(HEARTBEATS, SYSTEM)  # of what ran on this emulator and was not stopped
    one, other = ProcessClocks(store), ProcessClocks(store)
    for clocks in (one, other, one):
        await clocks.beat()
    assert one.state is not None
    assert 1 <= len(one.state.others) <= before + 1
    assert not one.state.apart
    for clocks in (one, other):
        await clocks.close()
    assert await store.count(HEARTBEATS, SYSTEM) == before


async def test_the_command_closes_what_is_open(
    client: AsyncClient, emulator: Firestore, capsys: pytest.CaptureFixture[str]
) -> None:
    values = firestore_settings(emulator, IDENTITY_BACKEND="firestore")
    losses = StateLosses(FirestoreDocumentStore(client), SaidStandIn(**KILLED))
    await losses.look()
    assert len(losses.open) == 1
    assert await acknowledge_state.run(values) == 0
    said = "acknowledged: the state store came back as of 2026-01-15 11:49:51 UTC, "
    assert capsys.readouterr().out.startswith(said)
    await losses.look()
    assert losses.open == []
    assert await acknowledge_state.run(values) == 0
    assert capsys.readouterr().out == "nothing to acknowledge\n"


class TestEndedSessionsInFirestore(EndedSessionsContract):
    @pytest.fixture
    def store(self, client: AsyncClient) -> DocumentStore:
        return FirestoreDocumentStore(client)
