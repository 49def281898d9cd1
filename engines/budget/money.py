"""Exact money: a cost is a whole number of its smallest unit, 1e-27, kept as limbs that a store can add.

An integer field holds 64 bits, a cost does not fit into one. It is cut into limbs of base 1e9, each a field
that is incremented on its own; limbs carry the sign of the cost and are never normalised, so they may grow.
A limb of one event is below 1e9: nine billion events fit into one sum before a field could overflow.
27 decimals hold what clients send as JSON numbers: a price per token has float noise beyond 1e-18.
"""

from decimal import Decimal

DECIMALS = 27
MAX_COST = 10**12
"""Largest cost of one event, in either direction."""

LIMB = 10**9
LIMBS = {
    "billions": LIMB**4,
    "units": LIMB**3,
    "nanos": LIMB**2,
    "attos": LIMB,
    "rontos": 1,
}
"""Name of each limb and what one of it is worth in smallest units, largest first."""

MAX_EXPONENT = 12
"""Keeps a zero with a huge exponent, which is no large cost, from becoming a huge integer."""


def check_cost(cost: Decimal) -> Decimal:
    """The cost itself. Raises ValueError for one that the limbs cannot hold."""
    exponent = cost.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError("cost must be a finite number")
    if exponent < -DECIMALS:
        raise ValueError(f"cost has more than {DECIMALS} decimal places")
    if exponent > MAX_EXPONENT or cost.copy_abs() > MAX_COST:
        raise ValueError(f"cost is beyond {MAX_COST} in size")
    return cost


def to_smallest(cost: Decimal) -> int:
    """The cost in smallest units, exactly. Decimal's own arithmetic would round to 28 digits."""
    sign, digits, exponent = check_cost(cost).as_tuple()
    scale: int = 10 ** (int(exponent) + DECIMALS)
    amount = int("".join(map(str, digits))) * scale
    return -amount if sign else amount


def from_smallest(amount: int) -> Decimal:
    """The exact cost of so many smallest units."""
    return Decimal((int(amount < 0), tuple(map(int, str(abs(amount)))), -DECIMALS))


def to_limbs(amount: int) -> dict[str, int]:
    """Limbs by name; each carries the sign of the amount."""
    sign, rest = (-1 if amount < 0 else 1), abs(amount)
    limbs = {}
    for name, worth in LIMBS.items():
        limb, rest = divmod(rest, worth)
        limbs[name] = sign * limb
    return limbs
