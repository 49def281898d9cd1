"""Every query that filters and orders has its composite index: the stand-in demands none, the cloud does."""

import ast
import json
from pathlib import Path

from engines.analytics.models import ANALYTICS_EVENTS

ROOT = Path(__file__).resolve().parents[2]

ORDERED_QUERIES = {
    "engines/bossman/dashboard.py": [(ANALYTICS_EVENTS.name, ["event_type"], "-created_at")],
}
"""Each file's ordered queries: collection, filters beside the scope, order."""


def ordered_calls(path: Path) -> int:
    """How many calls in a file pass order_by to a collection."""
    calls = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
    finds = [call for call in calls if isinstance(call.func, ast.Attribute) and call.func.attr == "find"]
    return sum(any(keyword.arg == "order_by" for keyword in call.keywords) for call in finds)


def test_the_table_names_every_ordered_query_of_the_code() -> None:
    found = {
        str(path.relative_to(ROOT)): ordered_calls(path)
        for path in (ROOT / "engines").rglob("*.py")
        if "tests" not in path.parts and ordered_calls(path)
    }
    assert found == {path: len(queries) for path, queries in ORDERED_QUERIES.items()}


def test_every_ordered_query_has_its_index() -> None:
    defined = {
        (index["collectionGroup"], tuple((field["fieldPath"], field["order"]) for field in index["fields"]))
        for index in json.loads((ROOT / "firestore.indexes.json").read_text())["indexes"]
    }
    needed = set()
    for queries in ORDERED_QUERIES.values():
        for collection, filters, order in queries:
            fields = [(name, "ASCENDING") for name in ("tenant_id", "env", *filters)]
            direction = "DESCENDING" if order.startswith("-") else "ASCENDING"
            needed.add((collection, (*fields, (order.removeprefix("-"), direction))))
    assert needed == defined
