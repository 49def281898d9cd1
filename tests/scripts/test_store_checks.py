"""What doctor and up say of the state store and of clocks, asked over the wire as on a host."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest

from tests.support.docker import ROOT
from tests.support.stand_in import KILLED, ORDERLY

MIB = 1024 * 1024
CAME = (
    "came back as of 2026-01-15 11:49:51 UTC, what was stored after it until 2026-01-15 11:49:58 UTC is gone"
)
APART = "the clock of this process is 600.0 s ahead of the state store's: synchronise the clocks"
LIBRARY = """
set -euo pipefail
root=$1 port=$2 runs=$3
for name in common output stack live_checks store_checks start; do . "scripts/lib/$name.sh"; done
host_port() { printf '%s' "$port"; }
bossman_runs() { [ -n "$runs" ]; }
container_states() { :; }
docker() { printf 671088640; }
"""


class Answers(BaseHTTPRequestHandler):
    """Stand-in and Bossman behind one port; a body that is not there is a 404."""

    bodies: ClassVar[dict[str, Any]]

    def do_GET(self) -> None:
        body = self.bodies.get(self.path)
        self.send_response(404 if body is None else 200)
        self.end_headers()
        # The stand-in writes a file for people, Bossman without any blank.
        text = (
            json.dumps(body, indent=2)
            if self.path == "/kit/status"
            else json.dumps(body, separators=(",", ":"))
        )
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@contextmanager
def serving(status: dict[str, Any] | None, health: dict[str, Any] | None = None) -> Iterator[int]:
    bodies = {"/kit/status": status, "/healthz": health}
    handler = type("Handler", (Answers,), {"bodies": bodies})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join()


def said(
    status: dict[str, Any] | None,
    health: dict[str, Any] | None = None,
    command: str = "check_state; print_checks",
) -> str:
    """What the command prints; without ``health`` Bossman does not run."""
    with serving(status, health) as port:
        script = LIBRARY + command
        words = ["bash", "-c", script, "bash", str(ROOT), str(port), "yes" if health else ""]
        done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def healthy(**outputs: str) -> dict[str, Any]:
    """Bossman's health with such outputs, as it writes it."""
    names = {"restored": "document-store:restored", "skew": "clock:skew"}
    first = {"componentId": "firestore", "status": "pass", "output": None}
    checks: dict[str, Any] = {"document-store:responseTime": [first | {"filler": "x" * 400}]}
    checks |= {names[name]: [first | {"output": output}] for name, output in outputs.items()}
    return {"status": "pass", "checks": checks}


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, []),
        ({"writes": "refused", "refused_because": "disk: the volume is full"}, ["[fail] DISK"]),
        ({"saving": "failing", "save_error": "No space left on device"}, ["[fail] DISK"]),
        (
            {"writes": "refused", "refused_because": "memory: 95 % in use"},
            ["[fail] MEMORY", "mem_limit: 1280m"],
        ),
        ({"writes": "refused", "refused_because": "volume: it is read-only"}, ["[fail] VOLUME"]),
        ({"saving": "failing", "save_error": "Read-only file system"}, ["[fail] VOLUME", "Read-only"]),
        ({"memory_used_bytes": 300 * MIB}, ["[warn] MEMORY", "uses 75 % of its 400 MB", "mem_limit: 1280m"]),
    ],
)
def test_what_the_stand_in_says_has_its_code_and_cure(more: dict[str, Any], expected: list[str]) -> None:
    output = said(ORDERLY | more, healthy())
    assert "[pass] STATE-RESTORED" in output
    assert all(words in output for words in expected)
    assert output.count("[fail]") + output.count("[warn]") == (1 if expected else 0)


def test_a_store_that_came_back_older_is_said_until_it_is_acknowledged() -> None:
    output = said(ORDERLY | KILLED, healthy(restored=CAME))
    assert f"[warn] STATE-RESTORED     the state store {CAME}" in output
    assert "./scripts/verify acknowledge --state" in output
    assert "[pass] STATE-RESTORED" in said(ORDERLY | KILLED, healthy())


@pytest.mark.parametrize("more", [KILLED, {"fell_back": True}], ids=["killed", "fell_back"])
def test_without_bossman_the_stand_in_alone_says_it(more: dict[str, Any]) -> None:
    output = said(ORDERLY | more)
    gone = "what was stored after it until 2026-01-15T11:49:58Z is gone"
    assert f"the state store came back as of 2026-01-15T11:49:51Z, {gone}" in output
    assert "[pass] STATE-RESTORED" in said(ORDERLY)


def test_nothing_is_said_of_another_emulator() -> None:
    assert said(None, healthy()) == ""


def test_clocks_that_differ_are_said() -> None:
    assert f"[warn] CLOCK              {APART}" in said(None, healthy(skew=APART))


def test_up_ends_with_it() -> None:
    show = 'print_restored "$(state_restored "")"'
    assert f"The state store {CAME}" in said(ORDERLY | KILLED, healthy(restored=CAME), show)
    assert said(ORDERLY, healthy(), show) == ""
