"""``./scripts/up --sink``: the running stack changes its sink, and the dashboard shows the one in use."""

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.support.app import Login
from tests.support.people import dashboard, last_write_at, pageview, sign_up
from tests.support.stack import Stack

SWITCH_SECONDS = 30
"""On a busy machine; with a load of 6 on 2 cores it took 8 to 9."""

SINKS = {
    "object_store": ("object_store", "gs://datasets/{tenant}/", "object_store (gs://datasets)"),
    "bigquery": ("bigquery", "northstar-local.nexus_events.dataset_events", "bigquery"),
    "firestore": ("firestore", "northstar-local/nexus_events_{tenant}", "firestore"),
}
"""What each choice shows: backend and target on the dashboard, and the summary of ``up``."""


@pytest.fixture(scope="module")
def tenant(stack: Stack) -> Iterator[Login]:
    with stack.client() as http:
        yield sign_up(http, "Switcher")
    stack.up("--sink", "firestore")


def switch(stack: Stack, sink: str) -> str:
    """Change the sink; everything but Bossman stays as it is. Returns what was printed."""
    before = {name: item["Id"] for name, item in stack.containers().items() if item["State"]["Running"]}
    started = time.monotonic()
    output = stack.up("--sink", sink)
    seconds = time.monotonic() - started
    print(f"switched to {sink} in {seconds:.1f} s")  # noqa: T201 - the figure
    assert seconds <= SWITCH_SECONDS
    after = {name: item["Id"] for name, item in stack.containers().items() if item["State"]["Running"]}
    assert after.keys() == before.keys()
    assert {name for name, identity in after.items() if before[name] != identity} <= {"bossman"}
    return output


@pytest.mark.parametrize("sink", list(SINKS))
def test_a_switch_shows_in_the_summary_and_on_the_dashboard(
    stack: Stack, http: httpx.Client, tenant: Login, sink: str
) -> None:
    backend, target, summary = SINKS[sink]
    assert summary in switch(stack, sink)
    assert last_write_at(http, tenant) is None
    assert pageview(http, tenant).json()["status"] == "accepted"
    shown = dashboard(http, tenant)["event_sink"]
    assert (shown["backend"], shown["target"]) == (backend, target.format(tenant=tenant.tenant_id))
    assert (shown["status"], shown["stand_in"]) == ("up", True)
    assert shown["last_write_at"] is not None


def test_the_choice_is_remembered_and_each_sink_keeps_its_events(
    stack: Stack, http: httpx.Client, tenant: Login
) -> None:
    switch(stack, "object_store")
    seen = last_write_at(http, tenant)
    assert seen is not None
    assert "object_store (gs://datasets)" in stack.up()
    assert last_write_at(http, tenant) == seen


def test_a_sink_that_does_not_exist_is_refused_with_the_choices(stack: Stack) -> None:
    before = (stack.path / ".env").read_text()
    for arguments in (("--sink", "kafka"), ("--sink",), ("--sink=memory",)):
        code, output = stack.outcome("./scripts/up", *arguments)
        assert code == 2
        for choice in ("firestore", "bigquery", "object_store", "s3"):
            assert choice in output.splitlines()[0]
    assert (stack.path / ".env").read_text() == before


def test_s3_brings_its_stand_in(stack: Stack, http: httpx.Client, tenant: Login) -> None:
    assert "object_store (s3://datasets)" in stack.up("--sink", "s3")
    assert pageview(http, tenant).json()["status"] == "accepted"
    shown = dashboard(http, tenant)["event_sink"]
    assert (shown["backend"], shown["status"]) == ("object_store", "up")
    assert shown["target"] == f"s3://datasets/{tenant.tenant_id}/"
    assert shown["last_write_at"] is not None
