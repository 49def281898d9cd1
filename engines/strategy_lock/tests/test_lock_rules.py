"""Which lock decides: tables, and every case against an independent oracle."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.strategy_lock.models import StrategyLock
from engines.strategy_lock.rules import Decision, decide

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
ACTION = "kpi:corridor_upsert"
REQUIRED = Decision(allowed=False, reason="strategy_lock_required")


def lock(lock_id: str = "l", **values: Any) -> StrategyLock:
    """An approved lock that allows ACTION now, changed by ``values``."""
    defaults = {
        "id": lock_id,
        "tenant_id": "t_acme",
        "env": "dev",
        "scope": "other",
        "title": "a lock",
        "allowed_actions": [ACTION],
        "created_by_user_id": "u_1",
        "status": "approved",
        "valid_from": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return StrategyLock.model_validate(defaults | values)


def allowed_by(lock_id: str) -> Decision:
    return Decision(allowed=True, lock_id=lock_id)


def verdict_of(lock_id: str) -> Decision:
    return Decision(allowed=False, reason="three_wise_verdict_required", lock_id=lock_id)


def test_without_any_lock_one_is_required() -> None:
    assert decide([], None, ACTION, NOW) == REQUIRED


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"status": "draft"}, False),
        ({"status": "approved"}, True),
        ({"status": "rejected"}, False),
        ({"status": "expired"}, False),
        ({"valid_from": NOW - SECOND}, True),
        ({"valid_from": NOW}, True),
        ({"valid_from": NOW + SECOND}, False),
        ({"valid_until": None}, True),
        ({"valid_until": NOW + SECOND}, True),
        ({"valid_until": NOW}, True),
        ({"valid_until": NOW - SECOND}, False),
        ({"allowed_actions": []}, False),
        ({"allowed_actions": ["*"]}, True),
        ({"allowed_actions": ["other", ACTION]}, True),
        ({"allowed_actions": [ACTION.upper()]}, False),
        ({"allowed_actions": [f"{ACTION} "]}, False),
        ({"allowed_actions": ["kpi"]}, False),
        ({"allowed_actions": ["**"]}, False),
        ({"scope": "budget"}, True),
    ],
    ids=repr,
)
def test_a_lock_counts_when_approved_valid_and_naming_the_action(
    values: dict[str, Any], allowed: bool
) -> None:
    assert decide([lock(**values)], None, ACTION, NOW) == (allowed_by("l") if allowed else REQUIRED)


def test_validity_is_compared_across_timezones() -> None:
    east = NOW.astimezone(timezone(timedelta(hours=5)))
    assert decide([lock(valid_from=east, valid_until=east)], None, ACTION, NOW).allowed


@pytest.mark.parametrize(
    ("asked", "surfaces", "decides"),
    [
        ("b", ["a", "b"], "1"),
        ("b", ["a", None, "b"], "2"),
        ("b", ["b", "b"], "0"),
        ("B", ["a", "b"], "0"),
        ("", ["a", ""], "1"),
    ],
)
def test_locks_of_the_asked_surface_go_first_in_insertion_order(
    asked: str, surfaces: list[str | None], decides: str
) -> None:
    locks = [lock(str(number), surface=surface) for number, surface in enumerate(surfaces)]
    assert decide(locks, asked, ACTION, NOW) == allowed_by(decides)


@pytest.mark.parametrize("three_wise_id", ["w_1", ""])
def test_a_lock_with_a_three_wise_id_has_no_verdict_and_refuses(three_wise_id: str) -> None:
    assert decide([lock(three_wise_id=three_wise_id)], None, ACTION, NOW) == verdict_of("l")


def test_a_three_wise_lock_that_does_not_apply_decides_nothing() -> None:
    locks = [lock("wise", three_wise_id="w_1", allowed_actions=["other"]), lock("plain")]
    assert decide(locks, None, ACTION, NOW) == allowed_by("plain")


def test_gap_a_lock_of_another_surface_authorises_too() -> None:
    assert decide([lock(surface="a")], "b", ACTION, NOW) == allowed_by("l")


def test_gap_with_no_asked_surface_a_lock_without_surface_does_not_go_first() -> None:
    locks = [lock("of a", surface="a"), lock("of none", surface=None)]
    assert decide(locks, None, ACTION, NOW) == allowed_by("of a")


def test_gap_a_lock_without_surface_does_not_go_before_one_of_another_surface() -> None:
    locks = [lock("of a", surface="a"), lock("of none", surface=None)]
    assert decide(locks, "b", ACTION, NOW) == allowed_by("of a")


def test_gap_the_first_applying_lock_decides_although_a_later_one_would_allow() -> None:
    assert decide([lock("wise", three_wise_id="w_1"), lock("plain")], None, ACTION, NOW) == verdict_of("wise")
    assert decide([lock("plain"), lock("wise", three_wise_id="w_1")], None, ACTION, NOW) == allowed_by(
        "plain"
    )


@pytest.mark.parametrize("pattern", ["kpi:*", "*:corridor_upsert", "kpi*"])
def test_gap_only_a_lone_asterisk_is_a_wildcard(pattern: str) -> None:
    assert decide([lock(allowed_actions=[pattern])], None, ACTION, NOW) == REQUIRED
    assert decide([lock(allowed_actions=[pattern])], None, pattern, NOW) == allowed_by("l")


@pytest.mark.parametrize("constraints", [{"max": 0}, {"deny": "*"}, {"surface": "b"}])
def test_gap_constraints_are_never_evaluated(constraints: dict[str, Any]) -> None:
    assert decide([lock(constraints=constraints)], None, ACTION, NOW) == allowed_by("l")


def oracle(locks: list[StrategyLock], surface: str | None, action: str, now: datetime) -> tuple[Any, ...]:
    """The contract's two steps as two lists, then what is left after each exclusion."""
    approved = [one for one in locks if one.status == "approved"]
    first = approved if surface is None else [one for one in approved if one.surface == surface]
    left = first + [one for one in approved if one not in first]
    left = [one for one in left if not one.valid_from > now]
    left = [one for one in left if not (one.valid_until and one.valid_until < now)]
    left = [one for one in left if {"*", action} & set(one.allowed_actions)]
    if not left:
        return False, "strategy_lock_required", None
    wise = left[0].three_wise_id is not None
    return not wise, "three_wise_verdict_required" if wise else None, left[0].id


