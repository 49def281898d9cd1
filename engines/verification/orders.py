"""The order of fields, which decides flags: text of separate fields is joined before it is searched (gap A3).

Firestore's maps and BigQuery's JSON have no order of fields, so what was joined when an event came cannot be
joined again. There the flags are right if some order of the event's fields gives them. The input of an
analytics event is the exception: its order is that of the body's fields.
"""

from collections.abc import Iterator, Sequence
from itertools import chain, islice, permutations, product
from typing import Literal

from engines.dataset.events.schemas import DatasetEvent
from engines.guardrails.pii_text import detect
from engines.logging.events.scan import scanned_text
from engines.verification.bodies import is_ordered

MOST_ORDERS = 5_000
"""Orders that are tried, at about 10 µs each."""

WITHIN_A_VALUE = ("email", "postal")
"""Flags whose patterns take no blank, so that no order makes or hides them."""

Answer = Literal["yes", "no", "unknown"]


def given_in_some_order(event: DatasetEvent, flags: Sequence[str]) -> Answer:
    """Whether the detector gives ``flags`` for an order of the fields; unknown when there are too many.

    An analytics event comes with its input in the body's order, see ``bodies.whole``.
    """
    found = detect(scanned_text(event))
    if any((flag in flags) != (flag in found) for flag in WITHIN_A_VALUE):
        return "no"
    tried = 0
    for text in islice(_texts(event), MOST_ORDERS):
        tried += 1
        if detect(text) == list(flags):
            return "yes"
    return "no" if tried < MOST_ORDERS else "unknown"


def _texts(event: DatasetEvent) -> Iterator[str]:
    """The scanned text in every order: of input, of output, of metadata, which stay in this order."""
    asked, given, more = (
        [value for value in fields.values() if isinstance(value, str)]
        for fields in (event.input, event.output, event.metadata)
    )
    asked_orders = [tuple(asked)] if is_ordered(event) else _orders(asked)
    for order in product(asked_orders, _orders(given), _orders(more)):
        yield " ".join(chain.from_iterable(order))


def _orders(values: list[str]) -> list[tuple[str, ...]]:
    return list(islice(permutations(values), MOST_ORDERS))
