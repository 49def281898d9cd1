"""./scripts/verify and ./scripts/repair-usage on the whole stack: what they print and how they exit."""

import json
from datetime import UTC, datetime
from typing import Any

import httpx

from tests.support.people import pageview, sign_up, until_ready
from tests.support.stack import Stack


def documents(stack: Stack, collection: str) -> str:
    port = stack.compose("port", "firestore", "8080").strip().rsplit(":", 1)[-1]
    base = f"http://127.0.0.1:{port}/v1/projects/northstar-local/databases/(default)/documents"
    return f"{base}/{collection}"


def test_events_are_verified_and_exported_and_a_fault_is_found(stack: Stack, http: httpx.Client) -> None:
    login = sign_up(http, "Verified")
    event_id = pageview(http, login, metadata={"note": "hello"}).json()["event_id"]
    pageview(http, login, metadata={"note": "mail jo@example.com"})
    verify = ("./scripts/verify", "events", "--tenant", login.tenant_id)
    code, output = stack.outcome(*verify)
    assert (code, "2 records" in output, "verdict: clean" in output) == (0, True, True), output
    export = ("./scripts/verify", "export", "--tenant", login.tenant_id, "--format", "parquet")
    output = stack.run(*export)
    assert "1 of 2 records exported in 1 parts; left out: 1 not_trainable" in output
    assert f"gs://datasets/exports/{login.tenant_id}/~all/" in output

    collection = documents(stack, f"nexus_events_{login.tenant_id}")
    fields: dict[str, Any] = httpx.get(f"{collection}/{event_id}").raise_for_status().json()["fields"]
    planted = fields | {"event_id": {"stringValue": "planted"}, "train_ok": {"booleanValue": False}}
    httpx.post(f"{collection}?documentId=planted", json={"fields": planted}).raise_for_status()
    code, output = stack.outcome(*verify, "--json")
    report = json.loads(output)
    assert (code, [item["rule"] for item in report["rules"]]) == (2, ["train_ok.wrong"])
    assert report["rules"][0]["examples"][0]["event_id"] == "planted"
    assert "hello" not in output
    httpx.delete(f"{collection}/planted").raise_for_status()

    acknowledge = ("./scripts/verify", "acknowledge", "--tenant", login.tenant_id)
    assert stack.outcome(*acknowledge) == (0, "nothing is missing\n")
    assert stack.outcome("./scripts/verify", "events", "--tenant", "t_typo")[0] == 1
    for wrong in ((), ("other",), ("events",), ("events", "--tenant", "nobody")):
        assert stack.outcome("./scripts/verify", *wrong)[0] == 64
    stack.compose("stop", "bossman")
    try:
        code, output = stack.outcome(*verify)
    finally:
        stack.compose("start", "bossman")
        until_ready(http)
    assert (code, "cure: ./scripts/up" in output) == (3, True)


def test_usage_that_something_else_wrote_is_summed(stack: Stack, http: httpx.Client) -> None:
    login = sign_up(http, "Summed")
    own = {"tenant_id": login.tenant_id, "env": "dev", "provider": "p", "currency": "USD", "cost": "0.25"}
    fields = {name: {"stringValue": value} for name, value in (own | {"id": "theirs"}).items()}
    fields["created_at"] = {"timestampValue": datetime.now(UTC).isoformat().replace("+00:00", "Z")}
    usage = documents(stack, f"budget_usage/{login.tenant_id}_dev/events")
    httpx.post(f"{usage}?documentId=theirs", json={"fields": fields}).raise_for_status()
    http.post("/budget/usage", json=own, headers=login.headers()).raise_for_status()

    def answer() -> tuple[str | None, Any]:
        found = http.get("/budget/usage/summary", headers=login.headers()).raise_for_status()
        return found.headers.get("X-Usage-Unsummed"), found.json()["total_cost"]

    assert answer() == ("1", 0.25)
    repair = ("./scripts/repair-usage", "--tenant", login.tenant_id)
    assert stack.outcome(*repair) == (0, f"{login.tenant_id} dev: 2 events; 3 sums corrected\n")
    assert answer() == (None, 0.5)
    assert stack.outcome(*repair) == (0, f"{login.tenant_id} dev: 2 events; all sums right\n")
    assert stack.outcome("./scripts/repair-usage", "--tenant", "nobody")[0] == 64
