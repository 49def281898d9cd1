"""``./scripts/up --bossman IMAGE``: the stack around a Bossman that speaks as the existing engines do."""

import json
import re
from collections.abc import Iterator

import pytest

from tests.support.docker import ROOT
from tests.support.people import sign_up, until_ready
from tests.support.stack import Stack

KEYS = 13


@pytest.fixture(scope="module")
def own(stack: Stack) -> Iterator[str]:
    """What ``up`` printed with the image, which is made from the kit's own as nothing can be pulled here."""
    project = stack.run("sh", "-c", ". ./.env && echo $COMPOSE_PROJECT_NAME").strip()
    image = f"{project}-existing"
    base = f"BASE={project}-secrets"
    stack.run("docker", "build", "-q", "-t", image, "--build-arg", base, str(ROOT / "tests/existing"))
    try:
        yield stack.up("--bossman", image)
    finally:
        stack.up("--bossman", "kit")
        stack.run("docker", "image", "rm", image)
    with stack.client() as http:
        until_ready(http)
        assert http.get("/healthz").status_code == 200


def test_up_starts_it_and_says_what_stays_unproven(stack: Stack, own: str) -> None:
    assert "your own image" in own
    assert "answers at /openapi.json 200" in own
    for words in (
        "whether its stores answer and take writes: /readyz is not there",
        "how far each tenant has come: /bossman/onboarding is not there",
        "how old each section is: the dashboard has no freshness",
    ):
        assert words in own
    bossman = stack.containers()["bossman"]
    assert bossman["Mounts"] == []
    assert any(item.startswith("AUTH_JWT_SIGNING=") for item in bossman["Config"]["Env"])


def test_two_tenants_are_observable_and_apart(stack: Stack, own: str) -> None:
    with stack.client() as http:
        one, other = sign_up(http, "One"), sign_up(http, "Other")
        for login in (one, other):
            shown = http.get("/bossman/tenant-dashboard", headers=login.headers()).raise_for_status().json()
            assert (len(shown), shown["tenant_id"], shown["env"]) == (KEYS, login.tenant_id, "dev")
        foreign = one.headers() | {"X-Tenant-Id": other.tenant_id}
        assert http.get("/bossman/tenant-dashboard", headers=foreign).status_code == 403


def test_doctor_fails_for_nothing_and_names_what_it_cannot_tell(stack: Stack, own: str) -> None:
    report = json.loads(stack.run("./scripts/doctor", "--json"))
    checks = [(check["code"], check["status"]) for check in report["checks"]]
    assert {("BOSSMAN-READY", "pass"), ("DEMO-LOGIN", "pass"), ("UNPROVEN", "warn")} <= {*checks}


def test_the_rehearsals_receipt_says_what_is_unproven_and_why(stack: Stack, own: str) -> None:
    code, output = stack.outcome("./scripts/rehearse", "onboard", "Acme")
    assert code == 3, output
    [saved] = re.findall(r"receipt: (rehearsals/\S+)\.md", output)
    receipt = json.loads((stack.path / f"{saved}.json").read_text())
    verdicts = {claim["verdict"] for claim in receipt["claims"]}
    assert (verdicts, receipt["host"]["own_bossman"][-9:]) == ({"held", "unproven"}, "-existing")
    reasons = [claim["seen"] for claim in receipt["claims"] if claim["verdict"] == "unproven"]
    assert all(reasons)
    text = (stack.path / f"{saved}.md").read_text()
    assert "this dashboard says nothing of freshness" in text
    assert "an image of your own" in text


def test_a_fault_is_not_begun_that_could_not_be_seen(stack: Stack, own: str) -> None:
    code, output = stack.outcome("./scripts/rehearse", "fault", "sink-down")
    assert code == 3
    assert "this dashboard says nothing of freshness and health" in output
    assert stack.containers()["firestore"]["State"]["Health"]["Status"] == "healthy"
