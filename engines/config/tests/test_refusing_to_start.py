"""``python -m engines`` with settings it cannot honour."""

import os
import subprocess
import sys

import pytest

from engines.config.runtime_config import variable_names

SECRET = "s" * 32


def start(**environment: str) -> subprocess.CompletedProcess[str]:
    inherited = {name: os.environ[name] for name in ("PATH", "PYTHONPATH") if name in os.environ}
    assert not inherited.keys() & {name for names in variable_names().values() for name in names}
    return subprocess.run(
        [sys.executable, "-m", "engines"],
        env=inherited | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


CLOUD = {"AUTH_JWT_SIGNING": SECRET, "GCP_PROJECT_ID": "p", "GOOGLE_APPLICATION_CREDENTIALS": "/no/key.json"}
NO_KEY = "GOOGLE_APPLICATION_CREDENTIALS names no usable key file"


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"NEXUS_BACKEND": "noop"}, "AUTH_JWT_SIGNING is not set: it is required"),
        ({"AUTH_JWT_SIGNING": SECRET}, "GCP_PROJECT_ID (or GCP_PROJECT) is not set"),
        ({"AUTH_JWT_SIGNING": SECRET, "NEXUS_BACKEND": "memory"}, "NEXUS_BACKEND=memory is not allowed"),
        ({"AUTH_JWT_SIGNING": SECRET, "NEXUS_BACKEND": " noop"}, "unsupported NEXUS_BACKEND= noop"),
        (CLOUD, NO_KEY),
        (CLOUD | {"NEXUS_BACKEND": "bigquery"}, NO_KEY),
        (CLOUD | {"NEXUS_BACKEND": "object_store", "DATASETS_BUCKET": "gs://datasets"}, NO_KEY),
    ],
    ids=[
        "no_secret",
        "no_project",
        "memory_sink",
        "untrimmed_sink",
        "no_key",
        "no_key_bigquery",
        "no_key_gs",
    ],
)
def test_bad_settings_exit_78_with_the_variable_and_no_traceback(
    environment: dict[str, str], message: str
) -> None:
    ended = start(**environment)
    assert ended.returncode == 78
    assert ended.stderr.startswith(f"refusing to start:\n{message}")
    assert "Traceback" not in ended.stderr
    assert SECRET not in ended.stderr
    assert ended.stdout == ""
