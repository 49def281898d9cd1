"""``./scripts/rehearse`` on the whole stack: what holds, what a dead sink breaks, how it is taken back."""

import json
import re
import stat
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engines.rehearsal import claims
from tests.support.people import dashboard, pageview, sign_up
from tests.support.stack import Stack

SECONDS = 240


@pytest.fixture(scope="module", autouse=True)
def _left_as_it_was(stack: Stack) -> Iterator[None]:
    yield
    stack.compose("start", "objectstore")
    stack.up("--sink", "firestore")


def rehearse(stack: Stack, *arguments: str, code: int = 0) -> str:
    """Run it, with the exit code that is expected; returns its output."""
    ended, output = stack.outcome("./scripts/rehearse", *arguments, seconds=SECONDS)
    assert ended == code, output
    return output


def onboard(stack: Stack, *arguments: str, code: int = 0) -> dict[str, Any]:
    """The receipt of one rehearsal."""
    output = rehearse(stack, "onboard", "Acme", *arguments, code=code)
    [saved] = re.findall(r"receipt: (rehearsals/\S+)\.md", output)
    files = [stack.path / f"{saved}{ending}" for ending in (".json", ".md")]
    assert [stat.S_IMODE(file.stat().st_mode) for file in files] == [0o600, 0o600]
    receipt: dict[str, Any] = json.loads(files[0].read_text())
    print(f"{receipt['sink']}: {receipt['seconds']} s")  # noqa: T201 - the figure
    return receipt


def verdicts(receipt: dict[str, Any], verdict: str) -> set[str]:
    return {one["name"] for one in receipt["claims"] if one["verdict"] == verdict}


@pytest.fixture(scope="module")
def first(stack: Stack) -> dict[str, Any]:
    """A rehearsal on the sink of a fresh stack."""
    return onboard(stack, "--env", "staging")


def test_every_claim_holds_and_the_receipt_knows_the_stack(stack: Stack, first: dict[str, Any]) -> None:
    assert verdicts(first, "held") == set(claims.plan())
    assert (first["local"], first["sink"]["backend"], first["sink"]["kind"]) == (
        True,
        "firestore",
        "stand-in",
    )
    images = {name: item["Image"] for name, item in stack.containers().items()}
    assert first["host"]["images"] == images
    assert first["configuration"]["fingerprint"].startswith("sha256:")
    text = json.dumps(first)
    for secret in ("AUTH_JWT_SIGNING", "SYSTEM_BOOTSTRAP_KEY"):
        value = stack.compose("exec", "-T", "bossman", "cat", f"/run/secrets/{secret}").strip()
        assert secret in text
        assert value not in text


def test_on_another_sink_all_holds_too_and_a_comparison_names_the_sink(
    stack: Stack, first: dict[str, Any]
) -> None:
    second = onboard(stack, "--env", "staging", "--sink", "object_store")
    assert verdicts(second, "held") == set(claims.plan())
    lines = rehearse(stack, "compare", first["run"], second["run"])
    assert "sink: firestore (FirestoreSink)" in lines
    assert "worse" not in lines


def test_with_the_sink_stopped_its_claims_break_and_a_comparison_says_worse(
    stack: Stack, first: dict[str, Any]
) -> None:
    stack.compose("stop", "objectstore")
    try:
        dead = onboard(stack, code=1)
    finally:
        stack.compose("start", "objectstore")
    broken = verdicts(dead, "broken")
    assert broken == {
        claims.ACCEPTED,
        claims.visible("events"),
        claims.SINK_UP,
        claims.HEALTHY,
        claims.HELD,
    }
    assert {claims.visible("temperature"), claims.NEIGHBOUR, claims.REVOKED} <= verdicts(dead, "held")
    assert f"worse: {claims.SINK_UP}: held -> broken" in rehearse(
        stack, "compare", first["run"], dead["run"], code=1
    )


def test_a_stopped_sink_shows_and_clears_within_ten_seconds(stack: Stack) -> None:
    output = rehearse(stack, "fault", "sink-down")
    assert re.search(r"sink (down|degraded)", output)
    [shown], [cleared] = (
        re.findall(r"shown after (\S+) s", output),
        re.findall(r"cleared after (\S+) s", output),
    )
    assert max(float(shown), float(cleared)) <= 10


def test_poison_is_refused_and_a_full_disk_shows_and_clears(stack: Stack) -> None:
    poisoned = rehearse(stack, "fault", "poison")
    assert poisoned.count(": 422 ") == 8, poisoned
    full = rehearse(stack, "fault", "disk-full")
    assert "writes are refused: disk" in full


def test_a_crash_shows_and_clears_and_what_it_lost_is_said_until_it_is_acknowledged(stack: Stack) -> None:
    stack.up("--sink", "firestore")
    rehearse(stack, "fault", "crash")
    acknowledge = ("./scripts/verify", "acknowledge", "--state")
    assert re.search(r"acknowledged: the state store came back as of .* is gone", stack.run(*acknowledge))
    assert stack.run(*acknowledge) == "nothing to acknowledge\n"


def test_a_removal_takes_every_rehearsal_back_twice_over_and_no_real_tenant(
    stack: Stack, http: httpx.Client, first: dict[str, Any]
) -> None:
    real = sign_up(http, "Real")
    pageview(http, real)
    refusal = rehearse(stack, "remove", real.tenant_id, code=1)
    assert "was not made by a rehearsal: nothing was removed" in refusal
    assert first["tenant_id"] in listed(stack, http)
    rehearse(stack, "remove", "--all")
    assert "removed: 0 users, 0 tenants, 0 documents of state" in rehearse(stack, "remove", "--all")
    assert listed(stack, http) == ""
    assert dashboard(http, real)["freshness"]["events"]["status"] == "fresh"


def listed(stack: Stack, http: httpx.Client) -> str:
    """The tenants of rehearsals in the overview."""
    key = stack.compose("exec", "-T", "bossman", "cat", "/run/secrets/SYSTEM_BOOTSTRAP_KEY").strip()
    answer = http.get("/bossman/onboarding", params={"limit": 100}, headers={"X-System-Key": key})
    rows = answer.raise_for_status().json()["tenants"]
    return " ".join(row["tenant_id"] for row in rows if row["rehearsal"])


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ((), 2, "name a command"),
        (("onboard",), 2, "name the tenant"),
        (("onboard", " "), 2, "the name is empty"),
        (("onboard", "Acme", "--sink", "kafka"), 2, "choose firestore, bigquery, object_store or s3"),
        (("onboard", "Acme", "--url", "http://127.0.0.1:9"), 3, "nothing answers at http://127.0.0.1:9"),
        (("compare", "a"), 2, "takes two receipts"),
        (("compare", "a", "b"), 3, "there is no receipt 'a'"),
        (("remove", "x"), 2, "neither a run nor a tenant"),
        (("fault", "fire"), 2, "name a fault"),
    ],
)
def test_what_cannot_be_done_says_what_helps(
    stack: Stack, arguments: tuple[str, ...], code: int, words: str
) -> None:
    assert words in rehearse(stack, *arguments, code=code)
