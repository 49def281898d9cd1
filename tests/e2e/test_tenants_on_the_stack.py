"""Two tenants on the whole stack: arrivals, isolation, restarts."""

import json
import time
from datetime import UTC, datetime, timedelta

import httpx
import pytest

from engines.bossman.readings import TTL
from tests.support.app import Login
from tests.support.people import dashboard, last_write_at, pageview, sign_up, until_ready
from tests.support.stack import Stack


@pytest.fixture(scope="module")
def tenants(stack: Stack) -> tuple[Login, Login]:
    with stack.client() as http:
        return sign_up(http, "Acme"), sign_up(http, "Globex")


def test_one_event_of_a_shows_for_a_alone_and_outlives_a_restart_of_bossman(
    stack: Stack, http: httpx.Client, tenants: tuple[Login, Login]
) -> None:
    a, b = tenants
    sent = datetime.now(UTC)
    assert pageview(http, a).json()["status"] == "accepted"
    seen = last_write_at(http, a)
    assert seen is not None
    assert abs(datetime.fromisoformat(seen) - sent) < timedelta(seconds=2)
    assert last_write_at(http, b) is None
    assert last_write_at(http, a, "staging") is None
    stack.compose("restart", "bossman")
    until_ready(http)
    assert last_write_at(http, a) == seen
    assert last_write_at(http, b) is None


def test_a_token_of_a_on_b_is_refused(http: httpx.Client, tenants: tuple[Login, Login]) -> None:
    a, b = tenants
    answer = http.get("/bossman/tenant-dashboard", headers=a.headers() | {"X-Tenant-Id": b.tenant_id})
    assert (answer.status_code, answer.json()) == (403, {"detail": "tenant mismatch with token"})


def test_the_record_lies_in_the_tenants_own_collection(
    stack: Stack, http: httpx.Client, tenants: tuple[Login, Login]
) -> None:
    a, b = tenants
    event_id = pageview(http, a, metadata={"note": "mail jo@example.com"}).json()["event_id"]
    port = stack.compose("port", "firestore", "8080").strip().rsplit(":", 1)[-1]
    documents = f"http://127.0.0.1:{port}/v1/projects/northstar-local/databases/(default)/documents"
    fields = (
        httpx.get(f"{documents}/nexus_events_{a.tenant_id}/{event_id}").raise_for_status().json()["fields"]
    )
    assert fields["event_id"] == {"stringValue": event_id}
    assert "timestampValue" in fields["ingested_at"]
    assert fields["train_ok"] == {"booleanValue": False}
    flags = fields["pii_flags"]["mapValue"]["fields"]["flags"]["arrayValue"]["values"]
    assert flags == [{"stringValue": "email"}]
    assert httpx.get(f"{documents}/nexus_events_{b.tenant_id}").json() == {}


def test_without_firestore_everything_says_so_and_recovers_by_itself(
    stack: Stack, http: httpx.Client, tenants: tuple[Login, Login]
) -> None:
    a, _ = tenants
    pageview(http, a)
    before = last_write_at(http, a)
    stack.compose("stop", "firestore")
    until_ready(http, 503)
    answer = http.get("/bossman/tenant-dashboard", headers=a.headers())
    assert answer.status_code == 503
    assert answer.json()["detail"]["error"] == "state_store_unavailable"
    assert http.get("/livez").status_code == 200
    stack.compose("start", "firestore")
    until_ready(http)
    shown = dashboard(http, a)
    assert shown["event_sink"]["last_write_at"] == before
    assert shown["event_sink"]["status"] == "up"
    assert shown["freshness"]["events"]["status"] == "fresh"


def test_a_hanging_firestore_is_answered_within_five_seconds(
    stack: Stack, http: httpx.Client, tenants: tuple[Login, Login]
) -> None:
    a, _ = tenants
    stack.compose("pause", "firestore")
    time.sleep(TTL.total_seconds())  # so long the dashboard may still show what it read before
    try:
        for method, path in (("GET", "/bossman/tenant-dashboard"), ("POST", "/analytics/events/pageview")):
            answer = http.request(
                method, path, json={"surface": "squared"}, headers=a.headers(), timeout=httpx.Timeout(5)
            )
            assert answer.status_code == 503, path
    finally:
        stack.compose("unpause", "firestore")
    until_ready(http)
    assert dashboard(http, a)["event_sink"]["status"] == "up"


def test_bossmans_log_carries_no_payload_and_no_secret(
    stack: Stack, http: httpx.Client, tenants: tuple[Login, Login]
) -> None:
    a, _ = tenants
    marker = "payload-marker-7351"
    answer = pageview(http, a, url=marker, metadata={marker: marker, "x": [[marker]]}, seo_title=marker)
    assert answer.status_code == 422
    pageview(http, a, url=marker, metadata={marker: marker}, seo_title=marker).raise_for_status()
    log = stack.compose("logs", "bossman")
    assert a.tenant_id in log
    assert marker not in log
    assert a.token not in log
    assert stack.demo_login()["password"] not in log
    raw = stack.run("docker", "logs", stack.containers()["bossman"]["Id"])
    lines = [json.loads(line) for line in raw.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    assert {line["tenant_id"] for line in lines if line.get("route") == "/analytics/events/pageview"}
