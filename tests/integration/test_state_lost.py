"""A stand-in that was killed: Bossman says what is gone, until an operator's command acknowledges it."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from engines.verification import acknowledge_state
from tests.support.bossman import Bossman, bossman
from tests.support.docker import Firestore, firestore, wait_until
from tests.support.far_ends import state_variables


@pytest.fixture
def killed() -> Iterator[Firestore]:
    """A stand-in of its own: its losses are nobody else's."""
    with firestore() as running:
        yield running


def checks(process: Bossman) -> dict[str, Any]:
    found: dict[str, Any] = httpx.get(f"{process.url}/healthz", timeout=10).json()["checks"]
    return found


def test_what_a_kill_lost_is_said_and_acknowledged(
    killed: Firestore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    variables = state_variables(killed) | {"NEXUS_BACKEND": "firestore"}
    with bossman(variables) as process:
        wait_until(lambda: "clock:skew" in checks(process), 30, "the clocks are measured")
        assert "document-store:restored" not in checks(process)
        body = {"email": "a@example.com", "password": "p of a", "tenant_name": "a"}
        httpx.post(f"{process.url}/auth/signup", json=body, timeout=10).raise_for_status()
        killed.kill()
        killed.start()
        wait_until(lambda: "document-store:restored" in checks(process), 60, "the loss is said")
        [said] = checks(process)["document-store:restored"]
        assert said["status"] == "warn"
        assert said["output"].startswith("came back ")
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("AUTH_JWT_SIGNING", "x" * 40)
        assert acknowledge_state.main([]) == 0
        assert capsys.readouterr().out == f"acknowledged: the state store {said['output']}\n"
        wait_until(lambda: "document-store:restored" not in checks(process), 30, "it is acknowledged")
