"""Routes under /firearms/licences."""

from typing import Any

import httpx
import pytest

from engines.common.documents import KeyTaken, StoreUnavailable
from engines.common.identity import Role
from engines.firearms.models import FIREARMS_LICENCES
from engines.storage.memory import MemoryDocumentStore
from tests.support.app import UNKNOWN_OUTCOME, Login, MemoryKit, running
from tests.support.faults import FaultyStore
from tests.support.records import login_as, stored_fields

PATH = "/firearms/licences"
BODY: dict[str, Any] = {"tenant_id": "t_acme", "env": "dev", "subject_type": "agent", "subject_id": "a_1"}
FULL: dict[str, Any] = BODY | {
    "id": "own-id",
    "scope": "shop",
    "level": "medium",
    "status": "expired",
    "issued_by": "u_chief",
    "issued_at": "2026-01-01T00:00:00Z",
    "expires_at": "2026-03-01T01:00:00+01:00",
    "metadata": {"why": {"deep": [None, 1]}},
    "created_at": "2026-01-02T00:00:00Z",
    "updated_at": "2026-01-03T00:00:00Z",
}
NOT_FOUND = (404, {"detail": "licence_not_found"})
INSUFFICIENT = (403, {"detail": "insufficient role for tenant"})
TAKEN = (409, {"detail": "the id is taken by another record"})


async def call(
    kit: MemoryKit, who: Login, method: str, path: str = "", body: Any = None, env: str = "dev", **query: str
) -> httpx.Response:
    how: dict[str, Any] = {} if body is None else {"json": body}
    return await kit.client.request(method, PATH + path, headers=who.headers(env), params=query, **how)


async def issued(kit: MemoryKit, who: Login, **values: Any) -> Any:
    return (await call(kit, who, "POST", body=BODY | values)).raise_for_status().json()


def answered(answer: httpx.Response) -> tuple[int, Any]:
    return answer.status_code, answer.json()


async def test_a_licence_is_issued_with_the_contracts_defaults(kit: MemoryKit) -> None:
    licence = await issued(kit, login_as(kit, "owner"))
    assert list(licence.items()) == [
        ("id", licence["id"]),
        ("tenant_id", "t_acme"),
        ("env", "dev"),
        ("subject_type", "agent"),
        ("subject_id", "a_1"),
        ("scope", None),
        ("level", "low"),
        ("status", "active"),
        ("issued_by", None),
        ("issued_at", "2026-01-15T12:00:00Z"),
        ("expires_at", None),
        ("metadata", {}),
        ("created_at", "2026-01-15T12:00:00Z"),
        ("updated_at", "2026-01-15T12:00:00Z"),
    ]
    assert len(licence["id"]) == 32
    assert int(licence["id"], 16) >= 0


