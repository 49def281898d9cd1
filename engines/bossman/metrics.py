"""Metrics of one process for Prometheus. A registry per app; no label names a tenant."""

import math
import platform

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

from engines.bossman.health import TIME, Health
from engines.bossman.missing_checks import MISSING
from engines.bossman.state_metrics import StateGauges
from engines.nexus.delivery import Observer, Totals
from engines.nexus.delivery.observer import Outcome, Result
from engines.server.refusals import REASONS, Reason

BATCH_SIZES = (1, 2, 5, 10, 20, 50, 100, 200, 500)
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

UNREAD = math.nan
"""Stands for what could not be read: never a zero."""


class SinkMetrics:
    """What delivery to one sink is counted as: an Observer."""

    def __init__(self, metrics: "Metrics", sink: str) -> None:
        self._metrics = metrics
        self._sink = sink

    def delivered(self, result: Result) -> None:
        """See Observer."""
        self._metrics.events.labels(result, self._sink).inc()

    def sent(self, events: int, seconds: float, outcome: Outcome) -> None:
        """See Observer."""
        self._metrics.batch_events.labels(self._sink).observe(events)
        self._metrics.batch_seconds.labels(self._sink, outcome).observe(seconds)

    def retried(self) -> None:
        """See Observer."""
        self._metrics.retries.labels(self._sink).inc()

    def resent(self, events: int) -> None:
        """See Observer."""
        self._metrics.resent.labels(self._sink).inc(events)


class Metrics:
    """All metrics of one app. Gauges are set when they are asked for."""

    def __init__(self, version: str) -> None:
        self.registry = here = CollectorRegistry()
        ProcessCollector(registry=here)
        self.events = Counter(
            "northstar_events", "Events by what became of them", ["result", "sink"], registry=here
        )
        self.batch_events = Histogram(
            "northstar_batch_events", "Events of a batch", ["sink"], buckets=BATCH_SIZES, registry=here
        )
        self.batch_seconds = Histogram(
            "northstar_batch_seconds",
            "Time of a batch, its retries included",
            ["sink", "outcome"],
            buckets=SECONDS,
            registry=here,
        )
        self.retries = Counter("northstar_batch_retries", "Batches sent once more", ["sink"], registry=here)
        self.resent = Counter(
            "northstar_events_resent", "Accepted events that the sink had lost", ["sink"], registry=here
        )
        self.requests = Histogram(
            "northstar_http_request_seconds",
            "Time of a request",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=here,
        )
        self.refusals = Counter(
            "northstar_refusals", "Refused for a limit or a wrong credential", ["reason"], registry=here
        )
        for reason in REASONS:
            self.refusals.labels(reason)
        self._queued = Gauge("northstar_queued_events", "Events that callers wait for", registry=here)
        self._outbox = Gauge("northstar_outbox_events", "Accepted, not in the sink yet", registry=here)
        self._letters = Gauge("northstar_dead_letters", "Refused by the sink and kept", registry=here)
        self._missing = Gauge(
            "northstar_events_missing", "Accepted, and neither in the sink nor waiting for it", registry=here
        )
        self._up = Gauge("northstar_probe_up", "1 when the probe passes", ["check", "of"], registry=here)
        self._probe = Gauge(
            "northstar_probe_seconds", "Time of the newest probe", ["check", "of"], registry=here
        )
        self.state = StateGauges(here)
        build = Gauge("northstar_build_info", "Always 1", ["version", "python"], registry=here)
        build.labels(version, platform.python_version()).set(1)

    def of_sink(self, sink: str) -> Observer:
        """The observer of delivery to the sink; every result it can have is there from the start."""
        for result in ("stored", "duplicate", "outbox", "refused", "overloaded", "failed"):
            self.events.labels(result, sink)
        self.retries.labels(sink)
        self.resent.labels(sink)
        return SinkMetrics(self, sink)

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request."""
        self.requests.labels(method, route, str(status)).observe(seconds)

    def refused(self, reason: Reason) -> None:
        """Count one refusal."""
        self.refusals.labels(reason).inc()

    def text(self, health: Health, queued: int, totals: Totals | None) -> bytes:
        """The exposition format, with what was read just now; ``totals`` None = could not be read."""
        timed = {name: checks for name, checks in health.checks.items() if name.endswith(TIME)}
        missing = [check.observedValue for check in health.checks.get(MISSING, [])]
        self._missing.set(UNREAD if None in missing else sum(filter(None, missing)))
        self._queued.set(queued)
        self._outbox.set(UNREAD if totals is None else totals.outbox or 0)
        self._letters.set(UNREAD if totals is None else totals.dead_letters or 0)
        for name, checks in timed.items():
            for check in checks:
                labels = name.removesuffix(TIME), check.componentId
                self._up.labels(*labels).set(check.status != "fail")
                self._probe.labels(*labels).set((check.observedValue or 0) / 1000)
        return generate_latest(self.registry)
