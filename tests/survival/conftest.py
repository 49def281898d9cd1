"""One Firestore for the session, and the sinks' stand-ins, each started when it is first needed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from tests.support.docker import Firestore, firestore
from tests.support.far_ends import FarEnd, far_end

FarEnds = Callable[[str], FarEnd]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "survival" in item.path.parts:
            item.add_marker(pytest.mark.docker)


@pytest.fixture(scope="module")
def state() -> Iterator[Firestore]:
    with firestore() as running:
        yield running


@pytest.fixture(scope="module")
def far_ends(state: Firestore) -> Iterator[FarEnds]:
    """The stand-in of a kind of sink, the same one for every test."""
    started: dict[str, FarEnd] = {}
    with ExitStack() as stack:

        def find(kind: str) -> FarEnd:
            if kind not in started:
                started[kind] = stack.enter_context(far_end(kind, state))
            return started[kind]

        yield find
