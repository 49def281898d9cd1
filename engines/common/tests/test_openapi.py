"""The OpenAPI document says every status that a route can answer, and every shape."""

from collections import defaultdict
from typing import Any

import pytest

from engines.app import create_app
from tests.support.app import MemoryKit, settings
from tests.support.routes import PUBLIC, TOKEN_ONLY, Mounted, mounted_routes

DOCUMENT = create_app(settings()).openapi()
ROUTES = mounted_routes()
REFUSAL = {"$ref": "#/components/schemas/Refusal"}
EVERYWHERE = {"400", "408", "413", "421", "422", "429", "431", "503"}
OF_PATH: dict[str, set[str]] = defaultdict(set)
for _route in ROUTES:
    OF_PATH[_route.path].add(_route.method)


def answers(route: Mounted) -> dict[str, Any]:
    found: dict[str, Any] = DOCUMENT["paths"][route.path][route.method.lower()]["responses"]
    return found


def shapes(answer: dict[str, Any]) -> list[Any]:
    """Every JSON shape of an answer."""
    found = []
    for content in answer["content"].values():
        found += content["schema"].get("anyOf", [content["schema"]])
    return found


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_each_route_names_its_refusals_and_their_shape(route: Mounted) -> None:
    expected = set(EVERYWHERE)
    if route.path not in PUBLIC:
        expected |= {"401"} if route.path in TOKEN_ONLY else {"401", "403"}
    told = answers(route)
    assert expected <= set(told)
    for status in sorted(set(told) - {"200"}):
        assert REFUSAL in shapes(told[status]), status


@pytest.mark.parametrize(
    ("how", "status"),
    [
        ({"headers": {"Host": "evil.example"}}, "421"),
        ({"headers": {"Host": "not a host"}}, "400"),
        ({"headers": {}}, "401"),
        ({"content": b" " * 1_048_577}, "413"),
    ],
    ids=str,
)
async def test_what_is_refused_before_a_route_is_told(
    kit: MemoryKit, how: dict[str, Any], status: str
) -> None:
    answer = await kit.client.request("GET", "/auth/me", **how)
    assert str(answer.status_code) == status
    assert isinstance(answer.json()["detail"], str)
    assert status in answers(Mounted("GET", "/auth/me", has_body=False))


async def test_a_method_that_is_not_taken_is_told_all_that_are(kit: MemoryKit) -> None:
    for path, methods in OF_PATH.items():
        for method in ("OPTIONS", "TRACE", "MADE-UP"):
            answer = await kit.client.request(method, path.replace("{", "").replace("}", ""))
            assert (answer.status_code, answer.json()) == (405, {"detail": "Method Not Allowed"})
            assert set(answer.headers["allow"].split(", ")) == methods, path
