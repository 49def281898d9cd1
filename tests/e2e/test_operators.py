"""What people who run the stack run into: each test leaves it healthy, and nothing acknowledged is lost."""

import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.docker import wait_until
from tests.support.people import last_write_at, pageview, sign_up, until_ready
from tests.support.stack import COMMAND_SECONDS, Stack, clean_environment

SERVICES = ("bossman", "firestore", "bigquery", "objectstore", "secrets", "bigquery-init")


def doctor(stack: Stack) -> dict[str, dict[str, Any]]:
    """The doctor's checks by code."""
    _, output = stack.outcome("./scripts/doctor", "--json")
    return {check["code"]: check for check in json.loads(output)["checks"]}


def volume_of(stack: Stack) -> str:
    [mount] = [found for found in stack.containers()["firestore"]["Mounts"] if found["Type"] == "volume"]
    name: str = mount["Name"]
    return name


def owned_by(stack: Stack, owner: str) -> None:
    """Give the state store's volume to ``owner``, past the stack."""
    image = stack.containers()["firestore"]["Image"]
    entry = ["--user", "0", "--network", "none", "-v", f"{volume_of(stack)}:/data", "--entrypoint", "chown"]
    stack.run("docker", "run", "--rm", *entry, image, "-R", owner, "/data")


def test_row_1_a_store_that_cannot_save_is_not_stopped(stack: Stack, http: httpx.Client) -> None:
    login = sign_up(http, "Unsaved")
    owned_by(stack, "0:0")
    try:
        pageview(http, login)
        wait_until(lambda: "VOLUME" in doctor(stack), 60, "the doctor says that the volume cannot be written")
        assert http.get("/healthz").status_code == 503
        running = {name: item["Id"] for name, item in stack.containers().items()}
        for script in ("./scripts/down", "./scripts/backup"):
            code, output = stack.outcome(script)
            assert code == 1, output
            assert "[fail] UNSAVED" in output
            assert "would be gone. Nothing was stopped" in output
        assert {name: item["Id"] for name, item in stack.containers().items()} == running
        cure = doctor(stack)["VOLUME"]["cure"].partition("; then")[0]
        stack.run("bash", "-c", cure)
    finally:
        owned_by(stack, "10001:10001")
    until_ready(http)
    wait_until(lambda: "VOLUME" not in doctor(stack), 60, "it saves again by itself")
    assert last_write_at(http, login) is not None
    stack.run("docker", "restart", "-t", "60", stack.containers()["firestore"]["Id"])
    until_ready(http)
    assert last_write_at(http, login) is not None


@pytest.fixture
def proxied(tmp_path: Path) -> str:
    """A Docker client configuration with proxies that refuse everything; DOCKER_CONFIG for a command."""
    own = Path(os.environ.get("DOCKER_CONFIG", Path.home() / ".docker"))
    if (own / "cli-plugins").is_dir():
        shutil.copytree(own / "cli-plugins", tmp_path / "cli-plugins")
    refusing = dict.fromkeys(("httpProxy", "httpsProxy", "ftpProxy", "allProxy"), "http://127.0.0.1:9")
    (tmp_path / "config.json").write_text(
        json.dumps({"proxies": {"default": refusing | {"noProxy": "nothing"}}})
    )
    return f"DOCKER_CONFIG={tmp_path}"


@pytest.mark.parametrize("service", SERVICES)
def test_row_6_no_proxy_of_dockers_configuration_reaches_a_container(
    stack: Stack, proxied: str, service: str
) -> None:
    command = ("docker", "compose", "run", "--rm", "--no-deps", "--entrypoint", "env", service)
    lines = stack.run("env", proxied, *command).splitlines()
    assert "PATH" in {line.partition("=")[0] for line in lines}
    assert not [
        line for line in lines if line.partition("=")[0].lower().endswith("_proxy") and line[-1] != "="
    ]


def test_row_6_bossman_reaches_its_stores_past_such_a_proxy(
    stack: Stack, http: httpx.Client, proxied: str
) -> None:
    up = ("up", "-d", "--no-build", "--no-deps", "--force-recreate", "--wait", "bossman")
    stack.run("env", proxied, "docker", "compose", *up)
    until_ready(http)
    login = sign_up(http, "Proxied")
    pageview(http, login)
    assert last_write_at(http, login) is not None
    assert doctor(stack)["PROXY"]["status"] == "pass"


def test_row_9_two_ups_at_once_both_end_well(stack: Stack, http: httpx.Client) -> None:
    both = [
        subprocess.Popen(
            ["./scripts/up"],
            cwd=stack.path,
            env=clean_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for _ in range(2)
    ]
    outputs = [process.communicate(timeout=COMMAND_SECONDS)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0], outputs
    assert all(stack.url in output for output in outputs)
    assert any("waiting for another script on this checkout: ./scripts/up" in output for output in outputs)
    assert http.get("/readyz").status_code == 200


def test_row_10_the_doctor_says_that_older_code_runs(stack: Stack) -> None:
    assert doctor(stack)["CODE"]["status"] == "pass"
    edited = stack.path / "engines/__init__.py"
    before = edited.read_text()
    edited.write_text(f"{before}# edited at {time.time_ns()}\n")
    try:
        stack.compose("up", "-d", "--no-build")
        told = doctor(stack)["CODE"]
    finally:
        edited.write_text(before)
    assert told["status"] == "warn"
    assert "older code runs" in told["summary"]
    assert "./scripts/up" in told["cure"]
    assert doctor(stack)["CODE"]["status"] == "pass"
