"""Reading, setting and asking the kill switch."""

from engines.common.clock import Clock, utc_now
from engines.common.collection import Collection
from engines.common.documents import DocumentStore, Scope
from engines.common.errors import Forbidden
from engines.common.gates import LockGate
from engines.common.identity import RequestContext
from engines.kill_switch.models import KILL_SWITCHES, ONLY_KEY, KillSwitch, KillSwitchBody
from engines.kill_switch.rules import blocks_provider, updated

UPDATE_ACTION = "safety:kill_switch_update"


class KillSwitchService:
    """Operations on the kill switch, and the gate that asks it. Each may raise StoreError."""

    def __init__(self, store: DocumentStore, lock_gate: LockGate, clock: Clock = utc_now) -> None:
        self.switches = Collection(store, KILL_SWITCHES, KillSwitch)
        self._lock_gate = lock_gate
        self._clock = clock

    async def get(self, scope: Scope) -> KillSwitch | None:
        """The switch, or None when it was never set."""
        stored = await self.switches.get(scope, ONLY_KEY)
        return stored.record if stored else None

    async def update(self, context: RequestContext, body: KillSwitchBody) -> KillSwitch:
        """Set what ``body`` names, atomically. Raises Conflict without an approved lock."""
        await self._lock_gate.require(context, UPDATE_ACTION, None)
        scope, now = context.scope, self._clock()
        return await self.switches.mutate(scope, ONLY_KEY, lambda present: updated(present, body, scope, now))

    async def require_provider(self, context: RequestContext, provider: str) -> None:
        """See ProviderGate.require_provider."""
        if blocks_provider(await self.get(context.scope), provider):
            raise Forbidden({"error": "kill_switch_blocked", "provider": provider})
