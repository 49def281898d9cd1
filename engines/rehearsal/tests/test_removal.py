"""What a removal takes back, and what it must not touch."""

import copy
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from typing import Any

import pytest

from engines.common.documents import SYSTEM, Scope
from engines.common.identity import ENVS
from engines.identity.models import TenantMembership
from engines.nexus.backends.memory import MemorySink
from engines.nexus.backends.sink import Erased
from engines.rehearsal.caller import NotCarriedOut
from engines.rehearsal.receipt import Receipt, SinkSeen
from engines.rehearsal.removal import Removal, Unmarked
from engines.rehearsal.removing import all_sinks, told, users_asked_for
from tests.support.app import MemoryKit, MovableClock, running, send_pageview, settings, sign_up
from tests.support.records import stored_events
from tests.support.rehearsal import RunningClock, rehearsal

TARGET = "process memory"


@pytest.fixture
async def kit() -> AsyncIterator[MemoryKit]:
    async with running(MemoryKit(RunningClock())) as kit:
        yield kit


def removal_of(kit: MemoryKit) -> Removal:
    return Removal(kit.store, {TARGET: kit.sink})


async def everything(kit: MemoryKit) -> dict[str, dict[str, Any]]:
    """Every document of every tenant, once nothing is left to be written in the background."""
    await kit.services.milestones.flush()
    await kit.services.arrivals.flush()
    collections = kit.store._collections.items()
    return copy.deepcopy({name: documents for name, documents in collections if documents})


async def asked_for(kit: MemoryKit, asked: str | None, *receipts: Receipt, everything: bool = False) -> Any:
    removal, sinks = removal_of(kit), {TARGET: kit.sink}
    return await users_asked_for(removal, asked, receipts, sinks, everything=everything)


@pytest.mark.parametrize("env", ["dev", "prod"])
async def test_the_store_is_as_it_was_before_and_a_second_time_changes_nothing(
    kit: MemoryKit, env: str
) -> None:
    real = await sign_up(kit.client, "real")
    await send_pageview(kit.client, real)
    before = await everything(kit)
    receipt = await rehearsal(kit, env=env).carry_out()
    assert (await everything(kit)).keys() > before.keys()
    removed = await removal_of(kit).remove(await asked_for(kit, receipt.run))
    assert await everything(kit) == before
    assert (removed.users, removed.tenants, removed.events) == (3, 2, {TARGET: 6})
    assert await stored_events(kit.sink, receipt.tenant_id or "", env) == []
    assert len(await stored_events(kit.sink, real.tenant_id)) == 1
    again = await removal_of(kit).remove(await asked_for(kit, receipt.run))
    assert (again.users, again.tenants, again.documents, again.events) == (0, 0, 0, {})
    assert await everything(kit) == before


async def test_one_run_is_removed_and_the_other_stays(kit: MemoryKit) -> None:
    first, second = await rehearsal(kit).carry_out(), await rehearsal(kit).carry_out()
    await removal_of(kit).remove(await asked_for(kit, first.run))
    assert await stored_events(kit.sink, first.tenant_id or "", "staging") == []
    assert await stored_events(kit.sink, second.tenant_id or "", "staging") != []
    users = await asked_for(kit, None, everything=True)
    assert {second.run in user.email for user in users} == {True}


async def test_without_a_name_the_newest_receipt_is_meant(kit: MemoryKit) -> None:
    first, second = await rehearsal(kit).carry_out(), await rehearsal(kit).carry_out()
    second.run = "99991231-235959-abcdef"
    first.sink = second.sink = None
    assert await asked_for(kit, None, second, first) == []
    with pytest.raises(NotCarriedOut, match="no receipt in rehearsals/"):
        await asked_for(kit, None)


async def test_a_real_tenant_is_refused_and_stays(kit: MemoryKit) -> None:
    real = await sign_up(kit.client, "real")
    await send_pageview(kit.client, real)
    before = await everything(kit)
    with pytest.raises(Unmarked, match="was not made by a rehearsal"):
        await asked_for(kit, real.tenant_id)
    assert await asked_for(kit, None, everything=True) == []
    assert await everything(kit) == before
    assert len(await stored_events(kit.sink, real.tenant_id)) == 1


@pytest.mark.parametrize(
    "address", ["rehearsal-1-owner@example.com", "rehearsal-1@rehearsal.invalid.example.com"]
)
async def test_an_address_that_only_looks_like_the_mark_is_none(kit: MemoryKit, address: str) -> None:
    body = {"email": address, "password": "a long password", "tenant_name": "Real"}
    answer = (await kit.client.post("/auth/signup", json=body)).raise_for_status().json()
    assert await asked_for(kit, None, everything=True) == []
    with pytest.raises(Unmarked):
        await asked_for(kit, answer["tenant"]["id"])


async def test_a_rehearsals_tenant_that_a_real_person_joined_is_refused_whole(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit).carry_out()
    real = await sign_up(kit.client, "real")
    joined = TenantMembership(tenant_id=receipt.tenant_id or "", user_id=real.user_id)
    await kit.services.identity.memberships.put(SYSTEM, joined.id, joined)
    before = await everything(kit)
    with pytest.raises(Unmarked, match="a member who is no rehearsal's"):
        await removal_of(kit).remove(await asked_for(kit, receipt.run))
    assert await everything(kit) == before


