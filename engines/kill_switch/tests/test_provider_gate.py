"""What a kill switch blocks."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.common.documents import Scope, StoreUnavailable
from engines.common.errors import Forbidden
from engines.common.identity import Env, RequestContext
from engines.kill_switch.models import KillSwitchBody
from engines.kill_switch.rules import blocks_provider, updated
from engines.kill_switch.service import KillSwitchService
from engines.storage.memory import MemoryDocumentStore
from tests.support.faults import FaultyStore

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SCOPE = Scope("t_acme", "dev")


class OpenGate:
    """A lock gate that lets every action pass."""

    async def require(self, context: RequestContext, action: str, surface: str | None) -> None:
        """Allow."""


@pytest.fixture
def store() -> FaultyStore:
    return FaultyStore(MemoryDocumentStore())


@pytest.fixture
def switches(store: FaultyStore) -> KillSwitchService:
    return KillSwitchService(store, OpenGate())


def context(tenant_id: str = "t_acme", env: Env = "dev") -> RequestContext:
    return RequestContext(tenant_id=tenant_id, env=env)


@pytest.mark.parametrize("provider", ["aws", "AWS", "Aws"])
async def test_a_disabled_provider_is_refused_in_any_case_and_named_as_sent(
    switches: KillSwitchService, provider: str
) -> None:
    await switches.update(context(), KillSwitchBody(disable_providers=["AwS"]))
    with pytest.raises(Forbidden) as caught:
        await switches.require_provider(context(), provider)
    assert caught.value.detail == {"error": "kill_switch_blocked", "provider": provider}


@pytest.mark.parametrize("provider", ["gcp", "", "aws ", "a"])
async def test_other_providers_pass(switches: KillSwitchService, provider: str) -> None:
    await switches.update(context(), KillSwitchBody(disable_providers=["aws"]))
    await switches.require_provider(context(), provider)


async def test_without_a_switch_every_provider_passes(switches: KillSwitchService) -> None:
    await switches.require_provider(context(), "aws")


@pytest.mark.parametrize(("tenant", "env"), [("t_globex", "dev"), ("t_acme", "staging")])
async def test_a_switch_blocks_nothing_in_another_scope(
    switches: KillSwitchService, tenant: str, env: Env
) -> None:
    await switches.update(context(), KillSwitchBody(disable_providers=["aws"]))
    await switches.require_provider(context(tenant, env), "aws")


async def test_a_provider_that_is_enabled_again_passes(switches: KillSwitchService) -> None:
    for providers in (["aws"], []):
        await switches.update(context(), KillSwitchBody(disable_providers=providers))
    await switches.require_provider(context(), "aws")


async def test_a_store_outage_never_lets_a_provider_pass(
    switches: KillSwitchService, store: FaultyStore
) -> None:
    store.faults["get"] = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        await switches.require_provider(context(), "aws")


async def test_gap_actions_and_autonomy_block_no_provider(switches: KillSwitchService) -> None:
    body = KillSwitchBody(disable_autonomy=True, disabled_actions=["aws", "*"], disable_providers=["*"])
    await switches.update(context(), body)
    await switches.require_provider(context(), "aws")


@given(st.lists(st.text(max_size=4), max_size=4), st.text(max_size=4))
def test_what_is_disabled_is_blocked_and_nothing_else(disabled: list[str], provider: str) -> None:
    switch = updated(None, KillSwitchBody(disable_providers=disabled), SCOPE, NOW)
    assert all(blocks_provider(switch, name) for name in disabled)
    assert blocks_provider(switch, provider) is (provider.lower() in {name.lower() for name in disabled})
