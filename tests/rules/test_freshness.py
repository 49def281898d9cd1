"""How fresh a section is: as its newest record, whatever state that is in and whether it is shown or not."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from engines.bossman.parts import LIST_LIMIT
from tests.support.callers import Caller
from tests.support.rules import ago, ahead, when

Step = Callable[[Caller], Awaitable[Any]]
SECTIONS = {
    *("events", "temperature", "budget", "kpi", "strategy_locks"),
    *("firearms", "analytics", "training_prefs", "kill_switch"),
}


async def freshness(caller: Caller, section: str) -> Any:
    return (await caller.dashboard())["freshness"][section]


def usage(**fields: Any) -> Step:
    return lambda o: o.post("/budget/usage", o.scoped(provider="p", surface="squared") | fields)


def definition(**fields: Any) -> Step:
    return lambda o: o.post("/kpi/definitions", o.scoped(name="n") | fields)


def corridor(**fields: Any) -> Step:
    return lambda o: o.put("/kpi/corridors", o.scoped(kpi_name="n") | fields)


def temperature(what: str, surface: str = "round", **fields: Any) -> Step:
    return lambda o: o.put(f"/temperature/{what}", o.scoped(surface=surface) | fields)


def snapshot(surface: str) -> Step:
    return lambda o: o.get(f"/temperature/current?surface={surface}")


def licence(**fields: Any) -> Step:
    body = {"subject_type": "agent", "subject_id": "a"} | fields
    return lambda o: o.post("/firearms/licences", o.scoped() | body)


async def revoked(owner: Caller) -> None:
    made = await licence()(owner)
    await owner.patch(f"/firearms/licences/{made['id']}")


async def rejected(owner: Caller) -> None:
    lock = await owner.lock()
    await owner.post(f"/strategy-locks/{lock['id']}/reject")


async def switched_back(owner: Caller) -> None:
    for providers in (["p"], []):
        await owner.put("/kill-switches", {"disable_providers": providers})


def config(surface: str) -> Step:
    return lambda o: o.put(f"/tenants/{o.tenant_id}/analytics/config", o.scoped(surface=surface))


def page(page_type: str = "home") -> Step:
    body = {"surface": "round", "page_type": page_type, "title": "t", "description": "d"}
    return lambda o: o.put("/seo/pages", o.scoped() | body)


def arrival(kind: str) -> Step:
    return lambda o: o.post(f"/analytics/events/{kind}", {"surface": "round"})


def preference(opt_out: bool) -> Step:
    return lambda o: o.post("/privacy/train-prefs/tenant", {"opt_out": opt_out})


UNSHOWN: dict[str, tuple[str, Step]] = {
    "licence_revoked": ("firearms", revoked),
    "licence_issued_revoked": ("firearms", licence(status="revoked", updated_at=ago(days=9))),
    "licence_expired": ("firearms", licence(status="expired")),
    "lock_draft": ("strategy_locks", lambda o: o.lock()),
    "lock_rejected": ("strategy_locks", rejected),
    "lock_over": ("strategy_locks", lambda o: o.approved(valid_until=ago(days=1))),
    "lock_to_come": ("strategy_locks", lambda o: o.approved(valid_from=ahead(days=1))),
    "switch_without_effect": ("kill_switch", switched_back),
    "opted_in_again": ("training_prefs", preference(False)),
    "definition_of_no_surface": ("kpi", definition()),
    "definition_of_another_surface": ("kpi", definition(surface="round")),
    "corridor_of_another_surface": ("kpi", corridor(surface="round")),
    "snapshot_of_another_surface": ("temperature", snapshot("round")),
    "floors_of_another_surface": ("temperature", temperature("floors")),
    "ceilings_of_another_surface": ("temperature", temperature("ceilings")),
    "weights_of_another_surface": ("temperature", temperature("weights")),
    "usage_before_every_window": ("budget", usage(created_at=ago(days=400))),
    "usage_of_the_future": ("budget", usage(created_at=ahead(days=400))),
    "usage_of_another_surface": ("budget", usage(surface="round")),
    "usage_of_no_surface": ("budget", usage(surface=None)),
    "page_view": ("analytics", arrival("pageview")),
    "click_alone": ("analytics", arrival("cta-click")),
    "config_alone": ("analytics", config("squared")),
    "config_of_another_surface": ("analytics", config("round")),
    "page_alone": ("analytics", page()),
    "event": ("events", arrival("pageview")),
}


def test_row_19_the_table_holds_every_section() -> None:
    assert {section for section, _ in UNSHOWN.values()} == SECTIONS


@pytest.mark.parametrize("name", UNSHOWN)
async def test_row_19_a_section_with_a_record_of_any_state_is_not_never(owner: Caller, name: str) -> None:
    section, step = UNSHOWN[name]
    if section not in ("strategy_locks", "events"):  # a lock opens the gate, and its audit is an event
        await owner.approved("*")
        before = await freshness(owner, section)
        assert (before["status"], before["reason"]) == ("never", "no_records")
    await step(owner)
    found = await freshness(owner, section)
    assert (found["status"], found["reason"]) == ("fresh", "within_slo")
    elsewhere = await freshness(owner.within("prod"), section)
    assert elsewhere["status"] == "never"


async def kpis(owner: Caller) -> None:
    for number in range(LIST_LIMIT + 1):
        await definition(id=f"{number:03}", surface="squared")(owner)


async def pages(owner: Caller) -> None:
    for number in range(LIST_LIMIT + 1):
        await page(f"{number:03}")(owner)


async def preferences(owner: Caller) -> None:
    await preference(True)(owner)
    for person in (owner.having("member") for _ in range(LIST_LIMIT)):
        await person.post("/privacy/train-prefs/user", {"user_id": person.user_id, "opt_out": True})


NEWER: dict[str, tuple[str, Step, Step]] = {
    "licence": ("firearms", licence(), revoked),
    "licence_backdated": ("firearms", licence(), licence(status="revoked", updated_at=ago(days=9))),
    "lock": ("strategy_locks", lambda o: o.approved(), rejected),
    "usage": ("budget", usage(), usage(created_at=ago(days=400))),
    "page": ("analytics", arrival("pageview"), page()),
    "page_cut": ("analytics", pages, page("000")),
    "definition_cut": ("kpi", kpis, definition(id="000", surface="squared")),
    "preference_cut": ("training_prefs", preferences, preference(False)),
}
"""A record that is shown, and a newer one that is not, or not among the newest by its own times."""


@pytest.mark.parametrize("name", NEWER)
async def test_row_19_a_section_is_as_fresh_as_its_newest_record_of_any_state(
    owner: Caller, name: str
) -> None:
    section, first, then = NEWER[name]
    await owner.approved("*")
    await first(owner)
    before = when((await freshness(owner, section))["last_updated_at"])
    await then(owner)
    assert when((await freshness(owner, section))["last_updated_at"]) > before


@pytest.mark.parametrize(
    ("section", "own", "others"),
    [
        ("budget", usage(), usage(surface="round")),
        ("temperature", snapshot("squared"), snapshot("round")),
        ("kpi", definition(surface="squared"), definition(surface="round")),
    ],
    ids=["budget", "temperature", "kpi"],
)
async def test_row_19_another_surface_freshens_no_surface_that_has_records(
    owner: Caller, section: str, own: Step, others: Step
) -> None:
    await own(owner)
    before = await freshness(owner, section)
    await others(owner)
    assert (await freshness(owner, section))["last_updated_at"] == before["last_updated_at"]
