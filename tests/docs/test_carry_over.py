"""CARRY_OVER.md is true to the code: places, names, what is pure, fields, sections, routes."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from engines.bossman.event_sink import EventSinkIndicator
from engines.bossman.freshness import LIMITS
from engines.bossman.models import Dashboard
from tests.support.documents import ROOT, dead_links, dead_names, section

CARRY_OVER = ROOT / "docs/CARRY_OVER.md"
EXISTING_KEYS = 13


def test_every_link_and_name_is_there() -> None:
    assert (dead_links(CARRY_OVER), dead_names(CARRY_OVER)) == ([], [])


def imported(path: Path) -> Iterator[str]:
    """Names of the modules that a module imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def brought_along(place: str, known: set[str]) -> set[str]:
    """The kit's modules that come with a module; what they import besides is Python's own or pydantic."""
    for name in imported(ROOT / place):
        own = f"{name.replace('.', '/')}.py"
        if not name.startswith("engines"):
            top = name.partition(".")[0]
            assert top in sys.stdlib_module_names | {"pydantic", "pydantic_core"}, f"{place} imports {top}"
        elif own not in known:
            known.add(own)
            brought_along(own, known)
    return known


COPIES = re.findall(
    r"^\| `(\S+\.py)` \| (.*) \| `(\S+\.py)` \|$",
    section(CARRY_OVER, "What is pure and can be copied"),
    re.MULTILINE,
)


def test_every_row_of_the_table_is_looked_at() -> None:
    rows = section(CARRY_OVER, "What is pure and can be copied").count("\n| `")
    assert len(COPIES) == rows > 0


@pytest.mark.parametrize(("place", "along", "test"), COPIES, ids=[place for place, _, _ in COPIES])
def test_what_can_be_copied_is_pure_and_brings_what_is_said(place: str, along: str, test: str) -> None:
    assert brought_along(place, set()) == set(re.findall(r"`(\S+\.py)`", along))
    source = (ROOT / place).read_text()
    assert not re.search(r"\bopen\(|\bos\.|\bsocket\b|\brequests\b", source)
    assert "await " not in source
    assert (ROOT / test).is_file()


def test_every_added_field_of_the_dashboard_has_its_row() -> None:
    table = section(CARRY_OVER, "Where each field of the dashboard comes from")
    heads = [row.split(" | ")[0] for row in table.splitlines() if row.startswith("| `")]
    keys = {key for head in heads for key in re.findall(r"`([\w.]+)`", head)}
    added = set(list(Dashboard.model_fields)[EXISTING_KEYS:])
    added |= {f"event_sink.{name}" for name in EventSinkIndicator.model_fields} | {"analytics.events"}
    assert keys == added


def test_every_section_has_its_time() -> None:
    table = section(CARRY_OVER, "What freshness needs of each store")
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == LIMITS.keys()


def test_the_routes_that_tell_health_are_those_of_the_scripts() -> None:
    [listed] = re.findall(r'own_routes="(.*)"', (ROOT / "scripts/lib/own_bossman.sh").read_text())
    assert ", ".join(f"`{route}`" for route in listed.split()) in section(
        CARRY_OVER, "Your own Bossman in this stack"
    )
