"""Who may be trained on: the rule alone, against an independent oracle."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engines.privacy.rules import train_ok

TRISTATE = st.sampled_from([None, True, False])


def oracle(has_pii: bool, user_opt_out: bool | None, tenant_opt_out: bool | None) -> bool:
    """The contract's precedence, as a table instead of branches."""
    blocked_by_preference = {
        (None, None): False,
        (None, False): False,
        (None, True): True,
        (False, None): False,
        (False, False): False,
        (False, True): False,
        (True, None): True,
        (True, False): True,
        (True, True): True,
    }
    return not (has_pii or blocked_by_preference[user_opt_out, tenant_opt_out])


@given(st.booleans(), TRISTATE, TRISTATE)
def test_the_rule_equals_the_contracts_table(
    has_pii: bool, user_opt_out: bool | None, tenant_opt_out: bool | None
) -> None:
    assert train_ok(has_pii, user_opt_out, tenant_opt_out) is oracle(has_pii, user_opt_out, tenant_opt_out)


@given(TRISTATE, TRISTATE)
def test_pii_blocks_whatever_was_preferred(user_opt_out: bool | None, tenant_opt_out: bool | None) -> None:
    assert train_ok(True, user_opt_out, tenant_opt_out) is False


def test_no_preference_means_eligible() -> None:
    assert train_ok(False, None, None) is True


@pytest.mark.parametrize(("user_opt_out", "expected"), [(False, True), (True, False), (None, False)])
def test_gap_a8_a_users_opt_in_beats_the_tenants_opt_out(user_opt_out: bool | None, expected: bool) -> None:
    assert train_ok(False, user_opt_out, tenant_opt_out=True) is expected
