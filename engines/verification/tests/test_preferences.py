"""What was in force is known or not, and never guessed."""

from datetime import timedelta

import pytest

from engines.common.documents import Scope
from engines.privacy.service import PrivacyService
from engines.storage.memory import MemoryDocumentStore
from engines.verification.preferences import KEPT, PreferencesInForce
from tests.support.app import MovableClock
from tests.support.faults import FaultyStore

SCOPE = Scope("t_acme", "dev")
DAY = timedelta(days=1)


class Past:
    """Preferences that are set on a day, and looked at ten days later."""

    def __init__(self) -> None:
        self.clock = MovableClock()
        self.set_at = self.clock.now
        self.store = FaultyStore(MemoryDocumentStore(self.clock))
        self.privacy = PrivacyService(self.store)

    async def eligible(self, user: str, days: float | None) -> bool | None:
        """Eligibility of an event so many days after the preferences were set."""
        self.clock.now = self.set_at + 10 * DAY
        moment = None if days is None else self.set_at + days * DAY
        return await PreferencesInForce(self.privacy, self.clock).eligible(SCOPE, user, moment)


@pytest.fixture
def past() -> Past:
    return Past()


@pytest.mark.parametrize("days", [-1, 1, None])
async def test_without_any_preference_all_is_eligible_at_any_time(past: Past, days: float | None) -> None:
    assert await past.eligible("u", days) is True


@pytest.mark.parametrize(("opt_out", "eligible"), [(True, False), (False, True)])
async def test_a_preference_is_in_force_after_it_was_stored_alone(
    past: Past, opt_out: bool, eligible: bool
) -> None:
    await past.privacy.set_preference(SCOPE, "u", opt_out)
    assert await past.eligible("u", 1) is eligible
    assert await past.eligible("u", -1) is None
    assert await past.eligible("u", 0) is None
    assert await past.eligible("u", None) is None
    assert await past.eligible("other", -1) is True


async def test_the_users_own_beats_the_tenants(past: Past) -> None:
    await past.privacy.set_preference(SCOPE, None, True)
    await past.privacy.set_preference(SCOPE, "u", False)
    assert await past.eligible("u", 1) is True
    assert await past.eligible("other", 1) is False
    assert await past.eligible("other", -1) is None
    assert await past.eligible("", 1) is False


async def test_a_user_who_opted_later_leaves_undecided_what_was_before(past: Past) -> None:
    await past.privacy.set_preference(SCOPE, None, True)
    past.clock.advance(days=2)
    await past.privacy.set_preference(SCOPE, "u", False)
    assert await past.eligible("u", 1) is None
    assert await past.eligible("u", 3) is True


async def test_an_event_of_the_very_moment_may_have_looked_before(past: Past) -> None:
    await past.privacy.set_preference(SCOPE, "u", True)
    assert await past.eligible("u", 1 / 86_400) is None
    assert await past.eligible("u", 1.1 / 86_400) is False


async def test_an_event_after_the_look_is_undecided(past: Past) -> None:
    assert await past.eligible("u", 11) is None


async def test_preferences_of_another_env_do_not_count(past: Past) -> None:
    await past.privacy.set_preference(Scope("t_acme", "prod"), "u", True)
    assert await past.eligible("u", 1) is True


async def test_without_a_store_nothing_is_known() -> None:
    assert await PreferencesInForce(None).eligible(SCOPE, "u", MovableClock().now) is None


async def test_each_user_is_looked_up_once_and_only_so_many_are_kept(past: Past) -> None:
    in_force = PreferencesInForce(past.privacy, past.clock)
    before = past.set_at - DAY
    for number in (*range(KEPT + 5), KEPT):
        await in_force.eligible(SCOPE, f"u{number}", before)
    assert len(in_force._kept) == KEPT
    past.store.faults["get"] = RuntimeError("looked up again")
    assert await in_force.eligible(SCOPE, f"u{KEPT}", before) is True
