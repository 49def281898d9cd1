"""What a run found, by rule, for people and for machines. It holds ids, places and times, never a payload."""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, computed_field

from engines.nexus.backends.sink import SinkDescription, Tally
from engines.verification.losses import LossyHour
from engines.verification.rules import RULES, Judged, Severity, well_formed

Verdict = Literal["clean", "warnings", "faults"]
EXIT_CODES: dict[Verdict, int] = {"clean": 0, "warnings": 1, "faults": 2}


class Example(BaseModel):
    """Where a record lies. An id that is not well-formed is shown as a digest: it could be anything."""

    event_id: str | None
    place: str
    ingested_at: datetime | None = None


class Named(BaseModel):
    """The records that one rule names."""

    rule: str
    severity: Severity
    meaning: str
    count: int
    examples: list[Example]


class Report(BaseModel):
    """The outcome of one run."""

    tenant_id: str
    env: str | None
    since: datetime | None
    until: datetime
    sink: dict[str, Any]
    surveyed: list[str]
    """Rules that the sink judged itself."""
    records: int
    synthetic: int
    rules: list[Named]
    compared_hours: int | None = None
    """Hours in which accepted and stored events were compared; None: the counts are not seen."""
    missing: list[LossyHour] = []

    @computed_field  # type: ignore[prop-decorator]
    @property
    def verdict(self) -> Verdict:
        """The worst that was found; what is only said, like a copy, is clean."""
        severities = {named.severity for named in self.rules}
        if "fault" in severities:
            return "faults"
        return "warnings" if "warning" in severities else "clean"


class Findings:
    """Counts and first examples of each rule, while a run goes on."""

    def __init__(self, examples: int) -> None:
        self._examples = examples
        self._counts: dict[str, int] = {}
        self._shown: dict[str, list[Example]] = {}

    def add(self, rule: str, judged: Judged) -> None:
        """Count one record."""
        shown = self._shown.setdefault(rule, [])
        self._counts[rule] = self._counts.get(rule, 0) + 1
        if len(shown) < self._examples:
            shown.append(
                Example(event_id=shown_id(judged.event_id), place=judged.place, ingested_at=judged.at)
            )

    def add_survey(self, tallies: Mapping[Any, Tally], place: str) -> None:
        """Count what the sink found itself."""
        for rule, tally in tallies.items():
            self._counts[rule] = tally.count
            ids = sorted(tally.examples, key=str)[: self._examples]
            self._shown[rule] = [Example(event_id=shown_id(event_id), place=place) for event_id in ids]

    def named(self) -> list[Named]:
        """The rules that name a record, in the order of RULES."""
        return [
            Named(
                rule=rule,
                severity=severity,
                meaning=meaning,
                count=self._counts[rule],
                examples=self._shown.get(rule, []),
            )
            for rule, (severity, meaning) in RULES.items()
            if self._counts.get(rule)
        ]

    def say(self, rule: str, count: int = 1) -> None:
        """Count what is about no record."""
        self._counts[rule] = count


def shown_id(event_id: Any) -> str | None:
    """The id as it may be shown."""
    if event_id is None or event_id == "":
        return None
    if well_formed(event_id):
        return str(event_id)
    digest = hashlib.sha256(str(event_id).encode("utf-8", "surrogatepass")).hexdigest()
    return f"sha256:{digest[:16]}"


def of_sink(sink: SinkDescription, tenant_id: str) -> dict[str, Any]:
    """The sink as a report names it."""
    target = sink.target.replace("{tenant}", tenant_id)
    return {"backend": sink.backend, "target": target, "stand_in": sink.stand_in}


def as_text(report: Report) -> str:
    """The report for people."""
    return "\n".join(_lines(report))


def _lines(report: Report) -> Iterator[str]:
    env = "every env" if report.env is None else f"env {plain(report.env)}"
    since = f", since {report.since:%Y-%m-%dT%H:%M:%S%z}" if report.since else ""
    yield f"{report.tenant_id}, {env}{since}: {report.sink['backend']} ({plain(report.sink['target'])})"
    yield f"  {report.records} records, {report.synthetic} of them synthetic"
    for named in report.rules:
        yield f"  [{named.severity}]".ljust(12) + f"{named.rule:<20} {named.count:>8}  {named.meaning}"
        yield from _examples(named.examples)
        if named.rule == "events.missing":
            yield from map(as_line, report.missing)
    if report.compared_hours is None:
        yield "  accepted events not compared: their counts are not seen from here"
    yield f"verdict: {report.verdict}"


def as_line(hour: LossyHour) -> str:
    """An hour that lacks events, for people."""
    when = f"{hour.env}, hour {hour.hour:%Y-%m-%d %H:%M} UTC"
    return f"              {when}: {hour.accepted} accepted, {hour.stored} stored, {hour.missing} missing"


def _examples(examples: Iterable[Example]) -> Iterator[str]:
    for example in examples:
        at = f"  {example.ingested_at:%Y-%m-%dT%H:%M:%S.%f%z}" if example.ingested_at else ""
        yield f"              {example.event_id or 'no id'}  {plain(example.place)}{at}"


def plain(text: str) -> str:
    """Text that moves no cursor: a name in a bucket can hold anything."""
    return text.encode("unicode_escape").decode()
