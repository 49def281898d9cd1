"""Documents are run as they stand; that needs Docker."""

import pytest


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.name == "test_commands_run.py":
            item.add_marker(pytest.mark.docker)
            item.add_marker(pytest.mark.timeout(900))
