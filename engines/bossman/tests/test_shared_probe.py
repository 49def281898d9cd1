"""SharedProbe: one call for all who ask, kept for two seconds, bounded in time."""

import asyncio
from types import SimpleNamespace

import pytest

from engines.bossman import health
from engines.bossman.health import ProbeResult, SharedProbe
from engines.common.documents import StoreUnavailable
from engines.nexus.backends.sink import SinkRetryable
from tests.support.app import MovableClock


class Dependency:
    """Counts its probes and answers when told to."""

    def __init__(self) -> None:
        self.calls = 0
        self.asked = asyncio.Event()
        self.open = asyncio.Event()
        self.error: BaseException | None = None

    async def ping(self) -> None:
        self.calls += 1
        self.asked.set()
        await self.open.wait()
        if self.error:
            raise self.error


@pytest.fixture
def dependency() -> Dependency:
    made = Dependency()
    made.open.set()
    return made


@pytest.fixture
def stopwatch(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The monotonic time that probes see; stands still until a test moves ``now``."""
    watch = SimpleNamespace(now=100.0)
    watch.monotonic = lambda: watch.now
    monkeypatch.setattr(health, "time", watch)
    return watch


async def test_fifty_concurrent_callers_cause_one_call(dependency: Dependency) -> None:
    dependency.open.clear()
    probe = SharedProbe(dependency.ping, MovableClock())
    callers = [asyncio.ensure_future(probe.result()) for _ in range(50)]
    await dependency.asked.wait()
    dependency.open.set()
    results = await asyncio.gather(*callers)
    assert dependency.calls == 1
    assert len({id(result) for result in results}) == 1


@pytest.mark.parametrize(("later", "calls"), [(0.0, 1), (1.999, 1), (2.0, 2), (60.0, 2)])
async def test_a_result_serves_for_two_seconds(
    dependency: Dependency, stopwatch: SimpleNamespace, later: float, calls: int
) -> None:
    probe = SharedProbe(dependency.ping, MovableClock())
    await probe.result()
    stopwatch.now += later
    await probe.result()
    assert dependency.calls == calls


async def test_the_two_seconds_begin_with_the_answer(
    dependency: Dependency, stopwatch: SimpleNamespace
) -> None:
    dependency.open.clear()
    probe = SharedProbe(dependency.ping, MovableClock())
    caller = asyncio.ensure_future(probe.result())
    await dependency.asked.wait()
    stopwatch.now += 2.4
    dependency.open.set()
    first = await caller
    stopwatch.now += 1.9
    assert await probe.result() is first
    assert (dependency.calls, first.latency_ms) == (1, 2_400.0)


async def test_recovery_and_failure_show_with_the_next_probe(
    dependency: Dependency, stopwatch: SimpleNamespace
) -> None:
    probe = SharedProbe(dependency.ping, MovableClock())
    outcomes = []
    for error in (None, StoreUnavailable("away"), None):
        dependency.error = error
        outcomes.append((await probe.result()).passed)
        stopwatch.now += 2.0
    assert outcomes == [True, False, True]


async def test_a_cancelled_caller_does_not_cancel_the_others(dependency: Dependency) -> None:
    dependency.open.clear()
    probe = SharedProbe(dependency.ping, MovableClock())
    leaving, staying = (asyncio.ensure_future(probe.result()) for _ in range(2))
    await dependency.asked.wait()
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    dependency.open.set()
    assert (await staying).passed is True
    assert dependency.calls == 1


async def test_a_hanging_probe_is_bounded_and_fails(
    dependency: Dependency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PROBE_SECONDS", 0.01)
    dependency.open.clear()
    result = await SharedProbe(dependency.ping, MovableClock()).result()
    assert (result.passed, result.answered, result.failure) == (False, True, "no answer within 0.01 s")


def test_a_fault_and_its_recovery_show_within_ten_seconds() -> None:
    assert (health.PROBE_SECONDS, health.TTL_SECONDS) == (2.5, 2.0)


@pytest.mark.parametrize(
    ("error", "failure", "answered"),
    [
        (None, None, True),
        (StoreUnavailable("firestore: away"), "firestore: away", True),
        (SinkRetryable("project", "away", "unreachable"), "project: away", True),
        (TimeoutError(), "no answer within 2.5 s", True),
        (KeyError("secret"), "the probe itself failed: KeyError", False),
        (OSError("secret"), "the probe itself failed: OSError", False),
    ],
    ids=repr,
)
async def test_an_outcome_is_a_result_and_never_raised(
    dependency: Dependency,
    stopwatch: SimpleNamespace,
    error: Exception | None,
    failure: str | None,
    answered: bool,
) -> None:
    dependency.error = error
    clock = MovableClock()
    expected = ProbeResult(error is None, clock.now, 0.0, failure, answered)
    assert await SharedProbe(dependency.ping, clock).result() == expected
