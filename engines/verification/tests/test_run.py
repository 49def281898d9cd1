"""A run over a sink: what the pipeline wrote is clean, what is planted is found, and no payload is shown."""

import json
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest

from engines.common.documents import Scope
from engines.nexus.backends.sink import Record, SinkRetryable
from engines.verification.asked import Asked
from engines.verification.preferences import PreferencesInForce
from engines.verification.report import Report, as_text, plain, shown_id
from engines.verification.run import Verification
from tests.support.faults import FaultySink
from tests.support.records import PipelineKit, dataset_event

SECRET = "jo@example.com"
DEV = Scope("t_acme", "dev")
EVERYTHING = Asked("t_acme")


class Planted(FaultySink):
    """A sink in which more lies than was written."""

    def __init__(self) -> None:
        super().__init__()
        self.planted: Sequence[Record] = ()
        self.arriving: Sequence[Callable[[], Record]] = ()

    async def records(self, *asked: Any) -> AsyncIterator[Record]:
        async for record in super().records(*asked):
            yield record
        for record in self.planted:
            yield record
        for arriving in self.arriving:
            yield arriving()


@pytest.fixture
def kit() -> PipelineKit:
    return PipelineKit(sink=Planted())


async def report_of(kit: PipelineKit, asked: Asked = EVERYTHING, examples: int = 5) -> Report:
    kit.clock.advance(seconds=5)
    in_force = PreferencesInForce(kit.privacy, kit.clock)
    return await Verification(kit.sink, in_force, kit.clock, examples).report(asked)


def counts(report: Report) -> dict[str, int]:
    return {named.rule: named.count for named in report.rules}


async def log_some(kit: PipelineKit) -> None:
    """Events of every kind through the pipeline: clean, flagged, opted out, marked, in two envs."""
    await kit.privacy.set_preference(DEV, "u_out", True)
    kit.clock.advance(seconds=5)
    for number, event in enumerate(
        [
            dataset_event(input={"text": "hello"}),
            dataset_event(input={"text": SECRET}),
            dataset_event(agentId="u_out"),
            dataset_event(env="staging", metadata={"synthetic": "rehearsal"}),
        ]
    ):
        assert (await kit.pipeline.log(event, f"e{number}")).status == "accepted"


async def test_what_the_pipeline_wrote_is_clean(kit: PipelineKit) -> None:
    await log_some(kit)
    report = await report_of(kit)
    assert (report.verdict, report.records, report.synthetic, report.rules) == ("clean", 4, 1, [])
    assert (await report_of(kit, Asked("t_acme", "staging"))).records == 1
    assert (await report_of(kit, Asked("t_acme", None, kit.clock.now))).records == 0


async def test_a_preference_that_was_changed_leaves_older_events_undecided_but_not_faulted(
    kit: PipelineKit,
) -> None:
    await log_some(kit)
    await kit.privacy.set_preference(DEV, None, True)
    report = await report_of(kit)
    assert (report.verdict, counts(report)) == ("clean", {"train_ok.undecided": 1})


async def test_nothing_stored_is_a_warning_since_a_name_may_be_mistyped(kit: PipelineKit) -> None:
    report = await report_of(kit, Asked("t_typo"))
    assert (report.verdict, counts(report)) == ("warnings", {"records.none": 1})


async def test_what_is_planted_is_found_with_its_id_and_without_its_payload(kit: PipelineKit) -> None:
    await log_some(kit)
    [clean] = [record async for record in kit.sink.records("t_acme", "staging")]
    assert clean.fields is not None
    assert isinstance(kit.sink, Planted)
    tomorrow = kit.clock.now + timedelta(days=1)
    kit.sink.planted = [
        Record("place/1", dict(clean.fields)),
        Record("place/2", clean.fields | {"surface": SECRET}),
        Record("place/3", clean.fields | {"event_id": SECRET, "train_ok": False}),
        Record("place/4\x1b[2J", None),
        Record("place/5", clean.fields | {"event_id": "e9", "ingested_at": tomorrow}),
    ]
    report = await report_of(kit)
    assert counts(report) == {
        "record.unreadable": 1,
        "id.malformed": 1,
        "id.duplicate": 1,
        "id.conflict": 1,
        "train_ok.wrong": 1,
        "train_ok.undecided": 1,
        "time.future": 1,
    }
    found = {named.rule: named.examples for named in report.rules}
    assert [(example.event_id, example.place) for example in found["id.conflict"]] == [("e3", "place/2")]
    assert found["id.malformed"][0].event_id == shown_id(SECRET)
    for shown in (as_text(report), report.model_dump_json()):
        assert SECRET not in shown
    assert "\x1b" not in as_text(report)
    assert "verdict: faults" in as_text(report)


async def test_an_event_that_arrives_during_a_long_run_lies_in_no_future(kit: PipelineKit) -> None:
    await log_some(kit)
    [clean] = [record async for record in kit.sink.records("t_acme", "staging")]
    assert clean.fields is not None
    fields = clean.fields | {"event_id": "late"}

    def arrive() -> Record:
        kit.clock.advance(minutes=5)
        return Record("place/late", fields | {"ingested_at": kit.clock.now})

    assert isinstance(kit.sink, Planted)
    kit.sink.arriving = [arrive]
    report = await report_of(kit)
    assert (report.verdict, counts(report)) == ("clean", {"train_ok.undecided": 1})


async def test_examples_are_as_many_as_asked_for(kit: PipelineKit) -> None:
    assert isinstance(kit.sink, Planted)
    kit.sink.planted = [Record(f"place/{number}", None) for number in range(9)]
    [named] = (await report_of(kit, examples=3)).rules
    assert (named.count, [example.place for example in named.examples]) == (
        9,
        ["place/0", "place/1", "place/2"],
    )
    assert (await report_of(kit, examples=0)).rules[0].examples == []


async def test_a_sink_or_a_store_that_fails_ends_the_run(kit: PipelineKit) -> None:
    await log_some(kit)
    assert isinstance(kit.sink, Planted)
    kit.sink.faults["records"] = kit.fault("retryable")
    with pytest.raises(SinkRetryable):
        await report_of(kit)


async def test_the_report_is_json_with_everything_in_it(kit: PipelineKit) -> None:
    await log_some(kit)
    made = json.loads((await report_of(kit)).model_dump_json())
    assert made["sink"] == {"backend": "memory", "target": "memory/events_t_acme", "stand_in": True}
    assert (made["verdict"], made["surveyed"], made["since"]) == ("clean", [], None)


def test_ids_and_places_are_shown_safely() -> None:
    assert shown_id("e-1") == "e-1"
    assert shown_id("") is shown_id(None) is None
    assert (shown_id(SECRET) or "").startswith("sha256:")
    assert plain("a\nb\x1b") == "a\\nb\\x1b"
