"""Every container of the stack is hardened, and nothing is reachable from outside the host."""

import json
from pathlib import Path

import pytest

from tests.support.stack import Stack

SERVERS = ("bossman", "firestore", "bigquery", "objectstore")
JOBS = ("secrets", "bigquery-init")


@pytest.mark.parametrize("service", [*SERVERS, *JOBS])
def test_the_container_is_hardened(stack: Stack, service: str) -> None:
    container = stack.containers()[service]
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert host["ReadonlyRootfs"] is True
    assert host["CapDrop"] == ["ALL"]
    assert host["Privileged"] is False
    assert "no-new-privileges:true" in host["SecurityOpt"]
    assert 0 < host["Memory"] <= 1024**3
    assert host["PidsLimit"] > 0
    assert host["LogConfig"]["Config"].keys() >= {"max-size", "max-file"}
    assert all(mount["Type"] != "bind" for mount in container["Mounts"])


@pytest.mark.parametrize("service", SERVERS)
def test_ports_are_published_on_loopback_alone(stack: Stack, service: str) -> None:
    bindings = stack.containers()[service]["HostConfig"]["PortBindings"]
    assert [binding["HostIp"] for found in bindings.values() for binding in found] == ["127.0.0.1"]


@pytest.mark.parametrize("service", [*SERVERS])
def test_the_image_says_what_is_in_it(stack: Stack, service: str) -> None:
    bill = json.loads(stack.compose("exec", "-T", service, "cat", "/usr/share/sbom/sbom.cdx.json"))
    names = {component["name"] for component in bill["components"]}
    inside = {"bossman": "fastapi", "bigquery": "local-bigquery"}.get(service, "nginx")
    assert {"libc6", inside} <= names
    assert "pip" not in names


OUTSIDE = ["192.0.2.1/80", "1.1.1.1/443", "8.8.8.8/53", "169.254.169.254/80", "100.100.100.200/80"]
"""Addresses of the internet, and where clouds answer with a machine's credentials."""


@pytest.mark.parametrize("service", SERVERS)
def test_no_container_has_a_way_out(stack: Stack, service: str) -> None:
    reach = "timeout 3 bash -c 'exec 3<>/dev/tcp/{}' 2>/dev/null && echo {}; "
    script = "".join(reach.format(target, target) for target in OUTSIDE) + "true"
    assert stack.compose("exec", "-T", service, "bash", "-c", script) == ""


def test_jobs_are_on_no_network_but_the_inner_one(stack: Stack) -> None:
    containers = stack.containers()
    networks = {name: containers[name]["NetworkSettings"]["Networks"] for name in (*SERVERS, *JOBS)}
    project = containers["bossman"]["Config"]["Labels"]["com.docker.compose.project"]
    inner, published = f"{project}_default", f"{project}_published"
    assert {name: set(found) for name, found in networks.items()} == (
        {key: {inner, published} for key in SERVERS} | {"secrets": {"none"}, "bigquery-init": {inner}}
    )


@pytest.mark.parametrize("service", JOBS)
def test_jobs_have_ended_well(stack: Stack, service: str) -> None:
    state = stack.containers()[service]["State"]
    assert (state["Status"], state["ExitCode"]) == ("exited", 0)


def test_secrets_are_private_files_and_no_container_shows_them(stack: Stack) -> None:
    listing = stack.compose("exec", "-T", "bossman", "stat", "-c", "%a %n", "/run/secrets/AUTH_JWT_SIGNING")
    assert listing.split()[0] == "600"
    secret = stack.compose("exec", "-T", "bossman", "cat", "/run/secrets/AUTH_JWT_SIGNING").strip()
    assert len(secret) >= 64
    assert secret not in str(stack.containers())


def test_generated_files_are_private_and_ignored_by_git(stack: Stack) -> None:
    for name in (".env", ".kit/demo-login.json"):
        assert (stack.path / name).stat().st_mode & 0o777 == 0o600
    ignored = Path(stack.path / ".gitignore").read_text().splitlines()
    assert {".env", ".kit/"} <= set(ignored)


def test_bossman_cannot_write_outside_its_temporary_folder(stack: Stack) -> None:
    code, _ = stack.outcome("docker", "compose", "exec", "-T", "bossman", "touch", "/app/x")
    assert code != 0
