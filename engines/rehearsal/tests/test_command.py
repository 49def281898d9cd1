"""The command line: what it refuses, its exit codes, and the watch over a fault."""

import io
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest

from engines.rehearsal import __main__ as command
from engines.rehearsal.caller import NotCarriedOut
from engines.rehearsal.fault import FaultWatch, sign_in, watch
from engines.rehearsal.removal import Unmarked
from tests.support.app import MemoryKit, running, sign_up
from tests.support.faults import FaultySink
from tests.support.rehearsal import RunningClock


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "required"),
        (["onboard"], "name"),
        (["onboard", "  "], "the name is empty"),
        (["onboard", "x" * 81], "at most 80 printable characters"),
        (["onboard", "a\nb"], "at most 80 printable characters"),
        (["onboard", "Acme", "--env", "qa"], "choose dev, staging or prod"),
        (["onboard", "Acme", "--url", "127.0.0.1:8000"], "write it like https://"),
        (["onboard", "Acme", "--url", "http://a:99999"], "write it like https://"),
        (["onboard", "Acme", "--url", "http://me:pw@a"], "no credentials"),
        (["remove", "everything"], "neither a run nor a tenant"),
        (["destroy"], "invalid choice"),
    ],
)
def test_bad_usage_is_2_and_says_what_is_wanted(
    capsys: pytest.CaptureFixture[str], arguments: list[str], words: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        command.main(arguments)
    said = capsys.readouterr().err
    assert ended.value.code == 2
    assert words in said
    assert "pw" not in said


def test_stage_is_short_for_staging() -> None:
    assert command.parse(["onboard", "Acme", "--env", "Stage"]).env == "staging"


def test_an_address_where_nothing_answers_is_3_and_names_it(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("{}"))
    monkeypatch.setenv("AUTH_JWT_SIGNING", "a signing secret of at least 32 bytes")
    monkeypatch.setenv("NEXUS_BACKEND", "noop")
    assert command.main(["onboard", "Acme", "--url", "http://127.0.0.1:9"]) == 3
    said = capsys.readouterr()
    assert said.out == ""
    assert "nothing answers at http://127.0.0.1:9" in said.err


def test_what_is_no_receipt_is_3(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO('[{"run": 1}, {}]'))
    assert command.main(["compare"]) == 3
    assert "no receipt of a rehearsal" in capsys.readouterr().err


def test_what_is_not_marked_is_1(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    async def refuse(*_: Any) -> int:
        raise Unmarked("t_acme was not made by a rehearsal")

    monkeypatch.setattr("engines.rehearsal.__main__.commands.remove", refuse)
    monkeypatch.setattr("engines.rehearsal.__main__.load_settings", lambda: None)
    monkeypatch.setattr("sys.stdin", io.StringIO(""))
    assert command.main(["remove", "t_acme"]) == 1
    assert "nothing was removed" in capsys.readouterr().err


class NeverHanging(set[str]):
    """A sink that nothing can make hang."""

    def __contains__(self, item: object) -> bool:
        return False


class TestWatch:
    """The host's half is played by the test: it breaks and heals the in-memory sink."""

    @pytest.fixture
    async def kit(self) -> AsyncIterator[MemoryKit]:
        async with running(MemoryKit(RunningClock(), sink=FaultySink())) as kit:
            yield kit

    async def watched(self, kit: MemoryKit, lines: list[str]) -> tuple[int, list[str], list[str]]:
        acme = await sign_up(kit.client, "acme")
        headers = await sign_in(kit.client, {"email": acme.email, "password": "password of acme"})
        answers: list[str] = []
        said: list[str] = []

        async def next_line() -> str:
            line = lines.pop(0) if lines else ""
            if line == "broken":
                kit.sink.hanging.add("probe")
            kit.sink.hanging -= {"probe"} if line == "healed" else set()
            return line

        code = await watch(FaultWatch(kit.client, headers, said.append), next_line, answers.append)
        return code, answers, said

    async def test_a_fault_that_shows_and_clears_in_time_is_0(self, kit: MemoryKit) -> None:
        code, answers, said = await self.watched(kit, ["broken", "healed"])
        assert code == 0
        assert [answer.split()[0] for answer in answers] == ["ready", "shown", "cleared"]
        assert ["down" in line for line in said] == [False, True, False]

    async def test_a_late_one_is_1(self, kit: MemoryKit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engines.rehearsal.fault.LIMIT_SECONDS", 0.1)
        assert (await self.watched(kit, ["broken", "healed"]))[0] == 1

    async def test_one_that_never_shows_is_1(self, kit: MemoryKit, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("engines.rehearsal.fault.PATIENCE_SECONDS", 0.5)
        monkeypatch.setattr(kit.sink, "hanging", NeverHanging())
        code, answers, said = await self.watched(kit, ["broken", "healed"])
        assert (code, answers) == (1, ["ready"])
        assert "still: 200, sink up" in said[-1]

    async def test_a_host_that_ends_early_is_told(
        self, kit: MemoryKit, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with pytest.raises(NotCarriedOut, match="the host ended before it said healed"):
            await self.watched(kit, ["broken"])
        kit.sink.hanging.clear()

    async def test_a_dashboard_that_is_not_well_to_begin_with_is_not_watched(self) -> None:
        async with running(MemoryKit(RunningClock(), sink=FaultySink())) as kit:
            kit.sink.hanging.add("probe")
            with pytest.raises(NotCarriedOut, match="not well to begin with"):
                await self.watched(kit, [])

    async def test_a_login_that_is_refused_says_so(self, kit: MemoryKit) -> None:
        with pytest.raises(NotCarriedOut, match="sign-in: 401 invalid credentials"):
            await sign_in(kit.client, {"email": "nobody@example.com", "password": "x"})

    async def test_an_unreachable_bossman_says_so(self) -> None:
        async with httpx.AsyncClient(base_url="http://127.0.0.1:9") as http:
            with pytest.raises(NotCarriedOut, match="Bossman does not answer"):
                await sign_in(http, {"email": "a", "password": "b"})