async def test_a_tenant_that_is_gone_is_nothing_to_remove(kit: MemoryKit) -> None:
    assert await asked_for(kit, "t_gone") == []


async def test_what_was_made_at_another_stack_is_not_called_removed(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit, inside=None).carry_out()
    with pytest.raises(NotCarriedOut, match="was made at http://localhost, another stack: remove it there"):
        await asked_for(kit, receipt.run, receipt)


async def test_events_in_a_sink_that_is_not_at_hand_stop_the_whole_removal(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit).carry_out()
    receipt.sink = SinkSeen(
        backend="object_store", backend_class="S3", target=f"s3://datasets/{receipt.tenant_id}/", kind="cloud"
    )
    with pytest.raises(NotCarriedOut, match=r"\./scripts/up --sink s3"):
        await asked_for(kit, receipt.run, receipt)
    with pytest.raises(NotCarriedOut, match=r"\./scripts/up --sink s3"):
        await asked_for(kit, None, receipt, everything=True)


async def test_what_cannot_be_deleted_yet_is_told(kit: MemoryKit) -> None:
    class Streaming:
        async def erase(self, tenant_id: str) -> Erased:
            return Erased(1, left=2)

    receipt = await rehearsal(kit).carry_out()
    sinks: Any = {"p.d.t": Streaming()}
    removed = await Removal(kit.store, sinks).remove(await asked_for(kit, receipt.run))
    [_, gone, stays] = told(removed)
    assert gone == "removed: 2 events in p.d.t"
    assert stays.startswith("4 rows stay in p.d.t: BigQuery deletes nothing that was streamed")


async def test_the_sinks_at_hand_are_the_one_in_use_and_those_with_a_stand_in() -> None:
    stand_ins = {
        "GCP_PROJECT_ID": "p",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
        "BIGQUERY_EMULATOR_HOST": "http://127.0.0.1:1",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "DATASETS_BUCKET": "gs://datasets",
        "NEXUS_BACKEND": "firestore",
    }
    async with AsyncExitStack() as stack:
        assert list(all_sinks(settings(**stand_ins), stack)) == [
            "p/nexus_events_{tenant}",
            "p.nexus_events.dataset_events",
            "gs://datasets/{tenant}/",
        ]


@pytest.mark.parametrize("bucket", ["datasets", "gs://Bucket", "https://datasets"])
async def test_a_bucket_without_scheme_holds_no_events_and_stops_no_removal(bucket: str) -> None:
    stand_ins = {
        "GCP_PROJECT_ID": "p",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
        "STORAGE_EMULATOR_HOST": "http://127.0.0.1:1",
        "DATASETS_BUCKET": bucket,
    }
    async with AsyncExitStack() as stack:
        assert list(all_sinks(settings(**stand_ins), stack)) == ["p/nexus_events_{tenant}"]


async def test_a_bucket_that_only_a_receipt_names_is_looked_into_on_a_stand_in(kit: MemoryKit) -> None:
    receipt = await rehearsal(kit).carry_out()
    target = f"s3://others/prefix/{receipt.tenant_id}/"
    receipt.sink = SinkSeen(backend="object_store", backend_class="S", target=target, kind="stand-in")
    known = {
        "GCP_PROJECT_ID": "p",
        "FIRESTORE_EMULATOR_HOST": "127.0.0.1:1",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:1",
    }
    for more, found in (({}, ["s3://others/prefix/{tenant}/"]), ({"AWS_ENDPOINT_URL_S3": None}, [])):
        async with AsyncExitStack() as stack:
            assert list(all_sinks(settings(**(known | more)), stack, [receipt]))[1:] == found


class WatchedSink(MemorySink):
    """Lets somebody look whenever events are about to be erased, and once they are."""

    def __init__(self) -> None:
        super().__init__()
        self.look: Callable[[], Awaitable[None]] | None = None

    async def erase(self, tenant_id: str) -> Erased:
        assert self.look is not None
        await self.look()
        erased = await super().erase(tenant_id)
        await self.look()
        return erased


async def test_what_was_removed_is_never_missing_also_when_counts_are_written_again() -> None:
    sink, clock = WatchedSink(), MovableClock()
    async with running(MemoryKit(clock, sink)) as kit:
        reconciler, found = kit.services.reconciler, list[int | None]()
        receipt = await rehearsal(kit).carry_out()
        scopes = [Scope(str(receipt.tenant_id), env) for env in ENVS]
        await kit.services.arrivals.flush()
        assert kit.services.arrivals.scopes() >= {scopes[1]}
        clock.advance(minutes=2)

        async def look() -> None:
            for _ in range(2):
                found.extend([(await reconciler.compare(scope)).missing for scope in scopes])
                clock.advance(seconds=10)

        sink.look = look
        await removal_of(kit).remove(await asked_for(kit, receipt.run))
        kit.services.arrivals.rewrite()
        await kit.services.arrivals.flush()
        await look()
        await reconciler.round()
    assert set(found) == {0}
    assert (await reconciler.missing()).events == 0
