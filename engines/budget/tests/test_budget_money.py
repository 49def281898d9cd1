"""Costs as whole numbers: exact there and back, and refused where they could not be."""

from decimal import Decimal, localcontext
from math import inf, nan
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from engines.budget.models import UsageEventBody
from engines.budget.money import LIMB, LIMBS, MAX_COST, from_smallest, to_limbs, to_smallest

COSTS = st.decimals(-MAX_COST, MAX_COST, allow_nan=False, allow_infinity=False, places=27)


def joined(limbs: dict[str, int]) -> int:
    return sum(limbs[name] * worth for name, worth in LIMBS.items())


@given(COSTS)
def test_a_cost_survives_the_way_to_limbs_and_back(cost: Decimal) -> None:
    limbs = to_limbs(to_smallest(cost))
    assert from_smallest(joined(limbs)) == cost
    assert all(abs(limb) < LIMB for limb in limbs.values())


@given(st.lists(COSTS, max_size=30))
def test_limbs_that_are_added_one_by_one_are_the_exact_sum(costs: list[Decimal]) -> None:
    parts = [to_limbs(to_smallest(cost)) for cost in costs]
    added = {name: sum(part[name] for part in parts) for name in LIMBS}
    with localcontext(prec=60):
        assert from_smallest(joined(added)) == sum(costs, Decimal(0))


@given(st.integers(-(10**42), 10**42))
def test_an_amount_is_its_decimal_whatever_the_decimal_context_rounds_to(amount: int) -> None:
    with localcontext(prec=3):
        assert to_smallest(from_smallest(amount)) == amount if abs(amount) <= 10**39 else True
        assert joined(to_limbs(amount)) == amount


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        (0, "0"),
        ("0", "0"),
        (1.5, "1.5"),
        (0.1, "0.1"),
        ("1.50", "1.50"),
        (-3, "-3"),
        ("1e3", "1E+3"),
        (0.0018509999999999998, "0.0018509999999999998"),
        ("0.000000000000000000000000001", "1E-27"),
        ("1000000000000", "1000000000000"),
        ("-1e12", "-1E+12"),
    ],
)
def test_a_cost_is_kept_as_it_was_sent(sent: Any, kept: str) -> None:
    body = UsageEventBody(tenant_id="t_acme", env="dev", provider="p", cost=sent)
    assert body.model_dump()["cost"] == kept


@pytest.mark.parametrize(
    "sent",
    [
        *(nan, inf, -inf, "NaN", "sNaN", "Infinity", "-Infinity", 1e400, True, "much", "", None, [], {}),
        *("1e-28", "0.0000000000000000000000000001", "0E-99999999", 1e-30),
        *("1000000000000.000000001", "1e13", "-1e13", "1e999999", "0E+99999999", 1e13, 10**400),
    ],
)
def test_a_cost_that_is_not_finite_too_fine_or_too_large_is_refused(sent: Any) -> None:
    with pytest.raises(ValidationError):
        UsageEventBody(tenant_id="t_acme", env="dev", provider="p", cost=sent)
