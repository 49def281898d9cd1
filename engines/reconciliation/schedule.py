"""When which tenant and env is compared next: bounded in number, those with work or a reader most often."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from engines.common.documents import Scope

EVERY = timedelta(seconds=20)
"""How often a tenant and env is compared that accepts events or that somebody looks at."""
SOON = timedelta(seconds=6)
"""How soon a suspicion is looked at again; later ones about what stays missing come every EVERY."""
IDLE = timedelta(minutes=5)
"""How often one is compared where nothing new was accepted and nobody looks."""
LOOKED_AT = timedelta(minutes=2)
"""How long a look at the dashboard counts."""
MOST = 10_000
"""Most tenants and envs that a process watches; further ones wait until others have nothing to compare."""
SHARE = 20
"""A comparison that takes long comes less often: it takes a twentieth of the time at most."""


class Schedule:
    """The tenants and envs that a process watches."""

    def __init__(self) -> None:
        self._due: dict[Scope, datetime] = {}
        self._looked: dict[Scope, datetime] = {}

    def watch(self, scopes: Iterable[Scope], now: datetime) -> None:
        """Watch these, too; a new one is due at once."""
        for scope in scopes:
            if len(self._due) < MOST:
                self._due.setdefault(scope, now)

    def look(self, scope: Scope, now: datetime) -> None:
        """Somebody looks: due within EVERY."""
        if scope not in self._looked and len(self._looked) >= MOST:
            return
        self._looked[scope] = now
        self.watch([scope], now)
        self.hurry([scope], now)

    def hurry(self, scopes: Iterable[Scope], now: datetime) -> None:
        """Something new is there: those that are watched are due within EVERY."""
        for scope in scopes:
            if scope in self._due:
                self._due[scope] = min(self._due[scope], now + EVERY)

    def next(self, now: datetime, most: int) -> list[Scope]:
        """What is due, the longest waiting first."""
        found = sorted((at, scope.tenant_id, scope.env) for scope, at in self._due.items() if at <= now)
        return [Scope(tenant_id, env) for _, tenant_id, env in found[:most]]

    def done(self, scope: Scope, now: datetime, wait: timedelta, least: timedelta, *, forget: bool) -> None:
        """It was compared; again after ``wait``, where somebody looks within EVERY, but not before ``least``.

        ``forget``: only if somebody looks.
        """
        looked = self._looked.get(scope)
        is_looked_at = looked is not None and now - looked <= LOOKED_AT
        if not is_looked_at:
            self._looked.pop(scope, None)
        if forget and not is_looked_at:
            self._due.pop(scope, None)
        else:
            self._due[scope] = now + max(least, min(wait, EVERY) if is_looked_at else wait)
