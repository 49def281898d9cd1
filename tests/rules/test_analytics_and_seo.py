"""http.md sections 10 and 12, events.md section 3: analytics events and configs, SEO pages, health."""

from dataclasses import replace
from typing import Any

from tests.support.callers import Caller, token_of
from tests.support.rules import Rules, Scenario, ids, when

PAGEVIEW = "/analytics/events/pageview"
PAGES = "/seo/pages"
SETTINGS = {"ga4_measurement_id", "ga4_api_secret_slot", "meta_pixel_id", "tiktok_pixel_id", "snap_pixel_id"}

rules = Rules()


def config_path(caller: Caller) -> str:
    return f"/tenants/{caller.tenant_id}/analytics/config"


async def configure(caller: Caller, surface: str = "squared", **fields: Any) -> Any:
    await caller.approved("*")
    return await caller.put(config_path(caller), caller.scoped(surface=surface) | fields)


async def page(caller: Caller, surface: str = "squared", page_type: str = "home", **fields: Any) -> Any:
    await caller.approved("*")
    body = caller.scoped(surface=surface, page_type=page_type, title="t", description="d")
    return await caller.put(PAGES, body | fields)


@rules("http-10-event-1 accepted, with tenant and labels")
async def _(owner: Caller) -> None:
    like = {"status": "accepted", "tenantId": owner.tenant_id, "pii_flags": []}
    for path in (PAGEVIEW, "/analytics/events/cta-click"):
        await owner.post(path, {"surface": "squared"}, like=like)


@rules("http-10-event-2 the surface is required")
async def _(owner: Caller) -> None:
    for path in (PAGEVIEW, "/analytics/events/cta-click"):
        await owner.post(path, {}, 422)


@rules("http-10-event-3 a viewer may send")
async def _(owner: Caller) -> None:
    await owner.having("viewer").post(PAGEVIEW, {"surface": "squared"})


@rules("http-10-event-4 an event reaches the sink: the dashboard says when")
async def _(owner: Caller) -> None:
    assert (await owner.dashboard())["event_sink"]["last_write_at"] is None
    await owner.post(PAGEVIEW, {"surface": "squared"})
    first = when((await owner.dashboard())["event_sink"]["last_write_at"])
    await owner.post(PAGEVIEW, {"surface": "squared"})
    assert when((await owner.dashboard())["event_sink"]["last_write_at"]) > first


@rules("http-10-event-5 metadata that no sink can hold is 422 with status error")
async def _(owner: Caller) -> None:
    nested: Any = 1
    for _ in range(40):
        nested = {"a": nested}
    like = {"status": "error", "tenantId": owner.tenant_id}
    answer = await owner.send("POST", PAGEVIEW, {"surface": "squared", "metadata": nested})
    assert answer.status_code == 422
    if "detail" not in answer.json():
        assert like.items() <= answer.json().items()
    assert (await owner.dashboard())["event_sink"]["last_write_at"] is None


def finds(text: str, *labels: str) -> Scenario:
    async def scenario(owner: Caller) -> None:
        body = {"surface": "squared", "metadata": {"note": text}}
        await owner.post(PAGEVIEW, body, like={"pii_flags": list(labels)})

    return scenario


rules("events-3-pii-1 an address is email")(finds("mail jo@example.com now", "email"))
rules("events-3-pii-2 nine digits with blanks are phone")(finds("call 030 123 456", "phone"))
rules("events-3-pii-3 eight characters are no phone")(finds("call 03012345"))
rules("events-3-pii-4 gap B10: a card is phone and card")(finds("4111 1111 1111 1111", "phone", "card"))
rules("events-3-pii-5 five digits are postal")(finds("at 10115 today", "postal"))
rules("events-3-pii-6 ZIP+4 is postal, and by its ten characters phone")(
    finds("10115-1234", "phone", "postal")
)
rules("events-3-pii-7 each label once, in the order email, phone, card, postal")(
    finds("10115 a@b.de 4111111111111111 c@d.de 10116", "email", "phone", "card", "postal")
)
rules("events-3-pii-8 gap A2: a date is phone")(finds("2025-01-01", "phone"))
rules("events-3-pii-9 an address needs a dot and two letters after it")(finds("jo@localhost jo@a.b"))


