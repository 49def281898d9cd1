"""``rehearse onboard``: a tenant's whole onboarding over HTTP, and the receipt of it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import uuid4

import httpx

from engines.common.documents import StoreError
from engines.identity.models import TenantMembership
from engines.nexus.backends.sink import SinkError
from engines.rehearsal import claims
from engines.rehearsal.caller import Caller, NotCarriedOut, is_absent, json_of, sign_up
from engines.rehearsal.claims import LIMIT_SECONDS
from engines.rehearsal.inside import Inside
from engines.rehearsal.journal import Journal
from engines.rehearsal.judging import NO_FRESHNESS, judge_shown
from engines.rehearsal.members import try_members
from engines.rehearsal.progress import Progress
from engines.rehearsal.receipt import Host, Receipt
from engines.rehearsal.refusals import dashboard_of, try_expired, try_strangers
from engines.rehearsal.sending import judge_stored, send_events
from engines.rehearsal.setting_up import set_up
from engines.rehearsal.visible import is_empty, shown_of, state_of, statuses_of
from engines.rehearsal.watching import Dashboard, Watching

TOTAL_SECONDS = 240.0
"""Longest time of a whole rehearsal."""

SHARED_SECONDS = 2.1
"""A dashboard may show what it read this long before: after it, nothing is old."""

ELSEWHERE = (
    "needs the inside of the stack, and the tenant is not in its store: another stack, or another store"
)
UNKEPT = "needs the inside of the stack, and its users are in the memory of a process"


def new_run(now: datetime) -> str:
    """The id of a rehearsal."""
    return f"{now:%Y%m%d-%H%M%S}-{uuid4().hex[:6]}"


@dataclass
class Rehearsal:
    """One walk over one address. ``inside`` is used only when the address turns out to be its stack."""

    http: httpx.AsyncClient
    name: str
    env: str
    inside: Inside | None
    progress: Progress
    host: Host = field(default_factory=Host)
    settle_seconds: float = SHARED_SECONDS
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))

    def __post_init__(self) -> None:
        self.journal = Journal(claims.plan(), self.progress)
        self.made: dict[str, str] = {}
        base = str(self.http.base_url).rstrip("/")
        self.receipt = Receipt(
            run=new_run(self.began_at), name=self.name, env=self.env, base_url=base, began_at=self.began_at
        )

    async def carry_out(self) -> Receipt:
        """Walk. What is not reached is unproven, with its reason. Raises NotCarriedOut without a tenant."""
        reason = "the walk ended before"
        try:
            async with asyncio.timeout(TOTAL_SECONDS):
                await self._walk()
        except TimeoutError:
            reason = f"{TOTAL_SECONDS:.0f} s were over"
        except (NotCarriedOut, StoreError, SinkError) as error:
            if self.receipt.tenant_id is None:
                raise NotCarriedOut(str(error)) from error
            reason = str(error)
        except (LookupError, TypeError, ValueError) as error:
            reason = (
                f"an answer has another shape than that of this version ({type(error).__name__}: {error})"
            )
        self.journal.close(reason)
        self.receipt.claims, self.receipt.steps = self.journal.claims, self.journal.steps
        self.receipt.seconds = round(self.journal.seconds, 2)
        return self.receipt

    async def _walk(self) -> None:
        owner, neighbour = await self._arrive()
        async with self._watching(owner) as watching:
            await set_up(owner, watching, self.made)
            sent = await send_events(owner, watching, self.made)
            self.progress.doing("waiting until every section is visible and fresh")
            await watching.until_all_are_shown(LIMIT_SECONDS)
            shown = judge_shown(watching, self.journal, self.receipt)
        if self.inside:
            await judge_stored(owner, self.inside, sent)
        await self._refusals(owner, neighbour, shown)

    async def _arrive(self) -> tuple[Caller, Caller]:
        """Owner and neighbour, each with a tenant of its own."""
        self.journal.begin(claims.OWNER)
        visitor = Caller(self.http, self.journal, "visitor", env=self.env)
        run = self.receipt.run
        owner = await sign_up(visitor, run, "owner", f"{self.name} (rehearsal)")
        self.receipt.tenant_id = owner.tenant_id
        refreshed = await owner.call("POST", "/auth/refresh")
        if is_absent(refreshed):
            self.journal.leave(claims.OWNER, "not there: POST /auth/refresh")
        else:
            [membership] = json_of(refreshed, "memberships")
            found = TenantMembership.model_validate(membership)
            seen = f"{found.role}, {found.status}"
            own = found.tenant_id == owner.tenant_id
            self.journal.judge(claims.OWNER, own and seen == "owner, active", seen)
        await self._look_inside(owner)
        return owner, await sign_up(visitor, run, "neighbour", f"{self.name} (rehearsal, neighbour)")

    async def _look_inside(self, owner: Caller) -> None:
        reason = UNKEPT if self.inside is None else ELSEWHERE
        if self.inside and await self.inside.is_home_of(owner.tenant_id):
            self.receipt.local = True
            self.receipt.host = self.host
            self.receipt.configuration = self.inside.configuration
            return
        self.inside = None
        if self.host.own_bossman:
            self.receipt.host = self.host
        alone = (claims.COLLEAGUE, claims.VIEWER, claims.MEMBER, claims.PENDING, claims.REVOKED)
        for name in (claims.HELD, claims.STORED, *alone, claims.EXPIRED):
            self.journal.leave(name, reason)

    @asynccontextmanager
    async def _watching(self, owner: Caller) -> AsyncIterator[Watching]:
        watching = Watching(owner, shown_of(self.made))
        watching.start()
        try:
            yield watching
        finally:
            await watching.stop()

    async def _refusals(self, owner: Caller, neighbour: Caller, shown: Dashboard) -> None:
        before = await self._stored(owner)
        beside = await dashboard_of(neighbour)
        if self.inside:
            colleague = await sign_up(
                Caller(self.http, self.journal, "visitor"), self.receipt.run, "colleague", None
            )
            await try_members(owner, colleague, self.inside, shown, self.made)
            await try_expired(owner, self.inside, self.made)
        await try_strangers(owner, neighbour, self.made)
        await self._nothing_moved(owner, neighbour, shown, beside, before)

    async def _nothing_moved(
        self, owner: Caller, neighbour: Caller, shown: Dashboard, beside: Dashboard, before: int | None
    ) -> None:
        self.journal.begin(claims.UNCHANGED)
        await asyncio.sleep(self.settle_seconds)
        now = await dashboard_of(owner)
        after = await self._stored(owner)
        was, is_now = state_of(shown), state_of(now)
        moved = [name for name in was if was[name] != is_now[name]]
        words = f"changed: {', '.join(moved)}" if moved else "the same"
        if self.inside and None in (before, after):
            self.journal.leave(claims.UNCHANGED, f"dashboard: {words}; the sink cannot be read")
        else:
            counted = f"; {before} events before, {after} after" if self.inside else ""
            self.journal.judge(claims.UNCHANGED, not moved and before == after, words + counted)
        looked_at = await dashboard_of(neighbour)
        if "freshness" not in looked_at and is_empty(beside) and is_empty(looked_at):
            self.journal.leave(claims.UNMOVED, f"shows nothing, as before; {NO_FRESHNESS}")
            return
        statuses = statuses_of(looked_at)
        told = {status for status, _ in (*statuses.values(), *statuses_of(beside).values())}
        self.journal.judge_empty(claims.UNMOVED, told, ", ".join(sorted(told)))

    async def _stored(self, owner: Caller) -> int | None:
        """How many events the sink holds; None where nobody can look into it."""
        if self.inside is None:
            return None
        try:
            return len(await self.inside.events(owner.tenant_id, owner.env))
        except SinkError:
            return None
