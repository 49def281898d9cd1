"""The scripts as an operator meets them: first start, repeats, refusals with cause and cure, teardown."""

import json
import socket

import httpx

from tests.support.docker import free_port
from tests.support.people import last_write_at, pageview, sign_up, until_ready
from tests.support.stack import Stack, checkout


def test_up_ends_with_addresses_login_and_the_next_command(stack: Stack) -> None:
    output = stack.first_up
    assert stack.url in output
    assert "demo@northstar.localhost" in output
    assert "./scripts/doctor" in output
    for service in ("bossman", "firestore", "bigquery", "objectstore", "secrets", "bigquery-init"):
        assert service in output
    assert stack.demo_login()["password"] not in output


def test_the_demo_login_works_and_its_dashboard_has_an_event(stack: Stack, http: httpx.Client) -> None:
    login = http.post("/auth/login", json=stack.demo_login()).raise_for_status().json()
    headers = {"Authorization": f"Bearer {login['access_token']}", "X-Env": "dev"}
    shown = http.get("/bossman/tenant-dashboard", headers=headers).raise_for_status().json()
    assert shown["event_sink"]["last_write_at"] is not None


def test_up_again_changes_neither_secret_nor_port_nor_tenant(stack: Stack) -> None:
    before = {
        name: (stack.path / name).read_text() for name in (".env", ".kit/ports.yaml", ".kit/demo-login.json")
    }
    ids = {service: item["Id"] for service, item in stack.containers().items() if item["State"]["Running"]}
    stack.up()
    assert {name: (stack.path / name).read_text() for name in before} == before
    after = {service: item["Id"] for service, item in stack.containers().items() if item["State"]["Running"]}
    assert after == ids


def test_down_keeps_the_data_for_the_next_up(stack: Stack, http: httpx.Client) -> None:
    login = sign_up(http, "Keeper")
    pageview(http, login)
    seen = last_write_at(http, login)
    stack.run("./scripts/down")
    assert stack.compose("ps", "-aq") == ""
    stack.up()
    until_ready(http)
    assert last_write_at(http, login) == seen


def test_doctor_passes_on_a_healthy_stack_for_people_and_machines(stack: Stack) -> None:
    assert "[fail]" not in stack.run("./scripts/doctor")
    report = json.loads(stack.run("./scripts/doctor", "--json"))
    assert report["status"] in ("pass", "warn")
    codes = {check["code"] for check in report["checks"]}
    assert {"STACK-firestore", "STACK-bigquery", "STACK-objectstore", "BOSSMAN-READY"} <= codes


def test_doctor_fails_with_cause_and_cure_when_a_service_is_stopped(stack: Stack, http: httpx.Client) -> None:
    stack.compose("stop", "objectstore")
    try:
        code, output = stack.outcome("./scripts/doctor", "--json")
    finally:
        stack.compose("start", "objectstore")
    assert code == 1
    failed = {check["code"]: check for check in json.loads(output)["checks"] if check["status"] == "fail"}
    assert "STACK-objectstore" in failed
    assert failed["STACK-objectstore"]["cure"]


def test_the_bundle_holds_no_secret(stack: Stack, http: httpx.Client) -> None:
    login = http.post("/auth/login", json=stack.demo_login()).raise_for_status().json()
    stack.run("./scripts/doctor", "--bundle")
    [bundle] = stack.path.glob("doctor-bundle-*.tar.gz")
    content = stack.run("tar", "-xzOf", bundle.name)
    bundle.unlink()
    assert "northstar" in content
    secret = stack.compose("exec", "-T", "bossman", "cat", "/run/secrets/AUTH_JWT_SIGNING").strip()
    for hidden in (stack.demo_login()["password"], secret, login["access_token"]):
        assert hidden not in content


def test_a_port_that_is_taken_is_named_with_its_cure() -> None:
    with checkout("busy") as other, socket.socket() as squatter:
        squatter.bind(("127.0.0.1", other.port))
        squatter.listen()
        code, output = other.outcome("./scripts/up", "--port", str(other.port))
        assert code == 1
        assert f"port {other.port} is in use" in output
        assert "cure:" in output
        assert not (other.path / ".env").exists()


def test_an_unreachable_engine_is_named_and_nothing_is_changed() -> None:
    with checkout("engine") as other:
        code, output = other.outcome("env", "DOCKER_HOST=tcp://127.0.0.1:1", "./scripts/up")
        assert code == 1
        assert "DOCKER-ENGINE" in output
        assert "cure:" in output
        assert not (other.path / ".kit").exists()


def test_a_volume_without_its_login_is_refused_before_anything_starts(stack: Stack) -> None:
    login = stack.path / ".kit/demo-login.json"
    kept = login.read_text()
    login.unlink()
    try:
        code, output = stack.outcome("./scripts/up")
    finally:
        login.write_text(kept)
        login.chmod(0o600)
    assert code == 1
    assert "STALE-VOLUME" in output
    assert "./scripts/reset" in output


def test_reset_needs_a_yes(stack: Stack) -> None:
    code, output = stack.outcome("./scripts/reset")
    assert code != 0
    assert "--yes" in output
    assert stack.compose("ps", "-q") != ""


def test_a_container_that_dies_stops_up_at_once_with_the_reason() -> None:
    with checkout("dying") as other:
        broken = other.path / "engines/__main__.py"
        broken.write_text("raise SystemExit('the reason it died')\n")
        code, output = other.outcome("./scripts/up", "--port", str(other.port), seconds=420)
        assert code == 1
        assert "the reason it died" in output
        assert "cure:" in output


def test_two_stacks_from_two_checkouts_do_not_touch_each_other(stack: Stack, http: httpx.Client) -> None:
    with checkout("second") as second:
        second.up("--port", str(free_port()) if second.port == stack.port else str(second.port))
        with second.client() as other_http:
            login = sign_up(other_http, "Elsewhere")
            pageview(other_http, login)
            assert last_write_at(other_http, login) is not None
        refused = http.get("/bossman/tenant-dashboard", headers=login.headers())
        assert refused.status_code == 401
        second.run("./scripts/reset", "--yes")
        assert http.get("/readyz").status_code == 200
    assert stack.compose("ps", "-q") != ""
