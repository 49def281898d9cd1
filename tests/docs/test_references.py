"""What the documents name exists: files, links, routes, scripts."""

import re
from pathlib import Path

import pytest

from engines.app import create_app
from tests.support.app import settings

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = [
    *sorted(ROOT.glob("*.md")),
    *sorted(ROOT.glob("docs/**/*.md")),
    *sorted(ROOT.glob("compose/*.md")),
]
LINK = re.compile(r"\]\((?!https?:)([^)#]+)")
PLACE = re.compile(r"`((?:engines|tests|scripts|compose|docs|requirements)/[\w./-]*)`")
SCRIPT = re.compile(r"\./(scripts/[\w-]+)")
ROUTE = re.compile(
    r"`(?:GET |POST )?(/(?:auth|privacy|analytics|bossman|livez|readyz|healthz|metrics)[\w/-]*)`"
)

CONTRACT_ROUTES = {"/health", "/ready"}
"""Routes of the existing engines that the gaps file names as replaced."""


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_links_and_places_exist(document: Path) -> None:
    text = document.read_text()
    linked = {(document.parent / link).resolve() for link in LINK.findall(text)}
    placed = {ROOT / place for place in [*PLACE.findall(text), *SCRIPT.findall(text)]}
    assert {str(path) for path in linked | placed if not path.exists()} == set()


@pytest.mark.parametrize("document", DOCUMENTS, ids=named)
def test_routes_exist(document: Path) -> None:
    served = set(create_app(settings()).openapi()["paths"])
    assert set(ROUTE.findall(document.read_text())) - CONTRACT_ROUTES <= served


def test_ci_runs_exactly_the_test_script() -> None:
    commands = [
        line for line in (ROOT / ".ci/run").read_text().splitlines() if line and not line.startswith("#")
    ]
    assert commands == ['exec bash "$(dirname "$0")/../scripts/test"']
