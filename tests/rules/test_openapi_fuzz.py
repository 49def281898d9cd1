"""Every operation of the app's own OpenAPI with generated requests, as an owner and as nobody.

No answer is a 5xx, and each is one that the document says: its status, its type, its shape.
Half of the requests keep to the schema, half break it on purpose; every run sends the same ones. Requests
of the owner name the owner's own tenant, lock and licence now and then, so that they get past the door.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import APIOperation, BaseSchema, Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from engines.adapters import Adapters
from engines.app import create_app
from engines.config.runtime_config import STATE_SELECTORS
from engines.nexus.backends.memory import MemorySink
from engines.storage.memory import MemoryDocumentStore
from tests.rules.conftest import FUZZ_CASES
from tests.support.app import SYSTEM_KEY
from tests.support.app import settings as app_settings
from tests.support.routes import Mounted, mounted_routes

EXAMPLES = 20
"""Per operation and kind of request; each is sent twice, as the owner and as nobody."""

AT_HOME = st.sampled_from([True, True, True, False])
JSON = "application/json"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
HOST = {"Host": "localhost"}


@dataclass(frozen=True)
class Target:
    """The running app's schema, and the headers and records of an owner."""

    schema: BaseSchema
    headers: dict[str, str]
    own: dict[str, str]

    def operation(self, method: str, path: str) -> APIOperation[Any, Any, Any, Any]:
        """One operation of the schema."""
        return self.schema[path][method]

    def make(self, path: str, **body: Any) -> Any:
        """Create a record as the owner."""
        case = self.operation("POST", path).Case(body=body, media_type=JSON, path_parameters=self.own)
        answer = case.call(headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def at_home(self, case: Case[Any]) -> None:
        """Let the request name the owner's own tenant and records."""
        bodies = case.body if isinstance(case.body, list) else [case.body]
        for part in (case.path_parameters, case.query, *bodies):
            if isinstance(part, dict):
                part.update({name: value for name, value in self.own.items() if name in part})


@pytest.fixture(scope="module")
def target() -> Target:
    """The app in memory, with a lock for everything so that writes get past the gate."""
    state = dict.fromkeys(STATE_SELECTORS, MemoryDocumentStore())
    schema = schemathesis.openapi.from_asgi(
        "/openapi.json", create_app(app_settings(), Adapters(state, MemorySink())), headers=HOST
    )
    person = {"email": "owner@example.com", "password": "p", "tenant_name": "fuzzed"}
    signed_up = Target(schema, HOST, {}).make("/auth/signup", **person)
    own = {"tenant_id": signed_up["tenant"]["id"], "env": "dev", "user_id": signed_up["user"]["id"]}
    headers = HOST | {"X-Tenant-Id": own["tenant_id"], "X-Env": "dev", "X-System-Key": SYSTEM_KEY}
    headers["Authorization"] = f"Bearer {signed_up['access_token']}"
    target = Target(schema, headers, own)
    # The first lock opens the gates and is not told to anybody; the second is there to be played with.
    locks = [
        target.make("/strategy-locks", scope="other", title="a lock", allowed_actions=["*"])["id"]
        for _ in range(2)
    ]
    Target(schema, headers, {"lock_id": locks[0]}).make("/strategy-locks/{lock_id}/approve")
    subject = {"subject_type": "agent", "subject_id": "a"}
    licence = target.make("/firearms/licences", level="high", **subject, **own)["id"]
    return Target(schema, headers, own | subject | {"lock_id": locks[1], "licence_id": licence})


@pytest.mark.parametrize("route", mounted_routes(), ids=str)
def test_no_request_is_a_server_error(
    route: Mounted, target: Target, record_property: Callable[[str, object], None]
) -> None:
    operation = target.operation(route.method, route.path)
    sent = 0

    def send(case: Case[Any], at_home: bool) -> None:
        nonlocal sent
        if at_home:
            target.at_home(case)
        for headers in (target.headers, HOST):
            case.call_and_validate(headers=headers, checks=CHECKS)
            sent += 1

    # What takes no input has nothing to break.
    takes_input = any(operation.iter_parameters()) or bool(operation.body)
    for mode in GenerationMode if takes_input else [GenerationMode.POSITIVE]:
        cases = operation.as_strategy(generation_mode=mode)
        bounded = settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate, Phase.shrink],
            suppress_health_check=list(HealthCheck),
        )
        bounded(given(case=cases, at_home=AT_HOME)(send))()
    assert sent > 0
    record_property(FUZZ_CASES, sent)
