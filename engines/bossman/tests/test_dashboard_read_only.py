"""The dashboard can only read: by the types of what it holds, and by what a GET leaves behind."""

import inspect
from copy import deepcopy
from dataclasses import fields
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from engines.bossman.sections import DashboardReads
from engines.budget.summary import BudgetSummaries
from engines.common.collection import Reads
from engines.nexus.backends.sink import SinkReads
from engines.nexus.delivery import DeliveryReads
from engines.reconciliation.reads import ReconciliationReads
from tests.support.app import Login, MemoryKit

READERS = {
    Reads: {"source", "changes", "get", "find", "count"},
    SinkReads: {"describe", "latest", "probe", "records", "scan", "count"},
    DeliveryReads: {"state", "changes", "undelivered", "queued", "totals"},
    ReconciliationReads: {"changes", "result", "missing"},
}
"""All that the reading protocols offer. A writer among them would be a new name here."""


def offered(protocol: type) -> set[str]:
    return {name for name in vars(protocol) if not name.startswith("_")}


@pytest.mark.parametrize(
    ("protocol", "names"), READERS.items(), ids=lambda value: getattr(value, "__name__", "")
)
def test_a_reading_protocol_offers_no_writer(protocol: type, names: set[str]) -> None:
    assert offered(protocol) == names


def test_every_store_and_sink_the_dashboard_holds_is_typed_as_a_reader() -> None:
    hints = get_type_hints(DashboardReads)
    origins = {name: getattr(hint, "__origin__", hint) for name, hint in hints.items()}
    readers = {name for name, origin in origins.items() if origin is Reads}
    assert readers == {
        "tenants",
        "snapshots",
        "floors",
        "ceilings",
        "weights",
        "definitions",
        "corridors",
        "locks",
        "licences",
        "analytics",
        "analytics_configs",
        "seo_pages",
        "preferences",
        "kill_switches",
    }
    assert origins["sink"] is SinkReads
    assert origins["delivery"] is DeliveryReads
    assert origins["reconciliation"] is ReconciliationReads
    others = {"sink", "budget", "delivery", "reconciliation", "health", "readings", "clock"}
    assert set(origins) == readers | others


def test_budget_summaries_offer_no_writer() -> None:
    assert offered(BudgetSummaries) == {"source", "changes", "last_stored", "usage", "summary", "coverage"}
    held = get_type_hints(BudgetSummaries.__init__)["rollups"]
    assert get_origin(get_args(held)[-1]) is Reads


def test_the_dashboard_cannot_be_given_another_part_later() -> None:
    parameters = DashboardReads.__dataclass_params__  # type: ignore[attr-defined]  # no stub has it
    assert parameters.frozen is True
    assert len(fields(DashboardReads)) == len(inspect.signature(DashboardReads).parameters)


def state(kit: MemoryKit) -> Any:
    """Everything that the store and the sink hold."""
    return deepcopy((kit.store.__dict__["_collections"], kit.sink.__dict__["_tenants"]))


@pytest.mark.parametrize("query", [{}, {"surface": "new", "window_days": "90"}], ids=["default", "query"])
async def test_a_get_changes_nothing_in_store_and_sink(
    kit: MemoryKit, acme: Login, query: dict[str, str]
) -> None:
    headers = acme.headers()
    for path, body in (
        ("analytics/events/pageview", {"surface": "squared"}),
        ("privacy/train-prefs/tenant", {"opt_out": True}),
    ):
        (await kit.client.post(f"/{path}", json=body, headers=headers)).raise_for_status()
    before = state(kit)
    for env in ("dev", "staging"):
        answer = await kit.client.get("/bossman/tenant-dashboard", params=query, headers=acme.headers(env))
        assert answer.status_code == 200
    after = state(kit)
    held = [
        {name: documents for name, documents in store.items() if documents} for store, _ in (before, after)
    ]
    assert held[0] == held[1]
    assert before[1] == after[1]


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
async def test_no_writing_method_is_mounted(kit: MemoryKit, acme: Login, method: str) -> None:
    answer = await kit.client.request(method, "/bossman/tenant-dashboard", headers=acme.headers())
    assert answer.status_code == 405
