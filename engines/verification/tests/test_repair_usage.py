"""``./scripts/repair-usage``: what its command line takes, and settings that it cannot work with."""

import pytest

from engines.common.documents import Scope, StoreUnavailable
from engines.storage.memory import MemoryDocumentStore
from engines.verification.repair_usage import main, repair
from tests.support.docker import free_port
from tests.support.faults import FaultyStore
from tests.support.usage import foreign, plant

FIRESTORE = {
    "AUTH_JWT_SIGNING": "x" * 40,
    "NEXUS_BACKEND": "noop",
    "GCP_PROJECT_ID": "p",
    "FIRESTORE_EMULATOR_HOST": f"127.0.0.1:{free_port()}",
}


@pytest.mark.parametrize(
    "arguments",
    [
        "",
        "--env dev",
        "--tenant acme",
        "--tenant t_",
        "--tenant T_A",
        "--tenant t_a/b",
        "--tenant",
        "--tenant t_a --all",
        "--tenant t_a --env stage",
        "--all --env qa",
        "--tenant t_a more",
        "--tenant t_a --since 2026",
    ],
)
def test_bad_usage_exits_64(arguments: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments.split())
    assert left.value.code == 64
    assert "usage: repair-usage" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("environment", "arguments", "code", "words"),
    [
        ({}, "--tenant t_a", 78, "BUDGET_BACKEND is memory"),
        ({"BUDGET_BACKEND": "firestore"}, "--all", 78, "IDENTITY_BACKEND is memory"),
        ({"BUDGET_BACKEND": "firestore", "GCP_PROJECT_ID": ""}, "--tenant t_a", 78, "GCP_PROJECT_ID"),
        ({"BUDGET_BACKEND": "firestore"}, "--tenant t_a", 3, "t_a dev: not finished: firestore: "),
        (dict.fromkeys(("BUDGET_BACKEND", "IDENTITY_BACKEND"), "firestore"), "--all", 3, "firestore: "),
    ],
    ids=["memory", "no_tenants", "no_project", "store_down", "store_down_all"],
)
def test_what_it_cannot_work_with_is_named(
    environment: dict[str, str],
    arguments: str,
    code: int,
    words: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("BUDGET_BACKEND", "IDENTITY_BACKEND"):
        monkeypatch.delenv(name, raising=False)
    for name, value in (FIRESTORE | environment).items():
        monkeypatch.setenv(name, value)
    assert main([*arguments.split(), *(["--env", "dev"] if code == 3 else [])]) == code
    assert words in capsys.readouterr().err


async def test_one_that_fails_stops_no_other_and_the_exit_says_so(
    capsys: pytest.CaptureFixture[str],
) -> None:
    inner = MemoryDocumentStore()
    good, bad = Scope("t_good", "dev"), Scope("t_bad", "dev")
    store = FaultyStore(inner)
    await plant(inner, good, foreign(1))
    assert await repair(store, [bad, good], as_json=False) == 0
    assert capsys.readouterr().out == "t_good dev: 1 events; 3 sums corrected\n"
    assert await repair(store, [bad], as_json=False) == 0
    assert capsys.readouterr().out == "no usage\n"
    store.faults["scan"] = StoreUnavailable("memory: away")
    assert await repair(store, [bad, good], as_json=True) == 3
    said = capsys.readouterr()
    assert said.out == "[]\n"
    assert said.err.splitlines() == [f"{one} dev: not finished: memory: away" for one in ("t_bad", "t_good")]
