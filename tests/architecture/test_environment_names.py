"""No environment variable but the existing ones, in code, compose files, scripts and docs, both ways."""

import ast
import re
from pathlib import Path

import pytest
import yaml

from engines.config.document import markdown
from engines.config.runtime_config import variable_names

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {name for names in variable_names().values() for name in names}

SDK = {
    "GOOGLE_CLOUD_PROJECT": "project of a stand-in's own container, as Google's tools read it",
    "GOOGLE_APPLICATION_CREDENTIALS": "key file of Google's SDKs",
}
"""Variables of SDKs and stand-ins that no setting reads."""

OF_THE_EXISTING_ENGINES = {
    *("ENV", "APP_ENV", "GCP_PROJECT_ID", "GCP_PROJECT", "DATASETS_BUCKET"),
    *("NEXUS_BACKEND", "NEXUS_BQ_DATASET", "NEXUS_BQ_TABLE"),
    *("IDENTITY_BACKEND", "PRIVACY_BACKEND", "ANALYTICS_EVENTS_BACKEND", "STRATEGY_LOCK_BACKEND"),
    *("FIREARMS_BACKEND", "BUDGET_BACKEND", "KPI_BACKEND", "SEO_BACKEND"),
    *("AUTH_JWT_SIGNING", "SYSTEM_BOOTSTRAP_KEY"),
}
"""Settings whose variables the existing engines read by themselves."""

EXISTING = {"TENANT_ID"}
"""Variables of the existing engines that documents name as no longer read."""

TOOLS = {
    *(
        "HOME",
        "PATH",
        "PWD",
        "CI",
        "TERM",
        "NO_COLOR",
        "TMPDIR",
        "BASH_SOURCE",
        "SECONDS",
        "RANDOM",
        "HOSTNAME",
    ),
    *(
        "BASH_REMATCH",
        "FUNCNAME",
        "LINENO",
        "UID",
        "EUID",
        "OSTYPE",
        "IFS",
        "REPLY",
        "BASH",
        "BASHPID",
        "USER",
    ),
    *("DOCKER_HOST", "DOCKER_CONFIG", "DOCKER_BUILDKIT", "BUILDKIT_PROGRESS", "DOCKER_CONTEXT"),
    *("COMPOSE_PROJECT_NAME", "COMPOSE_FILE", "COMPOSE_PROFILES"),
    *("PIP_CERT", "SSL_CERT_FILE", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "LC_ALL", "DEBIAN_FRONTEND"),
}
"""Variables of the shell, Docker, Compose, pip and proxies that scripts read or set."""

NOT_INHERITED = {f"{kind}_PROXY" for kind in ("HTTP", "HTTPS", "FTP", "ALL", "NO")} | {
    f"{kind}_proxy" for kind in ("http", "https", "ftp", "all", "no")
}
"""Docker's client configuration gives these to every container; the stack empties them."""

BUILD_ARGUMENTS = {
    "BASE",
    "COMMIT",
    "EMULATOR",
    "VERSION",
    "PYTHONDONTWRITEBYTECODE",
    "PYTHONUNBUFFERED",
    "PYTHONPATH",
    "PIP_ROOT_USER_ACTION",
}
"""Arguments and Python's own switches inside Dockerfiles."""

SHELL_EXPANSION = re.compile(r"\$\{?([A-Z][A-Z0-9_]+)")
DOC_NAME = re.compile(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`")


def files(*patterns: str) -> list[Path]:
    found = [path for pattern in patterns for path in sorted(ROOT.glob(pattern)) if path.is_file()]
    assert found, patterns
    return found


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


class ComposeLoader(yaml.SafeLoader):
    """Knows Compose's own tag for what an override takes out."""


ComposeLoader.add_constructor("!reset", lambda _loader, _node: None)


@pytest.mark.parametrize("path", files("compose.yaml", "compose/*.yaml"), ids=named)
def test_compose_files_set_only_existing_names(path: Path) -> None:
    services = (yaml.load(path.read_text(), ComposeLoader) or {}).get("services") or {}
    given = [service.get("environment") or {} for service in services.values()]
    assert not [name for found in given for name in NOT_INHERITED & found.keys() if found[name]]
    set_here = {name for found in given for name in found} - NOT_INHERITED
    interpolated = set(SHELL_EXPANSION.findall(path.read_text()))
    assert set_here <= SETTINGS | SDK.keys()
    assert interpolated <= SETTINGS | SDK.keys() | TOOLS


SCRIPTS = [path for path in files("scripts/*", "scripts/lib/*.sh", ".ci/run") if path.suffix in ("", ".sh")]


@pytest.mark.parametrize("path", SCRIPTS, ids=named)
def test_scripts_read_only_existing_names(path: Path) -> None:
    assert set(SHELL_EXPANSION.findall(path.read_text())) <= SETTINGS | SDK.keys() | TOOLS


@pytest.mark.parametrize("path", files("compose/images/*/*"), ids=named)
def test_images_read_only_existing_names(path: Path) -> None:
    assert set(SHELL_EXPANSION.findall(path.read_text())) <= SETTINGS | SDK.keys() | TOOLS | BUILD_ARGUMENTS


@pytest.mark.parametrize("path", files("*.md", "docs/**/*.md", "compose/*.md"), ids=named)
def test_docs_name_only_existing_names(path: Path) -> None:
    assert set(DOC_NAME.findall(path.read_text())) <= SETTINGS | SDK.keys() | TOOLS | EXISTING


def test_every_setting_is_documented() -> None:
    assert (ROOT / "docs/infra/ENVIRONMENT.md").read_text() == markdown()


def test_the_engines_names_are_told_from_those_of_the_sdks() -> None:
    _, own, sdks, alone = (set(DOC_NAME.findall(part)) for part in markdown().split("\n## "))
    assert own == OF_THE_EXISTING_ENGINES - {"ENV"}
    assert sdks == SETTINGS - OF_THE_EXISTING_ENGINES
    assert alone == SDK.keys() | {"GCP_PROJECT_ID"}


def test_bossmans_container_sets_every_selector() -> None:
    compose = yaml.safe_load((ROOT / "compose/compose.yaml").read_text())
    selectors = {name for name in SETTINGS if name.endswith("_BACKEND")}
    assert selectors <= compose["services"]["bossman"]["environment"].keys()


PRODUCT_CODE = [path for path in files("engines/**/*.py") if "tests" not in path.parts]


@pytest.mark.parametrize("path", PRODUCT_CODE, ids=named)
def test_only_the_settings_read_the_environment(path: Path) -> None:
    for node in ast.walk(ast.parse(path.read_text())):
        reads = isinstance(node, ast.Attribute) and node.attr in ("environ", "getenv", "putenv")
        assert not reads, f"line {getattr(node, 'lineno', 0)}"
