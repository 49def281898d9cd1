"""How a change of a kill switch is applied, and what the switch blocks."""

from datetime import datetime

from engines.common.documents import Scope
from engines.kill_switch.models import KillSwitch, KillSwitchBody


def updated(present: KillSwitch | None, body: KillSwitchBody, scope: Scope, now: datetime) -> KillSwitch:
    """The switch after the change; a new one when there is none yet."""
    switch = present or KillSwitch(tenant_id=scope.tenant_id, env=scope.env, created_at=now, updated_at=now)
    values = {name: value for name, value in body if value is not None}
    if body.disable_providers is not None:
        values["disable_providers"] = [provider.lower() for provider in body.disable_providers]
    return switch.model_copy(update=values | {"updated_at": now})


def blocks_provider(switch: KillSwitch | None, provider: str) -> bool:
    """Whether the provider, in any case, is turned off."""
    return switch is not None and provider.lower() in switch.disable_providers
