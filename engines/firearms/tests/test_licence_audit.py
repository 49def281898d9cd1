"""The audit events of licences, and what the contract keeps of their oddities."""

from typing import Any

import httpx
import pytest

from engines.common.documents import SYSTEM, StoreUnavailable
from engines.firearms.models import FIREARMS_LICENCES
from engines.logging.audit import OUTBOX
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import MemoryKit, running
from tests.support.faults import FaultySink, FaultyStore
from tests.support.records import PERSON, PipelineKit, login_as, stored_events, stored_fields

PATH = "/firearms/licences"
BODY: dict[str, Any] = {"tenant_id": "t_acme", "env": "dev", "subject_type": "agent", "subject_id": "a_1"}


async def issue(kit: MemoryKit, **values: Any) -> httpx.Response:
    return await kit.client.post(PATH, json=BODY | values, headers=login_as(kit, "owner").headers())


async def revoke(kit: MemoryKit, licence_id: str) -> httpx.Response:
    return await kit.client.patch(f"{PATH}/{licence_id}", headers=login_as(kit, "owner").headers())


async def get(kit: MemoryKit, path: str = "", **query: str) -> Any:
    headers = login_as(kit, "viewer").headers()
    return (await kit.client.get(PATH + path, params=query, headers=headers)).raise_for_status().json()


async def audited(kit: MemoryKit) -> list[tuple[Any, Any]]:
    events = [stored.event for stored in await stored_events(kit.sink)]
    assert {(event.surface, event.agentId) for event in events} <= {("firearms", PERSON)}
    return [(event.metadata["action"], event.metadata["licence_id"]) for event in events]


async def test_issue_and_revocation_are_audited_and_the_answer_says_so(kit: MemoryKit) -> None:
    answers = [await issue(kit, id="l_1"), await revoke(kit, "l_1")]
    assert [answer.headers["x-audit-status"] for answer in answers] == ["stored", "stored"]
    assert await audited(kit) == [("firearms.issue", "l_1"), ("firearms.revoke", "l_1")]


@pytest.mark.parametrize("refused", ["another scope's id", "unknown id"])
async def test_a_refused_request_is_not_audited(kit: MemoryKit, refused: str) -> None:
    if refused == "unknown id":
        answer = await revoke(kit, "none")
    else:
        headers = login_as(kit, "owner", "t_globex").headers()
        await kit.client.post(PATH, json=BODY | {"tenant_id": "t_globex", "id": "l_1"}, headers=headers)
        answer = await issue(kit, id="l_1")
    assert answer.status_code in (404, 409)
    assert "x-audit-status" not in answer.headers
    assert await audited(kit) == []
    assert await kit.store.scan(OUTBOX, SYSTEM) == []


async def test_with_the_sink_down_the_change_stands_and_its_audit_waits() -> None:
    sink = FaultySink()
    async with running(MemoryKit(sink=sink)) as kit:
        sink.faults["write"] = PipelineKit.fault("retryable")
        for answer in (await issue(kit, id="l_1"), await revoke(kit, "l_1")):
            assert (answer.status_code, answer.headers["x-audit-status"]) == (200, "pending")
        assert (await get(kit, "/l_1"))["status"] == "revoked"
        sink.faults.clear()
        assert await kit.services.audit.drain(kit.store) == 2
        assert sorted(await audited(kit)) == [("firearms.issue", "l_1"), ("firearms.revoke", "l_1")]


@pytest.mark.parametrize("fault", [f"put_all {OUTBOX.name}", f"put_all {FIREARMS_LICENCES.name}"])
async def test_a_licence_is_never_stored_without_its_audit_nor_the_other_way(fault: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        store.faults[fault] = StoreUnavailable("memory: away")
        assert (await issue(kit)).status_code == 503
        assert await stored_fields(kit.store, FIREARMS_LICENCES) == []
        assert await kit.store.scan(OUTBOX, SYSTEM) == []
        assert await audited(kit) == []


async def test_gap_an_own_id_that_is_in_use_replaces_the_licence_and_is_audited(kit: MemoryKit) -> None:
    await issue(kit, id="l_1", level="high", scope="shop", metadata={"a": 1})
    await revoke(kit, "l_1")
    kit.clock.advance(minutes=1)
    replaced = (await issue(kit, id="l_1", level="medium")).json()
    assert (replaced["status"], replaced["scope"], replaced["metadata"]) == ("active", None, {})
    assert replaced["created_at"] == "2026-01-15T12:01:00Z"
    assert await get(kit) == [replaced]
    assert [action for action, _ in await audited(kit)] == [
        "firearms.issue",
        "firearms.revoke",
        "firearms.issue",
    ]


async def test_gap_expiry_takes_the_right_but_never_changes_the_status(kit: MemoryKit) -> None:
    licence = (await issue(kit, level="high", expires_at="2026-01-15T13:00:00Z")).json()
    kit.clock.advance(hours=1)
    assert await get(kit, "/check/agent/a_1", action="publish_sensitive") == {"allowed": True}
    kit.clock.advance(seconds=1)
    assert await get(kit, "/check/agent/a_1", action="publish_sensitive") == {"allowed": False}
    assert (await get(kit, f"/{licence['id']}"))["status"] == "active"


async def test_gap_expired_licences_are_listed_as_active(kit: MemoryKit) -> None:
    licence = (await issue(kit, expires_at="2020-01-01T00:00:00Z")).json()
    assert await get(kit, status="active") == [licence]
    assert await get(kit, status="expired") == []


async def test_gap_the_scope_of_a_licence_is_ignored_by_the_check(kit: MemoryKit) -> None:
    await issue(kit, level="high", scope="another surface")
    assert await get(kit, "/check/agent/a_1", action="publish_sensitive") == {"allowed": True}


@pytest.mark.parametrize("status", ["revoked", "expired"])
async def test_gap_the_caller_may_issue_a_licence_of_any_status(kit: MemoryKit, status: str) -> None:
    assert (await issue(kit, status=status)).json()["status"] == status


async def test_gap_a_revoked_licence_may_be_revoked_again(kit: MemoryKit) -> None:
    await issue(kit, id="l_1")
    assert [(await revoke(kit, "l_1")).status_code for _ in range(2)] == [200, 200]
    assert len(await audited(kit)) == 3


async def test_gap_the_server_never_fills_in_who_issued(kit: MemoryKit) -> None:
    assert (await issue(kit)).json()["issued_by"] is None


async def test_gap_the_callers_own_times_stand_and_decide_the_lists_order(kit: MemoryKit) -> None:
    late = (await issue(kit)).json()
    early = (await issue(kit, created_at="2020-01-01T00:00:00Z", updated_at="2030-01-01T00:00:00Z")).json()
    assert early["updated_at"] == "2030-01-01T00:00:00Z"
    assert await get(kit) == [early, late]


@pytest.mark.parametrize("subject_type", ["agent", "anything", ""])
async def test_gap_subject_types_are_not_validated(kit: MemoryKit, subject_type: str) -> None:
    assert (await issue(kit, subject_type=subject_type)).json()["subject_type"] == subject_type
