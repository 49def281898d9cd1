"""Dead letters: kept with their reason and never shown whole, counted, listed by tenant, replayed."""

import json
from typing import Any

import pytest

from engines.common.documents import Scope, StoreRefused, StoreUnavailable
from engines.nexus.backends.memory import MemorySink
from engines.nexus.backends.sink import Envelope, SinkError
from engines.nexus.dead_letters import main, replay, run
from engines.nexus.delivery import Refused
from engines.nexus.delivery.dead_letters import DEAD_LETTERS, DeadLetters
from engines.nexus.delivery.text import MAX_BYTES, from_text
from tests.support.delivery import Processes
from tests.support.records import PipelineKit, dataset_event, stored_events

BAD: dict[str, Any] = {"input": {"secret": [["payload"]]}}
REASON = "input holds a list directly inside a list"


@pytest.fixture
def shared() -> Processes:
    return Processes()


@pytest.fixture
def letters(shared: Processes) -> DeadLetters:
    return DeadLetters(shared.store, shared.clock)


class LenientSink(MemorySink):
    """Holds events of any shape, as another kind of sink would."""

    async def write(self, batch: Any) -> Any:
        kept = [envelope.model_copy(update={"event": dataset_event()}) for envelope in batch]
        return await super().write(kept)


async def refuse(shared: Processes, event_id: str, **event: Any) -> Refused:
    with pytest.raises(Refused) as caught:
        await shared.alone().deliver(shared.envelope(event_id, **(BAD | event)))
    return caught.value


async def test_a_refused_event_is_kept_with_its_reason(shared: Processes) -> None:
    error = await refuse(shared, "bad")
    assert (str(error), error.kept) == (f"process memory: {REASON}", True)
    [letter] = await shared.letters()
    envelope = from_text(letter.pop("envelope"))
    assert envelope == shared.envelope("bad", **BAD)
    assert len(letter.pop("key")) == 64
    assert letter == {
        "tenant_id": "t_acme",
        "env": "dev",
        "event_id": "bad",
        "refused_at": shared.clock.now,
        "sink": "memory",
        "target": "memory/events_{tenant}",
        "reason": REASON,
        "accepted_hour": None,
    }


@pytest.mark.parametrize("event", [{"env": "\ud800"}, {"env": "a/b" * 300}, {"env": ""}], ids=ascii)
async def test_any_event_can_become_a_letter(shared: Processes, event: dict[str, str]) -> None:
    assert (await refuse(shared, "x" * 128, **event)).kept is True


async def test_the_same_event_refused_again_is_one_letter(shared: Processes) -> None:
    await refuse(shared, "bad")
    shared.clock.advance(seconds=5)
    await refuse(shared, "bad")
    [letter] = await shared.letters()
    assert letter["refused_at"] == shared.clock.now


async def test_letters_are_counted_by_tenant_and_env(shared: Processes, letters: DeadLetters) -> None:
    for event in ({}, {"env": "prod"}, {"tenantId": "t_globex"}):
        await refuse(shared, "bad", **event)
    counts = [await letters.count(Scope(*scope)) for scope in (("t_acme", "dev"), ("t_none", "dev"))]
    assert counts == [1, 0]
    assert (await shared.alone().undelivered(Scope("t_globex", "dev"))).dead_letters == 1


@pytest.mark.parametrize("error", [StoreUnavailable, StoreRefused])
async def test_a_letter_that_cannot_be_kept_is_said_to_the_caller(shared: Processes, error: Any) -> None:
    shared.store.faults[f"put {DEAD_LETTERS.name}"] = error("memory: away")
    refused = await refuse(shared, "bad")
    expected = f"process memory: {REASON}; nor kept as a dead letter: memory: away"
    assert (str(refused), refused.kept, refused.kind) == (expected, False, "permanent")


async def test_an_event_over_the_limit_of_a_document_is_said_too(shared: Processes) -> None:
    refused = await refuse(shared, "bad", metadata={"text": "x" * MAX_BYTES})
    assert "nor kept as a dead letter: the event is too large" in str(refused)


async def test_list_shows_everything_but_the_event(
    shared: Processes, letters: DeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    await refuse(shared, "bad-2", tenantId="t_globex")
    shared.clock.advance(seconds=-1)
    await refuse(shared, "bad-1")
    assert await run("list", None, letters, shared.sink) == 0
    shown = capsys.readouterr().out
    assert [json.loads(line)["event_id"] for line in shown.splitlines()] == ["bad-1", "bad-2"]
    assert "payload" not in shown
    await run("list", "t_globex", letters, shared.sink)
    assert [json.loads(line)["tenant_id"] for line in capsys.readouterr().out.splitlines()] == ["t_globex"]


async def test_replay_keeps_the_id_and_removes_what_the_sink_took(
    shared: Processes, letters: DeadLetters, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(45):
        await refuse(shared, f"bad-{number:02}")
    sink = LenientSink()
    assert await run("replay", None, letters, sink) == 0
    assert json.loads(capsys.readouterr().out) == {"replayed": 45, "refused": 0}
    assert await shared.letters() == []
    stored: list[Envelope] = await stored_events(sink)
    assert sorted(envelope.event_id for envelope in stored) == [f"bad-{number:02}" for number in range(45)]
    assert {envelope.ingested_at for envelope in stored} == {shared.clock.now}


async def test_replay_of_one_tenant_leaves_the_others(shared: Processes, letters: DeadLetters) -> None:
    for tenant in ("t_acme", "t_globex"):
        await refuse(shared, "bad", tenantId=tenant)
    await run("replay", "t_globex", letters, LenientSink())
    assert [letter["tenant_id"] for letter in await shared.letters()] == ["t_acme"]


async def test_what_is_refused_again_stays(shared: Processes, letters: DeadLetters) -> None:
    await refuse(shared, "bad")
    assert await run("replay", None, letters, shared.sink) == 1
    assert len(await shared.letters()) == 1


async def test_a_sink_that_is_down_ends_the_replay_and_keeps_the_letters(
    shared: Processes, letters: DeadLetters
) -> None:
    await refuse(shared, "bad")
    shared.sink_down(PipelineKit.fault("misconfigured"))
    with pytest.raises(SinkError):
        await replay(letters, shared.sink, await letters.page(10))
    assert len(await shared.letters()) == 1


async def test_a_letter_replayed_twice_is_stored_once(shared: Processes, letters: DeadLetters) -> None:
    await refuse(shared, "bad")
    sink, chosen = LenientSink(), await letters.page(10)
    assert await replay(letters, sink, chosen) == (1, 0)
    assert await replay(letters, sink, chosen) == (1, 0)
    assert len(await stored_events(sink)) == 1


def test_unusable_settings_are_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTH_JWT_SIGNING", "short")
    assert main(["list"]) == 78
    assert "AUTH_JWT_SIGNING" in capsys.readouterr().err


def test_a_process_without_firestore_says_that_nothing_is_kept(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTH_JWT_SIGNING", "a secret that is long enough for the check")
    monkeypatch.setenv("NEXUS_BACKEND", "noop")
    assert main(["list"]) == 78
    assert "nothing keeps dead letters" in capsys.readouterr().err


@pytest.mark.parametrize("arguments", [[], ["delete"], ["list", "--all"]])
def test_bad_usage_is_2(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == 2
