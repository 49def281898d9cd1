"""What the scripts make of an image of one's own as bossman, asked over the wire, without Docker."""

import json
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import pytest
import uvicorn

from tests.existing.app import create_app
from tests.support.app import SIGNING_SECRET
from tests.support.docker import ROOT, free_port, wait_until

LIBRARY = """
set -euo pipefail
root=$1 bossman_at=$2
mkdir -p "$root/.kit"
cd "$3"
for name in common output state stack live_checks store_checks own_bossman start; do
  . "scripts/lib/$name.sh"
done
usage() { echo usage; }
host_port() { printf '%s' "$bossman_at"; }
bossman_runs() { :; }
container_states() { :; }
image_exists() { [ "$1" = engines:mine ]; }
docker() { return 1; }
profiles="" mode=closed sink="" own_bossman=$(remembered_bossman)
"""
LOGIN = {"email": "demo@example.com", "password": "x"}


@contextmanager
def served(statuses: Mapping[str, int]) -> Iterator[int]:
    """A service that answers these paths with these statuses, and 404 elsewhere."""

    class Answers(BaseHTTPRequestHandler):
        known: ClassVar = statuses

        def do_GET(self) -> None:
            self.send_response(self.known.get(self.path, 404))
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def existing() -> Iterator[int]:
    """The service that speaks as the existing engines do."""
    config = uvicorn.Config(create_app(SIGNING_SECRET, "firestore"), port=free_port(), log_level="error")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_until(lambda: server.started, 30, "the service runs")
        yield config.port
    finally:
        server.should_exit = True
        thread.join()


def outcome(checkout: Path, port: int, command: str) -> tuple[int, str]:
    """Exit code and output of a command of the library in a checkout."""
    words = ["bash", "-c", LIBRARY + command, "bash", str(checkout), str(port), str(ROOT)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    return done.returncode, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("statuses", "route", "well"),
    [
        ({"/readyz": 200}, "/readyz 200", True),
        ({"/readyz": 503, "/health": 200}, "/readyz 503", False),
        ({"/health": 200}, "/health 200", True),
        ({"/bossman/tenant-dashboard": 401}, "/bossman/tenant-dashboard 401", True),
        ({"/openapi.json": 500}, "/openapi.json 500", False),
        ({"/elsewhere": 200}, "", False),
    ],
)
def test_the_first_route_that_is_there_tells_health(
    tmp_path: Path, statuses: dict[str, int], route: str, well: bool
) -> None:
    with served(statuses) as port:
        assert outcome(tmp_path, port, "own_route") == (0, route)
        assert outcome(tmp_path, port, "if own_answers; then printf well; fi")[1] == ("well" if well else "")


def test_nothing_that_listens_is_no_health(tmp_path: Path) -> None:
    assert outcome(tmp_path, free_port(), "own_route; if own_answers; then printf well; fi") == (0, "")


def test_each_thing_that_is_not_shown_is_named_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / ".kit").mkdir()
    (tmp_path / ".kit/demo-login.json").write_text(json.dumps(LOGIN))
    sign_up = "http POST $bossman_at /auth/signup .kit/body >/dev/null; "
    (tmp_path / ".kit/body").write_text(json.dumps(LOGIN | {"tenant_name": "Demo"}))
    with existing() as port:
        before = outcome(tmp_path, port, "unproven")[1]
        code, after = outcome(tmp_path, port, f"cd {tmp_path}; {sign_up} unproven")
    assert before.splitlines()[-1] == "all of the dashboard: it is not served to the demo login"
    assert (code, [line.split(": ")[1] for line in after.splitlines()]) == (
        0,
        [
            "/readyz is not there",
            "/healthz is not there",
            "/metrics is not there",
            "/bossman/onboarding is not there",
            "the dashboard has no freshness",
            "the dashboard has no health",
            "the dashboard has no backlog",
        ],
    )


def test_doctor_warns_and_does_not_fail(tmp_path: Path) -> None:
    with existing() as port:
        report = "own_bossman=engines:mine; check_bossman; check_unproven; check_missing; print_checks"
        code, output = outcome(tmp_path, port, report)
    assert (code, "[fail]" in output) == (0, False)
    assert "BOSSMAN-READY" in output
    assert "engines:mine answers at" in output
    assert output.count("[warn] UNPROVEN") == 5


def test_doctor_fails_for_an_image_that_answers_nowhere(tmp_path: Path) -> None:
    with served({}) as port:
        output = outcome(
            tmp_path, port, "own_bossman=engines:mine; check_bossman; check_unproven; print_checks"
        )[1]
    assert "[fail] BOSSMAN-READY" in output
    assert "UNPROVEN" not in output


def test_the_choice_is_remembered_and_taken_back(tmp_path: Path) -> None:
    def files() -> str:
        return outcome(tmp_path, 1, "compose_files")[1]

    assert files() == "compose.yaml:compose/closed.yaml"
    assert outcome(tmp_path, 1, "choose_bossman engines:mine; save_bossman") == (0, "")
    assert files() == "compose.yaml:compose/closed.yaml:compose/own-bossman.yaml:.kit/bossman.yaml"
    assert outcome(tmp_path, 1, 'printf %s "$own_bossman"') == (0, "engines:mine")
    assert (tmp_path / ".kit/bossman.env").stat().st_mode & 0o777 == 0o600
    assert outcome(tmp_path, 1, "choose_bossman kit; save_bossman") == (0, "")
    assert files() == "compose.yaml:compose/closed.yaml"
    assert not (tmp_path / ".kit/bossman.env").exists()


@pytest.mark.parametrize("name", ["", "-x", "a b", 'a"b', "a\nb", "$(id)"])
def test_what_is_no_name_of_an_image_is_bad_usage(tmp_path: Path, name: str) -> None:
    code, output = outcome(tmp_path, 1, f"choose_bossman {json.dumps(name).replace('$', chr(92) + '$')}")
    assert (code, "--bossman takes the name of an image" in output) == (2, True)


def test_an_image_that_is_nowhere_leaves_the_choice(tmp_path: Path) -> None:
    code, output = outcome(tmp_path, 1, "choose_bossman nobody:has; save_bossman")
    assert (code, "BOSSMAN-IMAGE" in output) == (1, True)
    assert not (tmp_path / ".kit/bossman.yaml").exists()