async def test_every_field_may_be_given_and_times_are_in_utc(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    licence = await issued(kit, owner, **FULL)
    assert licence == FULL | {"expires_at": "2026-03-01T00:00:00Z"}
    assert answered(await call(kit, owner, "GET", "/own-id")) == (200, licence)


@pytest.mark.parametrize(
    "wrong",
    [
        {"subject_type": None},
        {"subject_id": 7},
        {"tenant_id": None},
        {"env": None},
        {"level": "High"},
        {"status": "open"},
        {"metadata": []},
        {"metadata": {"": 1}},
        {"id": ""},
        {"id": "a/b"},
        {"id": "__x__"},
        {"id": "x" * 1501},
        {"expires_at": "2026-02-01T00:00:00"},
        {"issued_at": "2026-02-01T00:00:00"},
        {"created_at": "2026-02-01T00:00:00"},
        {"updated_at": "2026-02-01T00:00:00"},
        {"expires_at": "9999-12-31T23:59:59-01:00"},
    ],
    ids=repr,
)
async def test_a_body_of_another_shape_is_422_and_stores_nothing(
    kit: MemoryKit, wrong: dict[str, Any]
) -> None:
    owner = login_as(kit, "owner")
    assert (await call(kit, owner, "POST", body=BODY | wrong)).status_code == 422
    assert answered(await call(kit, owner, "GET")) == (200, [])


@pytest.mark.parametrize("missing", list(BODY))
async def test_scope_and_subject_are_required(kit: MemoryKit, missing: str) -> None:
    body = {name: value for name, value in BODY.items() if name != missing}
    assert (await call(kit, login_as(kit, "owner"), "POST", body=body)).status_code == 422


@pytest.mark.parametrize("role", ["owner", "viewer"])
@pytest.mark.parametrize(
    ("scope", "message"),
    [
        ({"tenant_id": "t_globex"}, "tenant_id mismatch with request context"),
        ({"env": "prod"}, "env mismatch with request context"),
        ({"env": "qa"}, "env mismatch with request context"),
    ],
)
async def test_a_body_of_another_scope_is_400_before_the_role(
    kit: MemoryKit, role: Role, scope: dict[str, str], message: str
) -> None:
    answer = await call(kit, login_as(kit, role), "POST", body=BODY | scope)
    assert answered(answer) == (400, {"detail": message})
    assert await stored_fields(kit.store, FIREARMS_LICENCES) == []


async def test_the_bodys_shape_is_judged_before_its_scope(kit: MemoryKit) -> None:
    body = {"tenant_id": "t_globex", "env": "dev"}
    assert (await call(kit, login_as(kit, "viewer"), "POST", body=body)).status_code == 422


async def test_an_empty_scope_in_the_body_is_the_requests(kit: MemoryKit) -> None:
    licence = await issued(kit, login_as(kit, "owner"), tenant_id="", env="")
    assert (licence["tenant_id"], licence["env"]) == ("t_acme", "dev")


async def test_stage_in_the_body_is_staging(kit: MemoryKit) -> None:
    answer = await call(kit, login_as(kit, "owner"), "POST", body=BODY | {"env": "Stage"}, env="stage")
    assert answer.json()["env"] == "staging"


@pytest.mark.parametrize("role", ["owner", "admin", "member", "viewer"])
async def test_roles_are_those_of_the_contract(kit: MemoryKit, role: Role) -> None:
    licence, who = await issued(kit, login_as(kit, "owner")), login_as(kit, role)
    one = f"/{licence['id']}"
    for path in ("", one, "/check/agent/a_1?action=read"):
        assert (await kit.client.get(PATH + path, headers=who.headers())).status_code == 200
    for method, path, body in [("POST", "", BODY), ("PATCH", one, None)]:
        answer = await call(kit, who, method, path, body)
        if role in ("owner", "admin"):
            assert answer.status_code == 200
        else:
            assert answered(answer) == INSUFFICIENT


@pytest.mark.parametrize("content", [b"", b"{}", b'{"status": "active", "level": "high"}', b"[1]", b'{"x":'])
async def test_a_patch_revokes_and_ignores_its_body(kit: MemoryKit, content: bytes) -> None:
    owner = login_as(kit, "owner")
    licence = await issued(kit, owner)
    kit.clock.advance(minutes=1)
    headers = owner.headers() | {"Content-Type": "application/json"}
    answer = await kit.client.patch(f"{PATH}/{licence['id']}", content=content, headers=headers)
    revoked = licence | {"status": "revoked", "updated_at": "2026-01-15T12:01:00Z"}
    assert answered(answer) == (200, revoked)
    assert (await call(kit, owner, "GET", f"/{licence['id']}")).json() == revoked


async def test_licences_are_listed_oldest_first_and_by_subject_status_and_level(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    rows = [("agent", "a", "low"), ("agent", "b", "high"), ("tool", "a", "high"), ("agent", "a", "high")]
    ids = []
    for subject_type, subject_id, level in rows:
        values = {"subject_type": subject_type, "subject_id": subject_id, "level": level}
        ids.append((await issued(kit, owner, **values))["id"])
        kit.clock.advance(seconds=1)
    await call(kit, owner, "PATCH", f"/{ids[0]}")
    expected: dict[tuple[str, ...], list[int]] = {
        (): [0, 1, 2, 3],
        ("subject_type=agent",): [0, 1, 3],
        ("subject_type=Agent",): [],
        ("subject_id=a",): [0, 2, 3],
        ("status=active",): [1, 2, 3],
        ("status=revoked",): [0],
        ("status=expired",): [],
        ("level=high",): [1, 2, 3],
        ("level=medium",): [],
        ("subject_type=agent", "subject_id=a", "status=active", "level=high"): [3],
    }
    for query, numbers in expected.items():
        found = await call(kit, owner, "GET", **dict(part.split("=") for part in query))
        assert [licence["id"] for licence in found.json()] == [ids[number] for number in numbers], query


@pytest.mark.parametrize("query", [{"status": "open"}, {"level": "top"}], ids=repr)
async def test_an_unknown_status_or_level_in_the_query_is_422(kit: MemoryKit, query: dict[str, str]) -> None:
    assert (await call(kit, login_as(kit, "owner"), "GET", **query)).status_code == 422


async def check(kit: MemoryKit, who: Login, action: str, subject: str = "agent/a_1") -> tuple[int, Any]:
    return answered(await call(kit, who, "GET", f"/check/{subject}", action=action))


async def test_a_check_follows_the_licence_from_issue_to_revocation(kit: MemoryKit) -> None:
    owner, viewer = login_as(kit, "owner"), login_as(kit, "viewer")
    assert await check(kit, viewer, "publish_sensitive") == (200, {"allowed": False})
    licence = await issued(kit, owner, level="high")
    assert await check(kit, viewer, "publish_sensitive") == (200, {"allowed": True})
    assert await check(kit, viewer, "publish_sensitive", "agent/a_2") == (200, {"allowed": False})
    await call(kit, owner, "PATCH", f"/{licence['id']}")
    assert await check(kit, viewer, "publish_sensitive") == (200, {"allowed": False})
    assert await check(kit, viewer, "no such action") == (200, {"allowed": True})


async def test_a_check_without_an_action_is_422(kit: MemoryKit) -> None:
    assert (await call(kit, login_as(kit, "owner"), "GET", "/check/agent/a_1")).status_code == 422


async def test_the_word_check_alone_is_a_licence_id(kit: MemoryKit) -> None:
    owner = login_as(kit, "owner")
    assert answered(await call(kit, owner, "GET", "/check")) == NOT_FOUND
    licence = await issued(kit, owner, id="check")
    assert answered(await call(kit, owner, "GET", "/check")) == (200, licence)


@pytest.mark.parametrize(
    ("level", "allowed"), [(None, False), ("low", False), ("medium", True), ("high", True)]
)
async def test_the_dangerous_demo_needs_a_medium_licence(
    kit: MemoryKit, level: str | None, allowed: bool
) -> None:
    if level:
        await issued(kit, login_as(kit, "owner"), level=level)
    answer = await call(kit, login_as(kit, "viewer"), "POST", "/dangerous-demo/agent/a_1")
    refused = {"detail": {"error": "firearms_licence_required", "action": "dangerous_tool_use"}}
    assert answered(answer) == ((200, {"status": "allowed"}) if allowed else (403, refused))


ON_ONE_LICENCE = pytest.mark.parametrize("method", ["GET", "PATCH"])


@ON_ONE_LICENCE
@pytest.mark.parametrize("licence_id", ["0" * 32, "__x__", "x" * 1501])
async def test_an_unknown_licence_is_404(kit: MemoryKit, licence_id: str, method: str) -> None:
    assert answered(await call(kit, login_as(kit, "owner"), method, f"/{licence_id}")) == NOT_FOUND


INTRUDERS = pytest.mark.parametrize(("tenant", "env"), [("t_globex", "dev"), ("t_acme", "staging")])


@ON_ONE_LICENCE
@INTRUDERS
async def test_another_scopes_licence_is_404_whatever_the_store_says_of_a_foreign_change(
    tenant: str, env: str, method: str
) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        licence = await issued(kit, login_as(kit, "owner"), level="high")
        store.faults[f"mutate {FIREARMS_LICENCES.name}"] = KeyTaken("the id is taken")
        intruder = login_as(kit, "owner", tenant)
        assert answered(await call(kit, intruder, method, f"/{licence['id']}", env=env)) == NOT_FOUND
        assert answered(await call(kit, intruder, "GET", env=env)) == (200, [])
        allowed = await call(kit, intruder, "GET", "/check/agent/a_1", env=env, action="publish_sensitive")
        assert answered(allowed) == (200, {"allowed": False})


@INTRUDERS
async def test_another_scopes_licence_cannot_be_overwritten_by_its_id(
    kit: MemoryKit, tenant: str, env: str
) -> None:
    owner = login_as(kit, "owner")
    licence = await issued(kit, owner, id="shared", level="low")
    body = BODY | {"tenant_id": tenant, "env": env, "id": "shared", "level": "high"}
    assert answered(await call(kit, login_as(kit, "owner", tenant), "POST", body=body, env=env)) == TAKEN
    assert (await call(kit, owner, "GET", "/shared")).json() == licence


@pytest.mark.parametrize("operation", ["put_all", "get", "scan"])
async def test_a_store_outage_is_503_and_never_an_allowance(operation: str) -> None:
    store = FaultyStore(MemoryDocumentStore())
    async with running(MemoryKit(store=store)) as kit:
        await issued(kit, login_as(kit, "owner"), level="high")
        store.faults[operation] = StoreUnavailable("memory: away")
        calls: dict[str, list[tuple[str, str, Any]]] = {
            "put_all": [("POST", "", BODY)],
            "get": [("GET", "/x", None)],
            "scan": [("GET", "", None), ("POST", "/dangerous-demo/agent/a_1", None)],
        }
        for method, path, body in calls[operation]:
            answer = await call(kit, login_as(kit, "owner"), method, path, body)
            detail = {"error": "state_store_unavailable", "reason": "memory: away"}
            if path == "":
                detail |= UNKNOWN_OUTCOME if method == "POST" else {}
            assert answered(answer) == (503, {"detail": detail})
