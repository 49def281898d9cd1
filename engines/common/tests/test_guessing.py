"""What guessing costs, and whom it does not touch."""

import pytest

from engines.bossman.metrics import Metrics
from engines.common.errors import TooManyRequests
from engines.common.guessing import Guesses
from engines.server.limits import ServerLimits
from engines.server.refusals import Refusals
from tests.support.app import Login, MemoryKit

LIMITS = ServerLimits(free_guesses=2, guessers=3)


class Times:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def make_guesses(times: Times) -> Guesses:
    return Guesses(LIMITS, Refusals(Metrics("0").refused), times)


def wait_of(guesses: Guesses, address: str = "10.0.0.1", account: str = "a@example.com") -> int:
    try:
        guesses.check(address, account)
    except TooManyRequests as error:
        return int(error.headers["Retry-After"])
    return 0


def guess(guesses: Guesses, address: str = "10.0.0.1", account: str = "a@example.com") -> None:
    guesses.wrong(address, account, "wrong_password")


def test_wrong_passwords_cost_a_growing_wait() -> None:
    times = Times()
    guesses, waits = make_guesses(times), []
    for _ in range(8):
        guess(guesses)
        waits.append(wait_of(guesses))
        times.now += waits[-1]
    assert waits == [0, 0, 1, 2, 4, 8, 8, 8]


def test_an_attempt_during_a_wait_does_not_prolong_it() -> None:
    times = Times()
    guesses = make_guesses(times)
    for _ in range(3):
        guess(guesses)
    assert [wait_of(guesses) for _ in range(50)] == [1] * 50
    times.now += 1
    assert wait_of(guesses) == 0


def test_other_accounts_and_addresses_do_not_wait() -> None:
    guesses = make_guesses(Times())
    for _ in range(9):
        guess(guesses)
    assert wait_of(guesses, account="b@example.com") == wait_of(guesses, address="10.0.0.2") == 0
    assert wait_of(guesses, account="A@Example.com") > 0


def test_wrong_answers_are_forgotten() -> None:
    times = Times()
    guesses = make_guesses(times)
    for _ in range(9):
        guess(guesses)
    times.now += LIMITS.guesses_forgotten_seconds
    guess(guesses)
    assert wait_of(guesses) == 0


def test_a_right_answer_makes_the_wrong_ones_forgotten() -> None:
    guesses = make_guesses(Times())
    for _ in range(2):
        guess(guesses)
    guesses.right("10.0.0.1", "a@example.com")
    guess(guesses)
    assert wait_of(guesses) == 0


def test_the_oldest_guesser_is_forgotten() -> None:
    guesses = make_guesses(Times())
    for number in range(4):
        for _ in range(3):
            guess(guesses, address=f"10.0.0.{number}")
    assert [wait_of(guesses, address=f"10.0.0.{number}") for number in range(4)] == [0, 1, 1, 1]


async def test_guessing_a_password_is_429_and_touches_no_other_account(
    kit: MemoryKit, acme: Login, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = {"email": acme.email, "password": "wrong-secret"}
    answers = [await kit.client.post("/auth/login", json=wrong) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [401] * 6 + [429] * 2
    assert answers[-1].headers["retry-after"] == "1"
    other = wrong | {"email": "other@example.com"}
    assert (await kit.client.post("/auth/login", json=other)).status_code == 401
    kit.clock.advance(seconds=1)
    assert (await kit.client.post("/auth/login", json=wrong)).status_code == 401
    assert (await kit.client.post("/auth/login", json=wrong)).headers["retry-after"] == "2"
    text = (await kit.client.get("/metrics")).text
    assert 'northstar_refusals_total{reason="wrong_password"} 8.0' in text
    assert "wrong_password" in caplog.text
    assert acme.email not in caplog.text
    assert "wrong-secret" not in caplog.text


async def test_guessing_the_system_key_is_429(kit: MemoryKit, acme: Login) -> None:
    headers = acme.headers() | {"X-System-Key": "wrong"}
    answers = [await kit.client.post("/auth/bootstrap/tenants", headers=headers) for _ in range(8)]
    assert [answer.status_code for answer in answers] == [403] * 6 + [429] * 2
    assert 'reason="wrong_system_key"} 6.0' in (await kit.client.get("/metrics")).text
