"""/docs: all of the OpenAPI document, from this process alone."""

import re

import httpx
import pytest

from engines.bossman.pages.answers import SECURITY_HEADERS
from engines.bossman.pages.api_docs import api_docs
from engines.bossman.pages.routes import ROUTES
from tests.support.app import MemoryKit
from tests.support.routes import mounted_routes


async def test_it_lists_every_operation_and_shape(kit: MemoryKit) -> None:
    page = (await kit.client.get("/docs")).text
    for route in mounted_routes():
        method, path = str(route).split(" ", 1)
        assert f"<code><strong>{method}</strong> {path}</code>" in page
    document = (await kit.client.get("/openapi.json")).json()
    for name in document["components"]["schemas"]:
        assert f'id="shape-{name}"' in page


async def test_each_link_leads_somewhere_on_this_host(kit: MemoryKit) -> None:
    page = (await kit.client.get("/docs")).text
    ids = re.findall(r'\sid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    links = set(re.findall(r'(?:href|src)="([^"]*)"', page))
    assert {link[1:] for link in links if link.startswith("#") and not link.startswith("#i-")} <= set(ids)
    for link in (one for one in links if not one.startswith("#")):
        assert link.startswith("/")
        assert (await kit.client.get(link)).status_code in (200, 401)


async def test_it_has_the_pages_headers_and_no_script(kit: MemoryKit) -> None:
    answer = await kit.client.get("/docs")
    assert {name: answer.headers[name] for name in SECURITY_HEADERS} == SECURITY_HEADERS
    assert re.findall(r"<script|<style|\sstyle=|\son\w+=", answer.text) == []


@pytest.mark.parametrize("path", ["/redoc", "/docs/oauth2-redirect"])
async def test_the_frameworks_own_pages_are_gone(kit: MemoryKit, path: str) -> None:
    assert (await kit.client.get(path)).status_code == 404


async def test_another_method_is_a_page_too(kit: MemoryKit) -> None:
    answer: httpx.Response = await kit.client.post("/docs")
    assert (answer.status_code, "/docs" in ROUTES) == (405, True)


def test_types_are_said_in_words() -> None:
    fields = {
        "a": {"type": "string", "format": "date-time"},
        "b": {"anyOf": [{"$ref": "#/components/schemas/B"}, {"type": "null"}]},
        "c": {"type": "array", "items": {"$ref": "#/components/schemas/B"}},
        "d": {"enum": ["x", "y"]},
        "e": {"const": "x"},
        "f": {},
    }
    shapes = {"A": {"properties": fields, "required": ["a"]}, "B": {}}
    document = {"info": {"title": "t", "version": "1"}, "paths": {}, "components": {"schemas": shapes}}
    found = [(one.type, one.shape, one.required) for one in api_docs(document).shapes[0].fields]
    assert found == [
        ("string (date-time)", None, True),
        ("B or null", "B", False),
        ("list of B", "B", False),
        ("x | y", None, False),
        ("x", None, False),
        ("any", None, False),
    ]
