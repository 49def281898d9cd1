"""``rehearse fault poison`` over the in-memory app: poison is refused, a clean event arrives."""

from engines.nexus.backends.sink import SinkRetryable
from engines.rehearsal.fault import sign_in
from engines.rehearsal.poison import POISON, send_poison
from tests.support.app import MemoryKit, running, sign_up
from tests.support.faults import FaultySink
from tests.support.records import stored_events
from tests.support.rehearsal import RunningClock


async def sent(kit: MemoryKit, patience_seconds: float = 30) -> tuple[int, list[str], str]:
    acme = await sign_up(kit.client, "acme")
    headers = await sign_in(kit.client, {"email": acme.email, "password": "password of acme"})
    said: list[str] = []
    return await send_poison(kit.client, headers, said.append, patience_seconds), said, acme.tenant_id


async def test_every_poison_is_refused_and_the_clean_event_arrives() -> None:
    async with running(MemoryKit(RunningClock())) as kit:
        code, said, tenant_id = await sent(kit)
        assert [line.split(": ")[1][:3] for line in said[:-1]] == ["422"] * len(POISON), said
        assert code == 0
        [clean] = await stored_events(kit.sink, tenant_id)
        assert clean.event.metadata == {"synthetic": "rehearsal"}


async def test_a_clean_event_that_is_not_shown_in_time_is_1() -> None:
    async with running(MemoryKit(RunningClock(), sink=FaultySink())) as kit:
        kit.sink.faults["latest"] = SinkRetryable("memory/events", "cannot be read")
        assert (await sent(kit, patience_seconds=0.5))[0] == 1
