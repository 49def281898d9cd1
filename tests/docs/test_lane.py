"""The lane fits one screen, and what it and the readiness page promise is there."""

import re

from tests.support.documents import ROOT, dead_links, dead_names, rendered, section

LANE = ROOT / "docs/workflows/88mph/PRODISH_DEV.md"
READINESS = ROOT / "docs/workflows/88mph/PHASE_04_PROD_READINESS.md"
SCREEN_LINES, SCREEN_COLUMNS = 60, 120
ROWS = re.compile(r"^\| (?!-)(.*) \|$", re.MULTILINE)


def test_the_lane_fits_one_screen() -> None:
    lines = LANE.read_text().splitlines()
    assert len(lines) <= SCREEN_LINES
    assert [line for line in lines if len(rendered(line)) > SCREEN_COLUMNS] == []


def test_every_link_leads_to_a_heading_that_is_there() -> None:
    assert (dead_links(LANE), dead_links(READINESS)) == ([], [])


def test_every_check_that_is_named_is_there() -> None:
    assert dead_names(READINESS) == []


def test_each_thing_that_may_not_change_names_its_check() -> None:
    changes, _ = section(READINESS, "Failure modes and rollback").split("\n\nWhat can go wrong")
    checks = [row.split(" | ")[1] for row in ROWS.findall(changes)][1:]
    assert len(checks) >= 12
    on_a_stack = [check for check in checks if "`tests/" not in check and "`engines/" not in check]
    assert on_a_stack == checks[-1:]
    assert "./scripts/rehearse" in checks[-1]


def test_each_failure_mode_says_how_it_shows_and_how_it_is_taken_back() -> None:
    _, modes = section(READINESS, "Failure modes and rollback").split("\n\nWhat can go wrong")
    rows = [row.split(" | ") for row in ROWS.findall(modes)][1:]
    assert len(rows) >= 6
    assert all(len(row) == 3 and all(row) for row in rows)
