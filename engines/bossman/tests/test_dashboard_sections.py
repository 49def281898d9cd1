"""The sections fed by the engines: their keys, their bounds, and what each is read from."""

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from engines.bossman.models import Dashboard
from engines.bossman.parts import LIST_LIMIT
from engines.common.documents import Scope
from engines.firearms.models import Licence
from engines.kpi.models import KpiDefinition
from engines.strategy_lock.models import StrategyLock
from tests.support.app import Login, MemoryKit, dashboard
from tests.support.set_up import set_up

SCHEMA = Path(__file__).resolve().parents[3] / "docs/infra/dashboard.schema.json"


@pytest.fixture
async def shown(kit: MemoryKit, acme: Login, globex: Login) -> dict[str, Any]:
    await set_up(kit, acme)
    return await dashboard(kit.client, acme)


async def test_every_section_shows_what_was_set_up(shown: dict[str, Any]) -> None:
    temperature = shown["temperature"]
    assert temperature["current"] == temperature["recent"][0]
    assert (temperature["current"]["value"], temperature["surface"]) == (28.0, "squared")
    assert temperature["config"]["floors"]["performance_floors"] == {"clicks": 5.0}
    assert shown["budget"]["by_provider"] == {
        "window_days": 7,
        "total_cost": 0.3,
        "total_events": 2,
        "grouped": {"aws": {"cost": 0.2, "count": 1}, "openai": {"cost": 0.1, "count": 1}},
    }
    assert shown["cogs"]["providers"]["azure"]["note"] == "azure_not_configured"
    assert shown["cogs"]["provider_summary"]["window_days"] == 30
    assert [item["name"] for item in shown["kpi"]["definitions"]] == ["orders"]
    assert [item["kpi_name"] for item in shown["kpi"]["corridors"]] == ["orders"]
    assert [lock["title"] for lock in shown["strategy_locks"]["active"]] == ["all"]
    assert shown["strategy_locks"]["recent"] == shown["strategy_locks"]["active"]
    assert [item["level"] for item in shown["firearms"]["active_licences"]] == ["high"]
    assert shown["firearms"]["dangerous_actions"] == {
        "dangerous_tool_use": "medium",
        "agent_autonomy_high": "high",
        "publish_sensitive": "high",
    }
    assert shown["analytics"]["effective_config"]["ga4_measurement_id"] == "G-1"
    assert shown["analytics"]["effective_config"]["source"] == "tenant"
    assert [page["surface"] for page in shown["analytics"]["page_seo"]] == ["other"]
    assert shown["kill_switch"]["disable_providers"] == ["azure"]


async def test_every_section_that_was_set_up_is_fresh(shown: dict[str, Any]) -> None:
    statuses = {name: record["status"] for name, record in shown["freshness"].items()}
    assert statuses == dict.fromkeys(shown["freshness"], "fresh")
    assert {record["source"] for record in shown["freshness"].values()} == {"memory"}


async def test_another_tenant_sees_none_of_it(kit: MemoryKit, acme: Login, globex: Login) -> None:
    empty = await dashboard(kit.client, globex)
    await set_up(kit, acme)
    assert await dashboard(kit.client, globex) == empty


async def test_nothing_was_cut_and_the_lists_say_so(shown: dict[str, Any]) -> None:
    one = {"shown": 1, "total": 1, "cut": False}
    assert shown["lists"] == dict.fromkeys(
        [
            "kpi.definitions",
            "kpi.corridors",
            "strategy_locks.active",
            "firearms.active_licences",
            "analytics.page_seo",
            "training_prefs",
        ],
        one,
    )


async def test_a_list_that_is_too_long_is_cut_to_the_newest_and_counted(kit: MemoryKit, acme: Login) -> None:
    scope, now = Scope(acme.tenant_id, "dev"), kit.clock()
    own = {"tenant_id": scope.tenant_id, "env": scope.env}
    for number in range(LIST_LIMIT + 3):
        moment = now + timedelta(seconds=number)
        times = {"created_at": moment, "updated_at": moment}
        key = f"{number:04}"
        definition = KpiDefinition(id=key, name=key, surface="squared", **own, **times)
        await kit.services.kpi.definitions.put(scope, key, definition)
        licence = Licence(id=key, subject_type="agent", subject_id=key, issued_at=moment, **own, **times)
        await kit.services.firearms.licences.put(scope, key, licence)
        lock = StrategyLock(
            id=key,
            scope="other",
            title=key,
            created_by_user_id="u",
            status="approved",
            valid_from=now,
            **own,
            **times,
        )
        await kit.services.strategy_locks.locks.put(scope, key, lock)
    shown = await dashboard(kit.client, acme)
    cut = {"shown": LIST_LIMIT, "total": LIST_LIMIT + 3, "cut": True}
    for name, records, label in (
        ("kpi.definitions", shown["kpi"]["definitions"], "name"),
        ("firearms.active_licences", shown["firearms"]["active_licences"], "subject_id"),
        ("strategy_locks.active", shown["strategy_locks"]["active"], "title"),
    ):
        assert shown["lists"][name] == cut
        assert [record[label] for record in records] == [f"{n:04}" for n in range(3, LIST_LIMIT + 3)]
    assert len(shown["strategy_locks"]["recent"]) == 10


async def test_defaults_of_an_empty_tenant(kit: MemoryKit, acme: Login) -> None:
    shown = await dashboard(kit.client, acme)
    nothing = {"window_days": 7, "total_cost": 0.0, "total_events": 0, "grouped": {}}
    assert shown["temperature"] == {
        "surface": "squared",
        "current": None,
        "recent": [],
        "config": {"floors": None, "ceilings": None, "weights": None},
    }
    assert shown["budget"] == {"by_provider": nothing, "by_model": nothing, "by_tool_type": nothing}
    assert list(shown["cogs"]["providers"]) == ["azure"]
    assert shown["kpi"] == {"definitions": [], "corridors": []}
    assert shown["strategy_locks"] == {"active": [], "recent": []}
    assert shown["firearms"]["active_licences"] == []
    assert shown["kill_switch"] is None


def test_the_shape_is_the_one_under_review() -> None:
    """After a wanted change: python -m engines.bossman.models > docs/infra/dashboard.schema.json."""
    assert json.loads(SCHEMA.read_text()) == Dashboard.model_json_schema(mode="serialization")