@rules("events-2-scan-1 gap B1: nested values are not scanned")
async def _(owner: Caller) -> None:
    body = {"surface": "squared", "metadata": {"a": {"b": "jo@example.com"}, "c": ["jo@example.com"]}}
    await owner.post(PAGEVIEW, body, like={"pii_flags": []})


@rules("events-2-scan-2 gap B2: keys and numbers are not scanned")
async def _(owner: Caller) -> None:
    body = {"surface": "squared", "metadata": {"jo@example.com": 4111111111111111}}
    await owner.post(PAGEVIEW, body, like={"pii_flags": []})


@rules("events-2-scan-4 the text of separate fields is joined in the order of the body")
async def _(owner: Caller) -> None:
    joined = {"surface": "squared", "utm_source": "1234", "utm_medium": "567890"}
    await owner.post(PAGEVIEW, joined, like={"pii_flags": ["phone"]})
    apart = {"surface": "1234", "utm_medium": "x", "utm_term": "567890"}
    await owner.post(PAGEVIEW, apart, like={"pii_flags": []})


@rules("http-10-event-6 a body's tenant and env are unknown fields when the header names the tenant")
async def _(owner: Caller) -> None:
    stranger = await owner.neighbour()
    body = {"surface": "squared", "tenant_id": stranger.tenant_id, "env": "prod"}
    await owner.post(PAGEVIEW, body, like={"status": "accepted", "tenantId": owner.tenant_id})
    assert (await stranger.dashboard())["event_sink"]["last_write_at"] is None


@rules("events-2-scan-3 url and referrer are input, so they are scanned")
async def _(owner: Caller) -> None:
    body = {"surface": "squared", "url": "https://a.example/?m=jo@example.com"}
    await owner.post(PAGEVIEW, body, like={"pii_flags": ["email"]})


@rules("http-12-config-1 the stored record")
async def _(owner: Caller) -> None:
    given: dict[str, Any] = dict.fromkeys(SETTINGS, "x") | {"extra": {"a": [1]}}
    found = await configure(owner, **given)
    assert set(found) == set(given) | {"id", "tenant_id", "env", "surface", "created_at", "updated_at"}
    assert given.items() <= found.items()


@rules("http-12-config-2 no payload is 400")
async def _(owner: Caller) -> None:
    await owner.put(config_path(owner), None, 400, detail="payload required")


@rules("http-12-config-3 another tenant in the payload is 400")
async def _(owner: Caller) -> None:
    body = owner.scoped(surface="squared") | {"tenant_id": "t_other"}
    await owner.put(config_path(owner), body, 400, detail="tenant mismatch in payload")


@rules("http-12-config-4 a path of another tenant is 400, for writing and reading")
async def _(owner: Caller) -> None:
    stranger = await owner.neighbour()
    detail = "tenant_id mismatch with request context"
    await owner.put(config_path(stranger), stranger.scoped(surface="squared"), 400, detail=detail)
    await owner.get(f"{config_path(stranger)}?surface=squared", 400, detail=detail)
    await owner.get(f"{config_path(stranger)}/current?surface=squared&env=dev", 400, detail=detail)


@rules("http-12-config-5 env in the query must match")
async def _(owner: Caller) -> None:
    detail = "env mismatch with request context"
    for path in (config_path(owner), f"{config_path(owner)}/current"):
        await owner.get(f"{path}?env=prod&surface=squared", 400, detail=detail)


@rules("http-12-config-6 a list, filtered by surface, to any member")
async def _(owner: Caller) -> None:
    one, two = await configure(owner), await configure(owner, "round")
    viewer = owner.having("viewer")
    assert await viewer.get(f"{config_path(owner)}?env=dev&surface=squared") == [one]
    assert sorted(ids(await viewer.get(f"{config_path(owner)}?env=dev"))) == sorted(ids([one, two]))


