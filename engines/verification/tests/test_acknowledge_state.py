"""The command that acknowledges a loss: its exit codes. tests/integration has what it does."""

import pytest

from engines.verification.acknowledge_state import main


def test_bad_usage_is_64() -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--all"])
    assert ended.value.code == 64


@pytest.mark.parametrize("secret", ["x", "x" * 40], ids=["unusable", "no_stand_in"])
def test_settings_without_a_stand_in_are_78(monkeypatch: pytest.MonkeyPatch, secret: str) -> None:
    monkeypatch.setenv("NEXUS_BACKEND", "noop")
    monkeypatch.setenv("AUTH_JWT_SIGNING", secret)
    assert main([]) == 78
