"""Sessions: whose they are, when they end, and how little is remembered of those that ended."""

import base64
import json
from datetime import timedelta
from typing import Any

import jwt
import pytest
from pydantic import SecretStr

from engines.common.documents import SYSTEM, DocumentStore
from engines.common.errors import Unauthorized
from engines.identity.models import User
from engines.identity.sessions import ENDED, Sessions, cookie_suffix
from engines.identity.tokens import Tokens
from engines.storage.memory import MemoryDocumentStore
from tests.contracts.ended_sessions import DATA, EndedSessionsContract
from tests.support.app import SIGNING_SECRET, MovableClock

CHANGES: list[tuple[str, Any]] = [
    ("aud", "onboarding"),
    ("aud", None),
    ("exp", None),
    ("jti", None),
    ("jti", 7),
    ("data", []),
]


class World:
    """A store and a clock that sessions of several kinds and secrets share."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.store = MemoryDocumentStore(self.clock)

    def sessions(self, kind: str = "page", secret: str | None = SIGNING_SECRET) -> Sessions:
        known = SecretStr(secret) if secret else None
        return Sessions(self.store, known, kind, timedelta(hours=1), self.clock)

    async def remembered(self) -> int:
        return await self.store.count(ENDED, SYSTEM)


@pytest.fixture
def world() -> World:
    return World()


async def refused(sessions: Sessions, session: str) -> bool:
    try:
        await sessions.read(session)
    except Unauthorized:
        return True
    return False


async def test_it_holds_what_it_was_begun_with(world: World) -> None:
    assert await world.sessions().read(world.sessions().begin(DATA)) == DATA


async def test_it_ends_by_itself(world: World) -> None:
    sessions = world.sessions()
    session = sessions.begin(DATA)
    world.clock.advance(minutes=59, seconds=59)
    assert not await refused(sessions, session)
    world.clock.advance(seconds=1)
    assert await refused(sessions, session)


class TestEndedSessionsInMemory(EndedSessionsContract):
    @pytest.fixture
    def store(self) -> DocumentStore:
        return MemoryDocumentStore()


@pytest.mark.parametrize("session", ["", "x", "a.b.c", "é", "." * 9_000])
async def test_what_is_no_session_is_neither_read_nor_remembered(world: World, session: str) -> None:
    sessions = world.sessions()
    assert await refused(sessions, session)
    await sessions.end(session)
    assert await world.remembered() == 0


async def test_kinds_secrets_and_access_tokens_are_apart(world: World) -> None:
    session = world.sessions().begin(DATA)
    assert await refused(world.sessions("onboarding"), session)
    assert await refused(world.sessions(secret="another secret of more than 32 bytes"), session)
    assert await refused(world.sessions(), Tokens(SIGNING_SECRET).issue(User(email="a@example.com"), []))
    with pytest.raises(Unauthorized):
        Tokens(SIGNING_SECRET).verify(session)


async def test_only_its_own_signature_and_claims_count(world: World) -> None:
    session = world.sessions().begin(DATA)
    claims = jwt.decode(session, options={"verify_signature": False})
    forged = [jwt.encode(claims, SIGNING_SECRET, algorithm="HS256"), unsigned(claims)]
    key = world.sessions()._key
    for name, value in CHANGES:
        changed = {one: said for one, said in (claims | {name: value}).items() if said is not None}
        forged.append(jwt.encode(changed, key or b"", algorithm="HS256"))
    assert [await refused(world.sessions(), one) for one in forged] == [True] * 8
    assert not await refused(world.sessions(), jwt.encode(claims, key or b"", algorithm="HS256"))


def unsigned(claims: dict[str, Any]) -> str:
    parts = (json.dumps(part).encode() for part in ({"alg": "none", "typ": "JWT"}, claims))
    return ".".join(base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts) + "."


async def test_without_a_secret_none_begins(world: World) -> None:
    with pytest.raises(Unauthorized):
        world.sessions(secret=None).begin(DATA)
    assert await refused(world.sessions(secret=None), world.sessions().begin(DATA))


def test_names_of_cookies_are_the_stacks_own_and_stay() -> None:
    names = [cookie_suffix(SecretStr(secret)) for secret in ("a" * 32, "a" * 32, "b" * 32)]
    assert (names[0] == names[1], names[0] == names[2]) == (True, False)
    assert all(len(name) == 8 and name.isalnum() for name in names)