@rules("http-12-config-7 one per surface: a second PUT replaces")
async def _(owner: Caller) -> None:
    await configure(owner, meta_pixel_id="1", snap_pixel_id="1")
    await configure(owner, meta_pixel_id="2")
    [found] = await owner.get(f"{config_path(owner)}?surface=squared")
    assert (found["meta_pixel_id"], found["snap_pixel_id"]) == ("2", None)


@rules("http-12-config-8 fixed: written as stage, found as staging")
async def _(owner: Caller) -> None:
    staging = owner.within("staging")
    assert (await configure(staging, env="stage"))["env"] == "staging"
    await staging.get(f"{config_path(owner)}/current?surface=squared&env=stage", like={"env": "staging"})


@rules("http-12-config-9 not audited")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    body = owner.scoped(surface="squared")
    await owner.put(config_path(owner), body, answers={"X-Audit-Status": None})


@rules("http-12-current-1 the stored record in force, key by key")
async def _(owner: Caller) -> None:
    stored = await configure(owner, meta_pixel_id="1")
    path = f"{config_path(owner)}/current?env=dev&surface=squared"
    found = await owner.having("viewer").get(path)
    assert list(found.items()) == list(stored.items())
    assert list(found) == [
        *("id", "tenant_id", "env", "surface", "ga4_measurement_id", "ga4_api_secret_slot", "meta_pixel_id"),
        *("tiktok_pixel_id", "snap_pixel_id", "extra", "created_at", "updated_at"),
    ]


@rules("http-12-current-3 env and surface are required, before path and membership are looked at")
async def _(owner: Caller) -> None:
    stranger = await owner.neighbour()
    for whose in (owner, stranger):
        for query, name in (("surface=squared", "env"), ("env=dev", "surface")):
            missing = {"type": "missing", "loc": ["query", name]}
            await owner.get(f"{config_path(whose)}/current?{query}", 422, like={"detail": [missing]})


@rules("http-12-current-2 none is 404")
async def _(owner: Caller) -> None:
    path = f"{config_path(owner)}/current?surface=squared&env=dev"
    await owner.get(path, 404, detail="analytics config not found")


@rules("identity-9-resolve-1 the own env beats prod")
async def _(owner: Caller) -> None:
    await configure(owner, meta_pixel_id="dev")
    await configure(owner.within("prod"), meta_pixel_id="prod")
    path = f"{config_path(owner)}/current?surface=squared&env=dev"
    await owner.get(path, like={"env": "dev", "meta_pixel_id": "dev"})


@rules("identity-9-resolve-2 else the tenant's prod, with its env")
async def _(owner: Caller) -> None:
    await configure(owner.within("prod"), meta_pixel_id="prod")
    path = f"{config_path(owner)}/current?surface=squared&env=dev"
    await owner.get(path, like={"env": "prod", "tenant_id": owner.tenant_id, "meta_pixel_id": "prod"})


@rules("identity-9-resolve-3 not another env, surface or tenant")
async def _(owner: Caller) -> None:
    await configure(owner.within("staging"))
    await configure(owner, "round")
    await configure((await owner.neighbour()).within("prod"))
    await owner.get(f"{config_path(owner)}/current?surface=squared&env=dev", 404)


@rules("http-12-seo-1 the stored record")
async def _(owner: Caller) -> None:
    given = dict.fromkeys(("og_title", "og_description", "og_image_url", "canonical_url"), "x")
    found = await page(owner, **given)
    named = {"surface", "page_type", "title", "description"}
    assert set(found) == set(given) | named | {"id", "tenant_id", "env", "created_at", "updated_at"}
    assert given.items() <= found.items()


@rules("http-12-seo-2 surface, page type, title and description are required")
async def _(owner: Caller) -> None:
    body = {"surface": "squared", "page_type": "home", "title": "t", "description": "d"}
    for name in body:
        await owner.put(PAGES, owner.scoped(**{key: body[key] for key in body if key != name}), 422)


