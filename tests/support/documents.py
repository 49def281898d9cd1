"""What documents promise, and where it would be: links, headings, names in modules."""

import ast
import re
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

LINK = re.compile(r"\[([^]]+)\]\(([^)]+)\)")
NAMED = re.compile(r"`((?:engines|tests|scripts|compose|docs)/[\w./-]+\.py)::(\w+(?:\.\w+)?)`")


def rendered(line: str) -> str:
    """The line as a reader sees it: a link is its text."""
    return LINK.sub(r"\1", line)


def section(document: Path, heading: str) -> str:
    """One section of a document."""
    return document.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]


def dead_links(document: Path) -> list[str]:
    """Links of a document whose file or heading is not there."""
    dead = []
    for _, link in LINK.findall(document.read_text()):
        file, _, anchor = link.partition("#")
        target = (document.parent / file).resolve() if file else document
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            dead.append(link)
    return dead


def dead_names(document: Path) -> list[str]:
    """What a document calls ``place.py::name``, and the module does not define."""
    named = NAMED.findall(document.read_text())
    assert named, document
    return [f"{file}::{name}" for file, name in named if name not in _names_in(ROOT / file)]


def _anchors(document: Path) -> set[str]:
    heads = re.findall(r"^#+ (.*)$", document.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@cache
def _names_in(path: Path) -> frozenset[str]:
    """Functions, classes and constants of a module; methods and fields as Class.name."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        found |= _own_names(node)
        if isinstance(node, ast.ClassDef):
            found |= {f"{node.name}.{name}" for part in node.body for name in _own_names(part)}
    return frozenset(found)


def _own_names(node: ast.stmt) -> set[str]:
    match node:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return {node.name}
        case ast.AnnAssign(target=ast.Name(id=name)):
            return {name}
        case ast.Assign():
            parts = [part for target in node.targets for part in ast.walk(target)]
            return {part.id for part in parts if isinstance(part, ast.Name)}
    return set()
