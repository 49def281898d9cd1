"""A table of rules: each row is named after its place in the contract and holds one scenario."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.callers import Caller

Scenario = Callable[[Caller], Awaitable[None]]


class Rules:
    """The rows of one area. ``@rules("name")`` adds one; it runs as the owner of a new tenant."""

    def __init__(self) -> None:
        self._rows: dict[str, Scenario] = {}

    def __call__(self, name: str) -> Callable[[Scenario], Scenario]:
        """Add a row under its name, which nobody else has."""

        def add(scenario: Scenario) -> Scenario:
            assert name not in self._rows, f"two rows are called {name!r}"
            self._rows[name] = scenario
            return scenario

        return add

    @property
    def names(self) -> list[str]:
        """The rows' names."""
        return list(self._rows)

    def table(self) -> pytest.MarkDecorator:
        """Parametrizes a test's ``scenario`` over the rows."""
        rows = [pytest.param(scenario, id=name) for name, scenario in self._rows.items()]
        return pytest.mark.parametrize("scenario", rows)


def ago(**how_long: float) -> str:
    """A time before now, ISO-8601 with timezone. Negative is in the future."""
    return (datetime.now(UTC) - timedelta(**how_long)).isoformat()


def ahead(**how_long: float) -> str:
    """A time after now, ISO-8601 with timezone."""
    return (datetime.now(UTC) + timedelta(**how_long)).isoformat()


def when(text: str) -> datetime:
    """The moment that an answer names."""
    return datetime.fromisoformat(text)


def ids(records: list[dict[str, Any]]) -> list[str]:
    """The records' ids in their order."""
    return [record["id"] for record in records]
