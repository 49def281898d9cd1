"""What every store keeps of sessions that were ended: a test file subclasses it and provides ``store``."""

from datetime import timedelta

import pytest
from pydantic import SecretStr

from engines.common.documents import SYSTEM, DocumentStore
from engines.common.errors import Unauthorized
from engines.identity.sessions import ENDED, MOST_FORGOTTEN, Sessions
from tests.support.app import SIGNING_SECRET, MovableClock

DATA = {"user_id": "u_1", "tenant_ids": ["t_1"]}


class EndedSessionsContract:
    """Ends of sessions, as several processes see them."""

    @pytest.fixture
    def clock(self) -> MovableClock:
        return MovableClock()

    @pytest.fixture
    def sessions(self, store: DocumentStore, clock: MovableClock) -> Sessions:
        return self.process(store, clock)

    def process(self, store: DocumentStore, clock: MovableClock) -> Sessions:
        return Sessions(store, SecretStr(SIGNING_SECRET), "page", timedelta(hours=1), clock)

    async def test_an_end_holds_in_every_process_and_for_one_session_alone(
        self, store: DocumentStore, clock: MovableClock, sessions: Sessions
    ) -> None:
        before = await store.count(ENDED, SYSTEM)
        first, second = sessions.begin(DATA), sessions.begin(DATA)
        await sessions.end(first)
        await self.process(store, clock).end(first)
        for one in (sessions, self.process(store, clock)):
            with pytest.raises(Unauthorized, match="the session has ended"):
                await one.read(first)
            assert await one.read(second) == DATA
        assert await store.count(ENDED, SYSTEM) == before + 1

    async def test_what_ended_is_forgotten_after_its_time(
        self, store: DocumentStore, clock: MovableClock, sessions: Sessions
    ) -> None:
        clock.advance(days=1)
        await sessions.end(sessions.begin(DATA))  # what other tests left is past and goes
        before = await store.count(ENDED, SYSTEM)
        for _ in range(MOST_FORGOTTEN + 20):
            await sessions.end(sessions.begin(DATA))
        clock.advance(hours=2)
        left = []
        for _ in range(3):
            await sessions.end(sessions.begin(DATA))
            left.append(await store.count(ENDED, SYSTEM) - before)
        assert left == [21, 1, 2]
