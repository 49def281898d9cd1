"""Judging all that a sink holds of a tenant, as it streams by."""

from collections.abc import AsyncIterator, Collection
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import datetime
from typing import get_args

from engines.common.clock import Clock, utc_now
from engines.common.documents import Scope
from engines.nexus.backends.sink import SinkReads, SurveyedRule, Surveys
from engines.verification.asked import Asked
from engines.verification.ids import SeenIds
from engines.verification.losses import Found, Losses
from engines.verification.preferences import PreferencesInForce
from engines.verification.report import Findings, Report, of_sink
from engines.verification.rules import FUTURE, Judged, content_digest, judge, judge_train_ok

EXAMPLES = 5
SURVEYED: tuple[str, ...] = get_args(SurveyedRule)


class Verification:
    """Reads a sink and judges what lies there. Every method may raise SinkError and StoreError."""

    def __init__(
        self,
        sink: SinkReads,
        preferences: PreferencesInForce,
        clock: Clock = utc_now,
        examples: int = EXAMPLES,
        losses: Losses | None = None,
    ) -> None:
        """Without ``losses`` it is not known how many events were accepted."""
        self._sink = sink
        self._preferences = preferences
        self._clock = clock
        self._examples = examples
        self._losses = losses

    async def report(self, asked: Asked) -> Report:
        """Judge everything. Holds a few examples, and of each id 8 bytes where the sink cannot compare."""
        until = self._clock()
        findings = Findings(self._examples)
        surveyed = await self._survey(asked, until, findings)
        records = synthetic = 0
        async with AsyncExitStack() as stack:
            ids = None if surveyed else stack.enter_context(SeenIds())
            async for judged in self.judged(asked):
                records += 1
                synthetic += judged.synthetic
                for rule in (*judged.rules, *_compared(ids, judged)):
                    if rule not in surveyed:
                        findings.add(rule, judged)
        if records == 0:
            findings.say("records.none")
        lost = await self._lost(asked, findings)
        return Report(
            tenant_id=asked.tenant_id,
            env=asked.env,
            since=asked.since,
            until=until,
            sink=of_sink(self._sink.describe(), asked.tenant_id),
            surveyed=sorted(surveyed),
            records=records,
            synthetic=synthetic,
            rules=findings.named(),
            compared_hours=lost.compared if lost else None,
            missing=lost.hours if lost else [],
        )

    async def judged(self, asked: Asked) -> AsyncIterator[Judged]:
        """Every record, judged by all that needs no other record."""
        async for record in self._sink.records(asked.tenant_id, asked.env, asked.since):
            judged = judge(record, self._clock())  # not the run's beginning: events arrive while it reads
            rule = judge_train_ok(judged, await self._eligible(judged))
            yield replace(judged, rules=(*judged.rules, rule)) if rule else judged

    async def ids(self, asked: Asked, ids: SeenIds) -> None:
        """Fill ``ids`` with everything that is there."""
        async for record in self._sink.records(asked.tenant_id, asked.env, asked.since):
            fields = record.fields or {}
            if event_id := fields.get("event_id"):
                ids.add(str(event_id), content_digest(fields))

    async def _eligible(self, judged: Judged) -> bool | None:
        event = judged.event
        if event is None or judged.flags:
            return None
        scope = Scope(event.tenantId, event.env)
        return await self._preferences.eligible(scope, event.agentId, judged.at)

    async def _lost(self, asked: Asked, findings: Findings) -> Found | None:
        if self._losses is None:
            return None
        found = await self._losses.find(asked)
        findings.say("events.missing", sum(hour.missing for hour in found.hours))
        findings.say("events.expired", found.expired)
        return found

    async def _survey(self, asked: Asked, until: datetime, findings: Findings) -> Collection[str]:
        if not isinstance(self._sink, Surveys):
            return ()
        tallies = await self._sink.survey(asked.tenant_id, asked.env, asked.since, until + FUTURE)
        findings.add_survey(tallies, self._sink.describe().target)
        return SURVEYED


def _compared(ids: SeenIds | None, judged: Judged) -> list[str]:
    if ids is None or judged.event_id is None:
        return []
    rule = ids.add(str(judged.event_id), content_digest(judged.fields))
    return [rule] if rule else []