@rules("http-12-seo-3 a list, filtered by surface, to any member")
async def _(owner: Caller) -> None:
    one, two = await page(owner), await page(owner, "round")
    viewer = owner.having("viewer")
    assert await viewer.get(f"{PAGES}?surface=squared") == [one]
    assert sorted(ids(await viewer.get(PAGES))) == sorted(ids([one, two]))


@rules("http-12-seo-4 one page, or the empty object")
async def _(owner: Caller) -> None:
    one = await page(owner)
    viewer = owner.having("viewer")
    assert await viewer.get(f"{PAGES}/squared/home") == one
    assert await viewer.get(f"{PAGES}/squared/blog") == {}


@rules("http-12-seo-5 one per surface and page type: a second PUT replaces")
async def _(owner: Caller) -> None:
    await page(owner, title="old")
    await page(owner, title="new")
    assert [item["title"] for item in await owner.get(PAGES)] == ["new"]


@rules("http-12-seo-6 of the tenant and env alone")
async def _(owner: Caller) -> None:
    await page(owner)
    for caller in (owner.within("prod"), await owner.neighbour()):
        assert await caller.get(PAGES) == []
        assert await caller.get(f"{PAGES}/squared/home") == {}


@rules("http-12-seo-7 tenant and env are required in the body")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    body = owner.scoped(surface="squared", page_type="home", title="t", description="d")
    for name in ("tenant_id", "env"):
        await owner.put(PAGES, {key: body[key] for key in body if key != name}, 422)
        await owner.put(PAGES, body | {name: None}, 422)
    assert await owner.get(PAGES) == []


@rules("http-12-seo-8 the body's tenant and env must be the request's")
async def _(owner: Caller) -> None:
    await owner.approved("*")
    body = owner.scoped(surface="squared", page_type="home", title="t", description="d")
    for name, value in (("tenant_id", "t_other"), ("env", "prod"), ("env", "qa")):
        await owner.put(PAGES, body | {name: value}, 400, detail=f"{name} mismatch with request context")
    await owner.having("member").put(PAGES, body | {"env": "qa"}, 403)


@rules("http-12-seo-9 two pages with one document id: the second is 409, never mixed")
async def _(owner: Caller) -> None:
    one = await page(owner, "a_b", "c")
    body = owner.scoped(surface="a", page_type="b_c", title="t2", description="d")
    await owner.put(PAGES, body, 409, detail="the id is taken by another record")
    assert await owner.get(PAGES) == [one]
    assert await owner.get(f"{PAGES}/a/b_c") == {}


@rules("http-12-seo-10 two tenants with one document id: the second is 409, never mixed")
async def _(owner: Caller) -> None:
    tenant_id = f"{owner.tenant_id}_dev"
    other = replace(owner, tenant_id=tenant_id, token=token_of("u_other", tenant_id, "owner"))
    one = await page(owner, "dev_squared")
    await other.approved("*")
    body = other.scoped(surface="squared", page_type="home", title="t2", description="d")
    await other.put(PAGES, body, 409, detail="the id is taken by another record")
    assert await other.get(PAGES) == []
    assert await other.get(f"{PAGES}/squared/home") == {}
    assert await owner.get(PAGES) == [one]


@rules("http-12-seo-11 names that make no document id are stored all the same")
async def _(owner: Caller) -> None:
    for surface, page_type in (("squared", "blog/post"), ("..", "x" * 1500)):
        one = await page(owner, surface, page_type)
        two = await page(owner, surface, page_type, title="new")
        assert (two["id"], two["created_at"], two["title"]) == (one["id"], one["created_at"], "new")
        assert await owner.get(f"{PAGES}?surface={surface}") == [two]


@rules("http-11-health-1 liveness, readiness and health are public")
async def _(owner: Caller) -> None:
    nobody: dict[str, str | None] = {"X-Tenant-Id": None, "X-Env": None}
    for path in ("/livez", "/readyz", "/healthz"):
        await owner.nobody().get(path, headers=nobody)


@rules.table()
async def test_rule(scenario: Scenario, owner: Caller) -> None:
    await scenario(owner)
