"""The repair of usage's sums in Firestore: see the contract suite. And the command."""

import json

import pytest
from google.cloud.firestore import AsyncClient

from engines.common.documents import SYSTEM, Address, DocumentStore, Scope, Write
from engines.config.runtime_config import Settings
from engines.storage.firestore import FirestoreDocumentStore
from engines.verification.repair_usage import parser, run
from tests.contracts.usage_repair import UsageRepairContract, budget, check_sums, scope
from tests.integration.conftest import firestore_settings
from tests.support.docker import Firestore
from tests.support.usage import foreign

__all__ = ["budget", "scope"]

TENANTS = Address("identity_tenants")


class TestUsageRepair(UsageRepairContract):
    @pytest.fixture
    def store(self, client: AsyncClient) -> DocumentStore:
        return FirestoreDocumentStore(client)


@pytest.fixture
def values(emulator: Firestore) -> Settings:
    return firestore_settings(emulator, BUDGET_BACKEND="firestore", IDENTITY_BACKEND="firestore")


async def write_with_the_bare_sdk(client: AsyncClient, scope: Scope, count: int, **fields: object) -> None:
    events = client.collection(f"budget_usage/{scope.tenant_id}_{scope.env}/events")
    for number in range(count):
        owner = {"tenant_id": scope.tenant_id, "env": scope.env}
        await events.document(f"theirs-{number}").set(foreign(number) | owner | fields)


async def test_the_command_sums_what_another_program_wrote(
    client: AsyncClient, scope: Scope, values: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await write_with_the_bare_sdk(client, scope, 3)
    asked = parser().parse_args(["--tenant", scope.tenant_id])
    assert await run(values, asked) == 0
    assert capsys.readouterr().out == f"{scope.tenant_id} dev: 3 events; 3 sums corrected\n"
    await check_sums(FirestoreDocumentStore(client), scope)
    assert await run(values, asked) == 0
    assert capsys.readouterr().out == f"{scope.tenant_id} dev: 3 events; all sums right\n"


async def test_the_command_says_what_no_sum_can_hold(
    client: AsyncClient, scope: Scope, values: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    await write_with_the_bare_sdk(client, scope, 2, cost="much")
    asked = parser().parse_args(["--tenant", scope.tenant_id, "--env", "dev", "--json"])
    assert await run(values, asked) == 1
    head = {"tenant_id": scope.tenant_id, "env": "dev"}
    assert json.loads(capsys.readouterr().out) == [head | {"events": 0, "corrected": 0, "unreadable": 2}]


async def test_all_means_every_tenant_in_every_env_and_one_that_fails_stops_no_other(
    client: AsyncClient, scope: Scope, values: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    store = FirestoreDocumentStore(client)
    broken = Scope(f"{scope.tenant_id}_broken", "prod")
    fine = Scope(f"{scope.tenant_id}_fine", "staging")
    for one in (broken, fine):
        tenant = {"id": one.tenant_id, "name": "n", "slug": None, "status": "active", "created_by": None}
        moments = dict.fromkeys(("created_at", "updated_at"), foreign(0)["created_at"])
        await store.put(Write(TENANTS, SYSTEM, one.tenant_id, tenant | moments))
        await write_with_the_bare_sdk(client, one, 1)
    days = client.collection(f"budget_usage/{broken.tenant_id}_prod/days")
    owner = {"tenant_id": broken.tenant_id, "env": "prod", "start": foreign(0)["created_at"]}
    await days.document("x").set(owner | {"s12_count": "many"})
    try:
        assert await run(values, parser().parse_args(["--all"])) == 3
    finally:
        for one in (broken, fine):
            await store.delete(TENANTS, SYSTEM, one.tenant_id)
    said = capsys.readouterr()
    assert f"{fine.tenant_id} staging: 1 events; 3 sums corrected" in said.out
    assert f"{broken.tenant_id} prod: not finished: firestore: a record in" in said.err
    await check_sums(store, fine)
