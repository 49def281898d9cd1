"""A tenant with something in every section, made over HTTP."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import httpx

from engines.nexus.backends.sink import Envelope
from tests.support.app import Login
from tests.support.records import dataset_event

SURFACE = "squared"


class Filler:
    """Makes a tenant's records over HTTP."""

    def __init__(self, base: str, login: Login, env: str = "dev") -> None:
        self._login = login
        self._base, self._headers = base, login.headers(env)
        self._own = {"tenant_id": login.tenant_id, "env": env, "surface": SURFACE}

    def send(self, method: str, path: str, body: Any = None) -> dict[str, Any]:
        answer = httpx.request(method, f"{self._base}{path}", json=body, headers=self._headers)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def pageviews(self, count: int, note: str = "") -> None:
        for _ in range(count):
            body = {"surface": SURFACE, "metadata": {"note": note}}
            self.send("POST", "/analytics/events/pageview", body)

    def lock(self, title: str, actions: list[str], **more: Any) -> None:
        body = {"scope": "other", "title": title, "surface": SURFACE, "allowed_actions": actions}
        made = self.send("POST", "/strategy-locks", body | more)
        self.send("POST", f"/strategy-locks/{made['id']}/approve")

    def everything(self) -> None:
        """Something in every section."""
        self.lock("Spring set-up: all settings of the surface", ["*"])
        self.pageviews(9)
        self.pageviews(2, "call jo@example.com")
        self._temperature()
        self._budget()
        self._gates()

    def _temperature(self) -> None:
        own = self._own
        floors = {"clicks": 5, "orders": 3, "signups": 1}
        body = own | {"performance_floors": floors, "cadence_floors": {"posts": 2}}
        self.send("PUT", "/temperature/floors", body)
        self.send("PUT", "/temperature/ceilings", own | {"ceilings": {"clicks": 40, "refunds": 2}})
        self.send("PUT", "/temperature/weights", own | {"weights": {"clicks": 2, "orders": 1.5}})
        self.send("POST", "/kpi/definitions", own | {"name": "orders", "unit": "per day"})
        self.send("PUT", "/kpi/corridors", own | {"kpi_name": "orders", "floor": 1, "ceiling": 9})

    def _budget(self) -> None:
        uses = [
            ("openai", "gpt-large", "12.40", {"clicks": 22, "orders": 1}),
            ("openai", "gpt-small", "0.85", {"clicks": 4, "refunds": 3}),
            ("vertex", "gemini-1.5-flash-002", "3.10", {"signups": 4}),
            ("aws", "claude-on-bedrock", "0.0042", {"posts": 2}),
        ]
        items = [
            self._own | {"provider": provider, "model_or_plan_id": model, "cost": cost, "metadata": metrics}
            for provider, model, cost, metrics in uses
        ]
        self.send("POST", "/budget/usage", items)
        self.send("GET", f"/temperature/current?surface={SURFACE}")

    def _gates(self) -> None:
        licence = self._own | {"subject_type": "agent", "subject_id": "campaign-writer", "level": "high"}
        self.send("POST", "/firearms/licences", licence | {"expires_at": "2031-01-01T00:00:00Z"})
        old = self._own | {"subject_type": "tool", "subject_id": "mailer"}
        self.send("POST", "/firearms/licences", old | {"expires_at": "2020-01-01T00:00:00Z"})
        switch = {"disable_providers": ["azure"], "disabled_actions": ["publish_sensitive"]}
        self.send("PUT", "/kill-switches", switch)
        user = {"opt_out": True, "user_id": self._login.user_id}
        self.send("POST", "/privacy/train-prefs/user", user)
        config = f"/tenants/{self._login.tenant_id}/analytics/config"
        self.send("PUT", config, self._own | {"ga4_measurement_id": "G-1"})
        page = {"surface": SURFACE, "page_type": "home", "title": "Acme", "description": "Start"}
        self.send("PUT", "/seo/pages", self._own | page)
        self.pageviews(3)


def busy_day(tenant_id: str, now: datetime) -> Iterator[Envelope]:
    """What a tenant sends in a day: waves, every sixth event flagged, every fifth opted out."""
    for minute in range(1, 1_380):
        wave = 6 * ((minute * 7) % 11) // (10 if minute < 60 else 40)
        for number in range(wave):
            values: dict[str, Any] = {"train_ok": (minute + number) % 5 > 0}
            if (minute + number) % 6 == 0:
                values = {"train_ok": False, "pii_flags": {"flags": ["email"]}}
            event = dataset_event(tenantId=tenant_id, **values)
            yield Envelope(event_id="e", ingested_at=now - timedelta(minutes=minute), event=event)
