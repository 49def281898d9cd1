"""Which licence allows what: tables, and every case against an independent oracle."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.firearms.models import Licence
from engines.firearms.rules import DANGEROUS_ACTIONS, is_allowed

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)
NEEDS_MEDIUM = "dangerous_tool_use"


def licence(**values: Any) -> Licence:
    """An active licence of level high for agent a_1, changed by ``values``."""
    defaults = {
        "tenant_id": "t_acme",
        "env": "dev",
        "subject_type": "agent",
        "subject_id": "a_1",
        "level": "high",
        "issued_at": NOW,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Licence.model_validate(defaults | values)


def test_the_dangerous_actions_are_those_of_the_contract() -> None:
    assert list(DANGEROUS_ACTIONS.items()) == [
        ("dangerous_tool_use", "medium"),
        ("agent_autonomy_high", "high"),
        ("publish_sensitive", "high"),
    ]


@pytest.mark.parametrize("action", ["", "read", "DANGEROUS_TOOL_USE", "dangerous_tool_use "])
def test_an_action_outside_the_table_needs_no_licence(action: str) -> None:
    assert is_allowed([], "agent", "a_1", action, NOW)


@pytest.mark.parametrize(
    ("action", "level", "allowed"),
    [
        ("dangerous_tool_use", "low", False),
        ("dangerous_tool_use", "medium", True),
        ("dangerous_tool_use", "high", True),
        ("agent_autonomy_high", "low", False),
        ("agent_autonomy_high", "medium", False),
        ("agent_autonomy_high", "high", True),
        ("publish_sensitive", "low", False),
        ("publish_sensitive", "medium", False),
        ("publish_sensitive", "high", True),
    ],
)
def test_a_dangerous_action_needs_its_level(action: str, level: str, allowed: bool) -> None:
    assert is_allowed([licence(level=level)], "agent", "a_1", action, NOW) is allowed
    assert not is_allowed([], "agent", "a_1", action, NOW)


@pytest.mark.parametrize(
    ("values", "allowed"),
    [
        ({"status": "revoked"}, False),
        ({"status": "expired"}, False),
        ({"expires_at": NOW + SECOND}, True),
        ({"expires_at": NOW}, True),
        ({"expires_at": NOW - SECOND}, False),
        ({"subject_type": "tool"}, False),
        ({"subject_type": "Agent"}, False),
        ({"subject_id": "a_2"}, False),
        ({"subject_id": "a_1 "}, False),
        ({"issued_at": NOW + SECOND}, True),
    ],
    ids=repr,
)
def test_a_licence_counts_when_active_unexpired_and_the_subjects_own(
    values: dict[str, Any], allowed: bool
) -> None:
    assert is_allowed([licence(**values)], "agent", "a_1", NEEDS_MEDIUM, NOW) is allowed


def test_one_good_licence_among_bad_ones_is_enough() -> None:
    bad = [licence(level="low"), licence(status="revoked"), licence(expires_at=NOW - SECOND)]
    assert not is_allowed(bad, "agent", "a_1", NEEDS_MEDIUM, NOW)
    assert is_allowed([*bad, licence(level="medium")], "agent", "a_1", NEEDS_MEDIUM, NOW)


def test_levels_of_two_licences_do_not_add_up() -> None:
    assert not is_allowed([licence(level="low")] * 3, "agent", "a_1", NEEDS_MEDIUM, NOW)


@pytest.mark.parametrize("scope", ["nothing", "", "another_tool"])
def test_gap_the_scope_of_a_licence_is_ignored(scope: str) -> None:
    assert is_allowed([licence(scope=scope)], "agent", "a_1", NEEDS_MEDIUM, NOW)


def oracle(licences: list[Licence], subject: tuple[str, str], action: str, now: datetime) -> bool:
    """The contract's sentence, by elimination."""
    sufficient = {
        "dangerous_tool_use": ["medium", "high"],
        "agent_autonomy_high": ["high"],
        "publish_sensitive": ["high"],
    }
    if action not in sufficient:
        return True
    left = [one for one in licences if one.subject_type == subject[0]]
    left = [one for one in left if one.subject_id == subject[1]]
    left = [one for one in left if one.status not in ("revoked", "expired")]
    left = [one for one in left if not (one.expires_at and one.expires_at < now)]
    return any(one.level in sufficient[action] for one in left)


TYPES, IDS = st.sampled_from(["agent", "tool"]), st.sampled_from(["a", "b"])
TIMES = st.integers(-2, 2).map(lambda seconds: NOW + seconds * SECOND)
LICENCES = st.lists(
    st.builds(
        licence,
        subject_type=TYPES,
        subject_id=IDS,
        scope=st.sampled_from([None, "x"]),
        level=st.sampled_from(["low", "medium", "high"]),
        status=st.sampled_from(["active", "active", "active", "revoked", "expired"]),
        expires_at=st.none() | TIMES,
    ),
    max_size=5,
)


@given(LICENCES, TYPES, IDS, st.sampled_from([*DANGEROUS_ACTIONS, "read"]), TIMES)
def test_every_answer_equals_the_oracles(
    licences: list[Licence], subject_type: str, subject_id: str, action: str, now: datetime
) -> None:
    found = is_allowed(licences, subject_type, subject_id, action, now)
    assert found is oracle(licences, (subject_type, subject_id), action, now)


@given(LICENCES, LICENCES, st.sampled_from([*DANGEROUS_ACTIONS]))
def test_another_licence_never_takes_a_right_away(
    licences: list[Licence], more: list[Licence], action: str
) -> None:
    if is_allowed(licences, "agent", "a", action, NOW):
        assert is_allowed(more + licences, "agent", "a", action, NOW)
