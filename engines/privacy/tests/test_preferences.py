"""Training preferences in the store: whose they are, and what keeps them apart."""

from typing import Any

import pytest

from engines.common.documents import Scope, StoreError, StoreUnavailable, Write
from engines.common.errors import Unprocessable
from engines.privacy.models import TENANT_WIDE, TRAINING_PREFERENCES, TrainingPreference
from engines.privacy.service import PrivacyService
from engines.storage.memory import MemoryDocumentStore
from tests.support.faults import FaultyStore

SCOPE = Scope("t_acme", "dev")
ELSEWHERE = [Scope("t_globex", "dev"), Scope("t_acme", "staging")]


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryDocumentStore())


@pytest.fixture
def privacy(store: FaultyStore) -> PrivacyService:
    return PrivacyService(store)


def preference(user_id: str | None, opt_out: bool, scope: Scope = SCOPE) -> TrainingPreference:
    return TrainingPreference(tenant_id=scope.tenant_id, env=scope.env, user_id=user_id, opt_out=opt_out)


@pytest.mark.parametrize(
    ("user_opt_out", "tenant_opt_out", "expected"),
    [
        (None, None, True),
        (None, True, False),
        (None, False, True),
        (True, None, False),
        (True, False, False),
        (True, True, False),
        (False, None, True),
        (False, True, True),
        (False, False, True),
    ],
)
async def test_stored_preferences_decide_as_the_rule_says(
    privacy: PrivacyService, user_opt_out: bool | None, tenant_opt_out: bool | None, expected: bool
) -> None:
    for user_id, opt_out in (("u_1", user_opt_out), (None, tenant_opt_out)):
        if opt_out is not None:
            await privacy.set_preference(SCOPE, user_id, opt_out)
    assert await privacy.train_ok(SCOPE, "u_1", has_pii=False) is expected
    assert await privacy.train_ok(SCOPE, "u_1", has_pii=True) is False


@pytest.mark.parametrize("other", ELSEWHERE, ids=["tenant", "env"])
async def test_a_preference_counts_only_in_its_tenant_and_env(privacy: PrivacyService, other: Scope) -> None:
    await privacy.set_preference(SCOPE, None, opt_out=True)
    await privacy.set_preference(SCOPE, "u_1", opt_out=True)
    assert await privacy.train_ok(other, "u_1", has_pii=False) is True
    assert await privacy.list_preferences(other) == []


async def test_a_later_preference_replaces_the_earlier_one(privacy: PrivacyService) -> None:
    for opt_out in (True, False, True, False):
        assert await privacy.set_preference(SCOPE, "u_1", opt_out) == preference("u_1", opt_out)
    assert await privacy.list_preferences(SCOPE) == [preference("u_1", opt_out=False)]


async def test_preferences_are_listed_for_all_or_for_one_user(privacy: PrivacyService) -> None:
    for user_id in (None, "u_1", "u_2"):
        await privacy.set_preference(SCOPE, user_id, opt_out=True)
    everyone = {preference.user_id for preference in await privacy.list_preferences(SCOPE)}
    assert everyone == {None, "u_1", "u_2"}
    assert await privacy.list_preferences(SCOPE, "u_2") == [preference("u_2", opt_out=True)]
    assert await privacy.list_preferences(SCOPE, "u_3") == []


async def test_the_document_is_named_and_shaped_as_in_the_existing_engines(
    privacy: PrivacyService, store: FaultyStore
) -> None:
    await privacy.set_preference(SCOPE, None, opt_out=True)
    await privacy.set_preference(SCOPE, "u_1", opt_out=False)
    shared = {"tenant_id": "t_acme", "env": "dev"}
    expected: dict[str, dict[str, Any]] = {
        TENANT_WIDE: shared | {"user_id": None, "opt_out": True},
        "u_1": shared | {"user_id": "u_1", "opt_out": False},
    }
    assert TRAINING_PREFERENCES.name == "training_preferences"
    assert TRAINING_PREFERENCES.id_template == "{tenant}__{env}__{key}"
    for key, fields in expected.items():
        document = await store.get(TRAINING_PREFERENCES, SCOPE, key)
        assert document is not None
        assert document.fields == fields


async def test_the_key_of_the_tenant_wide_preference_is_no_user(privacy: PrivacyService) -> None:
    with pytest.raises(Unprocessable) as caught:
        await privacy.set_preference(SCOPE, TENANT_WIDE, opt_out=False)
    assert caught.value.detail == "user_id __tenant is reserved for the tenant-wide preference"
    assert await privacy.list_preferences(SCOPE) == []


@pytest.mark.parametrize("user_id", [TENANT_WIDE, ""])
async def test_a_user_spelled_like_the_tenant_wide_key_has_no_own_preference(
    privacy: PrivacyService, user_id: str
) -> None:
    await privacy.set_preference(SCOPE, None, opt_out=True)
    assert await privacy.train_ok(SCOPE, user_id, has_pii=False) is False
    await privacy.set_preference(SCOPE, None, opt_out=False)
    assert await privacy.train_ok(SCOPE, user_id, has_pii=False) is True


async def test_a_users_record_under_the_tenant_wide_key_is_not_the_tenants(
    privacy: PrivacyService, store: FaultyStore
) -> None:
    # The existing engines let a user of that name write one.
    fields = {"user_id": TENANT_WIDE, "opt_out": True}
    await store.put(Write(TRAINING_PREFERENCES, SCOPE, TENANT_WIDE, fields))
    assert await privacy.train_ok(SCOPE, "u_1", has_pii=False) is True


async def test_a_user_id_that_spells_another_scope_reads_nothing_there(privacy: PrivacyService) -> None:
    await privacy.set_preference(Scope("t_acme__dev", "dev"), "u_1", opt_out=True)
    assert await privacy.train_ok(Scope("t_acme", "dev"), "dev__u_1", has_pii=False) is True


async def test_nothing_is_read_once_pii_has_decided(privacy: PrivacyService, store: FaultyStore) -> None:
    store.faults["get"] = StoreUnavailable("away")
    assert await privacy.train_ok(SCOPE, "u_1", has_pii=True) is False


async def ask(privacy: PrivacyService, operation: str) -> None:
    """The service's call that needs this operation of the store."""
    if operation == "get":
        await privacy.train_ok(SCOPE, "u_1", has_pii=False)
    elif operation == "put":
        await privacy.set_preference(SCOPE, "u_1", opt_out=True)
    else:
        await privacy.list_preferences(SCOPE)


@pytest.mark.parametrize("operation", ["get", "put", "scan"])
async def test_an_outage_is_raised_and_never_read_as_no_preference(
    privacy: PrivacyService, store: FaultyStore, operation: str
) -> None:
    store.faults[operation] = StoreUnavailable("away")
    with pytest.raises(StoreError, match=r"^away$"):
        await ask(privacy, operation)
