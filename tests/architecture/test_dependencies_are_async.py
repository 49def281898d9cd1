"""What a route asks for is awaited: the framework runs anything else in a thread, which costs more."""

import inspect
from collections.abc import Iterator

import pytest
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute

from engines.app import ROUTES

HANDLERS = [route for routes in ROUTES for route in routes.router.routes if isinstance(route, APIRoute)]


def calls(dependant: Dependant) -> Iterator[object]:
    yield dependant.call
    for asked in dependant.dependencies:
        yield from calls(asked)


def is_awaited(call: object) -> bool:
    """Whether calling it gives something to await: a function, or an object that is called like one."""
    called = call if inspect.isroutine(call) else type(call).__call__
    return inspect.iscoroutinefunction(called)


def test_routes_are_found() -> None:
    assert len(HANDLERS) > 40


@pytest.mark.parametrize("route", HANDLERS, ids=lambda route: f"{min(route.methods)} {route.path}")
def test_a_route_and_what_it_asks_for_need_no_thread(route: APIRoute) -> None:
    assert [call for call in calls(route.dependant) if not is_awaited(call)] == []