SURFACES = st.sampled_from([None, "", "a", "b"])
ACTIONS = st.sampled_from(["x", "y", "x:*", "*"])
STATUSES = st.sampled_from(["approved", "approved", "approved", "draft", "rejected", "expired"])
TIMES = st.integers(-2, 2).map(lambda seconds: NOW + seconds * SECOND)


@st.composite
def many_locks(draw: st.DrawFn) -> list[StrategyLock]:
    return [
        lock(
            str(number),
            surface=draw(SURFACES),
            status=draw(
                st.sampled_from(["approved", "approved", "approved", "draft", "rejected", "expired"])
            ),
            allowed_actions=draw(st.lists(ACTIONS, max_size=3)),
            valid_from=draw(TIMES),
            valid_until=draw(st.none() | TIMES),
            three_wise_id=draw(st.sampled_from([None, None, "w_1"])),
        )
        for number in range(draw(st.integers(0, 6)))
    ]


@given(many_locks(), SURFACES, ACTIONS, TIMES)
def test_every_decision_equals_the_oracles(
    locks: list[StrategyLock], surface: str | None, action: str, now: datetime
) -> None:
    found = decide(locks, surface, action, now)
    assert (found.allowed, found.reason, found.lock_id) == oracle(locks, surface, action, now)


@given(many_locks(), SURFACES, TIMES)
def test_a_lock_that_allows_nothing_changes_no_decision(
    locks: list[StrategyLock], surface: str | None, now: datetime
) -> None:
    idle = lock("idle", allowed_actions=[], surface=surface)
    assert decide([idle, *locks, idle], surface, "x", now) == decide(locks, surface, "x", now)
