"""Sign-up stores everything or nothing, however many ask and whatever fails."""

import asyncio
import hashlib
from typing import Any
from uuid import uuid4

import pytest

from engines.common.documents import SYSTEM, StoreError, StoreTimeout, StoreUnavailable, Write
from engines.identity.models import EMAILS, MEMBERSHIPS, TENANTS, USERS
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import UNKNOWN_OUTCOME, MemoryKit, running
from tests.support.faults import FaultyStore

BODY = {"email": "race@example.com", "password": "p", "tenant_name": "Race"}


async def counts(store: Any) -> dict[str, int]:
    """How many documents each identity collection holds."""
    collections = (USERS, TENANTS, MEMBERSHIPS, EMAILS)
    return {address.name: len(await store.scan(address, SYSTEM)) for address in collections}


ONE_EACH = {"identity_users": 1, "identity_tenants": 1, "identity_memberships": 1, "identity_emails": 1}
NOTHING = dict.fromkeys(ONE_EACH, 0)


async def test_twenty_concurrent_signups_of_one_address_create_one_of_each(kit: MemoryKit) -> None:
    emails = ["race@example.com", "RACE@example.com", "Race@Example.com", "race@EXAMPLE.COM"] * 5
    answers = await asyncio.gather(
        *(kit.client.post("/auth/signup", json=BODY | {"email": email}) for email in emails)
    )
    assert sorted(answer.status_code for answer in answers) == [200] + [400] * 19
    assert {answer.text for answer in answers if answer.status_code == 400} == {
        '{"detail":"user already exists"}'
    }
    assert await counts(kit.store) == ONE_EACH


async def test_the_winner_of_the_race_can_sign_in(kit: MemoryKit) -> None:
    bodies = [BODY | {"password": f"p{n}"} for n in range(4)]
    answers = await asyncio.gather(*(kit.client.post("/auth/signup", json=body) for body in bodies))
    won = [answer.status_code == 200 for answer in answers]
    logins = [await kit.client.post("/auth/login", json=body) for body in bodies]
    assert won.count(True) == 1
    assert [login.status_code == 200 for login in logins] == won


@pytest.mark.parametrize("error", [StoreUnavailable, StoreTimeout, StoreError])
@pytest.mark.parametrize("operation", ["put_all", "get", "scan"])
async def test_a_store_that_fails_leaves_nothing_and_a_retry_succeeds(
    operation: str, error: type[StoreError]
) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults[operation] = error("firestore: away")
        failed = await kit.client.post("/auth/signup", json=BODY)
        store.faults.clear()
        assert failed.status_code == 503
        assert failed.headers["retry-after"] == "5"
        reason = {"error": "state_store_unavailable", "reason": "firestore: away"} | UNKNOWN_OUTCOME
        assert failed.json() == {"detail": reason}
        assert await counts(store) == NOTHING
        assert (await kit.client.post("/auth/signup", json=BODY)).status_code == 200
        assert await counts(store) == ONE_EACH


@pytest.mark.parametrize("path", ["login", "refresh", "bootstrap/tenants"])
async def test_a_store_that_fails_is_503_and_never_a_refusal(path: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        token = (await kit.client.post("/auth/signup", json=BODY)).json()["access_token"]
        store.faults = {name: StoreUnavailable("away") for name in ("get", "scan", "put_all")}
        headers = {"Authorization": f"Bearer {token}", "X-System-Key": "test-system-key"}
        answer = await kit.client.post(f"/auth/{path}", json=BODY, headers=headers)
        assert (answer.status_code, answer.json()["detail"]["error"]) == (503, "state_store_unavailable")


async def test_a_reservation_whose_user_is_gone_still_blocks_the_address(kit: MemoryKit) -> None:
    user_id = (await kit.client.post("/auth/signup", json=BODY)).json()["user"]["id"]
    await kit.store.delete(USERS, SYSTEM, user_id)
    assert (await kit.client.post("/auth/login", json=BODY)).status_code == 401
    assert (await kit.client.post("/auth/signup", json=BODY)).status_code == 400


async def test_a_user_of_the_existing_engines_has_no_reservation_and_signs_in(kit: MemoryKit) -> None:
    answer = (await kit.client.post("/auth/signup", json=BODY)).json()
    await kit.store.delete(EMAILS, SYSTEM, hashlib.sha256(b"race@example.com").hexdigest())
    assert (await counts(kit.store))["identity_emails"] == 0
    assert (await kit.client.post("/auth/login", json=BODY)).json()["user"] == answer["user"]
    assert (await kit.client.post("/auth/signup", json=BODY)).status_code == 400


async def plant(kit: MemoryKit, email: str, *, reserved: bool) -> str:
    """An account as an earlier release stored it, or the existing engines, which reserve no address."""
    user_id = (await kit.client.post("/auth/signup", json=BODY | {"email": uuid4().hex})).json()["user"]["id"]
    fields = (await kit.store.get(USERS, SYSTEM, user_id)).fields
    await kit.store.put(Write(USERS, SYSTEM, user_id, fields | {"email": email}))
    if reserved:
        key = hashlib.sha256(email.lower().encode()).hexdigest()
        await kit.store.put(Write(EMAILS, SYSTEM, key, {"user_id": user_id}))
    return str(user_id)


@pytest.mark.parametrize("reserved", [True, False], ids=["earlier_release", "existing_engines"])
@pytest.mark.parametrize(
    "email", ["Mu\u0308ller@b.de", "jo@b.de ", "\tjo@b.de", "\uff4a\uff4f@b.de", ""], ids=ascii
)
async def test_row_14_an_account_of_another_spelling_stored_before_signs_in_as_before(
    kit: MemoryKit, email: str, reserved: bool
) -> None:
    user_id = await plant(kit, email, reserved=reserved)
    answer = await kit.client.post("/auth/login", json=BODY | {"email": email})
    assert (answer.status_code, answer.json()["user"]) == (
        200,
        {"id": user_id, "email": email, "display_name": None, "avatar_url": None},
    )
    assert (await kit.client.post("/auth/signup", json=BODY | {"email": email})).status_code in (400, 422)


async def test_row_14_two_accounts_stored_before_stay_two(kit: MemoryKit) -> None:
    spellings = ("jo@b.de", "jo@b.de ")
    made = [await plant(kit, email, reserved=True) for email in spellings]
    answers = [await kit.client.post("/auth/login", json=BODY | {"email": email}) for email in spellings]
    assert [answer.json()["user"]["id"] for answer in answers] == made


@pytest.mark.parametrize("typed", [" jo@b.de", "jo\u200b@b.de", "JO@b.de "], ids=ascii)
async def test_row_14_a_user_of_the_existing_engines_is_found_by_an_untidy_spelling(
    kit: MemoryKit, typed: str
) -> None:
    user_id = await plant(kit, "jo@b.de", reserved=False)
    answer = await kit.client.post("/auth/login", json=BODY | {"email": typed})
    assert answer.json()["user"]["id"] == user_id


async def test_row_14_wrong_passwords_count_for_the_account_however_it_is_spelled(kit: MemoryKit) -> None:
    await kit.client.post("/auth/signup", json=BODY)
    untidy = [" " * number + BODY["email"] for number in range(12)]
    wrong = [await kit.client.post("/auth/login", json={"email": email, "password": "x"}) for email in untidy]
    assert wrong[-1].status_code == 429
