"""The table itself: every row has a name of its own that begins with its place in the contract."""

import re
from importlib import import_module
from pathlib import Path

AREAS = [
    import_module(f"tests.rules.{path.stem}").rules
    for path in sorted(Path(__file__).parent.glob("test_*.py"))
    if "rules.table()" in path.read_text() and path.name != Path(__file__).name
]
NAMES = [name for area in AREAS for name in area.names]


def test_rows_have_names_of_their_own() -> None:
    assert len(NAMES) == len(set(NAMES))


def test_rows_are_named_after_their_place_in_the_contract() -> None:
    place = re.compile(r"((http|domain|identity|events|dashboard)-\d+-[\w-]+) \S")
    assert [name for name in NAMES if not place.match(name)] == []


def test_every_section_in_scope_has_rows() -> None:
    sections = {"-".join(name.split("-")[:2]) for name in NAMES}
    expected = {f"http-{n}" for n in (*range(12), 12, 13)} | {f"domain-{n}" for n in range(1, 9)}
    assert expected <= sections
    assert len(NAMES) >= 400
