"""Tenants from before milestones were noted are found from their own records, once."""

from engines.common.documents import SYSTEM, Scope, StoreTimeout, Write
from engines.kpi.models import KPI_DEFINITIONS
from engines.logging.milestones import BACKFILL
from engines.logging.progress import PROGRESS
from tests.support.app import MemoryKit, running, send_pageview, sign_up
from tests.support.faults import FaultyStore
from tests.support.onboarding import listed, row


async def forget_progress(kit: MemoryKit) -> None:
    """As if the tenants were older than the noting of milestones."""
    for document in await kit.store.scan(PROGRESS, SYSTEM):
        scope = Scope(document.fields["tenant_id"], document.fields["env"])
        await kit.store.delete(PROGRESS, scope, "")
    await kit.store.delete(BACKFILL, SYSTEM, "position")


async def test_older_tenants_are_found_from_their_records_once() -> None:
    async with running(MemoryKit()) as kit:
        logins = [await sign_up(kit.client, f"old{number}") for number in range(45)]
        await send_pageview(kit.client, logins[7], "staging")
        await kit.client.post(
            "/privacy/train-prefs/tenant", json={"opt_out": True}, headers=logins[7].headers("staging")
        )
        await kit.services.milestones.flush()
        await forget_progress(kit)
        found = await listed(kit, limit=100)
        assert (len(found["tenants"]), found["backfilling"]) == (46, False)
        old = await row(kit, logins[7].tenant_id, "staging")
        assert (old["at_the_latest"], old["state"]) == (True, "incomplete")
        assert [name for name, at in old["milestones"].items() if at] == [
            "tenant_created",
            "owner_joined",
            "first_event",
            "preference_set",
        ]
        assert (await row(kit, logins[3].tenant_id))["at_the_latest"] is False
        await kit.store.delete(PROGRESS, Scope(logins[3].tenant_id, "dev"), "")
        assert len((await listed(kit, limit=100))["tenants"]) == 45


async def test_what_cannot_be_read_now_is_found_at_a_later_look() -> None:
    kit = MemoryKit()
    kit.store = store = FaultyStore(kit.store)
    async with running(kit) as kit:
        await sign_up(kit.client, "acme")
        await forget_progress(kit)
        store.faults["scan kpi_definitions"] = StoreTimeout("memory: slow")
        found = await listed(kit)
        assert (found["tenants"], found["backfilling"]) == ([], True)
        store.faults.clear()
        found = await listed(kit)
        assert (len(found["tenants"]), found["backfilling"]) == (1, False)


async def test_a_broken_record_hides_no_tenant() -> None:
    async with running(MemoryKit()) as kit:
        logins = [await sign_up(kit.client, "one"), await sign_up(kit.client, "other")]
        await forget_progress(kit)
        broken = Write(KPI_DEFINITIONS, Scope(logins[0].tenant_id, "dev"), "broken", {"name": 7})
        await kit.store.put(broken)
        found = await listed(kit)
        assert {row["tenant_id"] for row in found["tenants"]} == {login.tenant_id for login in logins}
        assert found["backfilling"] is False
