"""PRODUCTION.md and its manifest: settings that exist, hardened as the stack, every named test is there."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from engines.common.front import FRONTS, is_behind_front
from engines.config.runtime_config import STATE_SELECTORS, variable_names
from engines.config.secret_files import SECRETS
from tests.support.app import settings

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "docs/infra/PRODUCTION.md").read_text()
NAMES = {name for names in variable_names().values() for name in names}
STAND_INS = {name for name in NAMES if "EMULATOR" in name or "ENDPOINT" in name}
NAMED_TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


@pytest.fixture(scope="module")
def objects() -> dict[str, Any]:
    """The manifest's objects by kind."""
    return {
        found["kind"]: found
        for found in yaml.safe_load_all((ROOT / "docs/infra/kubernetes.yaml").read_text())
    }


@pytest.fixture(scope="module")
def pod(objects: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = objects["Deployment"]["spec"]["template"]["spec"]
    return found


@pytest.fixture(scope="module")
def container(pod: dict[str, Any]) -> dict[str, Any]:
    [found] = pod["containers"]
    assert isinstance(found, dict)
    return found


def check_variables(values: dict[str, str]) -> None:
    """They exist, aim at the real cloud, keep all state, and the process starts with them."""
    assert values.keys() <= NAMES - STAND_INS
    assert {values[f"{selector.upper()}_BACKEND"] for selector in STATE_SELECTORS} == {"firestore"}
    assert settings(**values).nexus_backend == "bigquery"


def test_the_manifest_sets_only_settings_that_exist(container: dict[str, Any]) -> None:
    check_variables({item["name"]: item["value"] for item in container["env"]})


def test_the_cloud_run_command_sets_the_same(container: dict[str, Any]) -> None:
    [listed] = re.findall(r"--set-env-vars=(\S+)", GUIDE)
    values = dict(item.split("=", 1) for item in listed.split(","))
    check_variables(values)
    assert values == {item["name"]: item["value"] for item in container["env"]}
    [secrets] = re.findall(r"--set-secrets=(\S+)", GUIDE)
    assert {item.split("=")[0] for item in secrets.split(",")} <= SECRETS.keys()


def test_secrets_are_files_where_the_engines_read_them(
    pod: dict[str, Any], container: dict[str, Any]
) -> None:
    [volume] = [found for found in pod["volumes"] if "secret" in found]
    assert {item["key"] for item in volume["secret"]["items"]} <= SECRETS.keys()
    assert all(item["key"] == item["path"] for item in volume["secret"]["items"])
    assert volume["secret"]["defaultMode"] == 0o440
    [mount] = [found for found in container["volumeMounts"] if found["name"] == volume["name"]]
    assert mount == {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True}
    assert pod["automountServiceAccountToken"] is False


def test_the_pod_is_as_hardened_as_the_stack(pod: dict[str, Any], container: dict[str, Any]) -> None:
    asked = pod["securityContext"]
    assert (asked["runAsNonRoot"], asked["runAsUser"], asked["fsGroup"]) == (True, 10001, 10001)
    assert asked["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }


def test_the_pod_is_probed_and_stopped_as_the_process_needs(
    objects: dict[str, Any], pod: dict[str, Any], container: dict[str, Any]
) -> None:
    stack = yaml.safe_load((ROOT / "compose/compose.yaml").read_text())["services"]["bossman"]
    grace = int(stack["stop_grace_period"].rstrip("s"))
    assert pod["terminationGracePeriodSeconds"] >= grace + 5
    assert container["livenessProbe"]["httpGet"]["path"] == "/livez"
    assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
    assert container["resources"]["limits"]["memory"] == stack["mem_limit"].replace("m", "Mi")
    assert container["ports"] == [{"name": "http", "containerPort": 8000}]
    assert objects["Service"]["spec"]["type"] == "ClusterIP"
    labels = objects["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert objects["Service"]["spec"]["selector"] == labels


def test_only_the_front_and_the_scraper_reach_the_pod(objects: dict[str, Any]) -> None:
    policy = objects["NetworkPolicy"]["spec"]
    assert policy["policyTypes"] == ["Ingress"]
    assert policy["podSelector"] == objects["Deployment"]["spec"]["selector"]
    [rule] = policy["ingress"]
    assert rule["ports"] == [{"port": "http"}]
    assert all(peer.keys() == {"namespaceSelector"} for peer in rule["from"])


def test_the_guide_names_every_network_that_is_believed(
    container: dict[str, Any],
) -> None:
    words = {"127.0.0.0/8": "loopback", "::1/128": "loopback", "169.254.0.0/16": "link-local"}
    words |= {"fe80::/10": "link-local", "10.0.0.0/8": "RFC 1918"}
    words |= {"172.16.0.0/12": "RFC 1918", "192.168.0.0/16": "RFC 1918"}
    assert [one for one in map(str, FRONTS) if words.get(one, one) not in GUIDE] == []
    [env] = [item["value"] for item in container["env"] if item["name"] == "ENV"]
    assert is_behind_front(env)


def test_the_s3_policy_allows_what_the_sink_calls() -> None:
    [block] = re.findall(r"```json\n(.*?)```", GUIDE, re.DOTALL)
    policy = json.loads(block)
    allowed = {action for statement in policy["Statement"] for action in statement["Action"]}
    assert allowed == {"s3:ListBucket", "s3:GetObject", "s3:PutObject"}
    assert all(statement["Resource"].startswith("arn:aws:s3:::BUCKET") for statement in policy["Statement"])


def test_every_row_of_the_fidelity_table_names_tests_that_exist() -> None:
    table = GUIDE[GUIDE.index("## What the stand-ins do not prove") :]
    rows = [line for line in table.splitlines() if line.startswith("| ")][1:]
    assert len(rows) >= 12
    assert [row for row in rows if not NAMED_TEST.search(row)] == []
    for file, name in NAMED_TEST.findall(GUIDE):
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


def test_every_test_of_the_stand_ins_fidelity_has_its_row() -> None:
    file = "tests/integration/test_standin_fidelity.py"
    made = set(re.findall(r"def (test_\w+)\(", (ROOT / file).read_text()))
    assert made == {name for place, name in NAMED_TEST.findall(GUIDE) if place == file}


def test_every_test_that_security_md_names_is_there() -> None:
    named = re.findall(r"`((?:tests|engines)/[\w/]+\.py)`", (ROOT / "SECURITY.md").read_text())
    assert len(named) >= 12
    assert [name for name in named if not (ROOT / name).is_file()] == []
