"""What tests recorded, read at the end of a run: reports come back from workers, other state does not."""

import pytest


def recorded(reporter: pytest.TerminalReporter, name: str) -> list[object]:
    """The values that tests recorded as the property ``name``."""
    reports = [*reporter.getreports("passed"), *reporter.getreports("failed")]
    return [value for report in reports for key, value in report.user_properties if key == name]
